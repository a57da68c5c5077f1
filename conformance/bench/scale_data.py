"""Data folders with as many images or repositories as one likes, filled without a server."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

from ecr_emu.domain.image_records import ImageRecord
from ecr_emu.domain.manifests import OCI_MANIFEST
from ecr_emu.domain.registries import Registry
from ecr_emu.store import image_records, repositories
from ecr_emu.store.database import Database
from ecr_emu.store.repositories import Repository

HOME = Registry("000000000000", "us-east-1")
REPOSITORY = "scale/app"
BEGAN_AT = 1_700_000_000.0
# Of one image to the next.
SECONDS_APART = 20.0
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
# Every image has it.
BASE_LAYER = "sha256:" + hashlib.sha256(b"base").hexdigest()
SUBJECT = 7
REFERRERS = 20
BATCH = 50_000
CACHE_KIB = 1 << 20


# Keeps next to nothing.
POLICY = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)


def tag(number: int) -> str:
    """The tag of an image. In the order of the numbers, as of builds."""
    return f"build-{number:07}"


def manifest(number: int) -> bytes:
    """The manifest of an image; those behind the subject refer to it."""
    content: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG_TYPE, "digest": config(number), "size": 100},
        "layers": [{"mediaType": LAYER_TYPE, "digest": BASE_LAYER, "size": 1000}],
    }
    if SUBJECT < number <= SUBJECT + REFERRERS:
        content["subject"] = {"mediaType": OCI_MANIFEST, "digest": digest(SUBJECT), "size": 1}
    return json.dumps(content).encode()


def pushed_manifest(number: int) -> bytes:
    """A manifest that no image has yet, of blobs that are there."""
    content = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG_TYPE, "digest": config(0), "size": 100},
        "layers": [{"mediaType": LAYER_TYPE, "digest": BASE_LAYER, "size": 1000}],
        "annotations": {"number": str(number)},
    }
    return json.dumps(content).encode()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest(number: int) -> str:
    return digest_of(manifest(number))


def repository_name(number: int) -> str:
    return f"scale/{number:05}"


def config(number: int) -> str:
    return digest_of(b"config %d" % number)


def fill_images(folder: Path, count: int) -> None:
    """One repository with `count` tagged images."""
    with closing(Database(folder / "metadata.db", durable=False)) as store:
        with store.write() as transaction:
            transaction.execute("INSERT INTO blobs VALUES (?, 'none', 1000)", (BASE_LAYER,))
            repository = repositories.insert(transaction, _repository(REPOSITORY))
            transaction.execute("INSERT INTO layers VALUES (?, ?, ?)", (repository.id, BASE_LAYER, BEGAN_AT))
        for numbers in _batches(count):
            with store.write() as transaction:
                transaction.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
                _put_blobs(transaction, repository, numbers)
                image_records.put(transaction, repository, list(map(_record, numbers)), {})


def fill_repositories(folder: Path, count: int) -> None:
    """`count` repositories, each with an image."""
    with closing(Database(folder / "metadata.db", durable=False)) as store, store.write() as transaction:
        for number in range(count):
            repository = repositories.insert(transaction, _repository(repository_name(number)))
            image_records.put(transaction, repository, [_record(0)], {})


def _batches(count: int) -> Iterator[range]:
    return (range(start, min(start + BATCH, count)) for start in range(0, count, BATCH))


def _repository(name: str) -> Repository:
    return Repository(0, HOME, name, BEGAN_AT, "MUTABLE", (), False, "AES256", None)


def _record(number: int) -> ImageRecord:
    body = manifest(number)
    subject = digest(SUBJECT) if SUBJECT < number <= SUBJECT + REFERRERS else None
    return ImageRecord(
        where="",
        registry=HOME,
        repository=REPOSITORY,
        digest=digest_of(body),
        media_type=OCI_MANIFEST,
        artifact_type=None,
        subject_digest=subject,
        size_bytes=1100,
        tags=(tag(number),),
        pushed_at=BEGAN_AT + number * SECONDS_APART,
        pulled_at=None,
        status="ACTIVE",
        archived_at=None,
        activated_at=None,
        body=body,
        layers=((config(number), CONFIG_TYPE), (BASE_LAYER, LAYER_TYPE)),
        children=(),
    )


def _put_blobs(connection: Connection, repository: Repository, numbers: range) -> None:
    """Rows of the configs' blobs; nobody asks for their bytes."""
    found = [config(number) for number in numbers]
    connection.executemany("INSERT INTO blobs VALUES (?, 'none', 100)", ((one,) for one in found))
    connection.executemany(
        "INSERT INTO layers VALUES (?, ?, ?)", ((repository.id, one, BEGAN_AT) for one in found)
    )
