"""Rows of blobs, and of the layers that repositories hold of them."""

from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.domain.registries import Registry
from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes in place. `file` is their name in the blob store."""

    digest: str
    file: str
    size_bytes: int


def find(connection: Connection, repository: Repository, digest: str) -> Blob | None:
    """The blob, if this repository holds it."""
    row = connection.execute(
        "SELECT b.digest, b.file, b.size_bytes FROM layers l JOIN blobs b ON b.digest = l.digest "
        "WHERE l.repository_id = ? AND l.digest = ?",
        (repository.id, digest),
    ).fetchone()
    return Blob(*row) if row else None


def locate(connection: Connection, registry: Registry, name: str, digest: str) -> Blob | None:
    """What a pull needs, in one look-up."""
    row = connection.execute(
        "SELECT b.digest, b.file, b.size_bytes FROM repositories r "
        "JOIN layers l ON l.repository_id = r.id JOIN blobs b ON b.digest = l.digest "
        "WHERE r.account = ? AND r.region = ? AND r.name = ? AND l.digest = ?",
        (registry.account, registry.region, name, digest),
    ).fetchone()
    return Blob(*row) if row else None


def held_by(connection: Connection, registry: Registry, digest: str, name: str) -> bool:
    """True when the repository `name` of a registry holds the blob."""
    return locate(connection, registry, name, digest) is not None


def holders(connection: Connection, registry: Registry, digest: str, limit: int) -> list[str]:
    """Names of up to `limit` repositories of a registry that hold the blob."""
    rows = connection.execute(
        "SELECT r.name FROM layers l JOIN repositories r ON r.id = l.repository_id "
        "WHERE l.digest = ? AND r.account = ? AND r.region = ? LIMIT ?",
        (digest, registry.account, registry.region, limit),
    )
    return [row[0] for row in rows]


def media_type(connection: Connection, repository: Repository, digest: str) -> str | None:
    """The type that an image of the repository gives the blob, or None when no image needs it."""
    row = connection.execute(
        "SELECT media_type FROM image_layers WHERE repository_id = ? AND digest = ? "
        "ORDER BY image_id LIMIT 1",
        (repository.id, digest),
    ).fetchone()
    return row[0] if row else None


def put_blob(connection: Connection, blob: Blob) -> bool:
    """Store that bytes are in place. False when the same digest already has a file of its own."""
    cursor = connection.execute(
        "INSERT INTO blobs (digest, file, size_bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (blob.digest, blob.file, blob.size_bytes),
    )
    return cursor.rowcount == 1


def add(connection: Connection, repository: Repository, digest: str, now: float) -> None:
    """Let the repository serve a blob."""
    connection.execute(
        "INSERT INTO layers (repository_id, digest, added_at) VALUES (?, ?, ?) "
        "ON CONFLICT (repository_id, digest) DO UPDATE SET added_at = excluded.added_at",
        (repository.id, digest, now),
    )


def remove(connection: Connection, repository: Repository, digest: str) -> bool:
    cursor = connection.execute(
        "DELETE FROM layers WHERE repository_id = ? AND digest = ?", (repository.id, digest)
    )
    return cursor.rowcount == 1


def remove_unused(connection: Connection, repository_id: int, digests: list[str], added_until: float) -> None:
    """Take from a repository those of its layers that no image there needs any more.

    One that was pushed after `added_until` stays: its image may be about to come.
    """
    connection.executemany(
        "DELETE FROM layers WHERE repository_id = ? AND digest = ? AND added_at <= ? "
        "AND NOT EXISTS (SELECT 1 FROM image_layers i WHERE i.repository_id = layers.repository_id "
        "AND i.digest = layers.digest)",
        [(repository_id, digest, added_until) for digest in digests],
    )


def remove_never_used(connection: Connection, added_before: float) -> int:
    """Take from every repository the layers that were added before a time and that no image needs."""
    cursor = connection.execute(
        "DELETE FROM layers WHERE added_at < ? AND NOT EXISTS (SELECT 1 FROM image_layers i "
        "WHERE i.repository_id = layers.repository_id AND i.digest = layers.digest)",
        (added_before,),
    )
    return cursor.rowcount


def of_image(connection: Connection, image_id: int) -> list[str]:
    """Digests of the blobs that an image needs."""
    rows = connection.execute("SELECT digest FROM image_layers WHERE image_id = ?", (image_id,))
    return [row[0] for row in rows]


def drop_unheld_blobs(connection: Connection, limit: int) -> list[Blob]:
    """Forget up to `limit` blobs that no repository holds, and return them: their files can go now."""
    rows = connection.execute(
        "DELETE FROM blobs WHERE digest IN (SELECT digest FROM blobs b WHERE NOT EXISTS "
        "(SELECT 1 FROM layers l WHERE l.digest = b.digest) LIMIT ?) RETURNING digest, file, size_bytes",
        (limit,),
    )
    return [Blob(*row) for row in rows.fetchall()]


def is_known_file(connection: Connection, file: str, digest: str) -> bool:
    row = connection.execute("SELECT 1 FROM blobs WHERE digest = ? AND file = ?", (digest, file))
    return row.fetchone() is not None
