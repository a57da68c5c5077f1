"""Rows of deletions that are to be replicated."""

from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.domain.registries import Registry
from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Deletion:
    """An image that is to be deleted elsewhere as well, or a tag of it alone, if one is named."""

    id: int
    source: Registry
    destination: Registry
    repository: str
    digest: str
    tag: str
    attempts: int


def put(
    connection: Connection, repository: Repository, digest: str, tag: str, destinations: Iterable[Registry]
) -> None:
    registry = repository.registry
    connection.executemany(
        "INSERT INTO replicated_deletions (account, source_region, to_account, region, repository, digest, "
        "tag) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (registry.account, registry.region, place.account, place.region, repository.name, digest, tag)
            for place in destinations
        ],
    )


def first(connection: Connection, region: str) -> Deletion | None:
    """The oldest of a region: a later one may rely on it."""
    row = connection.execute(
        "SELECT id, account, source_region, to_account, region, repository, digest, tag, attempts "
        "FROM replicated_deletions WHERE region = ? ORDER BY id LIMIT 1",
        (region,),
    ).fetchone()
    if row is None:
        return None
    number, account, source_region, to_account, to_region, *rest = row
    return Deletion(number, Registry(account, source_region), Registry(to_account, to_region), *rest)


def finish(connection: Connection, deletion: Deletion) -> None:
    connection.execute("DELETE FROM replicated_deletions WHERE id = ?", (deletion.id,))


def count_attempts(connection: Connection, region: str) -> None:
    connection.execute("UPDATE replicated_deletions SET attempts = attempts + 1 WHERE region = ?", (region,))


def give_up(connection: Connection, region: str, attempts: int) -> int:
    """Forget those that were tried so often; how many that are."""
    cursor = connection.execute(
        "DELETE FROM replicated_deletions WHERE region = ? AND attempts >= ?", (region, attempts)
    )
    return cursor.rowcount
