"""The schema, the transactions, and what happens when they fail."""

import json
import sqlite3
import time
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import pytest

from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import Backfill
from ecr_emu.errors import EcrError
from ecr_emu.store import backfills, database, documents, replications, repositories
from ecr_emu.store.database import MAX_IDLE, Busy, Database, NewerSchema, schema_files
from ecr_emu.store.repositories import Repository
from tests.consistency import side_by_side
from tests.store.conftest import HOME, a_repository


def names(store: Database) -> list[str]:
    with store.read() as connection:
        return [repository.name for repository in repositories.page(connection, HOME, "", 1000)]


def test_an_empty_file_gets_the_newest_schema(store: Database) -> None:
    with store.read() as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        assert version == schema_files()[-1][0]
        assert connection.execute("SELECT count(*) FROM repositories").fetchone() == (0,)


def test_the_schema_files_are_numbered_without_a_gap() -> None:
    assert [number for number, _ in schema_files()] == list(range(1, len(schema_files()) + 1))


def test_opening_again_keeps_what_is_there(store: Database, repository: Repository) -> None:
    with closing(Database(store.path)) as again:
        assert names(again) == [repository.name]


@pytest.mark.parametrize("version", range(1, len(schema_files())))
def test_a_file_of_an_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        for number, sql in schema_files()[:version]:
            old.executescript(f"{sql}; PRAGMA user_version={number}")
        repositories.insert(old, a_repository("kept"))
        old.commit()
    with closing(Database(path)) as database:
        assert names(database) == ["kept"]
        with database.read() as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (schema_files()[-1][0],)


def test_a_file_of_a_newer_version_is_left_alone(store: Database) -> None:
    newer = schema_files()[-1][0] + 1
    with store.read() as connection:
        connection.execute(f"PRAGMA user_version={newer}")
    with pytest.raises(NewerSchema):
        Database(store.path)
    with store.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (newer,)


def test_many_can_open_a_new_file_at_once(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.db"
        for opened in side_by_side([partial(Database, path)] * 6):
            assert names(opened) == []
            opened.close()


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 0)])
def test_only_a_durable_database_waits_for_the_disk(tmp_path: Path, durable: bool, synchronous: int) -> None:
    with closing(Database(tmp_path / "x.db", durable=durable)) as database, database.read() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_error_takes_the_whole_transaction_back(store: Database) -> None:
    def write_and_fail() -> None:
        with store.write() as transaction:
            repositories.insert(transaction, a_repository("one"))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert names(store) == []
    with store.write() as transaction:
        repositories.insert(transaction, a_repository("two"))
    assert names(store) == ["two"]


def test_a_commit_that_fails_leaves_no_open_transaction(store: Database) -> None:
    def hold_a_layer_of_nobody() -> None:
        with store.write() as transaction:
            transaction.execute("PRAGMA defer_foreign_keys=ON")
            transaction.execute("INSERT INTO layers VALUES (1, 'sha256:00', 0)")

    with pytest.raises(sqlite3.IntegrityError):
        hold_a_layer_of_nobody()
    with store.write() as transaction:
        repositories.insert(transaction, a_repository("next"))
    assert names(store) == ["next"]


def test_a_full_disk_is_reported_and_writing_goes_on_when_there_is_room(store: Database) -> None:
    def write_much() -> None:
        with store.write() as transaction:
            transaction.execute("INSERT INTO manifests VALUES ('sha256:00', zeroblob(10000000))")

    with store.read() as connection:
        connection.execute("PRAGMA max_page_count=100")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        write_much()
    with store.write() as transaction:
        transaction.execute("PRAGMA max_page_count=100000")
    write_much()
    with store.read() as connection:
        assert connection.execute("SELECT count(*) FROM manifests").fetchone() == (1,)


def test_a_snapshot_sees_one_state_while_others_write(store: Database, repository: Repository) -> None:
    with store.snapshot() as connection:
        assert repositories.find(connection, HOME, "late") is None
        with store.write() as transaction:
            repositories.insert(transaction, a_repository("late"))
        assert repositories.find(connection, HOME, "late") is None
    assert names(store) == ["late", repository.name]


def test_writers_of_two_databases_on_one_file_lose_nothing(store: Database, repository: Repository) -> None:
    with closing(Database(store.path)) as other:

        def count_up(database: Database) -> None:
            for _ in range(50):
                with database.write() as transaction:
                    found = repositories.get(transaction, HOME, repository.name)
                    count = repositories.resource_tags(transaction, found).get("count", "0")
                    repositories.put_resource_tags(transaction, found, {"count": str(int(count) + 1)})

        side_by_side([partial(count_up, one) for one in (store, other) * 3])
    with store.read() as connection:
        assert repositories.resource_tags(connection, repository) == {"count": "300"}


def test_a_name_is_taken_once_in_each_registry(store: Database, repository: Repository) -> None:
    elsewhere = Registry(HOME.account, "eu-west-1")
    with store.write() as transaction, pytest.raises(EcrError, match="already exists"):
        repositories.insert(transaction, a_repository(repository.name))
    with store.read() as connection:
        assert repositories.find(connection, elsewhere, repository.name) is None
    with pytest.raises(EcrError, match="does not exist in the registry"), store.read() as connection:
        repositories.get(connection, elsewhere, repository.name)


def test_a_connection_that_comes_back_after_the_end_is_closed(tmp_path: Path) -> None:
    database = Database(tmp_path / "metadata.db")
    with database.read() as connection:
        database.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_what_is_recalled_is_read_again_after_a_write(store: Database) -> None:
    reads: list[int] = []

    def load(connection: sqlite3.Connection) -> int:
        (version,) = connection.execute("SELECT count(*) FROM repositories").fetchone()
        reads.append(version)
        return int(version)

    assert [store.recall("key", load) for _ in range(3)] == [0, 0, 0]
    assert store.recall(("other", 1), lambda connection: "x") == "x"
    assert reads == [0]
    with store.write():
        pass
    assert store.recall("key", load) == 0
    assert reads == [0, 0]
    with suppress(RuntimeError), store.write():
        raise RuntimeError
    store.recall("key", load)
    assert reads == [0, 0]
    store.forget()
    store.recall("key", load)
    assert reads == [0, 0, 0]


def test_recalling_takes_bounded_memory(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_REMEMBERED", 2)
    for key in range(10):
        assert store.recall(key, lambda _, key=key: key) == key
    assert len(store._remembered) <= 2


def test_replications_that_an_older_version_promised_wait_and_its_backfills_begin(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    place = Registry("111111111111", "eu-west-1")
    with closing(sqlite3.connect(path)) as old:
        for number, sql in schema_files()[:8]:
            old.executescript(f"{sql}; PRAGMA user_version={number}")
        repository = repositories.insert(old, a_repository("kept"))
        old.execute("INSERT INTO manifests VALUES ('sha256:a', '{}')")
        old.execute(
            "INSERT INTO images (id, repository_id, digest, media_type, size_bytes, pushed_at) "
            "VALUES (7, ?, 'sha256:a', 'x/y', 1, 5.0)",
            (repository.id,),
        )
        old.execute("INSERT INTO image_tags VALUES (?, 'v1', 7)", (repository.id,))
        old.execute(
            "INSERT INTO image_replications VALUES (7, ?, ?, 'IN_PROGRESS', NULL)",
            (place.region, place.account),
        )
        body = json.dumps([place.account, place.region, "PREPARING", 9.0, None])
        documents.put(old, repository.registry, "replication-backfill", "an-id", body, 9.0)
        old.commit()
    with closing(Database(path)) as database, database.read() as connection:
        (waiting,) = replications.waiting(connection, place.region, 10)
        assert waiting == replications.Waiting(7, place, ("v1",), 5.0, 0, 0)
        assert backfills.running(connection, place.region) == [
            Backfill("an-id", repository.registry, place, "PREPARING", 9.0)
        ]


def test_a_transaction_that_could_not_be_ended_goes_on_for_nobody(store: Database) -> None:
    """As after a disk error in the middle: what is read next is not what was so then."""
    with store.read() as connection:
        connection.execute("BEGIN IMMEDIATE")
    with store.write() as transaction:
        transaction.execute("INSERT INTO clock (id, ahead_seconds) VALUES (1, 5.0)")
    with store.read() as connection:
        assert connection.execute("SELECT ahead_seconds FROM clock").fetchone() == (5.0,)
        assert not connection.in_transaction


def test_connections_of_a_rush_are_not_kept(store: Database) -> None:
    with ExitStack() as stack:
        for _ in range(3 * MAX_IDLE):
            stack.enter_context(store.snapshot()).execute("SELECT count(*) FROM clock").fetchone()
        assert len(open_logs(store.path)) >= 3 * MAX_IDLE
    assert len(open_logs(store.path)) <= MAX_IDLE


def open_logs(path: Path) -> list[str]:
    """Descriptors of this process on the log. Those on the database SQLite keeps, for who comes next."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(str(entry.readlink()))
    return [link for link in links if link == f"{path}-wal"]


def test_a_writer_gives_up_after_its_patience(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    with closing(Database(path, patience_seconds=30)) as store, closing(Database(path)) as other:
        with other.write():
            began = time.monotonic()
            with pytest.raises(sqlite3.OperationalError, match="locked"), store.write(0.1):
                pass
            assert time.monotonic() - began < 10
        with store.write(), pytest.raises(Busy), store.write(0.1):
            pass
        # The usual patience is back.
        with store.read() as connection:
            assert connection.execute("PRAGMA busy_timeout").fetchone() == (30_000,)
