"""Operations on the principals whose pulls leave lastRecordedPullTime alone."""

from collections.abc import Mapping
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.core import quotas
from ecr_emu.core.pull import EXCLUSION
from ecr_emu.store import documents


@operation
def register_pull_time_update_exclusion(call: Call, request: Mapping[str, Any]) -> Answer:
    registry, principal = call.registry, request["principalArn"]
    limit = quotas.of(call)["pull-time-exclusions"]
    call.authorize("ecr:RegisterPullTimeUpdateExclusion", registry, "*")
    with call.store.write() as transaction:
        if documents.find(transaction, registry, EXCLUSION, principal) is not None:
            raise errors.exclusion_already_exists(principal, registry.account)
        if documents.count(transaction, registry, EXCLUSION) >= limit:
            raise errors.too_many_exclusions(registry.account, limit)
        documents.put(transaction, registry, EXCLUSION, principal, "", call.now)
    return {"principalArn": principal, "createdAt": call.now}


@operation
def deregister_pull_time_update_exclusion(call: Call, request: Mapping[str, Any]) -> Answer:
    registry, principal = call.registry, request["principalArn"]
    call.authorize("ecr:DeregisterPullTimeUpdateExclusion", registry, "*")
    with call.store.write() as transaction:
        if documents.find(transaction, registry, EXCLUSION, principal) is None:
            raise errors.exclusion_not_found(principal, registry.account)
        documents.delete(transaction, registry, EXCLUSION, principal)
    return {"principalArn": principal}


@operation
def list_pull_time_update_exclusions(call: Call, request: Mapping[str, Any]) -> Answer:
    registry = call.registry
    call.authorize("ecr:ListPullTimeUpdateExclusions", registry, "*")
    page = paging.open_page(call, request, "", "ListPullTimeUpdateExclusions", registry)
    with call.store.read() as connection:
        rows = documents.page(connection, registry, EXCLUSION, page.after, page.limit + 1)
    shown = page.cut(rows)
    return {
        "pullTimeUpdateExclusions": [exclusion.key for exclusion in shown],
        "nextToken": page.next_token(rows, shown[-1].key if shown else None),
    }
