"""Rows of jobs: what is to be done, and when."""

from dataclasses import dataclass
from sqlite3 import Connection

# Kinds of jobs.
SWEEP = "sweep"
LIFECYCLE = "lifecycle"
PREVIEW = "preview"
SCAN = "scan"
SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Job:
    """One job, due at a time of the emulator's clock. There is one of a kind for each repository.

    `repository_id` is 0 when the job is about no repository.
    """

    id: int
    kind: str
    repository_id: int
    due_at: float


def put(connection: Connection, kind: str, due_at: float, repository_id: int | None = None) -> None:
    """Let a job be due at this time; one that waits already keeps its time if that is sooner."""
    connection.execute(
        "INSERT INTO jobs (kind, repository_id, due_at) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at)",
        (kind, repository_id, due_at),
    )


def delete(connection: Connection, kind: str, repository_id: int | None = None) -> None:
    connection.execute("DELETE FROM jobs WHERE kind = ? AND repository_id IS ?", (kind, repository_id))


def first(connection: Connection) -> Job | None:
    """The job that is due next."""
    row = connection.execute(
        "SELECT id, kind, coalesce(repository_id, 0), due_at FROM jobs ORDER BY due_at, id LIMIT 1"
    ).fetchone()
    return Job(*row) if row else None


def of_kind(connection: Connection, kind: str) -> Job | None:
    """The job of a kind that is about no repository."""
    row = connection.execute(
        "SELECT id, kind, 0, due_at FROM jobs WHERE kind = ? AND repository_id IS NULL", (kind,)
    ).fetchone()
    return Job(*row) if row else None


def put_lifecycle(connection: Connection, due_at: float, repository_id: int | None = None) -> int:
    """The same for the lifecycle policy of a repository, or of all that have one; how many that are."""
    cursor = connection.execute(
        "INSERT INTO jobs (kind, repository_id, due_at) SELECT ?, repository_id, ? FROM lifecycle_policies "
        "WHERE ? IS NULL OR repository_id = ? "
        "ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at)",
        (LIFECYCLE, due_at, repository_id, repository_id),
    )
    return cursor.rowcount


def delete_all(connection: Connection, kind: str) -> None:
    connection.execute("DELETE FROM jobs WHERE kind = ?", (kind,))


def take(connection: Connection, job: Job, due_at: float | None) -> bool:
    """Claim a job in the transaction that does it, and say when it is due again, or never.

    False when another process has done it or it is gone; then there is nothing to do.
    """
    same = (job.id, job.due_at)
    if due_at is None:
        cursor = connection.execute("DELETE FROM jobs WHERE id = ? AND due_at = ?", same)
    else:
        cursor = connection.execute("UPDATE jobs SET due_at = ? WHERE id = ? AND due_at = ?", (due_at, *same))
    return cursor.rowcount == 1


def is_waiting(connection: Connection, job: Job) -> bool:
    """False when another process has done the job or it is gone."""
    row = connection.execute("SELECT 1 FROM jobs WHERE id = ? AND due_at = ?", (job.id, job.due_at))
    return row.fetchone() is not None
