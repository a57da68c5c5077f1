"""Rows of what users want scans to find."""

from collections.abc import Sequence
from sqlite3 import Connection

from ecr_emu.domain.registries import Registry


def put(connection: Connection, registry: Registry, repository: str, body: str) -> int:
    """Store an injection; its number."""
    row: tuple[int] = connection.execute(
        "INSERT INTO injected_scans (account, region, repository, body) VALUES (?, ?, ?, ?) RETURNING id",
        (registry.account, registry.region, repository, body),
    ).fetchone()
    return row[0]


def of_registry(connection: Connection, registry: Registry) -> Sequence[tuple[int, str, str]]:
    """Number, repository and body of each, the last one first."""
    return connection.execute(
        "SELECT id, repository, body FROM injected_scans WHERE account = ? AND region = ? ORDER BY id DESC",
        (registry.account, registry.region),
    ).fetchall()


def delete(connection: Connection, number: int) -> bool:
    """False when there is none."""
    return connection.execute("DELETE FROM injected_scans WHERE id = ?", (number,)).rowcount > 0


def delete_all(connection: Connection) -> int:
    return connection.execute("DELETE FROM injected_scans").rowcount


def registries(connection: Connection) -> list[Registry]:
    """The registries for which there are any."""
    rows = connection.execute("SELECT DISTINCT account, region FROM injected_scans")
    return [Registry(*row) for row in rows]
