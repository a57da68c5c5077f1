"""Rows of images: manifests in a repository, their tags, and what they refer to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, NamedTuple

from ecr_emu.domain.manifests import Manifest
from ecr_emu.domain.registries import Registry
from ecr_emu.store.repositories import Repository


class Kept(NamedTuple):
    """How an image is kept: ACTIVE, ARCHIVED, or ACTIVATING until `activated_at`, and ACTIVE from then on."""

    status: str = "ACTIVE"
    archived_at: float | None = None
    activated_at: float | None = None

    def status_at(self, now: float) -> str:
        is_done = self.status == "ACTIVATING" and self.activated_at is not None and self.activated_at <= now
        return "ACTIVE" if is_done else self.status


_NEVER_ARCHIVED = Kept()
# The status in SQL, with the time as its parameter.
_STATUS = "CASE WHEN i.status = 'ACTIVATING' AND i.activated_at <= ? THEN 'ACTIVE' ELSE i.status END"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images a listing shows: `tags` is TAGGED, UNTAGGED or ANY; `status` is that at `now`, or ANY."""

    now: float
    status: str = "ACTIVE"
    tags: str = "ANY"


_OF_STATUS = f" AND (? = 'ANY' OR {_STATUS} = ?)"


def _of_status(wanted: Filter) -> tuple[str, float, str]:
    """The parameters of _OF_STATUS."""
    return wanted.status, wanted.now, wanted.status


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
    kept: Kept = _NEVER_ARCHIVED
    pulled_at: float | None = None

    def status_at(self, now: float) -> str:
        return self.kept.status_at(now)


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest as it is served: the exact bytes and the type they were pushed as."""

    digest: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Pullable:
    """What a pull finds: the manifest, the image it belongs to, and when that was last recorded as pulled."""

    image_id: int
    pulled_at: float | None
    content: Content


@dataclass(frozen=True, slots=True)
class Referrer:
    """An image that has another as its subject."""

    id: int
    digest: str
    media_type: str
    artifact_type: str | None
    body: bytes
    status: str


# Tags hold no comma, so a joined list can be split again.
SELECT = (
    "SELECT i.id, i.digest, i.media_type, i.artifact_type, i.subject_digest, i.size_bytes, i.pushed_at, "
    "(SELECT group_concat(tag, ',') FROM image_tags WHERE image_id = i.id), "
    "i.status, i.archived_at, i.activated_at, i.pulled_at FROM images i"
)


def from_row(row: Any) -> Image:
    """The image in a row of SELECT."""
    return Image(
        id=row[0],
        digest=row[1],
        media_type=row[2],
        artifact_type=row[3],
        subject_digest=row[4],
        size_bytes=row[5],
        pushed_at=row[6],
        tags=tuple(sorted(row[7].split(","))) if row[7] else (),
        kept=Kept(*row[8:11]),
        pulled_at=row[11],
    )


def find(connection: Connection, repository: Repository, digest: str) -> Image | None:
    sql = f"{SELECT} WHERE i.repository_id = ? AND i.digest = ?"
    row = connection.execute(sql, (repository.id, digest)).fetchone()
    return from_row(row) if row else None


def find_tagged(connection: Connection, repository: Repository, tag: str) -> Image | None:
    sql = f"{SELECT} JOIN image_tags t ON t.image_id = i.id WHERE t.repository_id = ? AND t.tag = ?"
    row = connection.execute(sql, (repository.id, tag)).fetchone()
    return from_row(row) if row else None


def tags_of(connection: Connection, image_id: int) -> tuple[str, ...]:
    """The tags of an image, in alphabetical order."""
    rows = connection.execute("SELECT tag FROM image_tags WHERE image_id = ? ORDER BY tag", (image_id,))
    return tuple(row[0] for row in rows)


def pullable(
    connection: Connection, registry: Registry, name: str, reference: str, now: float
) -> Pullable | None:
    """What a pull needs, in one look-up: `reference` is a digest when it holds a colon, else a tag.

    Archived images are not to be had.
    """
    if ":" in reference:
        tables = "JOIN images i ON i.repository_id = r.id "
        wanted = "i.digest = ?"
    else:
        tables = "JOIN image_tags t ON t.repository_id = r.id JOIN images i ON i.id = t.image_id "
        wanted = "t.tag = ?"
    sql = (
        f"SELECT i.id, i.pulled_at, i.digest, i.media_type, m.body FROM repositories r {tables}"
        "JOIN manifests m ON m.digest = i.digest "
        f"WHERE r.account = ? AND r.region = ? AND r.name = ? AND {wanted} AND {_STATUS} = 'ACTIVE'"
    )
    row = connection.execute(sql, (registry.account, registry.region, name, reference, now)).fetchone()
    return Pullable(row[0], row[1], Content(*row[2:])) if row else None


def body(connection: Connection, digest: str) -> bytes:
    """The exact bytes of a manifest that an image refers to."""
    row: tuple[bytes] = connection.execute(
        "SELECT body FROM manifests WHERE digest = ?", (digest,)
    ).fetchone()
    return row[0]


def exist(connection: Connection, repository: Repository) -> bool:
    row = connection.execute("SELECT 1 FROM images WHERE repository_id = ? LIMIT 1", (repository.id,))
    return row.fetchone() is not None


def count_up_to(connection: Connection, limit: int) -> int:
    """How many images there are in all repositories, or `limit` when there are at least as many."""
    row: tuple[int] = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM images LIMIT ?)", (limit,)
    ).fetchone()
    return row[0]


def referrers(
    connection: Connection,
    repository: Repository,
    subject: str,
    artifact_types: Sequence[str],
    wanted: Filter,
    after: int,
) -> Iterator[Referrer]:
    """Images with this subject in the order of their pushes, behind the id `after`, read one by one.

    They have one of `artifact_types`, or any if none are given.
    """
    of_type = f" AND i.artifact_type IN ({', '.join('?' * len(artifact_types))})" if artifact_types else ""
    rows = connection.execute(
        f"SELECT i.id, i.digest, i.media_type, i.artifact_type, m.body, {_STATUS} "
        "FROM images i JOIN manifests m ON m.digest = i.digest "
        f"WHERE i.repository_id = ? AND i.subject_digest = ? AND i.id > ?{of_type}{_OF_STATUS} ORDER BY i.id",
        (wanted.now, repository.id, subject, after, *artifact_types, *_of_status(wanted)),
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


def parents(
    connection: Connection, repository: Repository, digest: str, *, archived: bool = True
) -> list[str]:
    """Digests of the indexes in the repository that list this image, archived ones too unless told not to."""
    rows = connection.execute(
        "SELECT i.digest FROM image_children c JOIN images i ON i.id = c.parent_id "
        "WHERE c.repository_id = ? AND c.child_digest = ? AND (? OR i.status <> 'ARCHIVED') ORDER BY i.id",
        (repository.id, digest, archived),
    )
    return [row[0] for row in rows]


def only_archived_need(connection: Connection, repository: Repository, digest: str, now: float) -> bool:
    """True for a layer that images of the repository need, none of which is ACTIVE."""
    # The newest first: those are seldom archived.
    needed = (
        "FROM image_layers l JOIN images i ON i.id = l.image_id WHERE l.repository_id = ? AND l.digest = ?"
    )
    row = connection.execute(
        f"SELECT (SELECT {_STATUS} = 'ACTIVE' AS is_active {needed} AND is_active "
        f"ORDER BY l.image_id DESC LIMIT 1) IS NULL AND EXISTS (SELECT 1 {needed})",
        (now, repository.id, digest, repository.id, digest),
    ).fetchone()
    return bool(row[0])


def put_manifest(connection: Connection, content: Content) -> None:
    """Store the bytes of a manifest. They are empty as long as only a record of the image is known."""
    connection.execute(
        "INSERT INTO manifests (digest, body) VALUES (?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET body = excluded.body WHERE length(manifests.body) = 0",
        (content.digest, content.body),
    )


def insert(
    connection: Connection,
    repository: Repository,
    content: Content,
    manifest: Manifest,
    size_bytes: int,
    pushed_at: float,
) -> Image:
    """Store an image with its bytes and references. The caller has checked that it is new."""
    put_manifest(connection, content)
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
    put_references(connection, repository, image_id, manifest)
    return Image(
        image_id,
        content.digest,
        content.media_type,
        manifest.artifact_type,
        manifest.subject,
        size_bytes,
        pushed_at,
    )


def put_references(connection: Connection, repository: Repository, image_id: int, manifest: Manifest) -> None:
    """Store which layers and which other images an image needs."""
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


def delete(connection: Connection, image: Image) -> None:
    """Delete an image and, by the schema's cascades, its tags and references."""
    connection.execute("DELETE FROM images WHERE id = ?", (image.id,))


def delete_youngest(connection: Connection, repository: Repository, limit: int) -> int:
    """Delete up to `limit` images; how many they were.

    An index is younger than the images that it lists, and a referrer mostly than its subject.
    """
    cursor = connection.execute(
        "DELETE FROM images WHERE id IN "
        "(SELECT id FROM images WHERE repository_id = ? ORDER BY id DESC LIMIT ?)",
        (repository.id, limit),
    )
    return cursor.rowcount


def archive(connection: Connection, image: Image, now: float) -> None:
    connection.execute("UPDATE images SET status = 'ARCHIVED', archived_at = ? WHERE id = ?", (now, image.id))


def restore(connection: Connection, image: Image, activated_at: float) -> None:
    """Take an image back from the archive: it is ACTIVATING until `activated_at`."""
    connection.execute(
        "UPDATE images SET status = 'ACTIVATING', activated_at = ? WHERE id = ?", (activated_at, image.id)
    )


def record_pulls(connection: Connection, image_ids: Iterable[int], now: float) -> None:
    connection.executemany(
        "UPDATE images SET pulled_at = ? WHERE id = ?", [(now, image_id) for image_id in image_ids]
    )


def put_tag(connection: Connection, repository: Repository, tag: str, image: Image) -> None:
    connection.execute(
        "INSERT INTO image_tags (repository_id, tag, image_id) VALUES (?, ?, ?) "
        "ON CONFLICT (repository_id, tag) DO UPDATE SET image_id = excluded.image_id",
        (repository.id, tag, image.id),
    )


def delete_tag(connection: Connection, repository: Repository, tag: str) -> None:
    connection.execute("DELETE FROM image_tags WHERE repository_id = ? AND tag = ?", (repository.id, tag))
