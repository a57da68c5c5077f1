"""Rows of lifecycle policy previews and of the images that they name."""

from collections.abc import Sequence
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
    rows = connection.execute(
        "DELETE FROM lifecycle_preview_results WHERE repository_id = ? AND position IN "
        "(SELECT position FROM lifecycle_preview_results WHERE repository_id = ? LIMIT ?) RETURNING position",
        (repository_id, repository_id, limit),
    ).fetchall()
    connection.executemany(
        "DELETE FROM lifecycle_preview_tags WHERE repository_id = ? AND position = ?",
        [(repository_id, position) for (position,) in rows],
    )
    return len(rows)


def find(connection: Connection, repository_id: int) -> Preview | None:
    row = connection.execute(
        "SELECT policy_text, status, ended_at, expiring_count, transitioning_count FROM lifecycle_previews "
        "WHERE repository_id = ?",
        (repository_id,),
    ).fetchone()
    return Preview(*row) if row else None


def add(connection: Connection, repository_id: int, results: Sequence[Result]) -> None:
    """Store some of the results of a preview that is in progress."""
    connection.executemany(
        "INSERT INTO lifecycle_preview_results (repository_id, position, digest, tags, pushed_at, "
        "storage_class, action, rule_priority) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(repository_id, r.position, r.digest, ",".join(r.tags), *astuple(r)[3:]) for r in results],
    )
    connection.executemany(
        "INSERT INTO lifecycle_preview_tags (repository_id, tag, position) VALUES (?, ?, ?)",
        [(repository_id, tag, result.position) for result in results for tag in dict.fromkeys(result.tags)],
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
# As the index has it.
_OF_TAGS = {"ANY": "", "TAGGED": " AND (tags = '') = 0", "UNTAGGED": " AND (tags = '') = 1"}


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
    positions: set[int] = set()
    for digest, tag in image_ids:
        of_image = []
        if digest is not None:
            of_image.append((_OF_DIGEST, (repository.id, digest)))
        if tag is not None:
            of_image.append((_OF_TAG, (repository.id, tag)))
        found = [{row[0] for row in connection.execute(*query)} for query in of_image]
        positions |= set.intersection(*found) if found else set()
    results = []
    for position in sorted(positions):
        sql = f"{_SELECT}{_OF_TAGS[tag_status]} AND position = ?"
        results += [_result(row) for row in connection.execute(sql, (repository.id, position))]
    return results


_OF_DIGEST = "SELECT position FROM lifecycle_preview_results WHERE repository_id = ? AND digest = ?"
_OF_TAG = "SELECT position FROM lifecycle_preview_tags WHERE repository_id = ? AND tag = ?"


def _result(row: Any) -> Result:
    position, digest, tags, *rest = row
    return Result(position, digest, tuple(tags.split(",")) if tags else (), *rest)
