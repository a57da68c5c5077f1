"""Rows of replications: what of which image is to be copied where, and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.domain.registries import Registry
from ecr_emu.store import images, repositories
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Replication:
    """How copying one image to one registry goes."""

    destination: Registry
    status: str
    failure_code: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A copy that is to be made. `turn` is another one when the image is pushed again meanwhile."""

    image_id: int
    destination: Registry
    tags: tuple[str, ...]
    since: float
    turn: int
    attempts: int


_WAITING = (
    "SELECT image_id, account, region, tags, waiting_since, turn, attempts FROM image_replications "
    "WHERE waiting_since IS NOT NULL"
)


def start(connection: Connection, image: Image, destinations: Iterable[Registry], now: float) -> None:
    """Let an image be copied, for the first time or again, with the tags that it was just given.

    Tags that wait already go on waiting.
    """
    tags = ",".join(image.tags)
    connection.executemany(
        "INSERT INTO image_replications (image_id, region, account, status, tags, waiting_since) "
        "VALUES (?, ?, ?, 'IN_PROGRESS', ?, ?) ON CONFLICT (image_id, region, account) DO UPDATE SET "
        "status = excluded.status, failure_code = NULL, turn = turn + 1, attempts = 0, "
        "tags = CASE WHEN tags = '' OR excluded.tags = '' THEN tags || excluded.tags "
        "ELSE tags || ',' || excluded.tags END, waiting_since = excluded.waiting_since",
        [(image.id, place.region, place.account, tags, now) for place in destinations],
    )


def of_image(connection: Connection, image: Image) -> list[Replication]:
    rows = connection.execute(
        "SELECT account, region, status, failure_code FROM image_replications WHERE image_id = ? "
        "ORDER BY region, account",
        (image.id,),
    )
    return [Replication(Registry(account, region), status, code) for account, region, status, code in rows]


def waiting_regions(connection: Connection) -> set[str]:
    """The regions to which something is to be copied."""
    rows = connection.execute(
        "SELECT DISTINCT region FROM image_replications WHERE waiting_since IS NOT NULL "
        "UNION SELECT to_region FROM replication_backfills WHERE ended_at IS NULL "
        "UNION SELECT region FROM replicated_deletions"
    )
    return {row[0] for row in rows}


def are_waiting(connection: Connection) -> bool:
    """Whether anything is to be copied anywhere. It costs the same however much waits."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM image_replications WHERE waiting_since IS NOT NULL) "
        "OR EXISTS (SELECT 1 FROM replication_backfills WHERE ended_at IS NULL) "
        "OR EXISTS (SELECT 1 FROM replicated_deletions)"
    ).fetchone()
    return bool(row[0])


def waiting(connection: Connection, region: str, limit: int) -> list[Waiting]:
    """Up to `limit` copies to a region: those that were tried least, and of these the oldest first."""
    sql = f"{_WAITING} AND region = ? ORDER BY attempts, waiting_since, image_id LIMIT ?"
    return [_waiting(row) for row in connection.execute(sql, (region, limit))]


def find_waiting(connection: Connection, image_id: int, destination: Registry) -> Waiting | None:
    sql = f"{_WAITING} AND image_id = ? AND region = ? AND account = ?"
    row = connection.execute(sql, (image_id, destination.region, destination.account)).fetchone()
    return _waiting(row) if row else None


def _waiting(row: tuple[int, str, str, str, float, int, int]) -> Waiting:
    image_id, account, region, tags, since, turn, attempts = row
    names = tuple(dict.fromkeys(filter(None, tags.split(","))))
    return Waiting(image_id, Registry(account, region), names, since, turn, attempts)


def finish(connection: Connection, copy: Waiting, failure_code: str | None = None) -> bool:
    """Note that a copy is made, or why it is not. False when the image has gone or was pushed again."""
    cursor = connection.execute(
        "UPDATE image_replications SET status = ?, failure_code = ?, tags = '', waiting_since = NULL, "
        "attempts = 0 WHERE image_id = ? AND region = ? AND account = ? AND turn = ?",
        (
            "FAILED" if failure_code else "COMPLETE",
            failure_code,
            *(copy.image_id, copy.destination.region, copy.destination.account, copy.turn),
        ),
    )
    return cursor.rowcount == 1


def count_attempt(connection: Connection, copy: Waiting) -> None:
    """Note that copying was tried in vain."""
    connection.execute(
        "UPDATE image_replications SET attempts = attempts + 1 "
        "WHERE image_id = ? AND region = ? AND account = ?",
        (copy.image_id, copy.destination.region, copy.destination.account),
    )


def count_attempts(connection: Connection, region: str) -> None:
    """Note that the whole region was tried in vain: for all that waits for it."""
    connection.execute(
        "UPDATE image_replications SET attempts = attempts + 1 "
        "WHERE waiting_since IS NOT NULL AND region = ?",
        (region,),
    )


def source(connection: Connection, image_id: int) -> tuple[Repository, Image] | None:
    """The image that is to be copied and its repository, or None when it has gone."""
    row = connection.execute("SELECT repository_id, digest FROM images WHERE id = ?", (image_id,)).fetchone()
    repository = repositories.of_id(connection, row[0]) if row else None
    image = images.find(connection, repository, row[1]) if repository else None
    return (repository, image) if repository and image else None


def mark_complete(connection: Connection, image_id: int, destination: Registry) -> None:
    """Note that a backfill has copied an image, unless a push is to be copied still."""
    connection.execute(
        "INSERT INTO image_replications (image_id, region, account, status) VALUES (?, ?, ?, 'COMPLETE') "
        "ON CONFLICT (image_id, region, account) DO UPDATE SET status = excluded.status, failure_code = NULL "
        "WHERE waiting_since IS NULL",
        (image_id, destination.region, destination.account),
    )


def give_up(connection: Connection, region: str, attempts: int, code: str) -> int:
    """Let all that was tried so often have failed; how many copies that are."""
    cursor = connection.execute(
        "UPDATE image_replications SET status = 'FAILED', failure_code = ?, tags = '', waiting_since = NULL, "
        "attempts = 0 WHERE waiting_since IS NOT NULL AND region = ? AND attempts >= ?",
        (code, region, attempts),
    )
    return cursor.rowcount
