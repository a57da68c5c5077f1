"""Images that are known by records alone: storing them in bulk, and writing the records of a repository."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from ecr_emu.domain import image_records
from ecr_emu.domain.image_records import ImageRecord
from ecr_emu.domain.record_members import InvalidRecord
from ecr_emu.domain.registries import Registry
from ecr_emu.store import image_listings, images, repositories
from ecr_emu.store import image_records as rows
from ecr_emu.store.database import Database
from ecr_emu.store.image_records import Known
from ecr_emu.store.images import Filter, Image
from ecr_emu.store.repositories import Repository

PAGE = 1000

Place = tuple[Registry, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """How much was stored: repositories that were named, their images, and the tags on these."""

    repositories: int
    images: int
    tags: int


def put(store: Database, records: Iterable[ImageRecord], now: float, named: Place | None = None) -> Stored:
    """Store the images of records, all or, with InvalidRecord, none.

    Repositories that are missing are made, with the default settings; `named` too when no record has it.
    Tags go to the image of the record, whichever image has them, and whether they are immutable or not.
    """
    by_place: defaultdict[Place, list[ImageRecord]] = defaultdict(list)
    if named is not None:
        by_place[named] = []
    for record in records:
        by_place[record.registry, record.repository].append(record)
    settled = {place: image_records.settle(found) for place, found in by_place.items()}
    with store.write() as transaction, rows.in_bulk(transaction):
        for (registry, name), found in settled.items():
            repository = repositories.find(transaction, registry, name)
            if repository is None:
                repository = repositories.insert(transaction, _new_repository(registry, name, now))
            known = {}
            if images.exist(transaction, repository):
                known = rows.find(transaction, repository, [record.digest for record in found])
            for record in found:
                if record.digest in known:
                    _check_replaceable(transaction, record, known[record.digest])
            rows.put(transaction, repository, found, known)
    everything = [record for found in settled.values() for record in found]
    return Stored(len(settled), len(everything), sum(len(record.tags) for record in everything))


def _new_repository(registry: Registry, name: str, now: float) -> Repository:
    return Repository(0, registry, name, now, "MUTABLE", (), False, "AES256", None)


def _check_replaceable(transaction: Connection, record: ImageRecord, known: Known) -> None:
    """Pushed images and manifests are facts; a record may repeat them, but not say otherwise."""
    if not known.is_record:
        raise InvalidRecord(
            f"{record.where}: {record.digest} is a pushed image; its record cannot be replaced"
        )
    if not known.has_body or record.body:
        return
    content = (record.media_type, record.artifact_type, record.subject_digest, record.size_bytes)
    children = rows.children(transaction, [known.id]).get(known.id, [])
    if content != known.content or set(record.children) != set(children):
        raise InvalidRecord(
            f"{record.where}: the manifest of {record.digest} is known, and says other than the record what "
            "type, size, subject and children it has; delete the image first"
        )


def records(store: Database, repository: Repository, now: float) -> Iterator[dict[str, Any]]:
    """The records of all images of a repository, in the order of their pushes, read page by page."""
    after = 0
    wanted = Filter(now, "ANY")
    while True:
        with store.snapshot() as connection:
            page = image_listings.page(connection, repository, wanted, after, PAGE)
            children = rows.children(connection, [image.id for image in page])
        for image in page:
            yield _record(repository, image, children.get(image.id, ()), now)
        if len(page) < PAGE:
            return
        after = page[-1].id


def _record(repository: Repository, image: Image, children: Sequence[str], now: float) -> dict[str, Any]:
    """An image in the words of DescribeImages, and of ours for what that leaves out."""
    record = {
        "registryId": repository.registry.account,
        "region": repository.registry.region,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageTags": image.tags,
        "imageSizeInBytes": image.size_bytes,
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_type,
        "subjectManifestDigest": image.subject_digest,
        "lastRecordedPullTime": image.pulled_at,
        "imageStatus": image.status_at(now),
        "lastArchivedAt": image.kept.archived_at,
        "lastActivatedAt": image.kept.activated_at,
        "children": children,
    }
    return {name: value for name, value in record.items() if value not in (None, (), [])}
