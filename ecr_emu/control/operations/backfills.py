"""Operations on replication backfills: copying the images that were there before the rules.

Nothing copies yet, so a backfill stays PREPARING until it is stopped, and has no results.
"""

import dataclasses
import math
import uuid
from sqlite3 import Connection
from typing import TYPE_CHECKING

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.replication import describe_destination, read_destination
from ecr_emu.core import after_push, quotas
from ecr_emu.domain import replication
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import Backfill
from ecr_emu.store import replications

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types

DEFAULT_LIST_PAGE = 25


@operation
def start_replication_backfill(call: Call, request: "types.StartReplicationBackfillRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    call.authorize("ecr:StartReplicationBackfill", registry, "*")
    destination = read_destination(request["destination"])
    backfill = Backfill(str(uuid.uuid4()), destination, "PREPARING", call.now)
    with call.store.write() as transaction:
        limit = quotas.of(call)["replication-backfills"]
        _check_destination(transaction, registry, destination, limit)
        for old in replications.backfills(transaction, registry):
            if old.is_forgotten(call.now):
                replications.delete_backfill(transaction, registry, old)
        replications.put_backfill(transaction, registry, backfill, call.now)
    return {**_describe(backfill), "registryId": registry.account}


@operation
def stop_replication_backfill(call: Call, request: "types.StopReplicationBackfillRequestTypeDef") -> Answer:
    registry = call.target(request.get("registryId"))
    call.authorize("ecr:StopReplicationBackfill", registry, "*")
    with call.store.write() as transaction:
        backfill = _get(transaction, call, registry, request["replicationBackfillId"])
        if backfill.has_ended:
            raise errors.backfill_has_ended(backfill.id, backfill.status)
        stopped = dataclasses.replace(backfill, status="STOPPED", ended_at=call.now)
        replications.put_backfill(transaction, registry, stopped, call.now)
    # The answer has no endedAt.
    return {**_describe(dataclasses.replace(stopped, ended_at=None)), "registryId": registry.account}


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
            backfill
            for backfill in replications.backfills(connection, registry)
            if not backfill.is_forgotten(call.now) and _position(backfill) > page.after
        ]
    shown = page.cut(found)
    return {
        "registryId": registry.account,
        "backfills": [_describe(backfill) for backfill in shown],
        "nextToken": page.next_token(found, _position(shown[-1]) if shown else None),
    }


@operation
def describe_replication_backfill_results(
    call: Call, request: "types.DescribeReplicationBackfillResultsRequestTypeDef"
) -> Answer:
    registry, backfill_id = call.target(request.get("registryId")), request["replicationBackfillId"]
    call.authorize("ecr:DescribeReplicationBackfillResults", registry, "*")
    # There are no results to page through, but a token must still be ours.
    paging.open_page(call, request, 0, "DescribeReplicationBackfillResults", registry, backfill_id)
    with call.store.read() as connection:
        backfill = _get(connection, call, registry, backfill_id)
    return {**_describe(backfill), "registryId": registry.account, "results": []}


def _check_destination(
    transaction: Connection, registry: Registry, destination: Registry, limit: int
) -> None:
    """Refuse a backfill to where nothing is copied, or beside too many others."""
    rules = after_push.replication_rules(transaction, registry)
    if destination not in replication.destinations(rules):
        raise errors.backfill_destination_unknown()
    running = [entry for entry in replications.backfills(transaction, registry) if not entry.has_ended]
    if any(entry.destination.region == destination.region for entry in running):
        raise errors.backfill_in_progress(destination.region)
    if len(running) >= limit:
        raise errors.too_many_backfills(registry.account, limit)


def _get(connection: Connection, call: Call, registry: Registry, backfill_id: str) -> Backfill:
    backfill = replications.find_backfill(connection, registry, backfill_id)
    if backfill is None or backfill.is_forgotten(call.now):
        raise errors.backfill_not_found(backfill_id, registry.account)
    return backfill


def _position(backfill: Backfill) -> list[object]:
    """Where a backfill stands in the list: the newest first."""
    return [-backfill.started_at, backfill.id]


def _describe(backfill: Backfill) -> dict[str, object]:
    return {
        "replicationBackfillId": backfill.id,
        "destination": describe_destination(backfill.destination),
        "status": backfill.status,
        "startedAt": backfill.started_at,
        "endedAt": backfill.ended_at,
    }
