"""Rows of replication backfills and of their results."""

from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import BACKFILL_KEPT_SECONDS, Backfill, Item, Progress
from ecr_emu.store.repositories import Repository

_SELECT = (
    "SELECT id, account, region, to_account, to_region, status, started_at, ended_at, failure_code, "
    "total_count FROM replication_backfills"
)
_ITEM = "SELECT position, repository, digest, tag, is_index, status, failure_code, sub_codes, attempts"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may be copied. `tags` are in alphabetical order."""

    id: int
    digest: str
    subject_digest: str | None
    is_index: bool
    tags: tuple[str, ...]


def of_registry(connection: Connection, registry: Registry) -> list[Backfill]:
    """All backfills of a registry, the newest first."""
    sql = f"{_SELECT} WHERE account = ? AND region = ? ORDER BY started_at DESC, id"
    return [_backfill(row) for row in connection.execute(sql, (registry.account, registry.region))]


def find(connection: Connection, registry: Registry, backfill_id: str) -> Backfill | None:
    sql = f"{_SELECT} WHERE id = ? AND account = ? AND region = ?"
    row = connection.execute(sql, (backfill_id, registry.account, registry.region)).fetchone()
    return _backfill(row) if row else None


def running(connection: Connection, region: str) -> list[Backfill]:
    """Those that copy to a region and have not ended, the oldest first."""
    sql = f"{_SELECT} WHERE to_region = ? AND ended_at IS NULL ORDER BY started_at, id"
    return [_backfill(row) for row in connection.execute(sql, (region,))]


def _backfill(row: Any) -> Backfill:
    return Backfill(row[0], Registry(row[1], row[2]), Registry(row[3], row[4]), *row[5:])


def put(connection: Connection, backfill: Backfill) -> None:
    """Store a backfill, or how it goes now."""
    connection.execute(
        "INSERT INTO replication_backfills (id, account, region, to_account, to_region, status, started_at, "
        "ended_at, failure_code, total_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) "
        "DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at, "
        "failure_code = excluded.failure_code, total_count = excluded.total_count",
        (
            *(backfill.id, backfill.source.account, backfill.source.region),
            *(backfill.destination.account, backfill.destination.region, backfill.status),
            *(backfill.started_at, backfill.ended_at, backfill.failure_code, backfill.total_count),
        ),
    )


def delete_forgotten(connection: Connection, registry: Registry, now: float) -> None:
    """Delete those that ended 90 days ago, with their results."""
    connection.execute(
        "DELETE FROM replication_backfills WHERE account = ? AND region = ? AND ended_at <= ?",
        (registry.account, registry.region, now - BACKFILL_KEPT_SECONDS),
    )


def candidates(connection: Connection, repository: Repository, now: float) -> list[Candidate]:
    """The images of a repository that can be pulled, in the order of their pushes."""
    rows = connection.execute(
        "SELECT i.id, i.digest, i.subject_digest, "
        "EXISTS (SELECT 1 FROM image_children WHERE parent_id = i.id), "
        "(SELECT group_concat(tag, ',') FROM image_tags WHERE image_id = i.id) FROM images i "
        "WHERE i.repository_id = ? AND (i.status = 'ACTIVE' OR (i.status = 'ACTIVATING' "
        "AND i.activated_at <= ?)) ORDER BY i.id",
        (repository.id, now),
    )
    return [
        Candidate(number, digest, subject, bool(is_index), tuple(sorted(tags.split(","))) if tags else ())
        for number, digest, subject, is_index, tags in rows
    ]


def add_items(connection: Connection, backfill: Backfill, items: Iterable[Item]) -> None:
    connection.executemany(
        "INSERT INTO replication_backfill_results (backfill_id, position, repository, digest, tag, is_index) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            (backfill.id, item.position, item.repository, item.digest, item.tag, item.is_index)
            for item in items
        ),
    )


def items(connection: Connection, backfill_id: str, status: str | None, after: int, limit: int) -> list[Item]:
    """Up to `limit` items behind a position: those with a status, or with None all that were tried."""
    of_status = "status = ?" if status else "status <> 'IN_PROGRESS'"
    rows = connection.execute(
        f"{_ITEM} FROM replication_backfill_results WHERE backfill_id = ? AND {of_status} AND position > ? "
        "ORDER BY position LIMIT ?",
        (backfill_id, *([status] if status else []), after, limit),
    )
    return [_item(row) for row in rows]


def next_item(connection: Connection, backfill_id: str) -> Item | None:
    """What is to be copied next."""
    found = items(connection, backfill_id, "IN_PROGRESS", 0, 1)
    return found[0] if found else None


def _item(row: tuple[int, str, str, str, int, str, str | None, str, int]) -> Item:
    position, repository, digest, tag, is_index, status, code, sub_codes, attempts = row
    return Item(
        position,
        repository,
        digest,
        tag,
        bool(is_index),
        status,
        code,
        tuple(filter(None, sub_codes.split(","))),
        attempts,
    )


def put_result(connection: Connection, backfill_id: str, item: Item) -> None:
    """Note what became of an item, or how often it was tried."""
    connection.execute(
        "UPDATE replication_backfill_results SET status = ?, failure_code = ?, sub_codes = ?, attempts = ? "
        "WHERE backfill_id = ? AND position = ?",
        (
            *(item.status, item.failure_code, ",".join(item.sub_codes), item.attempts),
            *(backfill_id, item.position),
        ),
    )


def count_attempts(connection: Connection, region: str) -> None:
    """Note that a region was tried in vain: for all that is to be copied there."""
    connection.execute(
        "UPDATE replication_backfill_results SET attempts = attempts + 1 WHERE status = 'IN_PROGRESS' "
        "AND backfill_id IN (SELECT id FROM replication_backfills WHERE to_region = ? AND ended_at IS NULL)",
        (region,),
    )


def give_up(connection: Connection, region: str, attempts: int, code: str) -> int:
    """Let all items that were tried so often have failed; how many that are."""
    cursor = connection.execute(
        "UPDATE replication_backfill_results SET status = 'FAILED', failure_code = ? "
        "WHERE status = 'IN_PROGRESS' AND attempts >= ? AND backfill_id IN "
        "(SELECT id FROM replication_backfills WHERE to_region = ? AND ended_at IS NULL)",
        (code, attempts, region),
    )
    return cursor.rowcount


def drop_untried(connection: Connection, backfill_id: str) -> None:
    """Forget what was not tried: the backfill has ended."""
    connection.execute(
        "DELETE FROM replication_backfill_results WHERE backfill_id = ? AND status = 'IN_PROGRESS'",
        (backfill_id,),
    )


def progress(connection: Connection, backfill: Backfill) -> Progress | None:
    """How far a backfill is; None as long as nobody knows what there is to do."""
    if backfill.total_count is None:
        return None
    rows = connection.execute(
        "SELECT status, count(*) FROM replication_backfill_results WHERE backfill_id = ? GROUP BY status",
        (backfill.id,),
    )
    counts = dict(rows.fetchall())
    codes = connection.execute(
        "SELECT DISTINCT failure_code FROM replication_backfill_results WHERE backfill_id = ? "
        "AND status = 'FAILED' ORDER BY failure_code",
        (backfill.id,),
    )
    return Progress(
        backfill.total_count,
        counts.get("COMPLETE", 0),
        counts.get("FAILED", 0),
        tuple(row[0] for row in codes),
    )
