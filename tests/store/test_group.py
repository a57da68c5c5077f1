"""Writers that wait for each other share a commit, and nothing else."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from sqlite3 import Connection

import pytest

from ecr_emu.store import database, repositories
from ecr_emu.store.database import Busy, Database
from tests.store.conftest import a_repository
from tests.store.test_database import names

Deed = Callable[[Connection], None]
TIMEOUT_SECONDS = 30
IMPATIENT_SECONDS = 0.123


@contextmanager
def statements(store: Database) -> Iterator[list[str]]:
    """What is executed on the one connection that the store has."""
    seen: list[str] = []
    with store.read() as connection:
        connection.set_trace_callback(seen.append)
    yield seen
    with store.read() as connection:
        connection.set_trace_callback(None)


def together(store: Database, deeds: list[Deed]) -> list[BaseException | None]:
    """Write in this order, each waiting when the first has the lock; what each of them raised."""
    raised: list[BaseException | None] = [None] * len(deeds)
    is_first_in, may_go_on = threading.Event(), threading.Event()

    def write(number: int) -> None:
        try:
            with store.write() as transaction:
                if number == 0:
                    is_first_in.set()
                    assert may_go_on.wait(TIMEOUT_SECONDS)
                deeds[number](transaction)
        except (RuntimeError, sqlite3.Error) as error:
            raised[number] = error

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(deeds))]
    for number, thread in enumerate(threads):
        thread.start()
        assert is_first_in.wait(TIMEOUT_SECONDS)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while store._waiting < number:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    may_go_on.set()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    return raised


def make(name: str) -> Deed:
    def insert(transaction: Connection) -> None:
        repositories.insert(transaction, a_repository(name))

    return insert


def test_those_who_wait_share_one_commit(store: Database) -> None:
    with statements(store) as seen:
        assert together(store, [make(name) for name in "abcde"]) == [None] * 5
    assert (seen.count("BEGIN IMMEDIATE"), seen.count("COMMIT")) == (1, 1)
    assert names(store) == list("abcde")


def test_one_who_fails_takes_back_its_own(store: Database) -> None:
    def fail(transaction: Connection) -> None:
        make("refused")(transaction)
        raise RuntimeError

    for place in range(3):
        deeds = [make(f"{place}a"), make(f"{place}b")]
        deeds.insert(place, fail)
        raised = together(store, deeds)
        assert [type(one) for one in raised if one] == [RuntimeError]
        assert isinstance(raised[place], RuntimeError)
    assert names(store) == ["0a", "0b", "1a", "1b", "2a", "2b"]


def test_a_commit_that_fails_has_failed_for_all_of_them(store: Database) -> None:
    def hold_a_layer_of_nobody(transaction: Connection) -> None:
        transaction.execute("PRAGMA defer_foreign_keys=ON")
        transaction.execute("INSERT INTO layers VALUES (1, 'sha256:00', 0)")

    raised = together(store, [make("a"), hold_a_layer_of_nobody, make("b")])
    assert [type(one) for one in raised] == [sqlite3.IntegrityError] * 3
    assert together(store, [make("c"), make("d")]) == [None, None]
    assert names(store) == ["c", "d"]


def test_nobody_is_told_of_what_a_full_disk_took_back(store: Database) -> None:
    def write_much(transaction: Connection) -> None:
        transaction.execute("PRAGMA max_page_count=200")
        transaction.execute("INSERT INTO manifests VALUES ('sha256:00', zeroblob(10000000))")

    before, much, after = together(store, [make("before"), write_much, make("after")])
    assert isinstance(much, sqlite3.OperationalError)
    told = [name for name, error in (("after", after), ("before", before)) if error is None]
    assert names(store) == told


def test_a_group_ends_when_it_is_large(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_GROUP", 2)
    with statements(store) as seen:
        assert together(store, [make(name) for name in "abcde"]) == [None] * 5
    assert seen.count("COMMIT") == 3
    assert names(store) == list("abcde")


def test_nothing_shows_before_the_commit(store: Database) -> None:
    shown: list[list[str]] = []

    def look(transaction: Connection) -> None:
        make("b")(transaction)
        # The pool has a second connection for this.
        shown.append(names(store))

    assert together(store, [make("a"), look]) == [None, None]
    assert shown == [[]]
    assert names(store) == ["a", "b"]


def fail(transaction: Connection) -> None:
    raise RuntimeError("no")


def test_writers_that_fail_count_too(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one who has written would wait as long as others come and fail."""
    monkeypatch.setattr(database, "MAX_GROUP", 2)
    with statements(store) as seen:
        raised = together(store, [make("a"), fail, fail, fail, make("b")])
    assert [error is None for error in raised] == [True, False, False, False, True]
    assert [one for one in seen if one in ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")] == [
        *("BEGIN IMMEDIATE", "COMMIT"),
        *("BEGIN IMMEDIATE", "ROLLBACK"),
        *("BEGIN IMMEDIATE", "COMMIT"),
    ]


def test_what_cannot_be_rolled_back_is_not_committed(store: Database) -> None:
    def write_half(transaction: Connection) -> None:
        make("half")(transaction)
        # As a disk that fails does: the savepoint is gone when it is asked for.
        transaction.execute("RELEASE member")
        raise RuntimeError("no")

    raised = together(store, [make("a"), write_half, make("b")])
    assert raised[0] is not None
    assert "half" not in names(store)
    assert "a" not in names(store)


class LateLock:
    """A lock whose impatient caller learns of its failure only when it is told to."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.may_give_up = threading.Event()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if timeout == IMPATIENT_SECONDS:
            return not self.may_give_up.wait(TIMEOUT_SECONDS)
        return self.lock.acquire(blocking, timeout)

    def release(self) -> None:
        self.lock.release()


@pytest.mark.parametrize("deed", [make("a"), fail])
def test_what_was_left_to_one_who_gives_up_is_ended(
    store: Database, monkeypatch: pytest.MonkeyPatch, deed: Deed
) -> None:
    """The one who gives up is counted among those who wait until then."""
    lock = LateLock()
    monkeypatch.setattr(store, "_writing", lock)
    raised: list[BaseException] = []

    def give_up() -> None:
        try:
            with store.write(IMPATIENT_SECONDS):
                pass
        except sqlite3.OperationalError as error:
            raised.append(error)

    impatient = threading.Thread(target=give_up)
    with suppress(RuntimeError), store.write() as transaction:
        impatient.start()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not store._waiting:
            assert time.monotonic() < deadline
        threading.Timer(0.2, lock.may_give_up.set).start()
        deed(transaction)
    impatient.join(TIMEOUT_SECONDS)
    assert isinstance(raised[0], Busy)
    assert names(store) == (["a"] if deed is not fail else [])
    with closing(sqlite3.connect(store.path, timeout=1)) as other:
        other.execute("BEGIN IMMEDIATE")
