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


_UNUSED = (
    "NOT EXISTS (SELECT 1 FROM image_layers i "
    "WHERE i.repository_id = layers.repository_id AND i.digest = layers.digest)"
)


def remove_unused(connection: Connection, repository_id: int, digests: list[str], added_until: float) -> None:
    """Take from a repository those of its layers that no image there needs any more.

    One that was pushed after `added_until` stays: its image may be about to come.
    """
    connection.executemany(
        f"DELETE FROM layers WHERE repository_id = ? AND digest = ? AND added_at <= ? AND {_UNUSED}",
        [(repository_id, digest, added_until) for digest in digests],
    )


def never_used(
    connection: Connection, added_before: float, after: tuple[int, str], limit: int
) -> list[tuple[int, str]]:
    """Up to `limit` layers that were added before a time and that no image needs, behind `after`.

    Ids of repositories and digests, in this order. It may look at all layers there are.
    """
    return connection.execute(
        "SELECT repository_id, digest FROM layers WHERE (repository_id, digest) > (?, ?) AND added_at < ? "
        f"AND {_UNUSED} ORDER BY repository_id, digest LIMIT ?",
        (*after, added_before, limit),
    ).fetchall()


def remove_never_used(connection: Connection, added_before: float, found: list[tuple[int, str]]) -> int:
    """Take those of them from their repositories that are so still; how many they were."""
    cursor = connection.executemany(
        f"DELETE FROM layers WHERE repository_id = ? AND digest = ? AND added_at < ? AND {_UNUSED}",
        [(*layer, added_before) for layer in found],
    )
    return cursor.rowcount


def remove_unneeded(connection: Connection, repository: Repository, limit: int) -> int:
    """Take up to `limit` layers from a repository that no image there needs; how many they were.

    It looks at no layer twice only if no image needs any.
    """
    cursor = connection.execute(
        "DELETE FROM layers WHERE repository_id = ? AND digest IN (SELECT digest FROM layers "
        f"WHERE repository_id = ? AND {_UNUSED} LIMIT ?)",
        (repository.id, repository.id, limit),
    )
    return cursor.rowcount


def of_image(connection: Connection, image_id: int) -> list[str]:
    """Digests of the blobs that an image needs."""
    rows = connection.execute("SELECT digest FROM image_layers WHERE image_id = ?", (image_id,))
    return [row[0] for row in rows]


_UNHELD = "NOT EXISTS (SELECT 1 FROM layers l WHERE l.digest = blobs.digest)"


def unheld(connection: Connection, after: str, limit: int) -> list[str]:
    """Up to `limit` digests of blobs that no repository holds, in order, behind `after`.

    It may look at all blobs there are.
    """
    rows = connection.execute(
        f"SELECT digest FROM blobs WHERE digest > ? AND {_UNHELD} ORDER BY digest LIMIT ?", (after, limit)
    )
    return [row[0] for row in rows]


def drop_unheld(connection: Connection, digests: list[str]) -> list[Blob]:
    """Forget those of the blobs that no repository holds, and return them: their files can go now."""
    dropped: list[Blob] = []
    for digest in digests:
        rows = connection.execute(
            f"DELETE FROM blobs WHERE digest = ? AND {_UNHELD} RETURNING digest, file, size_bytes", (digest,)
        )
        dropped += [Blob(*row) for row in rows.fetchall()]
    return dropped


def drop_all_unheld(connection: Connection) -> list[Blob]:
    """The same for all blobs, when nobody else has anything to do."""
    rows = connection.execute(f"DELETE FROM blobs WHERE {_UNHELD} RETURNING digest, file, size_bytes")
    return [Blob(*row) for row in rows.fetchall()]


def is_known_file(connection: Connection, file: str, digest: str) -> bool:
    row = connection.execute("SELECT 1 FROM blobs WHERE digest = ? AND file = ?", (digest, file))
    return row.fetchone() is not None
