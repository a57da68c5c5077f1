"""Results of a preview: found by digest, by tag, by tag status, at the same cost however many there are."""

import sqlite3
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

from ecr_emu.store import previews
from ecr_emu.store.database import Database, schema_files
from ecr_emu.store.previews import Result
from ecr_emu.store.repositories import Repository
from tests.store.test_counts import steps_of

TAGS: list[tuple[str, ...]] = [("a", "b"), (), ("b",), ("c",), ()]
BROUGHT_BY = next(number for number, sql in schema_files() if "TABLE lifecycle_preview_tags" in sql)


def result(position: int, tags: tuple[str, ...]) -> Result:
    return Result(position, f"sha256:{position:064x}", tags, 1.0, "STANDARD", "EXPIRE", 1)


def fill(connection: Connection, repository: Repository, count: int = 0) -> None:
    previews.start(connection, repository, "{}")
    several = [result(position, tags) for position, tags in enumerate(TAGS, 1)]
    others = [result(position, (f"tag-{position}",)) for position in range(6, 6 + count)]
    previews.add(connection, repository.id, [*several, *others])


def find(
    connection: Connection, repository: Repository, status: str, *named: tuple[str | None, str | None]
) -> list[int]:
    return [one.position for one in previews.of_images(connection, repository, status, named)]


def test_results_are_found_by_what_names_an_image(store: Database, repository: Repository) -> None:
    digests = [result(position, ()).digest for position in range(10)]
    with store.write() as transaction:
        fill(transaction, repository)
        assert find(transaction, repository, "ANY", (None, "b")) == [1, 3]
        assert find(transaction, repository, "ANY", (digests[3], None), (None, "a"), (None, "x")) == [1, 3]
        assert find(transaction, repository, "ANY", (digests[1], "b"), (digests[3], "a")) == [1]
        assert find(transaction, repository, "UNTAGGED", (digests[2], None), (digests[3], None)) == [2]
        assert find(transaction, repository, "TAGGED", (digests[2], None), (digests[3], None)) == [3]
        for status, expected in (("ANY", [2, 3, 4, 5]), ("TAGGED", [3, 4]), ("UNTAGGED", [2, 5])):
            page = previews.page(transaction, repository, status, 1, 10)
            assert [one.position for one in page] == expected


def test_cleared_results_leave_nothing(store: Database, repository: Repository) -> None:
    with store.write() as transaction:
        fill(transaction, repository)
        assert [previews.clear(transaction, repository.id, 3) for _ in range(3)] == [3, 2, 0]
        assert transaction.execute("SELECT count(*) FROM lifecycle_preview_results").fetchone() == (0,)
        assert transaction.execute("SELECT count(*) FROM lifecycle_preview_tags").fetchone() == (0,)


def test_looking_for_a_result_costs_the_same_however_many_there_are(
    store: Database, repository: Repository
) -> None:
    def measure(connection: Connection) -> list[int]:
        named = [(None, "b"), (result(2, ()).digest, None)]
        return [
            steps_of(connection, lambda: previews.of_images(connection, repository, "ANY", named)),
            steps_of(connection, lambda: previews.page(connection, repository, "UNTAGGED", 0, 2)),
        ]

    with store.write() as transaction:
        fill(transaction, repository, 20)
        few = measure(transaction)
        while previews.clear(transaction, repository.id, 100):
            pass
        fill(transaction, repository, 2000)
        assert measure(transaction) == few


def test_tags_of_earlier_previews_are_split(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        for number, sql in schema_files():
            if number < BROUGHT_BY:
                old.executescript(f"{sql}; PRAGMA user_version={number}")
        old.execute(
            "INSERT INTO repositories VALUES (1, '0', 'x', 'r', 1, 'MUTABLE', '[]', 0, 'AES256', NULL, 0)"
        )
        old.execute("INSERT INTO lifecycle_previews (repository_id, policy_text, status) VALUES (1, '', 'x')")
        for position, tags in enumerate(TAGS, 1):
            old.execute(
                "INSERT INTO lifecycle_preview_results VALUES (1, ?, 'd', ?, 1, 'STANDARD', 'EXPIRE', 1)",
                (position, ",".join(tags)),
            )
        old.commit()
    with closing(Database(path)) as database, database.read() as connection:
        rows = connection.execute("SELECT tag, position FROM lifecycle_preview_tags ORDER BY tag, position")
        assert rows.fetchall() == [("a", 1), ("b", 1), ("b", 3), ("c", 4)]
