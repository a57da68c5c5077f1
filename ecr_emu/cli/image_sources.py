"""Images to rehearse a policy on: those of a file, of a data folder, or of a running server."""

import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from ecr_emu.app import CannotStart, open_database
from ecr_emu.cli import files, options, server
from ecr_emu.clock import UserClock
from ecr_emu.domain.image_records import Defaults, Reader, entries, image_at, settle
from ecr_emu.domain.lifecycle import Image
from ecr_emu.domain.record_members import InvalidRecord
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import lifecycle, repositories


@dataclass(frozen=True, slots=True)
class Stock:
    """The images of a repository as they are at a time."""

    images: list[Image]
    now: float


def of_file(name: str, registry: Registry, repository: str | None, at: float | None) -> Stock:
    """Those of the records in a file; of one repository, which has to be named if there are several."""
    now = time.time() if at is None else at
    return _read(name, files.read(name), Defaults(registry, now, repository or "-"), repository)


def of_server(endpoint: str, query: dict[str, str | None], at: float | None) -> Stock:
    """Those of a repository that a server holds."""
    now = float(server.get(endpoint, "/_emu/clock")["epochSeconds"]) if at is None else at
    text = b"".join(server.lines(endpoint, "/_emu/images", query))
    return _read(endpoint, text, Defaults(Registry("", ""), now), None)


def of_folder(folder: Path, registry: Registry, repository: str, at: float | None) -> Stock:
    """Those of a repository in a data folder. A server may be running on it."""
    try:
        store = open_database(folder)
    except CannotStart as reason:
        raise options.failure(str(reason)) from None
    try:
        now = UserClock(store)() if at is None else at
        with store.snapshot() as connection:
            found = repositories.get(connection, registry, repository)
            return Stock(lifecycle.images(connection, found, now), now)
    except EcrError as error:
        raise options.failure(f"{error.message}; say where it is with --account and --region") from None
    finally:
        store.close()


def _read(source: str, text: bytes, defaults: Defaults, repository: str | None) -> Stock:
    reader = Reader(defaults, orjson.loads)
    try:
        records = [
            record for where, entry in entries(text, orjson.loads) for record in reader.read(where, entry)
        ]
    except InvalidRecord as problem:
        raise options.failure(f"{source}: {problem}") from None
    places = sorted({record.repository for record in records})
    if repository is None and len(places) > 1:
        named = ", ".join([*places[:3], *(["…"] if len(places) > 3 else [])])
        raise options.failure(
            f"{source} has images of {len(places)} repositories ({named}); choose one with --repository"
        )
    chosen = settle(record for record in records if repository in (None, record.repository))
    images = [image_at(record, number, defaults.now) for number, record in enumerate(chosen)]
    return Stock(images, defaults.now)
