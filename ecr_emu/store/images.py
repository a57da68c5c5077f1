"""Rows of images: manifests in a repository, their tags, and what they refer to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from ecr_emu.domain.manifests import Manifest
from ecr_emu.domain.registries import Registry
from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a repository. `size_bytes` is imageSizeInBytes; `tags` are in alphabetical order."""

    id: int
    digest: str
    media_type: str
    artifact_type: str | None
    subject_digest: str | None
    size_bytes: int
    pushed_at: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest as it is served: the exact bytes and the type they were pushed as."""

    digest: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Referrer:
    """An image that has another as its subject."""

    id: int
    digest: str
    media_type: str
    artifact_type: str | None
    body: bytes


# Tags hold no comma, so a joined list can be split again.
_SELECT = (
    "SELECT i.id, i.digest, i.media_type, i.artifact_type, i.subject_digest, i.size_bytes, i.pushed_at, "
    "(SELECT group_concat(tag, ',') FROM image_tags WHERE image_id = i.id) FROM images i"
)


def _image(row: Any) -> Image:
    return Image(
        id=row[0],
        digest=row[1],
        media_type=row[2],
        artifact_type=row[3],
        subject_digest=row[4],
        size_bytes=row[5],
        pushed_at=row[6],
        tags=tuple(sorted(row[7].split(","))) if row[7] else (),
    )


def find(connection: Connection, repository: Repository, digest: str) -> Image | None:
    sql = f"{_SELECT} WHERE i.repository_id = ? AND i.digest = ?"
    row = connection.execute(sql, (repository.id, digest)).fetchone()
    return _image(row) if row else None


def find_tagged(connection: Connection, repository: Repository, tag: str) -> Image | None:
    sql = f"{_SELECT} JOIN image_tags t ON t.image_id = i.id WHERE t.repository_id = ? AND t.tag = ?"
    row = connection.execute(sql, (repository.id, tag)).fetchone()
    return _image(row) if row else None


def content(connection: Connection, registry: Registry, name: str, reference: str) -> Content | None:
    """What a pull needs, in one look-up: `reference` is a digest when it holds a colon, else a tag."""
    place = (registry.account, registry.region, name, reference)
    if ":" in reference:
        sql = (
            "SELECT i.digest, i.media_type, m.body FROM repositories r "
            "JOIN images i ON i.repository_id = r.id JOIN manifests m ON m.digest = i.digest "
            "WHERE r.account = ? AND r.region = ? AND r.name = ? AND i.digest = ?"
        )
    else:
        sql = (
            "SELECT i.digest, i.media_type, m.body FROM repositories r "
            "JOIN image_tags t ON t.repository_id = r.id JOIN images i ON i.id = t.image_id "
            "JOIN manifests m ON m.digest = i.digest "
            "WHERE r.account = ? AND r.region = ? AND r.name = ? AND t.tag = ?"
        )
    row = connection.execute(sql, place).fetchone()
    return Content(*row) if row else None


def body(connection: Connection, digest: str) -> bytes:
    """The exact bytes of a manifest that an image refers to."""
    row: tuple[bytes] = connection.execute(
        "SELECT body FROM manifests WHERE digest = ?", (digest,)
    ).fetchone()
    return row[0]


def exist(connection: Connection, repository: Repository) -> bool:
    row = connection.execute("SELECT 1 FROM images WHERE repository_id = ? LIMIT 1", (repository.id,))
    return row.fetchone() is not None


def page(
    connection: Connection, repository: Repository, tag_status: str, after: int, limit: int
) -> list[Image]:
    """Up to `limit` images in the order of their pushes, behind the image with the id `after`.

    `tag_status` is TAGGED, UNTAGGED or ANY.
    """
    which = f"i.repository_id = ? AND i.id > ?{_TAG_STATUS[tag_status]}"
    sql = f"{_SELECT} WHERE {which} ORDER BY i.id LIMIT ?"
    return [_image(row) for row in connection.execute(sql, (repository.id, after, limit))]


_TAG_STATUS = {
    "ANY": "",
    "TAGGED": " AND EXISTS (SELECT 1 FROM image_tags WHERE image_id = i.id)",
    "UNTAGGED": " AND NOT EXISTS (SELECT 1 FROM image_tags WHERE image_id = i.id)",
}


def page_of_ids(
    connection: Connection, repository: Repository, tag_status: str, after: tuple[int, str], limit: int
) -> list[tuple[int, str, str | None]]:
    """Up to `limit` of (image id, digest, tag): one for each tag, and one for each image without a tag."""
    sql = (
        "SELECT i.id, i.digest, t.tag FROM images i LEFT JOIN image_tags t ON t.image_id = i.id "
        "WHERE i.repository_id = ? AND i.id >= ? AND (i.id > ? OR coalesce(t.tag, '') > ?)"
        f"{_LISTED_TAG[tag_status]} ORDER BY i.id, t.tag LIMIT ?"
    )
    image_id, tag = after
    return connection.execute(sql, (repository.id, image_id, image_id, tag, limit)).fetchall()


_LISTED_TAG = {"ANY": "", "TAGGED": " AND t.tag IS NOT NULL", "UNTAGGED": " AND t.tag IS NULL"}


def page_of_tags(connection: Connection, repository: Repository, after: str, limit: int) -> list[str]:
    """Up to `limit` tags in lexical order, behind `after`."""
    rows = connection.execute(
        "SELECT tag FROM image_tags WHERE repository_id = ? AND tag > ? ORDER BY tag LIMIT ?",
        (repository.id, after, limit),
    )
    return [row[0] for row in rows]


def referrers(
    connection: Connection, repository: Repository, subject: str, artifact_type: str | None, after: int
) -> Iterator[Referrer]:
    """Images with this subject in the order of their pushes, behind the id `after`, read one by one."""
    rows = connection.execute(
        "SELECT i.id, i.digest, i.media_type, i.artifact_type, m.body "
        "FROM images i JOIN manifests m ON m.digest = i.digest "
        "WHERE i.repository_id = ? AND i.subject_digest = ? AND i.id > ? "
        "AND (? IS NULL OR i.artifact_type = ?) ORDER BY i.id",
        (repository.id, subject, after, artifact_type, artifact_type),
    )
    return (Referrer(*row) for row in rows)


def sizes(connection: Connection, repository: Repository, digests: Iterable[str]) -> dict[str, int]:
    """imageSizeInBytes of those of `digests` that the repository holds."""
    found = {}
    for digest in digests:
        row = connection.execute(
            "SELECT size_bytes FROM images WHERE repository_id = ? AND digest = ?", (repository.id, digest)
        ).fetchone()
        if row:
            found[digest] = row[0]
    return found


def parents(connection: Connection, repository: Repository, digest: str) -> list[str]:
    """Digests of the indexes in the repository that list this image."""
    rows = connection.execute(
        "SELECT i.digest FROM image_children c JOIN images i ON i.id = c.parent_id "
        "WHERE c.repository_id = ? AND c.child_digest = ? ORDER BY i.id",
        (repository.id, digest),
    )
    return [row[0] for row in rows]


def insert(
    connection: Connection,
    repository: Repository,
    content: Content,
    manifest: Manifest,
    size_bytes: int,
    pushed_at: float,
) -> Image:
    """Store an image with its bytes and references. The caller has checked that it is new."""
    connection.execute(
        "INSERT INTO manifests (digest, body) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (content.digest, content.body),
    )
    (image_id,) = connection.execute(
        "INSERT INTO images (repository_id, digest, media_type, artifact_type, subject_digest, size_bytes, "
        "pushed_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            repository.id,
            content.digest,
            content.media_type,
            manifest.artifact_type,
            manifest.subject,
            size_bytes,
            pushed_at,
        ),
    ).fetchone()
    connection.executemany(
        "INSERT INTO image_layers (repository_id, digest, image_id, media_type) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        [(repository.id, layer.digest, image_id, layer.media_type) for layer in manifest.layers],
    )
    connection.executemany(
        "INSERT INTO image_children (repository_id, child_digest, parent_id) VALUES (?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        [(repository.id, child, image_id) for child in manifest.children],
    )
    return Image(
        image_id,
        content.digest,
        content.media_type,
        manifest.artifact_type,
        manifest.subject,
        size_bytes,
        pushed_at,
    )


def delete(connection: Connection, image: Image) -> None:
    """Delete an image and, by the schema's cascades, its tags and references."""
    connection.execute("DELETE FROM images WHERE id = ?", (image.id,))


def put_tag(connection: Connection, repository: Repository, tag: str, image: Image) -> None:
    connection.execute(
        "INSERT INTO image_tags (repository_id, tag, image_id) VALUES (?, ?, ?) "
        "ON CONFLICT (repository_id, tag) DO UPDATE SET image_id = excluded.image_id",
        (repository.id, tag, image.id),
    )


def delete_tag(connection: Connection, repository: Repository, tag: str) -> None:
    connection.execute("DELETE FROM image_tags WHERE repository_id = ? AND tag = ?", (repository.id, tag))
