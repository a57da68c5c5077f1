"""Roles that ECR takes on to do something for a customer: those of templates and of cache rules."""

from dataclasses import replace

from ecr_emu import access
from ecr_emu.context import Call
from ecr_emu.domain import principals
from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.evaluation import evaluate
from ecr_emu.domain.iam.requests import Principal, Request
from ecr_emu.domain.principals import NONE, ROLE, Credential, Entry, Key, read_policies
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.templates import Template
from ecr_emu.store import principals as rows

SESSION = "ecr"
# Who asks for the role: templates name the first, cache rules the second (ECR user guide).
SERVICES = ("ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com")


def take_on(call: Call, arn: str) -> Call | None:
    """The call as a session of the role; None when there is no such role, or it does not trust ECR.

    Without --auth iam nobody knows roles: identity policies count as allowing.
    """
    meant = principals.parse_arn(arn)
    if meant is None or meant[0].kind != ROLE:
        return None
    name = meant[0]
    session = Principal(principals.session_arn(name, SESSION), name.account, "assumed-role", arn)
    if call.emulator.settings.auth != "iam":
        return replace(call, principal=session, credential=None)
    with call.store.read() as connection:
        entry = rows.find_entry(connection, name)
        identity = rows.identity(connection, arn)
    if entry is None or identity is None or not _trusts(entry):
        return None
    credential: Credential = principals.credential(Key("", "", SESSION), entry, identity)
    return replace(call, principal=credential.principal, credential=credential)


def as_service(call: Call, arn: str) -> Call:
    """The call as a service-linked role, which may do in its own account what the service does."""
    account = arn.split(":")[4]
    name = arn.rpartition("/")[2]
    session = principals.session_arn(principals.Name(ROLE, account, name), SESSION)
    return replace(call, principal=Principal(session, account, "assumed-role", arn), credential=None)


def check_template(call: Call, template: Template, registry: Registry, name: str) -> None:
    """AccessDeniedException when the role of a template may not make the repository, with --auth iam."""
    if template.role_arn is None or call.emulator.settings.auth != "iam":
        return
    as_role = take_on(call, template.role_arn)
    if as_role is None:
        # A role that is not there can do nothing: it is named as the one who is refused.
        stranger = Principal(template.role_arn, registry.account, "assumed-role", template.role_arn)
        as_role = replace(call, principal=stranger, credential=_powerless(stranger))
    as_role.authorize("ecr:CreateRepository", registry, name)
    if template.resource_tags:
        tags = access.tag_values(template.resource_tags)
        more = {f"aws:requesttag/{key}": values for key, values in tags.items()}
        as_role.authorize("ecr:TagResource", registry, name, more)


def _trusts(role: Entry) -> bool:
    trust = read_policies(role.trust or NONE, policies.RESOURCE)
    asked = (
        Request(Principal(service, "", "service"), "sts:AssumeRole", role.arn, role.name.account, {})
        for service in SERVICES
    )
    return any(evaluate(request, identity=None, resource=list(trust)).allowed for request in asked)


def _powerless(principal: Principal) -> Credential:
    identity = principals.Identity((), None, {}, None, "")
    return Credential("", "", None, None, principal, identity, ())
