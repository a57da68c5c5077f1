"""Records of images, in the words of DescribeImages: for images that are known and were never pushed here.

A record says what an image is called, when it was pushed and so on. What it does not say gets a default. Of
a record with a digest the manifest is unknown, so its body is empty; one without gets a synthetic manifest.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ecr_emu.domain import manifests, synthetic_images
from ecr_emu.domain.lifecycle import Image
from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST, InvalidManifest
from ecr_emu.domain.record_members import InvalidRecord, fields, size, strings, time, word
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.synthetic_images import CHILD_TYPE, Made

MAX_TAGS = 1000
MAX_CHILDREN = 1000


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for records that do not say. `restore_seconds` is how long an image is ACTIVATING."""

    registry: Registry
    now: float
    repository: str | None = None
    restore_seconds: float = 0.0


class ImageRecord(NamedTuple):
    """An image as it is to be stored. `layers` are digests and media types; `where` is where it was read."""

    where: str
    registry: Registry
    repository: str
    digest: str
    media_type: str
    artifact_type: str | None
    subject_digest: str | None
    size_bytes: int
    tags: tuple[str, ...]
    pushed_at: float
    pulled_at: float | None
    status: str
    archived_at: float | None
    activated_at: float | None
    body: bytes
    layers: tuple[tuple[str, str], ...]
    children: tuple[str, ...]


def entries(text: bytes, loads: Callable[[bytes], Any]) -> Iterator[tuple[str, object]]:
    """The records of a text, each with the place where it stands.

    A text is one object a line, a list of objects, or what `aws ecr describe-images` prints.
    """
    text = text.removeprefix(b"\xef\xbb\xbf")
    lines = text.split(b"\n")
    if not _is_object(next(filter(bytes.strip, lines), b"{}"), loads):
        yield from _within("", _parse(text, "", loads))
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield from _within(f"line {number}", _parse(line, f"line {number}", loads))


def _is_object(line: bytes, loads: Callable[[bytes], Any]) -> bool:
    try:
        return isinstance(loads(line), dict)
    except ValueError:
        return False


def _parse(text: bytes, where: str, loads: Callable[[bytes], Any]) -> object:
    try:
        return loads(text)
    except ValueError as problem:
        where = where or f"line {getattr(problem, 'lineno', 1)}"
        raise InvalidRecord(
            f"{where}: this is not JSON; give one object a line, a list of objects, or what "
            "`aws ecr describe-images --output json` prints"
        ) from None


def _within(where: str, document: object) -> Iterator[tuple[str, object]]:
    """The records in a document: itself, or those it lists."""
    if isinstance(document, dict) and isinstance(document.get("imageDetails"), list):
        document = document["imageDetails"]
    if not isinstance(document, list):
        yield where or "image 1", document
        return
    before = f"{where}, " if where else ""
    for number, entry in enumerate(document, 1):
        yield f"{before}image {number}", entry


class Reader:
    """Reads records one after the other. Equal ones without a digest are different images."""

    def __init__(self, defaults: Defaults, loads: Callable[[bytes], Any]) -> None:
        self._defaults = defaults
        self._loads = loads
        self._copies: Counter[tuple[str, str]] = Counter()

    def read(self, where: str, entry: object) -> list[ImageRecord]:
        """The images that a record means: an index of several architectures comes behind its images."""
        try:
            return self._read(where, fields(entry))
        except InvalidRecord as problem:
            raise InvalidRecord(f"{where}: {problem}") from None

    def _read(self, where: str, entry: Mapping[str, Any]) -> list[ImageRecord]:
        record = self._frame(where, entry)
        if entry.get("imageManifest") is not None:
            return [self._with_manifest(record, entry)]
        architectures = strings(entry, "architectures", MAX_CHILDREN)
        if architectures:
            return _with_architectures(record, architectures, self._seed(record, architectures))
        if record.digest:
            return [record]
        if record.children:
            raise InvalidRecord("children needs imageDigest; to make an index, give architectures")
        if record.media_type not in synthetic_images.MEDIA_TYPES or record.media_type in CHILD_TYPE:
            raise InvalidRecord(
                f"no image of type {record.media_type} can be made; give imageDigest, or architectures for "
                "an index"
            )
        return [_made(record, _image(record, self._seed(record, ())))]

    def _frame(self, where: str, entry: Mapping[str, Any]) -> ImageRecord:
        """What the record says, and defaults for what it does not."""
        default = self._defaults
        children = strings(entry, "children", MAX_CHILDREN)
        status = word(entry, "imageStatus") or "ACTIVE"
        archived_at = time(entry, "lastArchivedAt")
        activated_at = time(entry, "lastActivatedAt")
        if status == "ARCHIVED" and archived_at is None:
            raise InvalidRecord("an image whose imageStatus is ARCHIVED needs lastArchivedAt")
        if status == "ACTIVATING" and (activated_at is None or activated_at <= default.now):
            activated_at = default.now + default.restore_seconds
        pushed_at = time(entry, "imagePushedAt")
        media_type = word(entry, "imageManifestMediaType")
        is_index = bool(children or entry.get("architectures"))
        return ImageRecord(
            where=where,
            registry=self._registry(entry),
            repository=self._repository(entry),
            digest=word(entry, "imageDigest") or "",
            media_type=media_type or (OCI_INDEX if is_index else OCI_MANIFEST),
            artifact_type=word(entry, "artifactMediaType"),
            subject_digest=word(entry, "subjectManifestDigest"),
            size_bytes=size(entry),
            tags=strings(entry, "imageTags", MAX_TAGS),
            pushed_at=default.now if pushed_at is None else pushed_at,
            pulled_at=time(entry, "lastRecordedPullTime"),
            status=status,
            archived_at=archived_at,
            activated_at=activated_at,
            body=b"",
            layers=(),
            children=children,
        )

    def _registry(self, entry: Mapping[str, Any]) -> Registry:
        default = self._defaults.registry
        account = word(entry, "registryId") or default.account
        region = word(entry, "region") or default.region
        return (
            default if (account, region) == (default.account, default.region) else Registry(account, region)
        )

    def _repository(self, entry: Mapping[str, Any]) -> str:
        name = word(entry, "repositoryName") or self._defaults.repository
        if name is None:
            raise InvalidRecord("repositoryName is missing; give it here or for all records")
        return name

    def _with_manifest(self, record: ImageRecord, entry: Mapping[str, Any]) -> ImageRecord:
        """An image whose manifest is known: that says what it is, and the record when it was pushed."""
        text = entry["imageManifest"]
        if not isinstance(text, str):
            raise InvalidRecord("imageManifest must be a string: the manifest's exact text")
        body = text.encode()
        algorithm = record.digest.partition(":")[0] or "sha256"
        digest = f"{algorithm}:{hashlib.new(algorithm, body, usedforsecurity=False).hexdigest()}"
        if record.digest not in ("", digest):
            raise InvalidRecord(f"imageDigest is not the digest of imageManifest, which is {digest}")
        try:
            manifest = manifests.parse(body, word(entry, "imageManifestMediaType"), self._loads)
        except (InvalidManifest, manifests.UnknownMediaType) as problem:
            raise InvalidRecord(f"imageManifest is no manifest ({problem})") from None
        return record._replace(
            digest=digest,
            media_type=manifest.media_type,
            artifact_type=manifest.artifact_type,
            subject_digest=manifest.subject,
            size_bytes=record.size_bytes if manifest.is_index else manifest.layers_size_bytes,
            body=body,
            layers=tuple((layer.digest, layer.media_type) for layer in manifest.layers),
            children=manifest.children,
        )

    def _seed(self, record: ImageRecord, architectures: tuple[str, ...]) -> str:
        """What tells a synthetic image from others: what the record says, and how often it was said."""
        said = repr((*record[3:], *architectures))
        place = f"{record.registry.account}/{record.registry.region}/{record.repository}"
        self._copies[place, said] += 1
        return f"{said} {self._copies[place, said]}"


def _image(record: ImageRecord, seed: str) -> Made:
    return synthetic_images.image(
        seed, record.media_type, record.artifact_type, record.size_bytes, record.subject_digest
    )


def _made(record: ImageRecord, made: Made) -> ImageRecord:
    return record._replace(
        digest=made.digest,
        media_type=made.media_type,
        artifact_type=made.artifact_type,
        body=made.body,
        layers=made.layers,
        children=made.children,
    )


def _with_architectures(record: ImageRecord, architectures: tuple[str, ...], seed: str) -> list[ImageRecord]:
    """An index behind an image for each architecture. With a digest its own manifest is unknown."""
    if record.media_type not in CHILD_TYPE:
        raise InvalidRecord(
            f"architectures make an index, so imageManifestMediaType must be {' or '.join(CHILD_TYPE)}"
        )
    if record.children:
        raise InvalidRecord("give architectures or children, not both")
    child = record._replace(
        media_type=CHILD_TYPE[record.media_type], tags=(), subject_digest=None, artifact_type=None
    )
    images = {name: _image(child, f"{seed} {name}") for name in architectures}
    if record.digest:
        index = record._replace(children=tuple(made.digest for made in images.values()))
    else:
        made = synthetic_images.index(
            seed, record.media_type, record.artifact_type, images, record.subject_digest
        )
        index = _made(record, made)
    return [*(_made(child, made) for made in images.values()), index]


def settle(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """The images of a repository in the order of their pushes, each once, a tag on the last that has it."""
    by_digest = {record.digest: record for record in records}
    # An index is pushed behind its images.
    ordered = sorted(by_digest.values(), key=lambda record: (record.pushed_at, bool(record.children)))
    holder = {tag: record.digest for record in ordered for tag in record.tags}
    if len(holder) == sum(len(record.tags) for record in ordered):
        return ordered
    return [
        record._replace(tags=tuple(tag for tag in record.tags if holder[tag] == record.digest))
        for record in ordered
    ]


def image_at(record: ImageRecord, sequence: int, now: float) -> Image:
    """What lifecycle rules look at."""
    is_back = record.status == "ACTIVATING" and record.activated_at is not None and record.activated_at <= now
    return Image(
        digest=record.digest,
        tags=record.tags,
        pushed_at=record.pushed_at,
        sequence=sequence,
        size_bytes=record.size_bytes,
        pulled_at=record.pulled_at,
        status="ACTIVE" if is_back else record.status,
        archived_at=record.archived_at,
        activated_at=record.activated_at,
        subject_digest=record.subject_digest,
        children=record.children,
    )
