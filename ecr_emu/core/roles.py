"""Roles of customers that ECR takes on: the customRoleArn of a template, or of a pull through cache rule.

With `--auth iam` a role must be there, trust ECR, and be allowed what it is taken on for. In the other modes
nobody knows roles, and every one is believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from sqlite3 import Connection

from ecr_emu import access, errors
from ecr_emu.context import Call
from ecr_emu.domain import timestamps
from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.evaluation import evaluate
from ecr_emu.domain.iam.requests import Principal, Request
from ecr_emu.domain.principals import (
    NONE,
    ROLE,
    Entry,
    Identity,
    Key,
    Name,
    credential,
    parse_arn,
    read_policies,
    session_arn,
)
from ecr_emu.domain.registries import Registry
from ecr_emu.settings import Settings
from ecr_emu.store import policies as rows
from ecr_emu.store import principals

# Who asks for the role: templates name the first, cache rules either (ECR user guide).
SERVICE = Principal("ecr.amazonaws.com", "", "service")
CACHE = Principal("pullthroughcache.ecr.amazonaws.com", "", "service")
OF_CACHE_RULES = (SERVICE, CACHE)
# How ECR calls its session (unverified).
SESSION = "ecr"


@dataclass(frozen=True, slots=True)
class Use:
    """What a role is taken on for: a repository of a registry, which need not be there, and when."""

    registry: Registry
    repository: str
    now: float

    @property
    def context(self) -> access.Context:
        """Condition keys; which source ECR names is unverified."""
        return {
            "aws:currenttime": (timestamps.text(self.now),),
            "aws:epochtime": (str(int(self.now)),),
            "aws:requestedregion": (self.registry.region,),
            "aws:sourceaccount": (self.registry.account,),
            "aws:sourcearn": (self.registry.repository_arn(self.repository),),
        }


def require(
    connection: Connection,
    settings: Settings,
    arn: str,
    use: Use,
    wanted: Sequence[tuple[str, str]],
    more: access.Context = access.NOTHING_MORE,
) -> None:
    """Let ECR do what is wanted, pairs of action and resource, as a role; or raise AccessDeniedException.

    `more` are condition keys of the actions. The role must be one of the registry's account, and trust ECR.
    """
    if settings.auth != "iam":
        return
    identity = _assume(connection, arn, use)
    meant = parse_arn(arn)
    if identity is None or meant is None:
        raise errors.role_not_assumable(arn)
    session = session_arn(meant[0], SESSION)
    asking = Principal(session, use.registry.account, "assumed-role", arn, unique_id=identity.unique_id)
    applying = rows.applying(connection, use.registry, use.repository)
    tags = {f"aws:principaltag/{key.lower()}": (value,) for key, value in identity.tags.items()}
    for action, resource in wanted:
        request = Request(asking, action, resource, use.registry.account, {**use.context, **tags, **more})
        decision = evaluate(
            request,
            identity=identity.policies,
            boundary=identity.boundary,
            resource=_resource_policies(applying, action, use),
        )
        if not decision.allowed:
            raise errors.access_denied(session, action, resource, decision.because)


def take_on(call: Call, arn: str) -> Call | None:
    """The call as a session of a cache rule's role; None when it is not there, or does not trust ECR.

    Without --auth iam nobody knows roles: identity policies count as allowing.
    """
    meant = parse_arn(arn)
    if meant is None or meant[0].kind != ROLE:
        return None
    name = meant[0]
    session = Principal(session_arn(name, SESSION), name.account, "assumed-role", arn)
    if call.emulator.settings.auth != "iam":
        return replace(call, principal=session, credential=None)
    with call.store.read() as connection:
        entry = principals.find_entry(connection, name)
        identity = principals.identity(connection, arn)
    if entry is None or identity is None:
        return None
    if not any(_trusts(entry, service, access.NOTHING_MORE) for service in OF_CACHE_RULES):
        return None
    known = credential(Key("", "", SESSION), entry, identity)
    return replace(call, principal=known.principal, credential=known)


def as_service(call: Call, arn: str) -> Call:
    """The call as a service-linked role, which may do in its own account what the service does."""
    account = arn.split(":")[4]
    session = session_arn(Name(ROLE, account, arn.rpartition("/")[2]), SESSION)
    return replace(call, principal=Principal(session, account, "assumed-role", arn), credential=None)


def _resource_policies(applying: rows.Applying, action: str, use: Use) -> list[policies.Policy]:
    """Those of repository and registry, which are about ECR only."""
    if not action.startswith("ecr:"):
        return []
    return access.resource_policies(applying, action, use.registry, use.repository)


def _assume(connection: Connection, arn: str, use: Use) -> Identity | None:
    """What goes with a role that ECR may take on; None when it is not there or does not trust ECR."""
    meant = parse_arn(arn)
    if meant is None or meant[1] is not None or meant[0].kind != ROLE:
        return None
    name = meant[0]
    entry = principals.find_entry(connection, name)
    if entry is None or entry.arn != arn or name.account != use.registry.account:
        return None
    if not _trusts(entry, SERVICE, use.context):
        return None
    return principals.identity(connection, arn)


def _trusts(role: Entry, service: Principal, context: access.Context) -> bool:
    trust = read_policies(role.trust or NONE, policies.RESOURCE)
    request = Request(service, "sts:AssumeRole", role.arn, role.name.account, context)
    return evaluate(request, identity=None, resource=trust).allowed
