"""Writing down what happened, in the transaction in which it happens."""

import uuid
from collections.abc import Sequence
from sqlite3 import Connection

import orjson

from ecr_emu.domain import events, trail
from ecr_emu.domain.events import Event, Subject
from ecr_emu.domain.registries import Registry
from ecr_emu.store import events as rows
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository


def record(transaction: Connection, registry: Registry, event: Event, now: float) -> None:
    """Store an event of a registry, for delivery and for `GET /_emu/events`. `now` is the emulator's time."""
    event_id = str(uuid.uuid4())
    content = events.envelope(event, registry, event_id, now)
    if event.detail_type in (trail.API_CALL, trail.SERVICE_EVENT):
        content["detail"] = {**event.detail, "eventID": str(uuid.uuid4())}
    rows.append(transaction, registry, event.repository, event.detail_type, orjson.dumps(content), now)


def subject(repository: Repository, image: Image) -> Subject:
    """An image as events name it."""
    return Subject(repository.name, image.digest, image.media_type, image.artifact_type, image.subject_digest)


def pushed(
    transaction: Connection, repository: Repository, image: Image, tags: Sequence[str], now: float
) -> None:
    """An image was pushed: an event for each tag that it got, or one without a tag."""
    for tag in tags or (None,):
        record(transaction, repository.registry, events.pushed(subject(repository, image), tag), now)


def replicated(
    transaction: Connection,
    repository: Repository,
    image: Image,
    tags: Sequence[str],
    source: Registry,
    now: float,
) -> None:
    """An image was copied from another registry to this repository: an event for each tag, or one without."""
    for tag in tags or (None,):
        event = events.replicated(repository.registry, source, subject(repository, image), tag)
        record(transaction, repository.registry, event, now)


def not_replicated(
    transaction: Connection, destination: Registry, repository: Repository, image: Image, now: float
) -> None:
    """An image of this repository could not be copied to another registry."""
    about = subject(repository, image)
    tag = image.tags[0] if image.tags else None
    event = events.replicated(destination, repository.registry, about, tag, succeeded=False)
    record(transaction, destination, event, now)


def deleted(
    transaction: Connection, repository: Repository, image: Image, tags: Sequence[str], now: float
) -> None:
    """Tags of an image are gone, or the whole image: an event for each tag, or one without a tag."""
    for tag in tags or (None,):
        record(transaction, repository.registry, events.deleted(subject(repository, image), tag), now)


def archived(transaction: Connection, repository: Repository, image: Image, now: float) -> None:
    """An image went into the archive."""
    record(transaction, repository.registry, events.archived(subject(repository, image)), now)


def restored(
    transaction: Connection, repository: Repository, image: Image, activated_at: float, now: float
) -> None:
    """An image comes back from the archive, and can be pulled from `activated_at` on."""
    event = events.restored(subject(repository, image), activated_at)
    record(transaction, repository.registry, event, now)
