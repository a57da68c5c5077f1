"""Rows of images that are known by records alone: many at once, and what becomes of one that is pushed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from sqlite3 import Connection
from typing import TYPE_CHECKING

from ecr_emu.domain.manifests import Manifest
from ecr_emu.store import images
from ecr_emu.store.images import Content, Image
from ecr_emu.store.repositories import Repository

if TYPE_CHECKING:
    from ecr_emu.domain.image_records import ImageRecord

# While many images are stored.
BULK_CACHE_BYTES = 128 << 20
ROWS_IN_A_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Known:
    """An image that a repository has already. `content` is what its manifest says of it."""

    id: int
    is_record: bool
    has_body: bool
    content: tuple[str, str | None, str | None, int]


def find(connection: Connection, repository: Repository, digests: Iterable[str]) -> dict[str, Known]:
    """Those of the images that the repository has, by digest."""
    sql = (
        "SELECT i.id, i.is_record, length(m.body) > 0, i.media_type, i.artifact_type, i.subject_digest, "
        "i.size_bytes FROM images i JOIN manifests m ON m.digest = i.digest "
        "WHERE i.repository_id = ? AND i.digest = ?"
    )
    found = {}
    for digest in digests:
        row = connection.execute(sql, (repository.id, digest)).fetchone()
        if row:
            found[digest] = Known(row[0], bool(row[1]), bool(row[2]), row[3:])
    return found


def is_record(connection: Connection, image: Image) -> bool:
    """True for an image that is known by a record alone: nobody has pushed it yet."""
    row = connection.execute("SELECT 1 FROM images WHERE id = ? AND is_record = 1", (image.id,))
    return row.fetchone() is not None


def children(connection: Connection, image_ids: Sequence[int]) -> dict[int, list[str]]:
    """What indexes list, by the id of the index; the ids are those of a page, in order."""
    found: dict[int, list[str]] = {}
    if image_ids:
        for parent_id, digest in connection.execute(
            "SELECT parent_id, child_digest FROM image_children WHERE parent_id BETWEEN ? AND ?",
            (image_ids[0], image_ids[-1]),
        ):
            found.setdefault(parent_id, []).append(digest)
    return found


@contextmanager
def in_bulk(connection: Connection) -> Iterator[None]:
    """Room for the indexes while many rows go in: digests fall everywhere, and pages would go out twice."""
    (before,) = connection.execute("PRAGMA cache_size").fetchone()
    connection.execute(f"PRAGMA cache_size = {-BULK_CACHE_BYTES // 1024}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA cache_size = {before}")


def put(
    connection: Connection,
    repository: Repository,
    records: Sequence["ImageRecord"],
    known: Mapping[str, Known],
) -> None:
    """Store images, in this order. Of those in `known` the record is replaced."""
    connection.executemany(
        "INSERT INTO manifests (digest, body) VALUES (?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET body = excluded.body WHERE length(manifests.body) = 0",
        ((record.digest, record.body) for record in records),
    )
    # Plain INSERTs below: ON CONFLICT is much slower on a table with foreign keys.
    _free_tags(connection, repository, records)
    ids = {digest: image.id for digest, image in known.items()}
    old = [(record, ids[record.digest]) for record in records if record.digest in known]
    _update(connection, old)
    # What a manifest that is here refers to stays.
    stale = [(r, image_id) for r, image_id in old if r.body or not known[r.digest].has_body]
    _delete_references(connection, [image_id for _, image_id in stale])
    new = [record for record in records if record.digest not in known]
    ids |= _insert(connection, repository, new)
    _insert_references(connection, repository, [*(record for record, _ in stale), *new], ids)
    connection.executemany(
        "INSERT INTO image_tags (repository_id, tag, image_id) VALUES (?, ?, ?)",
        ((repository.id, tag, ids[record.digest]) for record in records for tag in record.tags),
    )


def _free_tags(connection: Connection, repository: Repository, records: Sequence["ImageRecord"]) -> None:
    """Take the tags of the records from the images that have them now."""
    sql = "SELECT 1 FROM image_tags WHERE repository_id = ? LIMIT 1"
    if connection.execute(sql, (repository.id,)).fetchone() is None:
        return
    connection.executemany(
        "DELETE FROM image_tags WHERE repository_id = ? AND tag = ?",
        ((repository.id, tag) for record in records for tag in record.tags),
    )


def _insert(
    connection: Connection, repository: Repository, records: Sequence["ImageRecord"]
) -> dict[str, int]:
    """The ids of new images, by digest."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM images").fetchone()
    head = (
        "INSERT INTO images (repository_id, digest, media_type, artifact_type, subject_digest, size_bytes, "
        "pushed_at, pulled_at, status, archived_at, activated_at, is_tagged, is_record) VALUES "
    )
    # Many rows in a statement: SQLite keeps a journal for each statement on this table.
    for start in range(0, len(records), ROWS_IN_A_STATEMENT):
        some = records[start : start + ROWS_IN_A_STATEMENT]
        values = [value for r in some for value in (repository.id, r.digest, *_columns(r), bool(r.tags))]
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"] * len(some))
        connection.execute(head + places, values)
    rows = connection.execute(
        "SELECT digest, id FROM images WHERE repository_id = ? AND id > ?", (repository.id, last)
    )
    return dict(rows.fetchall())


def _update(connection: Connection, records: Sequence[tuple["ImageRecord", int]]) -> None:
    connection.executemany(
        "UPDATE images SET media_type = ?, artifact_type = ?, subject_digest = ?, size_bytes = ?, "
        "pushed_at = ?, pulled_at = ?, status = ?, archived_at = ?, activated_at = ? WHERE id = ?",
        ((*_columns(record), image_id) for record, image_id in records),
    )
    connection.executemany(
        "DELETE FROM image_tags WHERE image_id = ?", ((image_id,) for _, image_id in records)
    )


def _columns(record: "ImageRecord") -> tuple[object, ...]:
    return (
        record.media_type,
        record.artifact_type,
        record.subject_digest,
        record.size_bytes,
        record.pushed_at,
        record.pulled_at,
        record.status,
        record.archived_at,
        record.activated_at,
    )


def _delete_references(connection: Connection, image_ids: Sequence[int]) -> None:
    for sql in (
        "DELETE FROM image_layers WHERE image_id = ?",
        "DELETE FROM image_children WHERE parent_id = ?",
    ):
        connection.executemany(sql, ((image_id,) for image_id in image_ids))


def _insert_references(
    connection: Connection, repository: Repository, records: Sequence["ImageRecord"], ids: Mapping[str, int]
) -> None:
    connection.executemany(
        "INSERT INTO image_layers (repository_id, digest, image_id, media_type) VALUES (?, ?, ?, ?)",
        (
            (repository.id, digest, ids[record.digest], media_type)
            for record in records
            # The first mention counts, as when a manifest is pushed.
            for digest, media_type in dict(reversed(record.layers)).items()
        ),
    )
    connection.executemany(
        "INSERT INTO image_children (repository_id, child_digest, parent_id) VALUES (?, ?, ?)",
        (
            (repository.id, child, ids[record.digest])
            for record in records
            for child in dict.fromkeys(record.children)
        ),
    )


def complete(
    connection: Connection,
    repository: Repository,
    image: Image,
    content: Content,
    manifest: Manifest,
    size_bytes: int,
) -> Image:
    """Make a pushed image of one that was known by a record. When it was pushed stays as recorded."""
    images.put_manifest(connection, content)
    connection.execute(
        "UPDATE images SET is_record = 0, media_type = ?, artifact_type = ?, subject_digest = ?, "
        "size_bytes = ? WHERE id = ?",
        (manifest.media_type, manifest.artifact_type, manifest.subject, size_bytes, image.id),
    )
    _delete_references(connection, [image.id])
    images.put_references(connection, repository, image.id, manifest)
    return replace(
        image,
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        subject_digest=manifest.subject,
        size_bytes=size_bytes,
    )
