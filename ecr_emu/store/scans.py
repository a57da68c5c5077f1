"""Rows of scans: the last one of each image."""

from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.store.images import Image


@dataclass(frozen=True, slots=True)
class Scan:
    """How a scan of an image went."""

    status: str
    description: str
    started_at: float


def find(connection: Connection, image: Image) -> Scan | None:
    row = connection.execute(
        "SELECT status, description, started_at FROM image_scans WHERE image_id = ?", (image.id,)
    ).fetchone()
    return Scan(*row) if row else None


def put(connection: Connection, image: Image, scan: Scan) -> None:
    """Store a scan in place of the image's last one."""
    connection.execute(
        "INSERT INTO image_scans (image_id, status, description, started_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (image_id) DO UPDATE SET status = excluded.status, "
        "description = excluded.description, started_at = excluded.started_at",
        (image.id, scan.status, scan.description, scan.started_at),
    )


def blob_types(connection: Connection, image: Image) -> list[str]:
    """Media types of an image's config and layers."""
    rows = connection.execute("SELECT media_type FROM image_layers WHERE image_id = ?", (image.id,))
    return [row[0] for row in rows]
