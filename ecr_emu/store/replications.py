"""Rows of replications: what is to be copied where; and backfills, which are documents."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import Backfill
from ecr_emu.store import documents
from ecr_emu.store.documents import Document
from ecr_emu.store.images import Image

BACKFILL = "replication-backfill"


@dataclass(frozen=True, slots=True)
class Replication:
    """How copying one image to one registry goes."""

    destination: Registry
    status: str
    failure_code: str | None


def start(connection: Connection, image: Image, destinations: Iterable[Registry]) -> None:
    """Note that an image is to be copied, for the first time or again."""
    connection.executemany(
        "INSERT INTO image_replications (image_id, region, account, status) VALUES (?, ?, ?, 'IN_PROGRESS') "
        "ON CONFLICT (image_id, region, account) DO UPDATE SET status = excluded.status, failure_code = NULL",
        [(image.id, place.region, place.account) for place in destinations],
    )


def of_image(connection: Connection, image: Image) -> list[Replication]:
    rows = connection.execute(
        "SELECT account, region, status, failure_code FROM image_replications WHERE image_id = ? "
        "ORDER BY region, account",
        (image.id,),
    )
    return [Replication(Registry(account, region), status, code) for account, region, status, code in rows]


def backfills(connection: Connection, registry: Registry) -> list[Backfill]:
    """All backfills of a registry, the newest first."""
    found = [_backfill(row) for row in documents.page(connection, registry, BACKFILL, "", documents.ALL)]
    return sorted(found, key=lambda backfill: (-backfill.started_at, backfill.id))


def find_backfill(connection: Connection, registry: Registry, backfill_id: str) -> Backfill | None:
    document = documents.find(connection, registry, BACKFILL, backfill_id)
    return _backfill(document) if document else None


def put_backfill(connection: Connection, registry: Registry, backfill: Backfill, now: float) -> None:
    place = backfill.destination
    body = json.dumps([place.account, place.region, backfill.status, backfill.started_at, backfill.ended_at])
    documents.put(connection, registry, BACKFILL, backfill.id, body, now)


def delete_backfill(connection: Connection, registry: Registry, backfill: Backfill) -> None:
    documents.delete(connection, registry, BACKFILL, backfill.id)


def _backfill(document: Document) -> Backfill:
    account, region, status, started_at, ended_at = json.loads(document.body)
    return Backfill(document.key, Registry(account, region), status, started_at, ended_at)
