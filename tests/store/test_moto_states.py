"""What moto knows, one row for each account; keys that ended are forgotten, those of a file are not."""

import json

from ecr_emu.domain.iam_documents import read
from ecr_emu.domain.principals import ROLE, Document, Entry, Key, Name
from ecr_emu.store import moto_states, principals
from ecr_emu.store.database import Database
from ecr_emu.store.moto_states import State

ACCOUNT = "111122223333"
DEPLOY = Name(ROLE, ACCOUNT, "deploy")


def test_a_state_is_kept_replaced_and_deleted(store: Database) -> None:
    states = [State("5.2.5", b"\x00one", "[]"), State("5.3.0", b"two", '[["user", "alice"]]')]
    with store.write() as transaction:
        assert moto_states.find(transaction, ACCOUNT) is None
        for state in states:
            moto_states.put(transaction, ACCOUNT, state)
            assert moto_states.find(transaction, ACCOUNT) == state
        assert moto_states.find(transaction, "444455556666") is None
        moto_states.delete(transaction, ACCOUNT)
        assert moto_states.find(transaction, ACCOUNT) is None


def test_keys_that_have_ended_are_deleted_but_not_those_of_a_file(store: Database) -> None:
    session = {
        "name": "ci",
        "accessKeyId": "FILED",
        "secret": "s",
        "token": "t",
        "expires": "2001-01-01T00:00:00Z",
    }
    document = read({"roles": [{"name": "deploy", "sessions": [session]}]}, ACCOUNT)
    keys = (
        Key("OLD", "s", "ci", "t", 99.0),
        Key("NEW", "s", "ci", "t", 101.0),
        Key("ENDLESS", "s", "ci", "t"),
    )
    with store.write() as transaction:
        principals.replace_file(transaction, document)
        principals.put(transaction, Document((), (Entry(DEPLOY, keys=keys),)))
        principals.delete_expired(transaction, 100.0)
        found = [
            name for name in ("FILED", "OLD", "NEW", "ENDLESS") if principals.find_key(transaction, name)
        ]
    assert found == ["FILED", "NEW", "ENDLESS"]


def test_tags_of_a_session_come_before_those_of_its_role(store: Database) -> None:
    key = Key("TEMP", "s", "ci", "t", tags=json.dumps({"team": "red"}))
    role = Entry(DEPLOY, tags={"team": "blue", "cost": "1"}, keys=(key,))
    with store.write() as transaction:
        principals.put(transaction, Document((), (role,)))
        found = principals.find_key(transaction, "TEMP")
        assert principals.find_entry(transaction, DEPLOY) is not None
        assert principals.find_entry(transaction, Name(ROLE, ACCOUNT, "other")) is None
    assert found is not None
    assert found.identity.tags == {"team": "red", "cost": "1"}
