"""Principals and keys in the database: found at once, changed at once, gone at once."""

from typing import Any

import pytest

from ecr_emu.domain.iam_documents import read
from ecr_emu.domain.principals import Credential, Name
from ecr_emu.store import principals
from ecr_emu.store.database import Database

ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/main"
ALLOW = {"Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}
DOCUMENT: dict[str, Any] = {
    "accounts": {
        ACCOUNT: {"organization": "o-abc", "root": {"accessKeys": [{"id": "ROOTKEY", "secret": "r"}]}}
    },
    "users": [
        {
            "name": "alice",
            "tags": {"team": "red"},
            "accessKeys": [{"id": "KEY1", "secret": "s1"}, {"id": "KEY2", "secret": "s2"}],
            "policies": [{"managed": "AmazonEC2ContainerRegistryReadOnly"}],
            "boundary": {"name": "fence", "document": ALLOW},
        }
    ],
    "roles": [
        {
            "name": "deploy",
            "path": "/ci/",
            "id": "AROACKCEVSQ6C2EXAMPLE",
            "policies": [{"name": "all", "document": ALLOW}],
            "sessions": [
                {
                    "name": "main",
                    "accessKeyId": "TEMP",
                    "secret": "t",
                    "token": "token",
                    "expires": "2027-01-01T00:00:00Z",
                    "policy": ALLOW,
                }
            ],
        }
    ],
}


def put(store: Database, document: dict[str, Any]) -> None:
    with store.write() as transaction:
        principals.put(transaction, read(document, ACCOUNT))


def load(store: Database, document: dict[str, Any]) -> None:
    """As from a file."""
    with store.write() as transaction:
        principals.replace_file(transaction, read(document, ACCOUNT))


def find(store: Database, key: str) -> Credential:
    with store.read() as connection:
        found = principals.find_key(connection, key)
    assert found is not None
    return found


def keys(store: Database) -> set[str]:
    with store.read() as connection:
        return {key.id for entry in principals.everything(connection).entries for key in entry.keys}


@pytest.fixture
def filled(store: Database) -> Database:
    put(store, DOCUMENT)
    return store


def test_the_key_of_a_user(filled: Database) -> None:
    found = find(filled, "KEY1")
    assert (found.key_id, found.secret, found.session_token, found.expires_at) == ("KEY1", "s1", None, None)
    assert (found.principal.arn, found.principal.account, found.principal.kind) == (ALICE, ACCOUNT, "user")
    assert found.principal.unique_id.startswith("AIDA")
    identity = found.identity
    assert [policy.name for policy in identity.policies] == ["AmazonEC2ContainerRegistryReadOnly"]
    assert identity.boundary is not None
    assert (identity.boundary.name, identity.boundary.kind) == ("fence", "permissions boundary")
    assert (identity.tags, identity.organization) == ({"team": "red"}, "o-abc")
    assert found.session_policies == ()


def test_the_key_of_a_session(filled: Database) -> None:
    found = find(filled, "TEMP")
    assert (found.secret, found.session_token, found.expires_at) == ("t", "token", 1798761600.0)
    assert (found.principal.arn, found.principal.kind) == (SESSION, "assumed-role")
    assert (found.principal.role_arn, found.principal.unique_id) == (DEPLOY, "AROACKCEVSQ6C2EXAMPLE")
    assert [policy.kind for policy in found.session_policies] == ["session policy"]
    assert [policy.name for policy in found.identity.policies] == ["all"]


def test_the_key_of_a_root(filled: Database) -> None:
    found = find(filled, "ROOTKEY")
    assert (found.principal.arn, found.principal.kind) == (f"arn:aws:iam::{ACCOUNT}:root", "root")
    assert (found.identity.policies, found.identity.organization) == ((), "o-abc")


def test_nothing_secret_shows(filled: Database) -> None:
    shown = repr(find(filled, "TEMP"))
    assert "secret" not in shown
    assert "'token'" not in shown


@pytest.mark.parametrize("key", ["", "KEY", "key1", "KEY1 ", "KEY1\0", "é", "K" * 100_000])
def test_an_unknown_key(filled: Database, key: str) -> None:
    with filled.read() as connection:
        assert principals.find_key(connection, key) is None


def test_what_goes_with_an_arn(filled: Database) -> None:
    with filled.read() as connection:
        for arn, key in (
            (ALICE, "KEY1"),
            (DEPLOY, "TEMP"),
            (SESSION, "TEMP"),
            (f"arn:aws:iam::{ACCOUNT}:root", "ROOTKEY"),
        ):
            assert principals.identity(connection, arn) == find(filled, key).identity


@pytest.mark.parametrize(
    "arn",
    [
        "alice",
        f"arn:aws:iam::{ACCOUNT}:user/bob",
        f"arn:aws:iam::{ACCOUNT}:user/ci/alice",
        f"arn:aws:iam::{ACCOUNT}:role/deploy",
        f"arn:aws:iam::{ACCOUNT}:role/alice",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/alice/x",
        "arn:aws:iam::444455556666:user/alice",
    ],
)
def test_an_arn_of_nobody(filled: Database, arn: str) -> None:
    with filled.read() as connection:
        assert principals.identity(connection, arn) is None


def test_every_account_has_a_root(store: Database) -> None:
    with store.read() as connection:
        found = principals.identity(connection, f"arn:aws:iam::{ACCOUNT}:root")
    assert found is not None
    assert (found.policies, found.boundary, found.tags, found.organization) == ((), None, {}, None)


def test_a_call_changes_what_it_says_and_no_more(filled: Database) -> None:
    put(filled, {"users": [{"name": "alice", "accessKeys": [{"id": "KEY3", "secret": "s3"}]}]})
    assert {"KEY1", "KEY2", "KEY3"} <= keys(filled)
    assert find(filled, "KEY3").identity == find(filled, "KEY1").identity
    put(filled, {"users": [{"name": "alice", "policies": [], "boundary": None, "path": "/new/"}]})
    found = find(filled, "KEY1")
    assert found.principal.arn == f"arn:aws:iam::{ACCOUNT}:user/new/alice"
    assert (found.identity.policies, found.identity.boundary) == ((), None)
    assert found.identity.tags == {"team": "red"}
    put(filled, {"accounts": {ACCOUNT: {"alias": "team"}}})
    assert find(filled, "KEY1").identity.organization == "o-abc"


def test_a_key_can_be_given_to_somebody_else(filled: Database) -> None:
    put(filled, {"users": [{"name": "bob", "accessKeys": [{"id": "KEY1", "secret": "other"}]}]})
    found = find(filled, "KEY1")
    assert (found.principal.arn, found.secret) == (f"arn:aws:iam::{ACCOUNT}:user/bob", "other")
    assert find(filled, "KEY2").principal.arn == ALICE


def test_a_file_takes_the_place_of_the_last_one(store: Database) -> None:
    load(store, DOCUMENT)
    load(store, {"users": [{"name": "alice", "accessKeys": [{"id": "KEY2", "secret": "new"}]}]})
    assert keys(store) == {"KEY2"}
    found = find(store, "KEY2")
    assert (found.secret, found.identity.policies, found.identity.tags) == ("new", (), {})
    assert found.identity.organization is None
    with store.read() as connection:
        assert [entry.arn for entry in principals.everything(connection).entries] == [ALICE]
        assert principals.everything(connection).accounts == ()


def test_a_file_leaves_what_calls_brought(store: Database) -> None:
    load(store, DOCUMENT)
    put(store, {"users": [{"name": "bob", "accessKeys": [{"id": "BOB", "secret": "b"}]}]})
    put(store, {"users": [{"name": "alice", "accessKeys": [{"id": "KEY3", "secret": "s3"}], "policies": []}]})
    put(store, {"accounts": {"444455556666": {"alias": "other"}}})
    load(store, DOCUMENT)
    assert keys(store) == {"KEY1", "KEY2", "KEY3", "BOB", "TEMP", "ROOTKEY"}
    # What the file says of a principal is so again.
    assert find(store, "KEY3").identity.policies != ()
    load(store, {})
    assert keys(store) == {"BOB"}
    with store.read() as connection:
        assert [account.number for account in principals.everything(connection).accounts] == ["444455556666"]


def test_what_a_call_brought_is_the_files_once_the_file_names_it(store: Database) -> None:
    put(store, {"users": [{"name": "alice", "tags": {"a": "b"}}]})
    load(store, {"users": [{"name": "alice"}]})
    load(store, {})
    with store.read() as connection:
        assert principals.everything(connection).entries == ()


def test_a_key_that_is_deleted_is_gone(filled: Database) -> None:
    with filled.write() as transaction:
        assert principals.delete_key(transaction, "KEY1")
        assert not principals.delete_key(transaction, "KEY1")
    assert "KEY1" not in keys(filled)
    assert find(filled, "KEY2").principal.arn == ALICE


@pytest.mark.parametrize(
    ("arn", "left"), [(ALICE, {"TEMP", "ROOTKEY"}), (DEPLOY, {"KEY1", "KEY2", "ROOTKEY"})]
)
def test_a_principal_goes_with_its_keys(filled: Database, arn: str, left: set[str]) -> None:
    with filled.write() as transaction:
        assert principals.delete(transaction, arn)
        assert not principals.delete(transaction, arn)
    assert keys(filled) == left


def test_a_session_goes_without_its_role(filled: Database) -> None:
    with filled.write() as transaction:
        assert principals.delete(transaction, SESSION)
        assert not principals.delete(transaction, SESSION)
        assert principals.identity(transaction, DEPLOY) is not None


@pytest.mark.parametrize(
    "arn", ["alice", f"arn:aws:iam::{ACCOUNT}:user/x/alice", f"arn:aws:iam::{ACCOUNT}:role/deploy"]
)
def test_nobody_is_deleted_by_another_arn(filled: Database, arn: str) -> None:
    with filled.write() as transaction:
        assert not principals.delete(transaction, arn)


def test_names_are_unique_in_an_account_and_a_kind(store: Database) -> None:
    put(store, {"users": [{"name": "x"}, {"name": "x", "account": "444455556666"}], "roles": [{"name": "x"}]})
    with store.read() as connection:
        found = [entry.name for entry in principals.everything(connection).entries]
    assert found == [
        Name("role", ACCOUNT, "x"),
        Name("user", ACCOUNT, "x"),
        Name("user", "444455556666", "x"),
    ]


def test_a_key_is_found_by_its_index(filled: Database) -> None:
    with filled.read() as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM iam_keys k JOIN iam_principals p ON p.id = k.principal_id "
            "LEFT JOIN iam_accounts a ON a.account = p.account WHERE k.id = 'x'"
        ).fetchall()
    assert all("SEARCH" in step[3] for step in plan)
