"""Operations on replication backfills: copying the images that were there before the rules.

jobs/courier.py copies them.
"""

import math
import uuid
from dataclasses import replace
from sqlite3 import Connection
from typing import TYPE_CHECKING

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.replication import describe_destination, read_destination
from ecr_emu.core import after_push, backfill, quotas
from ecr_emu.domain import replication
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import Backfill, Item, Progress
from ecr_emu.store import backfills

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types

DEFAULT_LIST_PAGE = 25


@operation
def start_replication_backfill(call: Call, request: "types.StartReplicationBackfillRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    call.authorize("ecr:StartReplicationBackfill", registry, "*")
    destination = read_destination(request["destination"])
    started = Backfill(str(uuid.uuid4()), registry, destination, "PREPARING", call.now)
    with call.store.write() as transaction:
        limit = quotas.of(call)["replication-backfills"]
        _check_destination(transaction, registry, destination, limit)
        backfills.delete_forgotten(transaction, registry, call.now)
        backfills.put(transaction, started)
    call.emulator.wake.set()
    return {**_describe(started), "registryId": registry.account}


@operation
def stop_replication_backfill(call: Call, request: "types.StopReplicationBackfillRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    call.authorize("ecr:StopReplicationBackfill", registry, "*")
    with call.store.write() as transaction:
        found = _get(transaction, call, registry, request["replicationBackfillId"])
        if found.status not in replication.STOPPABLE:
            raise errors.backfill_has_ended(found.id, found.status)
        is_far = found.destination.region in dict(call.emulator.settings.region_endpoint)
        if is_far and found.status == "IN_PROGRESS":
            # A copy may be on its way to the other emulator; whoever makes it ends the backfill then.
            stopped = replace(found, status="STOPPING")
            backfills.put(transaction, stopped)
        else:
            # A copy in this emulator is made in one transaction, so none is half made.
            stopped = backfill.end(transaction, found, "STOPPED", call.now)
    call.emulator.wake.set()
    # The answer has no endedAt.
    return {**_describe(replace(stopped, ended_at=None)), "registryId": registry.account}


@operation
def list_replication_backfills(call: Call, request: "types.ListReplicationBackfillsRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    call.authorize("ecr:ListReplicationBackfills", registry, "*")
    start = [-math.inf, ""]
    page = paging.open_page(
        call, request, start, "ListReplicationBackfills", registry, default=DEFAULT_LIST_PAGE
    )
    with call.store.read() as connection:
        found = [
            entry
            for entry in backfills.of_registry(connection, registry)
            if not entry.is_forgotten(call.now) and _position(entry) > page.after
        ]
        shown = page.cut(found)
        described = [_describe(entry, backfills.progress(connection, entry)) for entry in shown]
    return {
        "registryId": registry.account,
        "backfills": described,
        "nextToken": page.next_token(found, _position(shown[-1]) if shown else None),
    }


@operation
def describe_replication_backfill_results(
    call: Call, request: "types.DescribeReplicationBackfillResultsRequestTypeDef"
) -> Answer:
    registry, backfill_id = call.target(request.get("registryId")), request["replicationBackfillId"]
    call.authorize("ecr:DescribeReplicationBackfillResults", registry, "*")
    status = request.get("resultStatusFilter")
    listing = ("DescribeReplicationBackfillResults", registry, backfill_id, status)
    page = paging.open_page(call, request, 0, *listing)
    with call.store.snapshot() as connection:
        found = _get(connection, call, registry, backfill_id)
        progress = backfills.progress(connection, found)
        # Results are there when the backfill has ended (API reference).
        items = (
            backfills.items(connection, found.id, status, page.after, page.limit + 1)
            if found.has_ended
            else []
        )
    shown = page.cut(items)
    return {
        **_describe(found, progress),
        "registryId": registry.account,
        "results": [_describe_item(item) for item in shown],
        "nextToken": page.next_token(items, shown[-1].position if shown else None),
    }


def _check_destination(
    transaction: Connection, registry: Registry, destination: Registry, limit: int
) -> None:
    """Refuse a backfill to where nothing is copied, or beside too many others."""
    rules = after_push.replication_rules(transaction, registry)
    if destination not in replication.destinations(rules):
        raise errors.backfill_destination_unknown()
    running = [entry for entry in backfills.of_registry(transaction, registry) if not entry.has_ended]
    if any(entry.destination.region == destination.region for entry in running):
        raise errors.backfill_in_progress(destination.region)
    if len(running) >= limit:
        raise errors.too_many_backfills(registry.account, limit)


def _get(connection: Connection, call: Call, registry: Registry, backfill_id: str) -> Backfill:
    found = backfills.find(connection, registry, backfill_id)
    if found is None or found.is_forgotten(call.now):
        raise errors.backfill_not_found(backfill_id, registry.account)
    return found


def _position(entry: Backfill) -> list[object]:
    """Where a backfill stands in the list: the newest first."""
    return [-entry.started_at, entry.id]


def _describe(entry: Backfill, progress: Progress | None = None) -> dict[str, object]:
    """The ReplicationBackfillSummary shape."""
    return {
        "replicationBackfillId": entry.id,
        "destination": describe_destination(entry.destination),
        "status": entry.status,
        "failureCode": entry.failure_code,
        "progress": _describe_progress(progress) if progress else None,
        "startedAt": entry.started_at,
        "endedAt": entry.ended_at,
    }


def _describe_progress(progress: Progress) -> dict[str, object]:
    return {
        "totalReplicationCount": progress.total,
        "completedReplicationCount": progress.completed,
        "failedReplicationCount": progress.failed,
        "failureCodes": list(progress.failure_codes),
    }


def _describe_item(item: Item) -> dict[str, object]:
    """The ReplicationBackfillResult shape."""
    return {
        "repositoryName": item.repository,
        "imageId": {"imageDigest": item.digest, "imageTag": item.tag or None},
        "status": item.status,
        "failureCode": item.failure_code,
        # Of a manifest list only.
        "subImageFailureCodes": list(item.sub_codes) if item.is_index else None,
    }
