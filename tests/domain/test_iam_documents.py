"""The document that says who there is: what it means, and where it is wrong."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain import managed_policies
from ecr_emu.domain.iam.policies import IDENTITY
from ecr_emu.domain.iam_documents import Malformed, read
from ecr_emu.domain.principals import (
    NONE,
    ROLE,
    ROOT,
    USER,
    Account,
    Entry,
    Key,
    Name,
    parse_arn,
    read_policies,
)

ACCOUNT = "111122223333"
ALLOW = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}
TRUST = {"Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}}
KEY = {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "wJalrXUtnFEMI"}
SESSION = {
    "name": "ci",
    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "secret": "bPxRfiCYEXAMPLEKEY",
    "token": "IQoJ==",
}


def user(**members: Any) -> dict[str, Any]:
    return {"users": [{"name": "alice", **members}]}


def role(**members: Any) -> dict[str, Any]:
    return {"roles": [{"name": "deploy", **members}]}


def only(document: dict[str, Any]) -> Entry:
    (entry,) = read(document, ACCOUNT).entries
    return entry


def names(text: str | None) -> list[str]:
    return [policy.get("managed") or policy["name"] for policy in json.loads(text or NONE)]


def test_an_empty_document_says_nothing() -> None:
    assert read({}, ACCOUNT) == read({"accounts": {}, "users": [], "roles": []}, ACCOUNT)
    assert read({}, ACCOUNT).entries == ()


def test_accounts() -> None:
    document = {"accounts": {"0" * 12: {"organization": "o-abc", "alias": "team"}, ACCOUNT: {}}}
    assert read(document, ACCOUNT).accounts == (Account("0" * 12, "o-abc", "team"), Account(ACCOUNT))


def test_the_root_of_an_account_has_keys() -> None:
    entry = only({"accounts": {ACCOUNT: {"root": {"accessKeys": [KEY]}}}})
    assert (entry.name, entry.arn) == (Name(ROOT, ACCOUNT), f"arn:aws:iam::{ACCOUNT}:root")
    assert entry.keys == (Key(KEY["id"], KEY["secret"]),)


def test_a_user_in_full() -> None:
    entry = only(
        user(
            account="444455556666",
            path="/ci/",
            id="AIDACKCEVSQ6C2EXAMPLE",
            tags={"team": "red"},
            accessKeys=[KEY],
            policies=[
                {"managed": "AmazonEC2ContainerRegistryReadOnly"},
                {"name": "all", "document": ALLOW},
                ALLOW,
            ],
            boundary=ALLOW,
        )
    )
    assert (entry.name, entry.arn) == (
        Name(USER, "444455556666", "alice"),
        "arn:aws:iam::444455556666:user/ci/alice",
    )
    assert (entry.unique_id, entry.tags) == ("AIDACKCEVSQ6C2EXAMPLE", {"team": "red"})
    assert names(entry.policies) == ["AmazonEC2ContainerRegistryReadOnly", "all", "policy-3"]
    assert names(entry.boundary) == ["boundary"]


def test_a_role_in_full() -> None:
    session = {
        **SESSION,
        "expires": "2027-01-01T00:00:00Z",
        "policy": {"managed": "AmazonEC2ContainerRegistryPullOnly"},
    }
    entry = only(role(trust=TRUST, policies=[ALLOW], sessions=[session]))
    assert (entry.name, entry.arn) == (Name(ROLE, ACCOUNT, "deploy"), f"arn:aws:iam::{ACCOUNT}:role/deploy")
    assert (names(entry.policies), names(entry.trust)) == (["policy-1"], ["trust"])
    (key,) = entry.keys
    assert (key.id, key.session_name, key.token, key.expires_at) == (
        SESSION["accessKeyId"],
        "ci",
        "IQoJ==",
        1798761600.0,
    )
    assert names(key.policies) == ["AmazonEC2ContainerRegistryPullOnly"]


def test_what_was_not_said_is_known_to_be_so() -> None:
    entry = only(user())
    assert (entry.path, entry.policies, entry.boundary, entry.tags, entry.keys) == (
        None,
        None,
        None,
        None,
        (),
    )
    filled = entry.filled()
    assert (filled.path, filled.policies, filled.boundary, filled.tags) == ("/", NONE, NONE, {})
    assert filled.unique_id == "AIDA" + (filled.unique_id or "")[4:]
    assert len(filled.unique_id or "") == 21
    assert only(role()).filled().unique_id != filled.unique_id


def test_null_takes_a_boundary_away() -> None:
    earlier = only(user(boundary=ALLOW, tags={"a": "b"})).filled()
    later = only(user(boundary=None)).filled(earlier)
    assert (later.boundary, later.tags) == (NONE, {"a": "b"})


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "the document must be an object"),
        ({"user": []}, "unknown member user; there are accounts, roles, users"),
        ({"accounts": []}, "accounts: must be an object"),
        ({"accounts": {"1": {}}}, "accounts.1: an account is a text of 12 digits"),
        ({"accounts": {ACCOUNT: {"alias": 1}}}, f"accounts.{ACCOUNT}.alias: must be text"),
        (
            {"accounts": {ACCOUNT: {"root": {"accessKeys": [{"id": "a"}]}}}},
            f"accounts.{ACCOUNT}.root.accessKeys[0].secret: is missing",
        ),
        ({"users": {}}, "users: must be a list"),
        ({"users": ["alice"]}, "users[0]: must be an object"),
        ({"users": [{}]}, "users[0].name: is missing"),
        (user(name="a b"), "users[0].name: must match [A-Za-z0-9_+=,.@-]{1,64}"),
        (user(account=111122223333), "users[0].account: must be text"),
        (user(account="1"), "users[0].account: must match [0-9]{12}"),
        (user(path="ci"), "users[0].path: must match /|/[!-~]{1,510}/"),
        (user(id="alice"), "users[0].id: must match [A-Z0-9]{16,128}"),
        (user(tags=[]), "users[0].tags: must be an object"),
        (user(tags={"a": 1}), "users[0].tags.a: must be text"),
        (user(accessKeys={}), "users[0].accessKeys: must be a list"),
        (
            user(accessKeys=[KEY, {**KEY, "id": ""}]),
            "users[0].accessKeys[1].id: must match [A-Za-z0-9_]{1,128}",
        ),
        (
            user(accessKeys=[{**KEY, "token": "x"}]),
            "users[0].accessKeys[0]: unknown member token; there are id, secret",
        ),
        (user(accessKeys=[KEY, KEY]), "users[0].accessKeys[1].id: is the same as users[0].accessKeys[0].id"),
        (
            user(sessions=[]),
            "users[0]: unknown member sessions; there are "
            "accessKeys, account, arn, boundary, id, name, path, policies, tags",
        ),
        (user(policies={}), "users[0].policies: must be a list"),
        (user(policies=["x"]), "users[0].policies[0]: must be an object"),
        (
            user(policies=[{"managed": "AdministratorAccess"}]),
            "users[0].policies[0].managed: of the policies of AWS there are "
            + ", ".join(managed_policies.NAMES),
        ),
        (
            user(policies=[{"managed": []}]),
            "users[0].policies[0].managed: of the policies of AWS there are "
            + ", ".join(managed_policies.NAMES),
        ),
        (
            user(policies=[{"managed": "x", "name": "y"}]),
            "users[0].policies[0]: unknown member name; there are managed",
        ),
        (
            user(policies=[{"document": {}, "nam": "y"}]),
            "users[0].policies[0]: unknown member nam; there are document, name",
        ),
        (
            user(policies=[{"name": "p", "document": []}]),
            "users[0].policies[0].document: p: a policy is a JSON object",
        ),
        (user(policies=[{}]), "users[0].policies[0]: policy-1: no Statement"),
        (
            user(policies=[ALLOW, TRUST]),
            "users[0].policies[1]: policy-2: Statement[0]: no identity-based policy names a principal",
        ),
        (user(boundary=[]), "users[0].boundary: must be an object"),
        (role(trust=ALLOW), "roles[0].trust: trust: Statement[0]: neither Principal nor NotPrincipal"),
        (role(sessions=[{"name": "ci"}]), "roles[0].sessions[0].accessKeyId: is missing"),
        (
            role(sessions=[{**SESSION, "expires": 1}]),
            "roles[0].sessions[0].expires: a time is a text as 2027-01-01T00:00:00Z",
        ),
        (
            role(sessions=[{**SESSION, "expires": "soon"}]),
            "roles[0].sessions[0].expires: a time is a text as 2027-01-01T00:00:00Z",
        ),
        (
            role(sessions=[{**SESSION, "policy": TRUST}]),
            "roles[0].sessions[0].policy: session: Statement[0]: no session policy names a principal",
        ),
        (
            {
                "users": [{"name": "a", "accessKeys": [KEY]}],
                **role(sessions=[{**SESSION, "accessKeyId": KEY["id"]}]),
            },
            "roles[0].sessions[0].accessKeyId: is the same as users[0].accessKeys[0].id",
        ),
        (
            {"users": [{"name": "a"}, {"name": "a", "path": "/x/"}]},
            "users[1].name: is the same as users[0].name",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_with_its_place(document: Any, problem: str) -> None:
    with pytest.raises(Malformed) as raised:
        read(document, ACCOUNT)
    assert str(raised.value) == problem


@pytest.mark.parametrize("secret", ["sec ret", "sec\nret", "", "sécret", "s" * 5000])
def test_a_secret_is_not_shown_when_it_is_wrong(secret: str) -> None:
    for document in (
        user(accessKeys=[{**KEY, "secret": secret}]),
        role(sessions=[{**SESSION, "token": secret}]),
    ):
        with pytest.raises(Malformed) as raised:
            read(document, ACCOUNT)
        assert str(raised.value).endswith(": must match [!-~]{1,4096}")


def test_nothing_secret_shows() -> None:
    document = read({**user(accessKeys=[KEY]), **role(sessions=[SESSION])}, ACCOUNT)
    for secret in (KEY["secret"], SESSION["secret"], SESSION["token"]):
        assert secret not in repr(document)


MEMBERS = (
    *("users", "roles", "accounts", "name", "account", "policies", "accessKeys", "id", "secret", "sessions"),
    *(
        "managed",
        "document",
        "Statement",
        "Effect",
        "Action",
        "Condition",
        "boundary",
        "trust",
        "tags",
        "root",
    ),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([ACCOUNT, ALLOW])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=20,
)
USERS = st.lists(st.fixed_dictionaries({"name": st.just("a"), "policies": JSON, "boundary": JSON}))


@given(JSON | st.fixed_dictionaries({"users": USERS}))
def test_nothing_is_raised_but_malformed(document: Any) -> None:
    with contextlib.suppress(Malformed):
        read(document, ACCOUNT)


# ARNs


@pytest.mark.parametrize(
    ("arn", "name", "session"),
    [
        (f"arn:aws:iam::{ACCOUNT}:root", Name(ROOT, ACCOUNT), None),
        (f"arn:aws:iam::{ACCOUNT}:user/alice", Name(USER, ACCOUNT, "alice"), None),
        (f"arn:aws:iam::{ACCOUNT}:user/a/b/alice", Name(USER, ACCOUNT, "alice"), None),
        (f"arn:aws:iam::{ACCOUNT}:role/deploy", Name(ROLE, ACCOUNT, "deploy"), None),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci", Name(ROLE, ACCOUNT, "deploy"), "ci"),
    ],
)
def test_arns(arn: str, name: Name, session: str | None) -> None:
    assert parse_arn(arn) == (name, session)


@pytest.mark.parametrize(
    "arn",
    [
        *("", "alice", "arn:aws:iam::1:root", f"arn:aws:iam::{ACCOUNT}:group/x"),
        *(f"arn:aws:iam::{ACCOUNT}:user/", f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy"),
        *(f"arn:aws:iam::{ACCOUNT}:root/x", "arn:aws:iam::" + "/" * 100_000),
    ],
)
def test_what_is_no_arn_of_a_principal(arn: str) -> None:
    assert parse_arn(arn) is None


# AWS's policies


@pytest.mark.parametrize("name", managed_policies.NAMES)
def test_every_policy_of_aws_is_a_policy(name: str) -> None:
    (policy,) = read_policies(json.dumps([{"managed": name}]), IDENTITY)
    assert (policy.name, policy.denials) == (name, ())


def test_what_the_policies_of_aws_allow() -> None:
    actions = {
        name.removeprefix("AmazonEC2ContainerRegistry"): managed_policies.document(name)["Statement"][0][
            "Action"
        ]
        for name in managed_policies.NAMES
    }
    assert {name: len(found) for name, found in actions.items()} == {
        "FullAccess": 2,
        "PowerUser": 16,
        "ReadOnly": 12,
        "PullOnly": 4,
    }
    assert set(actions["PowerUser"]) - set(actions["ReadOnly"]) == {
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage",
    }


def test_a_policy_of_aws_has_an_arn_in_every_partition() -> None:
    name = "AmazonEC2ContainerRegistryPowerUser"
    for partition in ("aws", "aws-cn", "aws-us-gov"):
        assert managed_policies.name_of(f"arn:{partition}:iam::aws:policy/{name}") == name
    assert managed_policies.name_of(f"arn:aws:iam::{ACCOUNT}:policy/{name}") is None
