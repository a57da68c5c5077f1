"""Rows that say when something cached was last compared with its upstream."""

from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Check:
    """What the upstream said at `checked_at`; `failed_at` is when it last could not be asked since then."""

    digest: str
    checked_at: float
    failed_at: float | None


def find(connection: Connection, repository: Repository, reference: str) -> Check | None:
    row = connection.execute(
        "SELECT digest, checked_at, failed_at FROM upstream_checks WHERE repository_id = ? AND reference = ?",
        (repository.id, reference),
    ).fetchone()
    return Check(*row) if row else None


def put(connection: Connection, repository: Repository, reference: str, digest: str, now: float) -> None:
    """The upstream was asked, and `digest` is what it has."""
    connection.execute(
        "INSERT INTO upstream_checks (repository_id, reference, digest, checked_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (repository_id, reference) "
        "DO UPDATE SET digest = excluded.digest, checked_at = excluded.checked_at, failed_at = NULL",
        (repository.id, reference, digest, now),
    )


def put_failure(connection: Connection, repository: Repository, reference: str, now: float) -> None:
    """The upstream could not be asked; what it said before still counts."""
    connection.execute(
        "UPDATE upstream_checks SET failed_at = ? WHERE repository_id = ? AND reference = ?",
        (now, repository.id, reference),
    )
