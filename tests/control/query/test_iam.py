"""IAM by moto: who is made there signs here, and what changes there is so here at once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.control.query import moto_state
from ecr_emu.domain import credentials, managed_policies
from tests.control.query.conftest import (
    ACCOUNT,
    CAROL,
    CAROL_ARN,
    OTHER,
    OTHER_ROOT,
    POWER_USER,
    ROOT,
    Aws,
    allow,
    document,
    error_of,
    serve,
    trust,
)

NAME = "team/app"
REPOSITORY = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{NAME}"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
UNKNOWN_KEY = ("UnrecognizedClientException", "The security token included in the request is invalid.")


def denied(principal: str, action: str, because: str = "", resource: str = REPOSITORY) -> str:
    because = because or f"because no identity-based policy allows the {action} action"
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource} {because}"


def user_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


# --- Users -----------------------------------------------------------------------------------------------


def test_a_user_who_is_made_here_signs_and_is_held_to_its_policy(aws: Aws) -> None:
    alice = aws.user("alice", allow("ecr:CreateRepository"), allow("ecr:DescribeRepositories"))
    ecr = aws.client("ecr", alice)
    assert ecr.create_repository(repositoryName=NAME)["repository"]["registryId"] == ACCOUNT
    assert error_of(ecr.delete_repository, repositoryName=NAME) == (
        "AccessDeniedException",
        denied(user_arn("alice"), "ecr:DeleteRepository"),
    )


def test_the_key_of_a_user_holds_its_account(aws: Aws) -> None:
    key, _ = aws.user("alice")
    assert credentials.account_of_access_key(key) == ACCOUNT


def test_a_key_ends_with_its_deletion_its_deactivation_and_its_user(aws: Aws) -> None:
    iam = aws.client("iam", ROOT)
    first, second = aws.user("alice", allow("ecr:*")), iam.create_access_key(UserName="alice")["AccessKey"]
    ecr = {
        key[0]: aws.client("ecr", key) for key in (first, (second["AccessKeyId"], second["SecretAccessKey"]))
    }
    for client in ecr.values():
        client.describe_registry()
    iam.update_access_key(UserName="alice", AccessKeyId=first[0], Status="Inactive")
    assert error_of(ecr[first[0]].describe_registry) == UNKNOWN_KEY
    iam.update_access_key(UserName="alice", AccessKeyId=first[0], Status="Active")
    ecr[first[0]].describe_registry()
    iam.delete_access_key(UserName="alice", AccessKeyId=first[0])
    assert error_of(ecr[first[0]].describe_registry) == UNKNOWN_KEY
    iam.delete_user_policy(UserName="alice", PolicyName="own")
    iam.delete_user(UserName="alice")
    assert error_of(ecr[second["AccessKeyId"]].describe_registry) == UNKNOWN_KEY


def test_a_user_who_is_renamed_keeps_its_key(aws: Aws) -> None:
    alice = aws.user("alice", allow("ecr:*"))
    aws.client("iam", ROOT).update_user(UserName="alice", NewUserName="bob", NewPath="/staff/")
    arn = aws.client("sts", alice).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:user/staff/bob"


def test_groups_bring_their_policies(aws: Aws) -> None:
    iam, ecr = aws.client("iam", ROOT), aws.client("ecr", aws.user("alice"))
    assert error_of(ecr.describe_repositories)[0] == "AccessDeniedException"
    iam.create_group(GroupName="readers")
    iam.attach_group_policy(GroupName="readers", PolicyArn=READ_ONLY)
    iam.add_user_to_group(GroupName="readers", UserName="alice")
    assert ecr.describe_repositories()["repositories"] == []
    iam.put_group_policy(
        GroupName="readers", PolicyName="makers", PolicyDocument=document(allow("ecr:CreateRepository"))
    )
    ecr.create_repository(repositoryName=NAME)
    iam.remove_user_from_group(GroupName="readers", UserName="alice")
    assert error_of(ecr.describe_repositories)[0] == "AccessDeniedException"


def test_tags_are_condition_keys(aws: Aws) -> None:
    own = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    ecr = aws.client("ecr", aws.user("alice", allow("ecr:*", Condition=own)))
    assert error_of(ecr.describe_registry)[0] == "AccessDeniedException"
    iam = aws.client("iam", ROOT)
    iam.tag_user(UserName="alice", Tags=[{"Key": "team", "Value": "red"}])
    ecr.describe_registry()
    iam.untag_user(UserName="alice", TagKeys=["team"])
    assert error_of(ecr.describe_registry)[0] == "AccessDeniedException"


# --- Policies --------------------------------------------------------------------------------------------


def test_the_default_version_of_a_customer_managed_policy_decides(aws: Aws) -> None:
    iam, ecr = aws.client("iam", ROOT), aws.client("ecr", aws.user("alice"))
    made = iam.create_policy(PolicyName="own", PolicyDocument=document(allow("ecr:DescribeRegistry")))
    arn = made["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    ecr.describe_registry()
    nothing = document({"Effect": "Deny", "Action": "*", "Resource": "*"})
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=nothing, SetAsDefault=True)
    assert error_of(ecr.describe_registry)[1].endswith("with an explicit deny in an identity-based policy")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    ecr.describe_registry()
    iam.detach_user_policy(UserName="alice", PolicyArn=arn)
    assert error_of(ecr.describe_registry)[0] == "AccessDeniedException"


@pytest.mark.parametrize("name", managed_policies.NAMES)
def test_the_policies_of_aws_say_the_same_in_moto_and_here(aws: Aws, name: str) -> None:
    iam = aws.client("iam", ROOT)
    arn = f"arn:aws:iam::aws:policy/{name}"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    theirs = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    def said(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**one, "Action": sorted(one["Action"]), "Sid": ""} for one in statements]

    assert said(theirs["Statement"]) == said(managed_policies.document(name)["Statement"])


def test_other_policies_of_aws_can_be_attached(aws: Aws) -> None:
    iam, alice = aws.client("iam", ROOT), aws.user("alice")
    assert error_of(aws.client("iam", alice).list_roles)[0] == "AccessDenied"
    arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    assert aws.client("iam", alice).list_roles()["Roles"] == []
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    other = aws.client("iam", OTHER_ROOT)
    assert other.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0


def test_a_policy_of_aws_that_cannot_be_evaluated_here_is_refused(aws: Aws) -> None:
    """It has a variable where IAM's grammar, as documented, has none."""
    iam, _ = aws.client("iam", ROOT), aws.user("alice")
    name = "AmazonTimestreamInfluxDBServiceRolePolicy"
    (arn,) = [arn for arn in moto_state.catalogue() if arn.endswith(f"/{name}")]
    code, message = error_of(iam.attach_user_policy, UserName="alice", PolicyArn=arn)
    assert (code, "a variable before the fifth colon" in message) == ("MalformedPolicyDocument", True)
    assert iam.list_attached_user_policies(UserName="alice")["AttachedPolicies"] == []


def test_a_boundary_limits_a_role(aws: Aws) -> None:
    aws.client("ecr", ROOT).create_repository(repositoryName=NAME)
    role = aws.role("deploy", {"AWS": CAROL_ARN}, allow("ecr:*"), PermissionsBoundary=READ_ONLY)
    ecr = aws.client("ecr", aws.session(CAROL, role))
    ecr.describe_repositories()
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
    because = "because no permissions boundary allows the ecr:DeleteRepository action"
    message = denied(session, "ecr:DeleteRepository", because)
    assert error_of(ecr.delete_repository, repositoryName=NAME) == ("AccessDeniedException", message)
    aws.client("iam", ROOT).delete_role_permissions_boundary(RoleName="deploy")
    ecr.delete_repository(repositoryName=NAME)


def test_a_boundary_that_is_no_policy_is_refused(aws: Aws) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/none"
    request = {"RoleName": "deploy", "AssumeRolePolicyDocument": document(trust({"AWS": ACCOUNT}))}
    iam = aws.client("iam", ROOT)
    message = f"Scope ARN: {arn} does not exist or is not attachable."
    assert error_of(iam.create_role, **request, PermissionsBoundary=arn) == ("NoSuchEntity", message)
    assert iam.list_roles()["Roles"] == []


def test_a_boundary_of_a_user_is_refused_because_moto_forgets_it(aws: Aws) -> None:
    iam = aws.client("iam", ROOT)
    code, _ = error_of(iam.create_user, UserName="alice", PermissionsBoundary=READ_ONLY)
    assert code == "NotImplemented"
    assert iam.list_users()["Users"] == []


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": {"Nope": {"aws:username": "x"}}},
        {"Effect": "Allow", "Action": "ecr:*"},
        {"Effect": "Maybe", "Action": "ecr:*", "Resource": "*"},
    ],
)
def test_a_policy_that_cannot_be_evaluated_is_refused_and_changes_nothing(aws: Aws, statement: Any) -> None:
    iam, _ = aws.client("iam", ROOT), aws.user("alice")
    request = {"UserName": "alice", "PolicyName": "p", "PolicyDocument": document(statement)}
    assert error_of(iam.put_user_policy, **request)[0] == "MalformedPolicyDocument"
    assert iam.list_user_policies(UserName="alice")["PolicyNames"] == []


@pytest.mark.parametrize("text", ["no JSON", "[]", '"x"', "{}", "[" * 5000])
def test_a_trust_policy_that_is_none_is_refused(aws: Aws, text: str) -> None:
    iam = aws.client("iam", ROOT)
    request = {"RoleName": "deploy", "AssumeRolePolicyDocument": text}
    assert error_of(iam.create_role, **request)[0] == "MalformedPolicyDocument"
    assert iam.list_roles()["Roles"] == []


@pytest.mark.parametrize("depth", [500, 5000, 100_000])
def test_a_policy_that_is_nested_too_deeply_is_refused(aws: Aws, depth: int) -> None:
    iam, _ = aws.client("iam", ROOT), aws.user("alice")
    for text in ("[" * depth, '{"Statement":' + "[" * depth + "]" * depth + "}"):
        request = {"UserName": "alice", "PolicyName": "p", "PolicyDocument": text}
        assert error_of(iam.put_user_policy, **request)[0] in ("MalformedPolicyDocument", "ValidationError")


# --- Whose permissions -----------------------------------------------------------------------------------


def test_identity_policies_decide_about_iam_too(aws: Aws) -> None:
    own = allow("iam:CreateUser", "iam:GetUser", resource=f"arn:aws:iam::{ACCOUNT}:user/team/*")
    iam = aws.client("iam", aws.user("admin", own))
    iam.create_user(UserName="bob", Path="/team/")
    assert iam.get_user(UserName="bob")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/bob"
    message = denied(user_arn("admin"), "iam:CreateUser", resource=user_arn("eve"))
    assert error_of(iam.create_user, UserName="eve") == ("AccessDenied", message)
    action = denied(user_arn("admin"), "iam:ListRoles", resource="*")
    assert error_of(iam.list_roles) == ("AccessDenied", action)


def test_which_policy_may_be_attached_can_be_said(aws: Aws) -> None:
    only = {"ArnEquals": {"iam:PolicyARN": READ_ONLY}}
    iam = aws.client("iam", aws.user("admin", allow("iam:AttachUserPolicy", Condition=only)))
    iam.attach_user_policy(UserName="admin", PolicyArn=READ_ONLY)
    everything = "arn:aws:iam::aws:policy/AdministratorAccess"
    code, _ = error_of(iam.attach_user_policy, UserName="admin", PolicyArn=everything)
    assert code == "AccessDenied"


def test_decisions_about_iam_are_told(aws: Aws) -> None:
    error_of(aws.client("iam", CAROL).list_roles)
    reply = aws.registry(ROOT).request("GET", "/_emu/decisions").json()
    found = [one for one in reply["decisions"] if one["action"] == "iam:ListRoles"]
    assert [(one["principal"], one["allowed"]) for one in found] == [(CAROL_ARN, False)]


def test_accounts_know_nothing_of_each_other(aws: Aws) -> None:
    aws.user("alice")
    other = aws.client("iam", OTHER_ROOT)
    assert other.list_users()["Users"] == []
    other.create_user(UserName="alice")
    assert [user["Arn"] for user in other.list_users()["Users"]] == [f"arn:aws:iam::{OTHER}:user/alice"]


def test_without_a_name_a_user_means_itself(aws: Aws) -> None:
    alice = aws.user("alice", allow("iam:*"))
    iam = aws.client("iam", alice)
    assert iam.get_user()["User"]["UserName"] == "alice"
    assert [key["AccessKeyId"] for key in iam.list_access_keys()["AccessKeyMetadata"]] == [alice[0]]
    code, message = error_of(aws.client("iam", ROOT).get_user)
    assert (code, message) == (
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
    )


# --- Who else is there -----------------------------------------------------------------------------------


def test_a_name_of_the_file_is_taken(aws: Aws) -> None:
    iam = aws.client("iam", ROOT)
    assert error_of(iam.create_user, UserName="carol") == (
        "EntityAlreadyExists",
        "User with name carol already exists.",
    )
    assert iam.list_users()["Users"] == []
    assert aws.client("sts", CAROL).get_caller_identity()["Arn"] == CAROL_ARN


def test_what_a_call_adds_to_a_user_stays_until_iam_changes_it(aws: Aws) -> None:
    aws.user("alice")
    key = {"id": "AKIASECONDEXAMPLE000", "secret": "s"}
    aws.running.post("/_emu/iam", users=[{"name": "alice", "account": ACCOUNT, "accessKeys": [key]}])
    aws.user("bob")
    arn = aws.client("sts", (key["id"], "s")).get_caller_identity()["Arn"]
    assert arn == user_arn("alice")


def test_a_restart_forgets_nothing(aws: Aws, tmp_path: Path, iam_file: Path) -> None:
    alice = aws.user("alice", allow("ecr:*"))
    aws.client("iam", ROOT).attach_user_policy(UserName="alice", PolicyArn=READ_ONLY)
    role = aws.role("deploy", {"AWS": CAROL_ARN})
    session = aws.session(CAROL, role)
    aws.running.stop()
    again = Aws(serve(tmp_path, auth="iam", iam_file=str(iam_file)))
    try:
        again.client("ecr", alice).describe_registry()
        assert again.client("sts", session).get_caller_identity()["Arn"].endswith("assumed-role/deploy/ci")
        iam = again.client("iam", ROOT)
        attached = iam.list_attached_user_policies(UserName="alice")["AttachedPolicies"]
        assert [policy["PolicyArn"] for policy in attached] == [READ_ONLY]
        iam.detach_user_policy(UserName="alice", PolicyArn=READ_ONLY)
        iam.delete_role(RoleName="deploy")
        assert error_of(again.client("ecr", session).describe_registry) == UNKNOWN_KEY
    finally:
        again.close()
        again.running.stop()


def test_what_cannot_be_read_any_more_is_forgotten_with_whom_it_brought(aws: Aws) -> None:
    alice = aws.user("alice")
    with aws.running.application.emulator.store.write() as transaction:
        transaction.execute("UPDATE moto_states SET version = '0.1', content = x'80'")
    assert aws.client("iam", ROOT).list_users()["Users"] == []
    assert error_of(aws.client("ecr", alice).describe_registry) == UNKNOWN_KEY
    assert aws.client("sts", CAROL).get_caller_identity()["Arn"] == CAROL_ARN
    aws.user("alice")


# --- Other modes, other clients --------------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["token", "open"])
def test_where_keys_are_believed_the_account_is_in_the_key(tmp_path: Path, auth: str) -> None:
    aws = Aws(serve(tmp_path, auth=auth))
    try:
        aws.client("iam", (ACCOUNT, "any")).create_user(UserName="alice")
        key = aws.client("iam", (ACCOUNT, "any")).create_access_key(UserName="alice")["AccessKey"]
        assert aws.client("iam", (OTHER, "any")).list_users()["Users"] == []
        # An account in a header of moto's is nobody's business.
        iam = aws.client("iam", (OTHER, "any"))
        iam.meta.events.register(
            "before-sign.*", lambda request, **_: request.headers.add_header("x-moto-account-id", ACCOUNT)
        )
        assert iam.list_users()["Users"] == []
        own = aws.client("iam", (key["AccessKeyId"], "any"))
        assert own.get_user()["User"]["Arn"] == user_arn("alice")
    finally:
        aws.close()
        aws.running.stop()


class Cli:
    """The aws command with one key."""

    def __init__(self, aws: Aws, folder: Path, *key: str) -> None:
        self._url = aws.running.url
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        self._environment = {
            "AWS_CONFIG_FILE": str(folder / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
            "AWS_DEFAULT_REGION": "us-east-1",
            **dict(zip(names, key, strict=False)),
        }

    def __call__(self, *arguments: str) -> Any:
        program = str(Path(sys.executable).with_name("aws"))
        done = subprocess.run(
            [program, "--endpoint-url", self._url, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return json.loads(done.stdout or "null") if done.returncode == 0 else done.stderr.strip()


def test_the_aws_cli_makes_a_role_that_pushes(aws: Aws, tmp_path: Path) -> None:
    root = Cli(aws, tmp_path, *ROOT)
    root("ecr", "create-repository", "--repository-name", NAME)
    root("iam", "create-user", "--user-name", "alice")
    key = root("iam", "create-access-key", "--user-name", "alice")["AccessKey"]
    text = document(trust({"AWS": user_arn("alice")}))
    root("iam", "create-role", "--role-name", "deploy", "--assume-role-policy-document", text)
    arn = f"arn:aws:iam::aws:policy/{POWER_USER}"
    root("iam", "attach-role-policy", "--role-name", "deploy", "--policy-arn", arn)
    alice = Cli(aws, tmp_path, key["AccessKeyId"], key["SecretAccessKey"])
    assert alice("sts", "get-caller-identity")["Arn"] == user_arn("alice")
    assert "AccessDeniedException" in alice("ecr", "describe-repositories")
    role = ("--role-arn", f"arn:aws:iam::{ACCOUNT}:role/deploy", "--role-session-name", "ci")
    session = alice("sts", "assume-role", *role)["Credentials"]
    keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    assert len(Cli(aws, tmp_path, *keys)("ecr", "describe-repositories")["repositories"]) == 1
    assert aws.registry(keys).push_image(NAME, "v1", b"layer").startswith("sha256:")


WITHOUT_MOTO = """
import sys
sys.modules["moto"] = None
from ecr_emu.cli import main
main()
"""


def test_without_moto_iam_says_what_to_install_and_sts_answers(tmp_path: Path) -> None:
    program = tmp_path / "without_moto.py"
    program.write_text(WITHOUT_MOTO)
    arguments = [sys.executable, str(program), "serve", "--ephemeral", "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rpartition(":")[2])
            aws = Aws.at(port)
            code, message = error_of(aws.client("iam", (ACCOUNT, "any")).list_users)
            assert code == "NotImplemented"
            assert "pip install 'ecr-emu[moto]'" in message
            assert aws.client("sts", (ACCOUNT, "any")).get_caller_identity()["Account"] == ACCOUNT
            aws.close()
        finally:
            process.kill()
