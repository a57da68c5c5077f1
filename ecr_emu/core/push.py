"""Storing an image: what PutImage and PUT /v2/<name>/manifests/<reference> both do."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from sqlite3 import Connection

import orjson

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.core import after_push, events, quotas, scan
from ecr_emu.domain import manifests, mutability, names
from ecr_emu.domain.limits import Limits
from ecr_emu.domain.manifests import Manifest
from ecr_emu.domain.registries import Registry
from ecr_emu.store import image_records, images, layers, repositories
from ecr_emu.store.images import Content, Image
from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did. `is_news` is False when image and tags were all there before.

    `settings` are what says what it set going.
    """

    image: Image
    manifest: Manifest
    is_news: bool
    settings: after_push.Settings


@dataclass(frozen=True, slots=True)
class Incoming:
    """A manifest that is to be stored, and the tags that are to point at it.

    With a `source` it is a copy that replication brings from there: it goes no further, and comes without a
    tag that is immutable and taken (ECR user guide, Private image replication).
    """

    manifest: Manifest
    content: Content
    tags: Sequence[str]
    source: Registry | None = None


def put_image(
    call: Call,
    repository: Repository,
    body: bytes,
    media_type: str | None,
    digest: str | None,
    tags: Sequence[str],
) -> Pushed:
    """Store the exact bytes of a manifest and point tags at it.

    Checks, in this order: the manifest, the digest, what it refers to, the limit of images, the tags. Raises
    InvalidParameterException (ImageManifest), ImageDigestDoesNotMatchException,
    LayersNotFoundException, ReferencedImagesNotFoundException, ImageTagAlreadyExistsException or
    LimitExceededException; then nothing is stored.
    """
    return put(call, repository, read(repository, body, media_type, digest, tags))


def read(
    repository: Repository, body: bytes, media_type: str | None, digest: str | None, tags: Sequence[str]
) -> Incoming:
    """A manifest as it came, with the first two of the checks."""
    manifest = parse(body, media_type)
    return Incoming(manifest, Content(_digest(repository, body, digest), manifest.media_type, body), tags)


def put(call: Call, repository: Repository, incoming: Incoming) -> Pushed:
    """The same for a manifest whose digest was compared."""
    with call.store.write() as transaction:
        pushed, is_due = store(transaction, call.now, repository, incoming, quotas.of(call))
        if pushed.is_news:
            is_due |= after_push.sign(call, transaction, repository, pushed.image, pushed.settings)
    if is_due:
        call.emulator.wake.set()
    return pushed


def store(
    transaction: Connection, now: float, repository: Repository, incoming: Incoming, limits: Limits
) -> tuple[Pushed, bool]:
    """The same in a transaction of the caller's. True when there is work for the background then."""
    manifest, content = incoming.manifest, incoming.content
    settings = after_push.find_settings(transaction, repository)
    image = images.find(transaction, repository, content.digest)
    is_new = image is None or image_records.is_record(transaction, image)
    # The image comes first, so that a refused tag rolls it back.
    if image is None:
        size_bytes = _check_references(transaction, repository, manifest)
        _check_room(transaction, repository, limits["images-per-repository"])
        image = images.insert(transaction, repository, content, manifest, size_bytes, now)
    elif is_new:
        size_bytes = _check_references(transaction, repository, manifest)
        image = image_records.complete(transaction, repository, image, content, manifest, size_bytes)
    # Pushing an archived image takes it back at once (ECR user guide, Restoring an archived image).
    is_back = image.status_at(now) != "ACTIVE"
    if is_back:
        images.restore(transaction, image, now)
        scan.restore(transaction, image)
        events.restored(transaction, repository, image, now, now)
    tags, is_copy = incoming.tags, incoming.source is not None
    if is_copy:
        tags = [tag for tag in tags if not _is_taken(transaction, repository, image, tag)]
    fresh_tags = _check_tags(transaction, repository, image, tags, may_stand=is_back or is_copy)
    _check_tag_count(repository, image, fresh_tags, limits["tags-per-image"])
    for tag in fresh_tags:
        images.put_tag(transaction, repository, tag, image)
    is_news = is_new or is_back or bool(fresh_tags)
    # What is set going is about these tags: about all of them when the image was not to be had.
    given = replace(image, tags=(*(image.tags if is_back else ()), *fresh_tags))
    if is_copy:
        settings = after_push.of_copy(settings)
    if is_news:
        _tell(transaction, repository, image, fresh_tags or tags, incoming.source, now)
    is_due = is_news and after_push.start(transaction, now, repository, given, settings, limits)
    return Pushed(image, manifest, is_news, settings), is_due


def _tell(
    transaction: Connection,
    repository: Repository,
    image: Image,
    tags: Sequence[str],
    source: Registry | None,
    now: float,
) -> None:
    """Of a copy only that it was replicated: whether AWS tells of a push as well is unverified."""
    if source is None:
        events.pushed(transaction, repository, image, tags, now)
    else:
        events.replicated(transaction, repository, image, tags, source, now)


def parse(body: bytes, media_type: str | None) -> Manifest:
    """The manifest, or InvalidParameterException (ImageManifest)."""
    try:
        return manifests.parse(body, media_type, orjson.loads)
    except manifests.UnknownMediaType:
        raise errors.manifest_invalid() from None
    except manifests.InvalidManifest as reason:
        raise errors.manifest_invalid(str(reason)) from None


def _digest(repository: Repository, body: bytes, expected: str | None) -> str:
    """The manifest's digest, by the algorithm of the expected one."""
    if expected is not None and not names.is_digest(expected):
        raise errors.image_digest_does_not_match(repository.name, repository.registry.account, expected)
    algorithm = expected.partition(":")[0] if expected else "sha256"
    computed = f"{algorithm}:{hashlib.new(algorithm, body, usedforsecurity=False).hexdigest()}"
    if expected not in (None, computed):
        raise errors.image_digest_does_not_match(
            repository.name, repository.registry.account, expected or computed
        )
    return computed


def _check_references(transaction: Connection, repository: Repository, manifest: Manifest) -> int:
    """imageSizeInBytes, or the error that names what is missing.

    A subject need not exist (OCI distribution-spec 1.1); layers that are fetched from elsewhere neither.
    """
    account = repository.registry.account
    wanted = dict.fromkeys(layer.digest for layer in manifest.layers if layer.required)
    missing = [digest for digest in wanted if layers.find(transaction, repository, digest) is None]
    if missing:
        raise errors.layers_missing(repository.name, account, missing)
    sizes = images.sizes(transaction, repository, manifest.children)
    missing = [digest for digest in dict.fromkeys(manifest.children) if digest not in sizes]
    if missing:
        raise errors.images_referenced(repository.name, account, missing)
    return max(sizes.values(), default=0) if manifest.is_index else manifest.layers_size_bytes


def _check_tags(
    transaction: Connection, repository: Repository, image: Image, tags: Sequence[str], *, may_stand: bool
) -> list[str]:
    """Those of `tags` that do not point at the image yet, or the error that refuses one.

    `may_stand` lets an immutable tag be named that points at the image already.
    """
    fresh = []
    for tag in dict.fromkeys(tags):
        holder = images.find_tagged(transaction, repository, tag)
        is_there = holder is not None and holder.id == image.id
        # An immutable tag is refused for the same digest too (reference, data plane 2.4).
        is_taken = holder is not None and not (is_there and may_stand)
        if is_taken and _is_immutable(repository, tag):
            raise errors.image_tag_already_exists(repository.name, tag)
        if not is_there:
            fresh.append(tag)
    return fresh


def _is_taken(transaction: Connection, repository: Repository, image: Image, tag: str) -> bool:
    """True for an immutable tag of another image."""
    holder = images.find_tagged(transaction, repository, tag)
    return holder is not None and holder.id != image.id and _is_immutable(repository, tag)


def _is_immutable(repository: Repository, tag: str) -> bool:
    return mutability.is_immutable(repository.tag_mutability, repository.mutability_filters, tag)


def _check_room(transaction: Connection, repository: Repository, limit: int) -> None:
    """LimitExceededException when the repository can take no other image."""
    if repositories.image_count(transaction, repository) >= limit:
        raise errors.too_many_images(repository.name, repository.registry.account, limit)


def _check_tag_count(repository: Repository, image: Image, fresh: Sequence[str], limit: int) -> None:
    """LimitExceededException when the image would get too many tags. One that has them already may stay."""
    if fresh and len(image.tags) + len(fresh) > limit:
        raise errors.too_many_image_tags(repository.name, repository.registry.account, fresh[-1], limit)
