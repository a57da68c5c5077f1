"""Rows as `ecr-emu fsck` looks at them: all of them, a page at a time, and what it takes away."""

from collections.abc import Iterator
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.store.layers import Blob

PAGE = 500


@dataclass(frozen=True, slots=True)
class HeldManifest:
    """The bytes of a manifest; empty where only a record of the image is known."""

    digest: str
    body: bytes


def integrity(connection: Connection) -> list[str]:
    """What SQLite finds wrong with its own file and with references between rows; at most 100 lines."""
    lines = [row[0] for row in connection.execute("PRAGMA integrity_check(100)") if row[0] != "ok"]
    broken = [row[:3] for row in connection.execute("PRAGMA foreign_key_check").fetchmany(100)]
    return lines + [
        f"row {row} of {table} names a row of {parent} that is not there" for table, row, parent in broken
    ]


def size_of_blobs(connection: Connection) -> int:
    """Bytes of all blobs together, as the rows have them."""
    row = connection.execute("SELECT coalesce(sum(size_bytes), 0) FROM blobs").fetchone()
    return int(row[0])


def blobs(connection: Connection) -> Iterator[Blob]:
    """All blobs, in the order of their digests. No transaction is open between two pages."""
    after = ""
    while True:
        rows = connection.execute(
            "SELECT digest, file, size_bytes FROM blobs WHERE digest > ? ORDER BY digest LIMIT ?",
            (after, PAGE),
        ).fetchall()
        yield from (Blob(*row) for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def is_same(connection: Connection, blob: Blob) -> bool:
    """Whether the row is still so: a server may work on the folder."""
    row = connection.execute("SELECT file, size_bytes FROM blobs WHERE digest = ?", (blob.digest,)).fetchone()
    return bool(row == (blob.file, blob.size_bytes))


def manifests(connection: Connection) -> Iterator[HeldManifest]:
    """All manifests, in the order of their digests."""
    after = ""
    while True:
        rows = connection.execute(
            "SELECT digest, CAST(body AS BLOB) FROM manifests WHERE digest > ? ORDER BY digest LIMIT ?",
            (after, PAGE),
        ).fetchall()
        yield from (HeldManifest(*row) for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def places(connection: Connection, manifest_digest: str) -> list[tuple[int, str]]:
    """The repositories that an image with this manifest was pushed to: id, and account/region/name.

    One that is known by a record alone has neither layers nor children here.
    """
    rows = connection.execute(
        "SELECT r.id, r.account || '/' || r.region || '/' || r.name FROM images i "
        "JOIN repositories r ON r.id = i.repository_id WHERE i.digest = ? AND i.is_record = 0 ORDER BY 2",
        (manifest_digest,),
    )
    return [(row[0], row[1]) for row in rows]


def holders(connection: Connection, blob_digest: str) -> list[str]:
    """The repositories that hold a blob, as account/region/name."""
    rows = connection.execute(
        "SELECT r.account || '/' || r.region || '/' || r.name FROM layers l "
        "JOIN repositories r ON r.id = l.repository_id WHERE l.digest = ? ORDER BY 1",
        (blob_digest,),
    )
    return [row[0] for row in rows]


def holds(connection: Connection, repository_id: int, digest: str) -> bool:
    """Whether a repository holds a blob, which has a row."""
    row = connection.execute(
        "SELECT 1 FROM layers l JOIN blobs b ON b.digest = l.digest "
        "WHERE l.repository_id = ? AND l.digest = ?",
        (repository_id, digest),
    )
    return row.fetchone() is not None


def has_image(connection: Connection, repository_id: int, digest: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM images WHERE repository_id = ? AND digest = ?", (repository_id, digest)
    )
    return row.fetchone() is not None


def uploads(connection: Connection) -> list[tuple[str, int]]:
    """Uploads under way: id, and how many bytes count."""
    rows = connection.execute("SELECT id, received_bytes FROM uploads WHERE received_bytes > 0 ORDER BY id")
    return [(row[0], row[1]) for row in rows]


def repoint(connection: Connection, blob: Blob, file: str, size_bytes: int) -> bool:
    """Let a blob have another file, or size. False when the row has changed meanwhile."""
    cursor = connection.execute(
        "UPDATE blobs SET file = ?, size_bytes = ? WHERE digest = ? AND file = ?",
        (file, size_bytes, blob.digest, blob.file),
    )
    return cursor.rowcount == 1


def forget_blob(connection: Connection, blob: Blob) -> None:
    """Let no repository hold a blob, and drop it: who pushes it again brings its bytes."""
    connection.execute("DELETE FROM layers WHERE digest = ?", (blob.digest,))
    connection.execute("DELETE FROM blobs WHERE digest = ? AND file = ?", (blob.digest, blob.file))
