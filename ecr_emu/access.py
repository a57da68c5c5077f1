"""The door: may the caller do this? Every request of both planes comes through `check`.

`open` asks nothing. `token` believes every access key, so nobody knows what its identity policies say: they
count as allowing, and what repository and registry policies say is done. `iam` knows everybody.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import orjson

from ecr_emu import errors
from ecr_emu.decisions import Record
from ecr_emu.domain import actions, timestamps
from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.evaluation import Decision, evaluate
from ecr_emu.domain.iam.policies import Policy
from ecr_emu.domain.iam.requests import Late, Principal, Request, Values
from ecr_emu.domain.principals import Credential
from ecr_emu.domain.registries import Registry
from ecr_emu.store import policies as rows
from ecr_emu.store import repositories
from ecr_emu.store.policies import Applying

if TYPE_CHECKING:
    from ecr_emu.context import Call

log = logging.getLogger(__name__)

Context = Mapping[str, Values]
NOTHING_MORE: Context = {}

# What a registry policy of scope V1 is about (reference, control plane 7.2).
_V1_ACTIONS = {"ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}


def check(call: "Call", action: str, registry: Registry, name: str, more: Context = NOTHING_MORE) -> None:
    """Let an action on a repository, or on all ("*"), pass, or raise AccessDeniedException.

    `more` are condition keys of this action. Whether the repository exists is not told.
    """
    if call.emulator.settings.auth == "open":
        return
    record = _decide(call, action, registry, name, more)
    call.emulator.decisions.append(record)
    if not record.decision.allowed:
        asked = record.request
        raise errors.access_denied(asked.principal.arn, action, asked.resource, record.decision.because)


def check_elsewhere(call: "Call", action: str, resource: str) -> None:
    """The same for an action on something of another service of AWS, which has no policies here.

    What the caller's own policies say is done; across accounts the other side counts as allowing.
    """
    if call.emulator.settings.auth == "open":
        return
    arguments = caller_policies(call)
    context = Late(lambda: _context(call))
    request = Request(call.principal, action, resource, call.principal.account, context)
    decision = evaluate(request, **arguments)
    call.emulator.decisions.append(Record(call.request_id, call.now, request, arguments, decision))
    if not decision.allowed:
        raise errors.access_denied(call.principal.arn, action, resource, decision.because)


def allows(call: "Call", action: str, registry: Registry, name: str) -> bool:
    """The same as an answer."""
    if call.emulator.settings.auth == "open":
        return True
    record = _decide(call, action, registry, name, NOTHING_MORE)
    call.emulator.decisions.append(record)
    return record.decision.allowed


def would_allow(call: "Call", action: str, registry: Registry, name: str, policy: str) -> bool:
    """Whether the caller could do this if the repository had this policy, in every mode."""
    return _decide(call, action, registry, name, NOTHING_MORE, policy).decision.allowed


def _decide(
    call: "Call", action: str, registry: Registry, name: str, more: Context, policy: str | None = None
) -> Record:
    """The decision; with a `policy`, as if it were the repository's."""
    known = _find_known(call, action, registry, name) if policy is None else None
    if known is None:
        with call.store.read() as connection:
            known = _look_up(connection, call, action, registry, name, policy)
    tags = _tags(call, registry, name) if known.asks_tags else NOTHING_MORE
    context = Late(lambda: {**_context(call), **tags, **more})
    request = Request(call.principal, action, known.asked, registry.account, context)
    decision = known.settled or evaluate(request, **known.policies)
    return Record(call.request_id, call.now, request, known.policies, decision)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database says of a caller who does something to a repository.

    `policies` are the arguments of `evaluate`. `settled` is its answer where no condition and no variable
    asks for more of the request than `asked`, the resource.
    """

    principal: Principal
    credential: Credential | None
    asked: str
    policies: Mapping[str, Any]
    asks_tags: bool
    settled: Decision | None


def _find_known(call: "Call", action: str, registry: Registry, name: str) -> _Known | None:
    """What was looked up since the last write, for just this caller.

    None for a request that began before that write: what it knows of itself is older.
    """
    known = call.store.recall(
        (call.principal.arn, action, name, registry.account, registry.region),
        lambda read: _look_up(read, call, action, registry, name),
    )
    is_same = known.credential is call.credential and known.principal == call.principal
    return known if is_same else None


def _look_up(
    connection: Connection,
    call: "Call",
    action: str,
    registry: Registry,
    name: str,
    policy: str | None = None,
) -> _Known:
    applying = rows.applying(connection, registry, name)
    if policy is not None:
        applying = replace(applying, of_repository=policy)
    asked = actions.resource(action, registry, name)
    resource = resource_policies(applying, action, registry, name)
    if asked == actions.ALL:
        # What is about no repository comes from identity policies only (reference, control plane 7.5).
        resource = [replace(one, allowances=()) for one in resource]
    arguments = {**caller_policies(call), "resource": resource}
    everything = _all_policies(call, resource)
    request = Request(call.principal, action, asked, registry.account, NOTHING_MORE)
    asks_context = any(one.asks_context(request) for policy in everything for one in policy.statements)
    settled = None if asks_context else evaluate(request, **arguments)
    asks_tags = asks_context and any(policy.asks_tags for policy in everything)
    return _Known(call.principal, call.credential, asked, arguments, asks_tags, settled)


def _context(call: "Call") -> Context:
    return {**call.client.context, **_of_time(call), **_of_identity(call)}


def caller_policies(call: "Call") -> dict[str, Any]:
    """The policies of the caller's side."""
    if call.credential is None:
        return {"identity": None}
    identity = call.credential.identity
    return {
        "identity": identity.policies,
        "boundary": identity.boundary,
        "session": call.credential.session_policies,
    }


def resource_policies(applying: Applying, action: str, registry: Registry, name: str) -> list[Policy]:
    """The policies of a repository and its registry, where they are about an action of ECR."""
    found: list[Policy] = []
    if applying.of_repository is not None:
        found += _read(applying.of_repository, f"repository policy of {name}")
    if applying.of_registry is not None and (applying.scope != "V1" or action in _V1_ACTIONS):
        found += _read(applying.of_registry, f"registry policy of {registry.account}")
    return found


@lru_cache(maxsize=1024)
def _read(text: str, name: str) -> tuple[Policy, ...]:
    """A stored policy. One that a version stored which checked less does nothing, and the log says so."""
    try:
        return (policies.parse(orjson.loads(text), policies.RESOURCE, name),)
    except ValueError as problem:
        log.warning("the %s is ignored: %s", name, problem)
        return ()


def _all_policies(call: "Call", resource: list[Policy]) -> list[Policy]:
    found = [*resource]
    if call.credential is not None:
        identity = call.credential.identity
        found += [*identity.policies, *call.credential.session_policies]
        found += [identity.boundary] if identity.boundary else []
    return found


def _tags(call: "Call", registry: Registry, name: str) -> Context:
    """The tags of the repository, under both names that they have."""
    with call.store.read() as connection:
        repository = repositories.find(connection, registry, name)
        tags = repositories.resource_tags(connection, repository) if repository else {}
    prefixes = ("aws:resourcetag/", "ecr:resourcetag/")
    found = tag_values(tags.items())
    return {prefix + key: values for key, values in found.items() for prefix in prefixes}


def tag_values(tags: Iterable[tuple[str, str]]) -> dict[str, Values]:
    """Values by key in lower case, which is how conditions name tags.

    A key that is there in two cases is left out: either value could be meant, so neither opens anything
    (inferred).
    """
    pairs = list(tags)
    times = Counter(key.lower() for key, _ in pairs)
    return {key.lower(): (value,) for key, value in pairs if times[key.lower()] == 1}


def request_tags(pairs: Iterable[tuple[str, str]]) -> Context:
    """The condition keys of tags in a request."""
    tags = list(pairs)
    values = {f"aws:requesttag/{key}": value for key, value in tag_values(tags).items()}
    return {**values, "aws:tagkeys": tuple(key for key, _ in tags)}


def _of_time(call: "Call") -> Context:
    return {"aws:currenttime": (timestamps.text(call.now),), "aws:epochtime": (str(int(call.now)),)}


def _of_identity(call: "Call") -> Context:
    """What is known of the caller: tags and organization. aws:RequestedRegion is where the call goes."""
    region: Context = {"aws:requestedregion": (call.registry.region,)}
    if call.credential is None:
        return region
    identity = call.credential.identity
    tags = {f"aws:principaltag/{key.lower()}": (value,) for key, value in identity.tags.items()}
    organization = {"aws:principalorgid": (identity.organization,)} if identity.organization else {}
    return {**region, **tags, **organization}
