"""Rows of scans: the last one of each image, what it found, and what is installed in the image."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import Any

from ecr_emu.domain.registries import Registry
from ecr_emu.store import jobs
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository

# Statuses of the API that end a scan for the time being, and the one before.
IN_PROGRESS = "IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Scan:
    """How a scan of an image went. Times are seconds since 1970.

    `due_at` is when it is to be done, and None when it is over. `source_updated_at` and `revision` are those
    of the advisories. `counts` are findings by severity, `about` what findings say of the image, `engine` who
    compared it with the advisories.
    """

    status: str
    description: str
    started_at: float
    scan_type: str = "BASIC"
    due_at: float | None = None
    attempts: int = 0
    completed_at: float | None = None
    source_updated_at: float | None = None
    revision: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    is_continuous: bool = False
    is_injected: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""


_COLUMNS = (
    "status, description, started_at, scan_type, due_at, attempts, completed_at, source_updated_at, "
    "revision, counts, is_continuous, is_injected, about, engine"
)


def _scan(row: Any) -> Scan:
    values = [*row[:9], json.loads(row[9]), bool(row[10]), bool(row[11]), json.loads(row[12]), row[13]]
    return Scan(*values)


def find(connection: Connection, image: Image) -> Scan | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM image_scans WHERE image_id = ?", (image.id,)).fetchone()
    return _scan(row) if row else None


def put(connection: Connection, image_id: int, scan: Scan, findings: Sequence[Any] = ()) -> None:
    """Store a scan and its findings in place of the image's last one; one that is due gets its job."""
    connection.execute("DELETE FROM image_findings WHERE image_id = ?", (image_id,))
    connection.execute(
        f"INSERT OR REPLACE INTO image_scans (image_id, {_COLUMNS}) VALUES (?{', ?' * 14})",
        (
            *(image_id, scan.status, scan.description, scan.started_at, scan.scan_type, scan.due_at),
            *(scan.attempts, scan.completed_at, scan.source_updated_at, scan.revision),
            *(
                json.dumps(scan.counts),
                scan.is_continuous,
                scan.is_injected,
                json.dumps(scan.about),
                scan.engine,
            ),
        ),
    )
    connection.executemany(
        "INSERT INTO image_findings (image_id, position, body) VALUES (?, ?, ?)",
        [(image_id, position, json.dumps(body)) for position, body in enumerate(findings, 1)],
    )
    if scan.due_at is not None:
        jobs.put(connection, jobs.SCAN, scan.due_at)


def first_observed(connection: Connection, image_id: int) -> dict[str, float]:
    """When the findings of Amazon Inspector's shape were seen first, by their ARNs."""
    rows = connection.execute(
        "SELECT json_extract(body, '$.findingArn'), json_extract(body, '$.firstObservedAt') "
        "FROM image_findings WHERE image_id = ?",
        (image_id,),
    )
    return {arn: at for arn, at in rows if arn is not None}


def of_repository(connection: Connection, repository: Repository) -> list[tuple[int, str, Scan]]:
    """The last scans of all images of a repository, with the images' ids and digests."""
    names = ", ".join(f"s.{name}" for name in _COLUMNS.split(", "))
    rows = connection.execute(
        f"SELECT i.id, i.digest, {names} FROM image_scans s JOIN images i ON i.id = s.image_id "
        "WHERE i.repository_id = ? ORDER BY i.id",
        (repository.id,),
    )
    return [(image_id, digest, _scan(row)) for image_id, digest, *row in rows]


def of_images(connection: Connection, image_ids: Sequence[int]) -> dict[int, Scan]:
    """The last scans of these images, by the images' ids."""
    rows = connection.execute(
        f"SELECT image_id, {_COLUMNS} FROM image_scans WHERE image_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(image_ids)),),
    )
    return {image_id: _scan(row) for image_id, *row in rows}


def delete(connection: Connection, image: Image) -> None:
    connection.execute("DELETE FROM image_scans WHERE image_id = ?", (image.id,))


def page_of_findings(connection: Connection, image: Image, after: int, limit: int) -> list[tuple[int, Any]]:
    """Up to `limit` findings behind the position `after`, in the shape of the API, with their positions."""
    rows = connection.execute(
        "SELECT position, body FROM image_findings WHERE image_id = ? AND position > ? "
        "ORDER BY position LIMIT ?",
        (image.id, after, limit),
    )
    return [(position, json.loads(body)) for position, body in rows]


@dataclass(frozen=True, slots=True)
class Due:
    """A scan that is due: the image, where it is, and the exact bytes of its manifest."""

    image_id: int
    digest: str
    repository_id: int
    repository: str
    registry: Registry
    manifest: bytes
    scan: Scan


_SELECT_DUE = (
    "SELECT i.id, i.digest, r.id, r.name, r.account, r.region, m.body, "
    f"{', '.join(f's.{name}' for name in _COLUMNS.split(', '))} FROM image_scans s "
    "JOIN images i ON i.id = s.image_id JOIN repositories r ON r.id = i.repository_id "
    "JOIN manifests m ON m.digest = i.digest WHERE s.due_at <= ?"
)


def _due(row: Any) -> Due:
    image_id, digest, repository_id, repository, account, region, manifest, *scan = row
    registry = Registry(account, region)
    return Due(image_id, digest, repository_id, repository, registry, manifest, _scan(scan))


def first_due(connection: Connection, until: float) -> Due | None:
    """The scan that has waited longest."""
    row = connection.execute(f"{_SELECT_DUE} ORDER BY s.due_at, s.image_id LIMIT 1", (until,)).fetchone()
    return _due(row) if row else None


def all_due(connection: Connection, registry: Registry, until: float) -> list[Due]:
    """All scans of a registry that are due."""
    rows = connection.execute(
        f"{_SELECT_DUE} AND r.account = ? AND r.region = ? ORDER BY s.due_at, s.image_id",
        (until, registry.account, registry.region),
    )
    return [_due(row) for row in rows]


def count_attempt(connection: Connection, due: Due) -> None:
    connection.execute("UPDATE image_scans SET attempts = attempts + 1 WHERE image_id = ?", (due.image_id,))


def is_still(connection: Connection, due: Due) -> bool:
    """Whether the scan is the one that was due: the image may be gone, or scanned anew."""
    row = connection.execute(
        "SELECT started_at, due_at FROM image_scans WHERE image_id = ?", (due.image_id,)
    ).fetchone()
    return bool(row == (due.scan.started_at, due.scan.due_at))


def next_due_at(connection: Connection) -> float | None:
    """When the next scan is due, if one waits."""
    row = connection.execute("SELECT min(due_at) FROM image_scans WHERE due_at IS NOT NULL").fetchone()
    due_at: float | None = row[0]
    return due_at


# Which scans are done again when the advisories change: those that are continuous, and those that could not
# be compared with any. An image that could be read has an SBOM.
_CONTINUOUS = "SELECT s.image_id FROM image_scans s WHERE s.is_continuous"
_FAILED = (
    "SELECT s.image_id FROM image_scans s JOIN image_sboms b ON b.image_id = s.image_id "
    "WHERE s.status = 'FAILED'"
)
# Those of them that are over, and were made with others than these.
_CHANGED = "s.due_at IS NULL AND NOT s.is_injected AND s.revision != :revision"
_OUTDATED = f"{_CONTINUOUS} AND {_CHANGED} UNION ALL {_FAILED} AND {_CHANGED}"


def depend_on_advisories(connection: Connection) -> bool:
    """Whether any image is scanned again when the advisories change."""
    row = connection.execute(f"{_CONTINUOUS} UNION ALL {_FAILED} LIMIT 1").fetchone()
    return row is not None


def are_outdated(connection: Connection, revision: str) -> bool:
    """Whether any of those scans is over, and was made with other advisories."""
    row = connection.execute(f"{_OUTDATED} LIMIT 1", {"revision": revision}).fetchone()
    return row is not None


def make_due(connection: Connection, due_at: float, revision: str) -> int:
    """Let those scans be done again; how many they are."""
    cursor = connection.execute(
        f"UPDATE image_scans SET due_at = :due_at, attempts = 0 WHERE image_id IN ({_OUTDATED})",
        {"due_at": due_at, "revision": revision},
    )
    if cursor.rowcount:
        jobs.put(connection, jobs.SCAN, due_at)
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class Which:
    """Images of a repository: one by tag or digest, or all."""

    registry: Registry
    repository: str
    tag: str | None = None
    digest: str | None = None


def again(connection: Connection, which: Which, due_at: float) -> int:
    """Let the scans of these images be done again; how many they are."""
    cursor = connection.execute(
        "UPDATE image_scans SET due_at = ?, attempts = 0, status = ?, description = '', counts = '{}' "
        "WHERE image_id IN (SELECT i.id FROM images i JOIN repositories r ON r.id = i.repository_id "
        "WHERE r.account = ? AND r.region = ? AND r.name = ? AND (? IS NULL OR i.digest = ?) "
        "AND (? IS NULL OR EXISTS (SELECT 1 FROM image_tags t WHERE t.image_id = i.id AND t.tag = ?)))",
        (
            *(due_at, IN_PROGRESS, which.registry.account, which.registry.region, which.repository),
            *(which.digest, which.digest, which.tag, which.tag),
        ),
    )
    if cursor.rowcount:
        jobs.put(connection, jobs.SCAN, due_at)
    return cursor.rowcount


def blob_types(connection: Connection, image: Image) -> list[str]:
    """Media types of an image's config and layers."""
    rows = connection.execute("SELECT media_type FROM image_layers WHERE image_id = ?", (image.id,))
    return [row[0] for row in rows]


def put_sbom(connection: Connection, image_id: int, content: bytes, *, has_languages: bool) -> None:
    """Store what is installed in an image, as CycloneDX."""
    connection.execute(
        "INSERT OR REPLACE INTO image_sboms (image_id, has_languages, body) VALUES (?, ?, ?)",
        (image_id, has_languages, zlib.compress(content)),
    )


def sbom(connection: Connection, image_id: int, *, with_languages: bool = False) -> bytes | None:
    """What is installed in an image, if it was read, and if asked for with packages of languages."""
    row = connection.execute(
        "SELECT body FROM image_sboms WHERE image_id = ? AND has_languages >= ?", (image_id, with_languages)
    ).fetchone()
    return zlib.decompress(row[0]) if row else None
