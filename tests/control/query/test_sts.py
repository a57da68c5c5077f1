"""STS: who calls, and sessions that sign on both planes until they end."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ecr_emu.domain import credentials
from tests.clients import DEFAULT_ACCOUNT, Registry, Reply
from tests.control.query.conftest import (
    ACCOUNT,
    CAROL,
    CAROL_ARN,
    FILED,
    OTHER,
    OTHER_ROOT,
    ROOT,
    Aws,
    allow,
    document,
    error_of,
    keys_of,
    serve,
    trust,
)

NAME = "team/app"
REPOSITORY = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{NAME}"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
ASSUME = "sts:AssumeRole"
NO_TRUST = "because no role trust policy allows the sts:AssumeRole action"
EXPIRED = ("ExpiredTokenException", "The security token included in the request is expired")


def denied(principal: str, because: str, action: str = ASSUME, resource: str = DEPLOY) -> tuple[str, str]:
    message = f"User: {principal} is not authorized to perform: {action} on resource: {resource} {because}"
    return "AccessDenied", message


def refusal(aws: Aws, key: tuple[str, ...], **more: Any) -> tuple[str, str]:
    request = {"RoleArn": DEPLOY, "RoleSessionName": "ci", **more}
    return error_of(aws.client("sts", key).assume_role, **request)


# --- Who calls -------------------------------------------------------------------------------------------


def identity(aws: Aws, *key: str) -> tuple[str, str, str]:
    answer = aws.client("sts", key).get_caller_identity()
    return answer["Arn"], answer["Account"], answer["UserId"]


def test_principals_of_the_file_are_named(aws: Aws) -> None:
    assert identity(aws, *CAROL) == (CAROL_ARN, ACCOUNT, "AIDACAROLEXAMPLE12345")
    assert identity(aws, *ROOT) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, ACCOUNT)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/filed/ci"
    assert identity(aws, *aws.session(CAROL, FILED)) == (session, ACCOUNT, "AROAFILEDEXAMPLE12345:ci")


def test_a_signature_is_verified(aws: Aws) -> None:
    code, _ = error_of(aws.client("sts", (CAROL[0], "wrong")).get_caller_identity)
    assert code == "SignatureDoesNotMatch"
    code, message = error_of(aws.client("sts", ("AKIANOBODYEXAMPLE000", "x")).get_caller_identity)
    assert (code, message) == (
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )


def signed(aws: Aws, service: str, body: str) -> Reply:
    """A form that is signed for a service."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", aws.running.url + "/", headers, body)
    SigV4Auth(Credentials(*CAROL), service, "us-east-1").add_auth(request)
    host = aws.running.url.removeprefix("http://")
    unsigned = Registry(aws.running.port, None)
    return unsigned.request("POST", "/", body.encode(), {**dict(request.headers.items()), "Host": host})


def test_a_signature_for_one_service_is_none_for_another(aws: Aws) -> None:
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    assert CAROL_ARN in signed(aws, "sts", body).body.decode()
    reply = signed(aws, "iam", body)
    assert (reply.status, "<Code>InvalidAction</Code>" in reply.body.decode()) == (400, True)
    reply = signed(aws, "ecr", body)
    assert (reply.status, reply.json()["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("auth", ["token", "open"])
def test_where_keys_are_believed_the_account_itself_calls(tmp_path: Path, auth: str) -> None:
    aws = Aws(serve(tmp_path, auth=auth))
    try:
        for key, account in ((ACCOUNT, ACCOUNT), ("test", DEFAULT_ACCOUNT)):
            assert identity(aws, key, "any") == (f"arn:aws:iam::{account}:root", account, account)
        answer = aws.client("sts", ("test", "any")).assume_role(RoleArn=DEPLOY, RoleSessionName="ci")
        assert answer["AssumedRoleUser"]["Arn"] == SESSION
        assert identity(aws, *keys_of(answer))[1] == ACCOUNT
        ecr = aws.client("ecr", keys_of(answer))
        assert ecr.create_repository(repositoryName=NAME)["repository"]["registryId"] == ACCOUNT
    finally:
        aws.close()
        aws.running.stop()


def test_where_keys_are_believed_a_key_that_is_known_is_its_principal(tmp_path: Path) -> None:
    aws = Aws(serve(tmp_path))
    try:
        alice = aws.user("alice", root=(ACCOUNT, "any"))
        assert identity(aws, *alice)[0] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    finally:
        aws.close()
        aws.running.stop()


def test_a_presigned_url_is_answered(aws: Aws) -> None:
    url = aws.client("sts", CAROL).generate_presigned_url("get_caller_identity", HttpMethod="GET")
    _, _, host, path = url.split("/", 3)
    unsigned = Registry(aws.running.port, None)
    reply = unsigned.request("GET", f"/{path}", headers={"Host": host})
    assert (reply.status, CAROL_ARN in reply.body.decode()) == (200, True)
    reply = unsigned.request("GET", f"/{path}", headers={"Host": host, "Authorization": "Basic QVdTOng="})
    assert (reply.status, "<Code>SignatureDoesNotMatch</Code>" in reply.body.decode()) == (403, True)


def test_the_account_of_a_key_is_told(aws: Aws) -> None:
    alice = aws.user("alice", allow("sts:GetAccessKeyInfo"))
    sts = aws.client("sts", alice)
    assert sts.get_access_key_info(AccessKeyId=ROOT[0])["Account"] == ACCOUNT
    assert sts.get_access_key_info(AccessKeyId=credentials.session_key_of(OTHER, 1))["Account"] == OTHER
    assert error_of(aws.client("sts", CAROL).get_access_key_info, AccessKeyId=ROOT[0])[0] == "AccessDenied"


# --- Who may become a role -------------------------------------------------------------------------------


def test_a_role_that_names_the_user_needs_nothing_else(aws: Aws) -> None:
    aws.role("deploy", {"AWS": CAROL_ARN})
    assert aws.session(CAROL, DEPLOY)


def test_a_role_that_names_the_account_leaves_it_to_identity_policies(aws: Aws) -> None:
    aws.role("deploy", {"AWS": ACCOUNT})
    because = "because no identity-based policy allows the sts:AssumeRole action"
    assert refusal(aws, CAROL) == denied(CAROL_ARN, because)
    assert aws.session(aws.user("alice", allow(ASSUME, resource=DEPLOY)), DEPLOY)


def test_a_role_that_names_nobody_lets_nobody_in(aws: Aws) -> None:
    alice = aws.user("alice", allow("*"))
    arn = f"arn:aws:iam::{ACCOUNT}:user/alice"
    aws.role("deploy", {"AWS": CAROL_ARN})
    assert refusal(aws, alice) == denied(arn, NO_TRUST)
    # What is remembered is the refusal, though the policies of the user would allow it.
    decisions = aws.registry(ROOT).request("GET", "/_emu/decisions").json()["decisions"]
    assert [one["allowed"] for one in decisions if one["action"] == ASSUME] == [False]
    # A role that is not there is not told from it.
    missing = f"{DEPLOY}-none"
    assert refusal(aws, alice, RoleArn=missing) == denied(arn, NO_TRUST, resource=missing)


def test_an_explicit_deny_of_either_side_wins(aws: Aws) -> None:
    everybody = {"AWS": ACCOUNT}
    deny = {"Effect": "Deny", "Action": ASSUME, "Resource": "*"}
    alice = aws.user("alice", allow("*"), deny)
    aws.role("deploy", everybody)
    arn = f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert refusal(aws, alice) == denied(arn, "with an explicit deny in an identity-based policy")
    text = document(trust(everybody), {**trust(everybody), "Effect": "Deny"})
    aws.client("iam", ROOT).update_assume_role_policy(RoleName="deploy", PolicyDocument=text)
    bob = aws.user("bob", allow("*"))
    arn = f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert refusal(aws, bob) == denied(arn, "with an explicit deny in the role trust policy")


def test_across_accounts_both_sides_have_to_allow(aws: Aws) -> None:
    guest = aws.user("guest", allow(ASSUME), root=OTHER_ROOT)
    silent = aws.user("silent", root=OTHER_ROOT)
    arn = f"arn:aws:iam::{OTHER}:user/"
    aws.role("deploy", {"AWS": CAROL_ARN})
    assert refusal(aws, guest) == denied(arn + "guest", NO_TRUST)
    text = document(trust({"AWS": OTHER}))
    aws.client("iam", ROOT).update_assume_role_policy(RoleName="deploy", PolicyDocument=text)
    because = "because no identity-based policy allows the sts:AssumeRole action"
    assert refusal(aws, silent) == denied(arn + "silent", because)
    session = aws.session(guest, DEPLOY)
    assert identity(aws, *session)[:2] == (SESSION, ACCOUNT)


def test_a_root_assumes_no_role(aws: Aws) -> None:
    aws.role("deploy", {"AWS": ACCOUNT})
    assert refusal(aws, ROOT) == ("AccessDenied", "Roles may not be assumed by root accounts.")


def test_conditions_see_the_external_id_and_the_name_of_the_session(aws: Aws) -> None:
    wanted = {"StringEquals": {"sts:ExternalId": "secret", "sts:RoleSessionName": "ci"}}
    text = document(trust({"AWS": CAROL_ARN}, Condition=wanted))
    aws.client("iam", ROOT).create_role(RoleName="deploy", AssumeRolePolicyDocument=text)
    assert refusal(aws, CAROL) == denied(CAROL_ARN, NO_TRUST)
    assert refusal(aws, CAROL, ExternalId="secret", RoleSessionName="other") == denied(CAROL_ARN, NO_TRUST)
    assert aws.session(CAROL, DEPLOY, ExternalId="secret")


def test_a_session_can_take_another_role_for_an_hour(aws: Aws) -> None:
    aws.role("first", {"AWS": CAROL_ARN})
    aws.role("deploy", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/first"}, allow("ecr:*"))
    session = aws.session(CAROL, f"arn:aws:iam::{ACCOUNT}:role/first")
    assert refusal(aws, session, DurationSeconds=3601)[0] == "ValidationError"
    assert identity(aws, *aws.session(session, DEPLOY))[0] == SESSION


# --- What a session may do, and how long -----------------------------------------------------------------


def test_a_session_pushes_and_pulls_until_its_role_may_not(aws: Aws) -> None:
    aws.client("ecr", ROOT).create_repository(repositoryName=NAME)
    aws.role("deploy", {"AWS": CAROL_ARN}, allow("ecr:*"))
    session = aws.session(CAROL, DEPLOY)
    registry = aws.registry(session)
    registry.push_image(NAME, "v1", b"layer")
    assert registry.request("GET", f"/v2/{NAME}/manifests/v1").status == 200
    aws.client("iam", ROOT).delete_role_policy(RoleName="deploy", PolicyName="own")
    reply = registry.request("GET", f"/v2/{NAME}/manifests/v1")
    because = "because no identity-based policy allows the ecr:BatchGetImage action"
    message = denied(SESSION, because, "ecr:BatchGetImage", REPOSITORY)[1]
    assert (reply.status, reply.error[1]) == (403, message)
    code, message = error_of(aws.client("ecr", session).describe_images, repositoryName=NAME)
    because = "because no identity-based policy allows the ecr:DescribeImages action"
    assert (code, message) == (
        "AccessDeniedException",
        denied(SESSION, because, "ecr:DescribeImages", REPOSITORY)[1],
    )


def test_a_session_ends_by_the_emulators_clock(aws: Aws) -> None:
    aws.role("deploy", {"AWS": CAROL_ARN}, allow("ecr:*"))
    session = aws.session(CAROL, DEPLOY, DurationSeconds=900)
    ecr, registry = aws.client("ecr", session), aws.registry(session)
    ecr.describe_registry()
    aws.running.post("/_emu/clock", advance=800)
    ecr.describe_registry()
    aws.running.post("/_emu/clock", advance=200)
    assert error_of(ecr.describe_registry) == EXPIRED
    assert error_of(aws.client("sts", session).get_caller_identity)[0] == "ExpiredToken"
    assert registry.request("GET", "/v2/").status in (401, 403)
    # A new one is good by the same clock.
    aws.client("ecr", aws.session(CAROL, DEPLOY)).describe_registry()


def test_a_session_needs_its_token(aws: Aws) -> None:
    aws.role("deploy", {"AWS": CAROL_ARN}, allow("ecr:*"))
    session = aws.session(CAROL, DEPLOY)
    assert error_of(aws.client("ecr", session[:2]).describe_registry)[0] == "UnrecognizedClientException"


def test_session_policies_limit_it(aws: Aws) -> None:
    aws.role("deploy", {"AWS": CAROL_ARN}, allow("ecr:*"))
    by_text = aws.session(CAROL, DEPLOY, Policy=document(allow("ecr:DescribeRepositories")))
    arns = [{"arn": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}]
    by_arn = aws.session(CAROL, DEPLOY, PolicyArns=arns)
    because = "because no session policy allows the ecr:CreateRepository action"
    for session in (by_text, by_arn):
        ecr = aws.client("ecr", session)
        ecr.describe_repositories()
        _, message = error_of(ecr.create_repository, repositoryName=NAME)
        assert message == denied(SESSION, because, "ecr:CreateRepository", REPOSITORY)[1]


def test_tags_of_a_session_come_before_those_of_its_role(aws: Aws) -> None:
    own = {"StringEquals": {"aws:PrincipalTag/team": "${aws:RequestTag/team}"}}
    red = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    text = document(trust({"AWS": CAROL_ARN}))
    iam = aws.client("iam", ROOT)
    tags = [{"Key": "team", "Value": "blue"}]
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=text, Tags=tags)
    iam.put_role_policy(
        RoleName="deploy", PolicyName="p", PolicyDocument=document(allow("ecr:*", Condition=red))
    )
    session_tags = [{"Key": "team", "Value": "red"}]
    because = "because no role trust policy allows the sts:TagSession action"
    assert refusal(aws, CAROL, Tags=session_tags) == denied(CAROL_ARN, because, "sts:TagSession")
    both = document(
        trust({"AWS": CAROL_ARN}, action=[ASSUME, "sts:TagSession"]),
        {**trust({"AWS": "*"}, action="sts:TagSession", Condition=own), "Effect": "Deny"},
    )
    iam.update_assume_role_policy(RoleName="deploy", PolicyDocument=both)
    untagged, tagged = aws.session(CAROL, DEPLOY), aws.session(CAROL, DEPLOY, Tags=session_tags)
    assert error_of(aws.client("ecr", untagged).describe_registry)[0] == "AccessDeniedException"
    aws.client("ecr", tagged).describe_registry()


def test_a_session_of_a_users_own_is_the_user(aws: Aws) -> None:
    sts = aws.client("sts", aws.user("alice", allow("ecr:*")))
    session = keys_of(sts.get_session_token(DurationSeconds=900))
    assert identity(aws, *session)[0] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    ecr = aws.client("ecr", session)
    ecr.describe_registry()
    assert error_of(aws.client("sts", session).get_session_token) == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )
    aws.running.post("/_emu/clock", advance=900)
    assert error_of(ecr.describe_registry) == EXPIRED


@pytest.mark.parametrize("is_root", [False, True])
def test_somebody_who_is_federated_may_do_what_both_allow(aws: Aws, is_root: bool) -> None:
    key = ROOT if is_root else aws.user("alice", allow("ecr:*", "sts:GetFederationToken"))
    sts = aws.client("sts", key)
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/eve"
    answer = sts.get_federation_token(Name="eve", Policy=document(allow("ecr:DescribeRegistry", "iam:*")))
    assert answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:eve", "Arn": arn}
    session = keys_of(answer)
    assert identity(aws, *session) == (arn, ACCOUNT, f"{ACCOUNT}:eve")
    ecr = aws.client("ecr", session)
    ecr.describe_registry()
    because = "because no session policy allows the ecr:DescribeRepositories action"
    assert error_of(ecr.describe_repositories)[1].endswith(because)
    nothing = aws.client("ecr", keys_of(sts.get_federation_token(Name="eve")))
    assert error_of(nothing.describe_registry)[0] == "AccessDeniedException"


# --- Web identities --------------------------------------------------------------------------------------

ISSUER = "token.actions.githubusercontent.com"
PROVIDER = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
WEB = "sts:AssumeRoleWithWebIdentity"


def web_token(**claims: Any) -> str:
    said = {"iss": f"https://{ISSUER}", "sub": "repo:me/app:ref", "aud": "sts.amazonaws.com", **claims}
    return jwt.encode(said, "any key of at least thirty-two bytes", algorithm="HS256")


@pytest.fixture
def web_role(aws: Aws) -> str:
    wanted = {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": "repo:me/app:*"}
    text = document(trust(PROVIDER, action=WEB, Condition={"StringLike": wanted}))
    iam = aws.client("iam", ROOT)
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=text)
    iam.put_role_policy(RoleName="deploy", PolicyName="p", PolicyDocument=document(allow("ecr:*")))
    return DEPLOY


def test_a_web_identity_that_the_role_trusts_gets_a_session(aws: Aws, web_role: str) -> None:
    request = {"RoleArn": web_role, "RoleSessionName": "ci", "WebIdentityToken": web_token()}
    answer = aws.client("sts", ("unused", "unused")).assume_role_with_web_identity(**request)
    assert answer["SubjectFromWebIdentityToken"] == "repo:me/app:ref"
    assert answer["Provider"] == PROVIDER["Federated"]
    aws.client("ecr", keys_of(answer)).describe_registry()


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (web_token(sub="repo:you/app:ref"), "AccessDenied"),
        (web_token(aud=["other", "another"]), "AccessDenied"),
        (web_token(iss="https://elsewhere.example"), "AccessDenied"),
        (web_token(exp=int(time.time()) - 10), "ExpiredTokenException"),
        (web_token(exp="soon"), "InvalidIdentityToken"),
        (web_token(sub=None), "InvalidIdentityToken"),
        (web_token(aud={"a": 1}), "InvalidIdentityToken"),
        ("garbage", "InvalidIdentityToken"),
        ("a.b.c", "InvalidIdentityToken"),
    ],
)
def test_another_web_identity_gets_none(aws: Aws, web_role: str, token: str, code: str) -> None:
    request = {"RoleArn": web_role, "RoleSessionName": "ci", "WebIdentityToken": token}
    sts = aws.client("sts", ("unused", "unused"))
    assert error_of(sts.assume_role_with_web_identity, **request)[0] == code


def test_a_role_for_users_and_services_lets_no_web_identity_in(aws: Aws) -> None:
    services = {"AWS": ACCOUNT, "Service": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
    text = document(trust(services, action=[WEB, ASSUME]), trust({"Service": "ec2.amazonaws.com"}))
    aws.client("iam", ROOT).create_role(RoleName="deploy", AssumeRolePolicyDocument=text)
    request = {"RoleArn": DEPLOY, "RoleSessionName": "ci", "WebIdentityToken": web_token()}
    sts = aws.client("sts", ("unused", "unused"))
    message = f"Not authorized to perform {WEB}"
    assert error_of(sts.assume_role_with_web_identity, **request) == ("AccessDenied", message)


# --- What is wrong with a request ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"RoleArn": "arn:aws:iam::1:role/deploy/xx"}, "arn:aws:iam::1:role/deploy/xx is invalid"),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:user/deploy"}, "is invalid"),
        ({"RoleSessionName": "a b"}, "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}"),
        ({"DurationSeconds": 899}, "Member must have value greater than or equal to 900"),
        ({"DurationSeconds": 43_201}, "Member must have value less than or equal to 43200"),
        ({"Policy": "x" * 2049}, "Member must have length less than or equal to 2048"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/x"}]}, "ecr-emu knows the managed policies"),
        ({"Tags": [{"Key": "a", "Value": "x" * 257}]}, "There can be 50 tags"),
        ({"Tags": [{"Key": "a", "Value": "x"}, {"Key": "A", "Value": "x"}]}, "Duplicate tag keys found"),
    ],
)
def test_members_are_checked(aws: Aws, request_: dict[str, Any], message: str) -> None:
    sts = aws.client("sts", CAROL)
    request = {"RoleArn": FILED, "RoleSessionName": "ci", **request_}
    code, said = error_of(sts.assume_role, **request)
    assert (code, message in said) == ("ValidationError", True), said


@pytest.mark.parametrize("text", ["no JSON", json.dumps({"Statement": []}), "[]", "[" * 2000])
def test_a_session_policy_that_is_none_is_refused(aws: Aws, text: str) -> None:
    request = {"RoleArn": FILED, "RoleSessionName": "ci", "Policy": text}
    assert error_of(aws.client("sts", CAROL).assume_role, **request)[0] == "MalformedPolicyDocument"
