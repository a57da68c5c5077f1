"""Counts that triggers keep: right after everything that can happen to the rows, at the same cost always."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

import pytest

from ecr_emu.domain.manifests import OCI_MANIFEST, Manifest
from ecr_emu.domain.registries import Registry
from ecr_emu.store import images, repositories
from ecr_emu.store.database import Database, schema_files
from ecr_emu.store.images import Content, Image
from ecr_emu.store.repositories import Repository
from tests.store.conftest import HOME, a_repository

WEST = Registry(HOME.account, "us-west-2")
MANIFEST = Manifest(OCI_MANIFEST, (), (), None, None)
# The schema file that brought the counts.
BROUGHT_BY = next(number for number, sql in schema_files() if "TABLE registry_counts" in sql)


def add_image(connection: Connection, repository: Repository, number: int) -> Image:
    content = Content(f"sha256:{number:064x}", OCI_MANIFEST, b"{}")
    return images.insert(connection, repository, content, MANIFEST, 1, 1.0)


def fill(connection: Connection, name: str, images_in_it: int) -> Repository:
    repository = repositories.insert(connection, a_repository(name))
    for number in range(images_in_it):
        add_image(connection, repository, number)
    return repository


def check(connection: Connection) -> None:
    """The counts are what counting gives."""
    for image_count, counted in connection.execute(
        "SELECT image_count, (SELECT count(*) FROM images WHERE repository_id = r.id) FROM repositories r"
    ):
        assert image_count == counted
    kept = connection.execute("SELECT account, region, repository_count FROM registry_counts")
    counted = connection.execute("SELECT account, region, count(*) FROM repositories GROUP BY 1, 2")
    assert kept.fetchall() == counted.fetchall()


def test_images_and_repositories_are_counted_as_they_come_and_go(store: Database) -> None:
    with store.write() as transaction:
        first, second = fill(transaction, "first", 3), fill(transaction, "second", 2)
        image = images.find(transaction, first, f"sha256:{1:064x}")
        assert image is not None
        images.delete(transaction, image)
        assert repositories.image_count(transaction, first) == 2
        assert repositories.image_count(transaction, second) == 2
        assert repositories.count(transaction, HOME) == 2
        assert repositories.count(transaction, WEST) == 0
        check(transaction)


def test_counts_survive_deletions_that_cascade(store: Database) -> None:
    with store.write() as transaction:
        first, second = fill(transaction, "first", 3), fill(transaction, "second", 2)
        repositories.delete(transaction, first)
        assert repositories.image_count(transaction, first) == 0
        assert repositories.image_count(transaction, second) == 2
        assert repositories.count(transaction, HOME) == 1
        check(transaction)
        # Back again, under another id.
        again = fill(transaction, "first", 1)
        assert repositories.image_count(transaction, again) == 1
        check(transaction)


@pytest.mark.parametrize("sql", ["DELETE FROM repositories", "DELETE FROM images"])
def test_counts_survive_the_deletion_of_everything(store: Database, sql: str) -> None:
    with store.write() as transaction:
        for name in ("first", "second"):
            fill(transaction, name, 2)
        transaction.execute(sql)
        check(transaction)
        fill(transaction, "third", 2)
        check(transaction)


def test_what_is_rolled_back_was_never_counted(store: Database, repository: Repository) -> None:
    def write_and_fail() -> None:
        with store.write() as transaction:
            add_image(transaction, repository, 1)
            fill(transaction, "other", 1)
            add_image(transaction, repository, 1)

    with pytest.raises(sqlite3.IntegrityError):
        write_and_fail()
    with store.read() as connection:
        assert repositories.image_count(connection, repository) == 0
        assert repositories.count(connection, HOME) == 1
        check(connection)


def test_what_was_there_before_the_counts_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        for number, sql in schema_files():
            if number < BROUGHT_BY:
                old.executescript(f"{sql}; PRAGMA user_version={number}")
        for name, images_in_it in (("first", 3), ("second", 0)):
            fill(old, name, images_in_it)
        old.commit()
    with closing(Database(path)) as database, database.read() as connection:
        first = repositories.get(connection, HOME, "first")
        assert repositories.image_count(connection, first) == 3
        assert repositories.count(connection, HOME) == 2
        check(connection)


def steps_of(connection: Connection, do: Callable[[], object]) -> int:
    """How many instructions SQLite needs, those of triggers too."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1)
    do()
    connection.set_progress_handler(None, 1)
    return steps


def test_counting_costs_the_same_however_much_there_is(store: Database) -> None:
    def measure(connection: Connection, repository: Repository, number: int) -> tuple[int, ...]:
        image = Image(0, "", "", None, None, 0, 0.0)

        def add() -> None:
            nonlocal image
            image = add_image(connection, repository, number)

        wanted = a_repository(f"other-{number}")
        return (
            steps_of(connection, lambda: repositories.image_count(connection, repository)),
            steps_of(connection, lambda: repositories.count(connection, HOME)),
            steps_of(connection, add),
            steps_of(connection, lambda: images.delete(connection, image)),
            steps_of(connection, lambda: repositories.insert(connection, wanted)),
        )

    with store.write() as transaction:
        repository = fill(transaction, "first", 5)
        few = measure(transaction, repository, 100_001)
        for number in range(2000):
            add_image(transaction, repository, 1000 + number)
            repositories.insert(transaction, a_repository(f"name-{number}"))
        assert measure(transaction, repository, 100_002) == few
