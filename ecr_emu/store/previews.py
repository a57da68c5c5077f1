"""Rows of lifecycle policy previews and of the images that they name."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from sqlite3 import Connection
from typing import Any

from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Preview:
    """The last preview of a repository. `status` is IN_PROGRESS, COMPLETE or FAILED."""

    policy_text: str
    status: str
    ended_at: float | None = None
    expiring_count: int = 0
    transitioning_count: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """An image that the policy would touch, as it was. `action` is EXPIRE or TRANSITION."""

    position: int
    digest: str
    tags: tuple[str, ...]
    pushed_at: float
    storage_class: str
    action: str
    rule_priority: int


def start(connection: Connection, repository: Repository, policy_text: str) -> None:
    """Begin a preview in place of an earlier one, whose results nobody sees from now on."""
    connection.execute(
        "INSERT INTO lifecycle_previews (repository_id, policy_text, status) VALUES (?, ?, 'IN_PROGRESS') "
        "ON CONFLICT (repository_id) DO UPDATE SET policy_text = excluded.policy_text, "
        "status = excluded.status, ended_at = NULL, expiring_count = 0, transitioning_count = 0",
        (repository.id, policy_text),
    )


def clear(connection: Connection, repository_id: int, limit: int) -> int:
    """Delete up to `limit` results of an earlier preview; how many they were."""
    cursor = connection.execute(
        "DELETE FROM lifecycle_preview_results WHERE repository_id = ? AND position IN "
        "(SELECT position FROM lifecycle_preview_results WHERE repository_id = ? LIMIT ?)",
        (repository_id, repository_id, limit),
    )
    return cursor.rowcount


def find(connection: Connection, repository_id: int) -> Preview | None:
    row = connection.execute(
        "SELECT policy_text, status, ended_at, expiring_count, transitioning_count FROM lifecycle_previews "
        "WHERE repository_id = ?",
        (repository_id,),
    ).fetchone()
    return Preview(*row) if row else None


def add(connection: Connection, repository_id: int, results: Iterable[Result]) -> None:
    """Store some of the results of a preview that is in progress."""
    connection.executemany(
        "INSERT INTO lifecycle_preview_results (repository_id, position, digest, tags, pushed_at, "
        "storage_class, action, rule_priority) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(repository_id, r.position, r.digest, ",".join(r.tags), *astuple(r)[3:]) for r in results],
    )


def finish(
    connection: Connection, repository_id: int, now: float, status: str, expiring: int, transitioning: int
) -> None:
    """End a preview whose results are stored, with how many of each action there are."""
    connection.execute(
        "UPDATE lifecycle_previews SET status = ?, ended_at = ?, expiring_count = ?, "
        "transitioning_count = ? WHERE repository_id = ?",
        (status, now, expiring, transitioning, repository_id),
    )


_SELECT = (
    "SELECT position, digest, tags, pushed_at, storage_class, action, rule_priority "
    "FROM lifecycle_preview_results WHERE repository_id = ?"
)
_OF_TAGS = {"ANY": "", "TAGGED": " AND tags <> ''", "UNTAGGED": " AND tags = ''"}


def page(
    connection: Connection, repository: Repository, tag_status: str, after: int, limit: int
) -> list[Result]:
    """Up to `limit` results in their order, behind a position; `tag_status` is TAGGED, UNTAGGED or ANY."""
    sql = f"{_SELECT}{_OF_TAGS[tag_status]} AND position > ? ORDER BY position LIMIT ?"
    return [_result(row) for row in connection.execute(sql, (repository.id, after, limit))]


def of_images(
    connection: Connection,
    repository: Repository,
    tag_status: str,
    image_ids: Sequence[tuple[str | None, str | None]],
) -> list[Result]:
    """The results for images that are named by digest, by tag or by both."""
    of_image = "((? IS NULL OR digest = ?) AND (? IS NULL OR instr(',' || tags || ',', ',' || ? || ',')))"
    wanted = " OR ".join([of_image] * len(image_ids))
    values = [value for digest, tag in image_ids for value in (digest, digest, tag, tag)]
    sql = f"{_SELECT}{_OF_TAGS[tag_status]} AND ({wanted}) ORDER BY position"
    return [_result(row) for row in connection.execute(sql, (repository.id, *values))]


def _result(row: Any) -> Result:
    position, digest, tags, *rest = row
    return Result(position, digest, tuple(tags.split(",")) if tags else (), *rest)
