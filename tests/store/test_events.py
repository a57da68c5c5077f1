"""Events are kept for a while, and for as long as a target waits for them."""

import sqlite3

import pytest

from ecr_emu.store import events
from ecr_emu.store.database import Database
from ecr_emu.store.events import Wanted
from tests.store.conftest import HOME


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 10)
    monkeypatch.setattr(events, "TRIM_EVERY", 5)


def fill(store: Database, count: int) -> None:
    with store.write() as transaction:
        for _ in range(count):
            events.append(transaction, HOME, "team/app", "x", b"{}", 1.0)


def fill_and_fail(store: Database) -> None:
    with store.write() as transaction:
        events.append(transaction, HOME, "team/app", "x", b"{}", 1.0)
        transaction.execute("INSERT INTO events (id) VALUES (1)")


def numbers(store: Database) -> list[int]:
    with store.read() as connection:
        return [event.number for event in events.page(connection, Wanted(), 1000)]


def test_the_newest_are_kept(store: Database) -> None:
    fill(store, 33)
    assert numbers(store) == list(range(21, 34))
    with store.read() as connection:
        assert (events.mark(connection), events.forgotten(connection)) == (33, 20)


def test_what_an_active_target_has_not_got_is_kept(store: Database) -> None:
    with store.write() as transaction:
        events.arrange_targets(transaction, ["down", "up"])
    fill(store, 20)
    with store.write() as transaction:
        events.advance(transaction, "up", 20)
        events.advance(transaction, "down", 3)
    fill(store, 10)
    assert numbers(store)[0] == 4
    with store.write() as transaction:
        events.arrange_targets(transaction, ["up"])
    fill(store, 5)
    assert numbers(store) == list(range(21, 36))


def test_a_transaction_that_fails_leaves_no_event_and_no_gap(store: Database) -> None:
    fill(store, 1)
    with pytest.raises(sqlite3.IntegrityError):
        fill_and_fail(store)
    fill(store, 1)
    assert numbers(store) == [1, 2]
