"""Writing down API calls as CloudTrail does.

That repositories were made and deleted is always written down, in the transaction that does it: EventBridge
knows of it in no other way (EventBridge reference, Amazon ECR events). Other calls only with `--trail`.
"""

import logging
import sqlite3
from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Any, TypeVar

from ecr_emu.context import Call, Emulator
from ecr_emu.core import events
from ecr_emu.domain import trail
from ecr_emu.domain.registries import HostNames, Registry
from ecr_emu.domain.trail import Outcome, Request
from ecr_emu.errors import EcrError
from ecr_emu.settings import Settings
from ecr_emu.store.repositories import Repository
from ecr_emu.waiting import may_wait

log = logging.getLogger(__name__)

ALL = "all"
ALWAYS = ("CreateRepository", "DeleteRepository")

Answer = TypeVar("Answer")


def is_wanted(emulator: Emulator, name: str) -> bool:
    """Whether calls of this operation are to be written down."""
    settings = emulator.settings
    return settings.trail == ALL or (settings.has_trail and not trail.is_read(name))


def do(
    call: Call, name: str, request: dict[str, Any], operation: Callable[[Call, Any], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """The operation's answer, or its error; either is written down if wanted."""
    if not is_wanted(call.emulator, name):
        return operation(call, request)
    # Writing it down waits: better before it is done than after.
    may_wait()
    try:
        answer = operation(call, request)
    except EcrError as error:
        write(call, Request(name, request, call.request_id), Outcome(error=(error.code, error.message)))
        raise
    if name not in ALWAYS:
        write(call, Request(name, request, call.request_id), Outcome(answer))
    return answer


def write(call: Call, request: Request, outcome: Outcome) -> None:
    """Write a call down after it is over. What was done stays done when this fails."""
    try:
        with call.store.write() as transaction:
            record(transaction, call, request, outcome)
    except sqlite3.Error:
        log.exception("request %s of %s is not written down", call.request_id, request.name)


def record(transaction: Connection, call: Call, request: Request, outcome: Outcome) -> None:
    """Write a call down in the transaction that it is about."""
    key_id = call.credential.key_id if call.credential else ""
    who = trail.caller(call.principal, key_id, call.client.address, call.client.agent)
    account = request.members.get("registryId")
    registry = call.target(account if isinstance(account, str) else None)
    event = trail.api_call(who, request, outcome, registry, call.now)
    events.record(transaction, registry, event, call.now)


def repository_made(transaction: Connection, repository: Repository, settings: Settings, now: float) -> None:
    """Write down that ECR made a repository by itself."""
    hosts = HostNames(Registry(settings.account, settings.region), settings.registry_host, settings.port)
    registry = repository.registry
    answer = {
        "repositoryArn": repository.arn,
        "registryId": registry.account,
        "repositoryName": repository.name,
        "repositoryUri": f"{hosts.host(registry)}/{repository.name}",
        "createdAt": repository.created_at,
    }
    request = Request("CreateRepository", {"repositoryName": repository.name})
    event = trail.api_call(trail.SERVICE, request, Outcome({"repository": answer}), registry, now)
    events.record(transaction, registry, event, now)
