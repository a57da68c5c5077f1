"""/_emu/iam: principals at run time."""

import json
from typing import Any

import pytest

from ecr_emu.store import principals
from tests.clients import Registry, Reply, Running

ACCOUNT = "111122223333"
ALLOW = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}
DOCUMENT: dict[str, Any] = {
    "accounts": {
        ACCOUNT: {"organization": "o-abc", "root": {"accessKeys": [{"id": "ROOT", "secret": "hidden1"}]}}
    },
    "users": [
        {
            "name": "alice",
            "account": ACCOUNT,
            "tags": {"team": "red"},
            "id": "AIDACKCEVSQ6C2EXAMPLE",
            "accessKeys": [{"id": "KEY", "secret": "hidden2"}],
            "policies": [{"managed": "AmazonEC2ContainerRegistryPullOnly"}, ALLOW],
            "boundary": {"name": "fence", "document": ALLOW},
        }
    ],
    "roles": [
        {
            "name": "deploy",
            "path": "/ci/",
            "id": "AROACKCEVSQ6C2EXAMPLE",
            "trust": {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}},
            "sessions": [
                {
                    "name": "main",
                    "accessKeyId": "TEMP",
                    "secret": "hidden3",
                    "token": "hidden4",
                    "expires": "2027-01-01T00:00:00Z",
                    "policy": ALLOW,
                }
            ],
        }
    ],
}


@pytest.fixture
def anybody(emulator: Running) -> Registry:
    return Registry(emulator.port, None)


def send(anybody: Registry, method: str, content: object = None) -> Reply:
    return anybody.request(method, "/_emu/iam", None if content is None else json.dumps(content).encode())


def test_nobody_is_there_at_first(anybody: Registry) -> None:
    assert send(anybody, "GET").json() == {"accounts": {}, "users": [], "roles": []}


def test_what_is_put_is_shown_without_secrets(anybody: Registry) -> None:
    reply = send(anybody, "POST", DOCUMENT)
    assert (reply.status, reply.json()) == (
        200,
        {
            "arns": [
                f"arn:aws:iam::{ACCOUNT}:root",
                f"arn:aws:iam::{ACCOUNT}:user/alice",
                "arn:aws:iam::000000000000:role/ci/deploy",
            ],
            "accessKeyIds": ["ROOT", "KEY", "TEMP"],
        },
    )
    shown = send(anybody, "GET")
    assert b"hidden" not in shown.body + reply.body
    assert shown.json() == {
        "accounts": {
            ACCOUNT: {
                "organization": "o-abc",
                "root": {"arn": f"arn:aws:iam::{ACCOUNT}:root", "accessKeys": [{"id": "ROOT"}]},
            }
        },
        "users": [
            {
                "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
                "name": "alice",
                "account": ACCOUNT,
                "path": "/",
                "id": "AIDACKCEVSQ6C2EXAMPLE",
                "tags": {"team": "red"},
                "policies": [
                    {"managed": "AmazonEC2ContainerRegistryPullOnly"},
                    {"name": "policy-2", "document": ALLOW},
                ],
                "boundary": {"name": "fence", "document": ALLOW},
                "accessKeys": [{"id": "KEY"}],
            }
        ],
        "roles": [
            {
                "arn": "arn:aws:iam::000000000000:role/ci/deploy",
                "name": "deploy",
                "account": "000000000000",
                "path": "/ci/",
                "id": "AROACKCEVSQ6C2EXAMPLE",
                "tags": {},
                "policies": [],
                "trust": {"name": "trust", "document": DOCUMENT["roles"][0]["trust"]},
                "sessions": [
                    {
                        "arn": "arn:aws:sts::000000000000:assumed-role/deploy/main",
                        "name": "main",
                        "accessKeyId": "TEMP",
                        "expires": "2027-01-01T00:00:00Z",
                        "policy": {"name": "session", "document": ALLOW},
                    }
                ],
            }
        ],
    }


def test_what_is_shown_can_be_put_but_for_the_keys(anybody: Registry) -> None:
    send(anybody, "POST", DOCUMENT)
    shown = send(anybody, "GET").json()
    for entry in (*shown["users"], *shown["roles"], shown["accounts"][ACCOUNT]["root"]):
        entry.pop("accessKeys", None)
        entry.pop("sessions", None)
    assert send(anybody, "POST", shown).status == 200
    assert send(anybody, "GET").json()["users"][0]["accessKeys"] == [{"id": "KEY"}]


def test_a_path_that_was_not_said_stays(anybody: Registry) -> None:
    send(anybody, "POST", DOCUMENT)
    reply = send(anybody, "POST", {"roles": [{"name": "deploy", "tags": {"a": "b"}}]})
    assert reply.json() == {"arns": ["arn:aws:iam::000000000000:role/ci/deploy"], "accessKeyIds": []}


def test_what_is_deleted_has_gone_at_once(emulator: Running, anybody: Registry) -> None:
    send(anybody, "POST", DOCUMENT)
    for wanted in (
        {"accessKeyId": "KEY"},
        {"arn": "arn:aws:sts::000000000000:assumed-role/deploy/main"},
        {"arn": "arn:aws:iam::000000000000:role/ci/deploy"},
        {"arn": f"arn:aws:iam::{ACCOUNT}:root"},
    ):
        (what,) = wanted.values()
        reply = send(anybody, "DELETE", wanted)
        assert (reply.status, reply.json()) == (200, {"deleted": what})
        reply = send(anybody, "DELETE", wanted)
        assert (reply.status, reply.json()["message"]) == (404, f"there is no {what}")
    shown = send(anybody, "GET").json()
    assert (shown["roles"], shown["users"][0]["accessKeys"]) == ([], [])
    with emulator.application.emulator.store.read() as connection:
        assert principals.find_key(connection, "KEY") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the body must be a JSON object"),
        ({"user": []}, "unknown member user; there are accounts, roles, users"),
        ({"users": [{"name": "a", "accessKeys": [{}]}]}, "users[0].accessKeys[0].id: is missing"),
        ({"users": [{"name": "a"}], "roles": [{}]}, "roles[0].name: is missing"),
        ({"users": [{"name": "a\u00e9"}]}, "users[0].name: must match [A-Za-z0-9_+=,.@-]{1,64}"),
        ({"users": [{"name": "a\ud800"}]}, "the body must be a JSON object"),
    ],
)
def test_what_is_not_understood_changes_nothing(anybody: Registry, content: object, message: str) -> None:
    reply = send(anybody, "POST", content)
    assert (reply.status, reply.json()["message"]) == (400, message)
    assert send(anybody, "GET").json() == {"accounts": {}, "users": [], "roles": []}


@pytest.mark.parametrize(
    "content", [{}, {"arn": 1}, {"name": "a"}, {"arn": "a", "accessKeyId": "b"}, {"accessKeyId": None}]
)
def test_it_must_be_said_what_to_delete(anybody: Registry, content: object) -> None:
    reply = send(anybody, "DELETE", content)
    assert reply.status == 400
    assert reply.json()["message"].startswith('say what to delete: {"arn": ')
