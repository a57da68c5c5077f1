"""Rows of layers on their way in."""

from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that has begun. The first `received_bytes` of its file count; the rest never happened."""

    id: str
    received_bytes: int = 0
    part_count: int = 0
    last_part_bytes: int = 0
    short_part_count: int = 0


def insert(connection: Connection, repository: Repository, upload_id: str, now: float) -> None:
    connection.execute(
        "INSERT INTO uploads (id, repository_id, received_bytes, part_count, last_part_bytes, "
        "short_part_count, touched_at) VALUES (?, ?, 0, 0, 0, 0, ?)",
        (upload_id, repository.id, now),
    )


def find(connection: Connection, repository: Repository, upload_id: str) -> Upload | None:
    row = connection.execute(
        "SELECT id, received_bytes, part_count, last_part_bytes, short_part_count FROM uploads "
        "WHERE id = ? AND repository_id = ?",
        (upload_id, repository.id),
    ).fetchone()
    return Upload(*row) if row else None


def update(connection: Connection, upload: Upload, now: float) -> bool:
    """Store how far an upload has come. False when it is gone."""
    cursor = connection.execute(
        "UPDATE uploads SET received_bytes = ?, part_count = ?, last_part_bytes = ?, short_part_count = ?, "
        "touched_at = ? WHERE id = ?",
        (
            upload.received_bytes,
            upload.part_count,
            upload.last_part_bytes,
            upload.short_part_count,
            now,
            upload.id,
        ),
    )
    return cursor.rowcount == 1


def delete(connection: Connection, upload_id: str) -> bool:
    return connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,)).rowcount == 1


def delete_all(connection: Connection, repository: Repository) -> list[str]:
    """Forget the uploads of a repository, and return their ids."""
    rows = connection.execute("DELETE FROM uploads WHERE repository_id = ? RETURNING id", (repository.id,))
    return [row[0] for row in rows.fetchall()]


def delete_untouched(connection: Connection, since: float) -> list[str]:
    """Forget the uploads that nobody has touched since a time, and return their ids."""
    rows = connection.execute("DELETE FROM uploads WHERE touched_at < ? RETURNING id", (since,))
    return [row[0] for row in rows.fetchall()]


def exists(connection: Connection, upload_id: str) -> bool:
    return connection.execute("SELECT 1 FROM uploads WHERE id = ?", (upload_id,)).fetchone() is not None
