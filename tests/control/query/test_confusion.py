"""Requests to IAM and STS that say more than they may: what is asked for is what is done."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ecr_emu.control.query.forms import VERSIONS
from tests.clients import Reply
from tests.steps import (
    API_HOST,
    OWNER,
    REGION,
    Caller,
    Site,
    document,
    identity_policy,
    of_identity,
    open_site,
    statement,
    user,
)

IAM, STS = ({service: version for version, service in VERSIONS.items()}[name] for name in ("iam", "sts"))
ISSUER = "idp.example"
WEB = "sts:AssumeRoleWithWebIdentity"
RED = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
FOR_RED = identity_policy(of_identity("Allow", "ecr:*", Condition=RED))


def arn(of: str) -> str:
    return f"arn:aws:iam::{OWNER}:{of}"


def role(name: str, *policies: Any, **trusted: Any) -> dict[str, Any]:
    trust = json.loads(document(statement("Allow", **trusted)))
    return {"name": name, "account": OWNER, "trust": trust, "policies": list(policies)}


def of_user(name: str) -> dict[str, str]:
    return {"AWS": arn(f"user/{name}")}


PROJECTS = {"ForAllValues:StringEquals": {"aws:TagKeys": ["project"]}}
PRINCIPALS = {
    "users": [
        user("admin", identity_policy(of_identity("Allow", ["iam:*", "ecr:*"]))),
        user("teams", identity_policy(of_identity("Allow", "iam:*", arn("group/teams/*")))),
        user("nobody"),
        user("broker", FOR_RED, identity_policy(of_identity("Allow", "sts:GetFederationToken"))),
        user(
            "tagger",
            FOR_RED,
            identity_policy(of_identity("Allow", ["sts:GetFederationToken", "sts:TagSession"])),
        ),
        user(
            "dev",
            identity_policy(of_identity("Allow", "iam:UpdateUser", arn("user/dev/*"))),
            path="/dev/",
        ),
        user("untag", identity_policy(of_identity("Allow", "iam:*", Condition=PROJECTS))),
    ],
    "roles": [
        role(
            *("web", FOR_RED),
            principal={"Federated": arn(f"oidc-provider/{ISSUER}")},
            actions=[WEB, "sts:TagSession"],
        ),
        role("plain", FOR_RED, principal=of_user("nobody"), actions="sts:AssumeRole"),
        role(
            "project",
            principal=of_user("nobody"),
            actions=["sts:AssumeRole", "sts:TagSession"],
            Condition=PROJECTS,
        ),
        role(
            "named",
            principal=of_user("nobody"),
            actions=["sts:AssumeRole", "sts:SetSourceIdentity"],
            Condition={"StringLike": {"sts:SourceIdentity": "alice*"}},
        ),
    ],
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path, "iam", PRINCIPALS) as site:
        yield site


def ask(site: Site, version: str, form: Mapping[str, str], name: str = "") -> Reply:
    """A form, signed by the user of this name, or by nobody."""
    body = urlencode({"Version": version, **form}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if name:
        request = AWSRequest("POST", f"http://{API_HOST}/", headers, body)
        credentials = Credentials(f"AKIA{name.upper()}", f"secret-of-{name}")
        SigV4Auth(credentials, VERSIONS[version], REGION).add_auth(request)
        headers = dict(request.headers.items())
    return site.ask("POST", "/", body, headers)


def does(site: Site, name: str, action: str, **form: str) -> str:
    """ "" when a user did it, or the code of the refusal."""
    reply = ask(site, IAM, {"Action": action, **form}, name)
    found = re.search(rb"<Code>(.*)</Code>", reply.body)
    assert (found is None) == (reply.status == 200)
    return found[1].decode() if found else ""


def session(site: Site, reply: Reply) -> Caller:
    """Whoever has the keys of an answer."""
    assert reply.status == 200, reply.body
    key, secret, token = (
        re.findall(f"<{name}>(.*)</{name}>", reply.body.decode())[0]
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    )
    return Caller(site, "", key, secret, token)


# What a permission is about


EVERYTHING = document(of_identity("Allow", "*"))


def test_a_member_of_another_action_names_nothing(site: Site) -> None:
    """PutUserPolicy has no GroupName: it is about the user, whatever else the form says."""
    beside = {"GroupName": "x", "Path": "/teams/", "PolicyName": "p", "PolicyDocument": EVERYTHING}
    assert does(site, "admin", "CreateUser", UserName="eve") == ""
    assert does(site, "teams", "PutUserPolicy", UserName="eve", **beside) == "AccessDenied"
    assert does(site, "teams", "PutUserPolicy", UserName="teams", **beside) == "AccessDenied"
    assert does(site, "admin", "PutUserPolicy", UserName="eve", **beside) == ""


def test_a_group_has_the_path_that_it_was_made_with(site: Site) -> None:
    assert does(site, "admin", "CreateGroup", GroupName="admins") == ""
    assert does(site, "admin", "CreateGroup", GroupName="red", Path="/teams/") == ""
    assert does(site, "teams", "DeleteGroup", GroupName="admins", Path="/teams/") == "AccessDenied"
    assert does(site, "teams", "CreateGroup", GroupName="admins", Path="/teams/") == "AccessDenied"
    assert does(site, "teams", "CreateGroup", GroupName="blue", Path="/teams/") == ""
    assert does(site, "teams", "DeleteGroup", GroupName="red") == ""


def test_moving_and_renaming_takes_permission_under_both_names(site: Site) -> None:
    assert does(site, "admin", "CreateUser", UserName="bob", Path="/dev/") == ""
    assert does(site, "dev", "UpdateUser", UserName="bob", NewPath="/admins/") == "AccessDenied"
    assert does(site, "dev", "UpdateUser", UserName="bob", NewPath="/dev/red/") == ""
    assert does(site, "dev", "UpdateUser", UserName="bob", NewUserName="bobby") == ""
    assert does(site, "admin", "GetUser", UserName="bobby") == ""


def test_names_of_tags_that_come_and_go_are_condition_keys(site: Site) -> None:
    for member in ("Tags.member.1.Key", "Tags.member.2.Key"):
        tags = {"Tags.member.1.Key": "project", "Tags.member.1.Value": "", member: "other"}
        tags = {**tags, member.replace("Key", "Value"): ""}
        assert does(site, "untag", "TagRole", RoleName="x", **tags) == "AccessDenied"
    one = {"Tags.member.1.Key": "project", "Tags.member.1.Value": ""}
    assert does(site, "untag", "TagRole", RoleName="x", **one) == "NoSuchEntity"
    assert does(site, "untag", "UntagRole", RoleName="x", **{"TagKeys.member.1": "a"}) == "AccessDenied"
    assert does(site, "untag", "UntagRole", RoleName="x", **{"TagKeys.member.1": "project"}) == "NoSuchEntity"


def test_who_is_no_user_has_to_name_the_owner_of_a_key(site: Site) -> None:
    """IAM would take the name from the key that signs; moto would take any user's key."""
    site.put(
        {"accounts": {OWNER: {"root": {"accessKeys": [{"id": "AKIAROOT", "secret": "secret-of-root"}]}}}}
    )
    assert does(site, "admin", "CreateUser", UserName="eve") == ""
    made = ask(site, IAM, {"Action": "CreateAccessKey", "UserName": "eve"}, "admin")
    key = re.search(r"<AccessKeyId>(.*)</AccessKeyId>", made.body.decode())
    assert key
    for action in ("DeleteAccessKey", "UpdateAccessKey"):
        assert does(site, "root", action, AccessKeyId=key[1], Status="Inactive") == "ValidationError"
    assert does(site, "admin", "DeleteAccessKey", AccessKeyId=key[1]) == "NoSuchEntity"
    assert does(site, "root", "DeleteAccessKey", AccessKeyId=key[1], UserName="eve") == ""


# What a session brings


def tags(**wanted: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (key, value) in enumerate(wanted.items(), 1):
        found |= {f"Tags.member.{number}.Key": key, f"Tags.member.{number}.Value": value}
    return found


def assume(site: Site, name: str, **more: str) -> Reply:
    form = {"Action": "AssumeRole", "RoleArn": arn(f"role/{name}"), "RoleSessionName": "ci", **more}
    return ask(site, STS, form, "nobody")


def test_a_web_identity_brings_no_tags_in_the_form(site: Site) -> None:
    """Nobody signs that form, and the operation has no such member."""
    token = jwt.encode({"iss": f"https://{ISSUER}", "sub": "me", "aud": "x"}, "k" * 32)
    form = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": arn("role/web"), "RoleSessionName": "ci"}
    reply = ask(site, STS, {**form, "WebIdentityToken": token, **tags(team="red")})
    answer = session(site, reply).api("DescribeRegistry")
    assert (answer.status, answer.json()["__type"]) == (400, "AccessDeniedException")


def test_tags_of_somebody_who_is_federated_take_a_permission(site: Site) -> None:
    policy = document(of_identity("Allow", "ecr:*"))
    form = {"Action": "GetFederationToken", "Name": "bob", "Policy": policy, **tags(team="red")}
    assert b"sts:TagSession" in ask(site, STS, form, "broker").body
    assert session(site, ask(site, STS, form, "tagger")).api("DescribeRegistry").status == 200


def test_a_trust_policy_can_say_which_tags_a_session_may_bring(site: Site) -> None:
    assert assume(site, "project", **tags(project="x")).status == 200
    assert assume(site, "project", **tags(admin="yes")).status == 403
    assert assume(site, "project", **tags(project="x", admin="yes")).status == 403
    assert b"sts:TagSession" in assume(site, "plain", **tags(team="red")).body


def test_the_source_of_a_session_takes_a_permission(site: Site) -> None:
    """IAM user guide, Monitor and control actions taken with assumed roles."""
    assert b"sts:SetSourceIdentity" in assume(site, "plain", SourceIdentity="alice").body
    assert assume(site, "named", SourceIdentity="alice").status == 200
    assert assume(site, "named", SourceIdentity="eve").status == 403
    assert assume(site, "named").status == 403
    assert b"ValidationError" in assume(site, "named", SourceIdentity="alice and bob").body


def test_taking_a_role_is_one_decision_and_says_what_is_known(site: Site) -> None:
    decisions = site.application.emulator.decisions
    for name, is_allowed in (("plain", True), ("web", False)):
        mark = decisions.mark
        assert (assume(site, name).status == 200) == is_allowed
        assert decisions.mark == mark + 1
        request_id = decisions.last(1)[0].request_id
        (told,) = site.ask("GET", f"/_emu/decisions/{request_id}").json()["decisions"]
        assert (told["allowed"], told["identityIsKnown"]) == (is_allowed, True)
