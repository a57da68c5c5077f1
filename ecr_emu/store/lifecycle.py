"""Rows of lifecycle policies, and the images that their rules look at."""

from collections import defaultdict
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.domain.lifecycle_rules import Image
from ecr_emu.store.images import Kept
from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of a repository, in canonical form, and when this text last ran."""

    text: str
    evaluated_at: float | None


def find(connection: Connection, repository: Repository) -> Policy | None:
    row = connection.execute(
        "SELECT policy_text, evaluated_at FROM lifecycle_policies WHERE repository_id = ?", (repository.id,)
    ).fetchone()
    return Policy(*row) if row else None


def put(connection: Connection, repository: Repository, text: str) -> None:
    """Store a policy, or replace it. Another text has not run yet."""
    connection.execute(
        "INSERT INTO lifecycle_policies (repository_id, policy_text) VALUES (?, ?) "
        "ON CONFLICT (repository_id) DO UPDATE SET policy_text = excluded.policy_text, "
        "evaluated_at = CASE WHEN policy_text = excluded.policy_text THEN evaluated_at END",
        (repository.id, text),
    )


def delete(connection: Connection, repository: Repository) -> None:
    connection.execute("DELETE FROM lifecycle_policies WHERE repository_id = ?", (repository.id,))


def record_run(connection: Connection, repository_id: int, now: float) -> None:
    connection.execute(
        "UPDATE lifecycle_policies SET evaluated_at = ? WHERE repository_id = ?", (now, repository_id)
    )


def images(connection: Connection, repository: Repository, now: float) -> list[Image]:
    """All images of the repository, as they are at `now`, in the order of their pushes."""
    children = defaultdict(list)
    for parent_id, digest in connection.execute(
        "SELECT parent_id, child_digest FROM image_children WHERE repository_id = ? ORDER BY parent_id",
        (repository.id,),
    ):
        children[parent_id].append(digest)
    rows = connection.execute(
        "SELECT i.id, i.digest, (SELECT group_concat(tag, ',') FROM image_tags WHERE image_id = i.id), "
        "i.pushed_at, i.size_bytes, i.pulled_at, i.subject_digest, i.status, i.archived_at, i.activated_at "
        "FROM images i WHERE i.repository_id = ? ORDER BY i.id",
        (repository.id,),
    )
    return [
        Image(
            digest=row[1],
            tags=tuple(row[2].split(",")) if row[2] else (),
            pushed_at=row[3],
            sequence=row[0],
            size_bytes=row[4],
            pulled_at=row[5],
            status=Kept(*row[7:10]).status_at(now),
            archived_at=row[8],
            activated_at=row[9],
            subject_digest=row[6],
            children=tuple(children.get(row[0], ())),
        )
        for row in rows
    ]
