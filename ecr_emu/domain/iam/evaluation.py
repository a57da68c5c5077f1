"""The decision over all policies.

IAM user guide, Policy evaluation logic and Cross-account policy evaluation logic. One explicit Deny
anywhere denies. Otherwise the principal's own account has to allow: its identity policies, within the
permissions boundary and the session policies. In the same account a resource policy can do that instead:
- one that names the user, the session or everyone needs nothing else;
- one that names the session's role still needs the boundary and the session policies;
- one that names the account only delegates to it.
Across accounts both sides have to allow.

AWS names one reason only; which one, when there are several, is not documented. For explicit denials we take
the order in which the guide lists the policies, for missing permissions the order of its flow chart, with the
principal's account before the resource's (inferred).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecr_emu.domain.iam.matching import Case, Grant
from ecr_emu.domain.iam.policies import BOUNDARY, IDENTITY, RESOURCE, SESSION, Policy, Source, Statement
from ecr_emu.domain.iam.requests import Request

Policies = Sequence[Policy]


@dataclass(frozen=True, slots=True)
class Decision:
    """`because` is AWS's clause, "" when allowed. `statement` is the one that decided, if one did."""

    allowed: bool
    because: str = ""
    statement: Source | None = None


def evaluate(
    request: Request,
    *,
    identity: Policies | None,
    boundary: Policy | None = None,
    session: Policies | None = None,
    service_control: Policies | None = None,
    resource: Policies = (),
) -> Decision:
    """Decide about a request.

    `identity` None: nobody knows the identity policies, and they count as allowing.
    `session`, `service_control`: None or empty for none. The latter takes VPC endpoint policies too; of each
    kind that is there, one policy has to allow.
    `resource`: the policies of the repository and of its registry.
    """
    case = Case(request, request.action.lower(), boundary is not None)
    layers = layers_of(identity, boundary, session, service_control, resource)
    denial = _explicit_denial(case, layers)
    if denial is not None:
        return denial
    missing = _silent_filter(case, service_control) if service_control else ""
    if missing:
        return _silent(missing, request)
    grant, given = _strongest(case, resource)
    is_own = request.principal.account == request.resource_account
    if request.principal.kind in ("service", "anonymous") or (is_own and grant is Grant.DIRECT):
        return Decision(True, "", given) if grant else _silent(RESOURCE, request)
    granted = is_own and grant is Grant.IDENTITY
    missing, allowing = _own_account(case, layers, identity is None, granted)
    if missing:
        return _silent(missing, request)
    if is_own:
        return Decision(True, "", allowing or (given if granted else None))
    return Decision(True, "", given) if grant else _silent(RESOURCE, request)


def layers_of(
    identity: Policies | None,
    boundary: Policy | None,
    session: Policies | None,
    service_control: Policies | None,
    resource: Policies,
) -> tuple[Policies, ...]:
    """All policies, by layer, in the order in which an explicit Deny is looked for."""
    return (service_control or (), resource, identity or (), (boundary,) if boundary else (), session or ())


def _explicit_denial(case: Case, layers: Iterable[Policies]) -> Decision | None:
    for policies in layers:
        for policy in policies:
            for statement in policy.denials:
                if statement.grant(case):
                    return Decision(False, f"with an explicit deny in {_a(policy.kind)}", statement.source)
    return None


def _silent_filter(case: Case, filters: Policies) -> str:
    """The first kind of policy of which none allows, or ""."""
    for kind in dict.fromkeys(policy.kind for policy in filters):
        if not _first_allowance(case, (policy for policy in filters if policy.kind == kind)):
            return kind
    return ""


def _own_account(
    case: Case, layers: tuple[Policies, ...], unknown: bool, granted: bool
) -> tuple[str, Source | None]:
    """The kind of policy that is missing in the principal's account or "", and the statement that allows."""
    principal = case.request.principal
    if principal.kind == "root":
        return "", None
    *_, identity, boundary, session = layers
    allowing = _first_allowance(case, identity)
    if not (allowing or unknown or granted):
        return IDENTITY, None
    if boundary and not _first_allowance(case, boundary):
        return BOUNDARY, None
    # A federated user has no more than the session policies that came with the token.
    is_limited = bool(session) or (principal.kind == "federated-user" and not unknown)
    if is_limited and not _first_allowance(case, session):
        return SESSION, None
    return "", allowing.source if allowing else None


def _first_allowance(case: Case, policies: Iterable[Policy]) -> Statement | None:
    for policy in policies:
        for statement in policy.allowances:
            if statement.grant(case):
                return statement
    return None


def _strongest(case: Case, policies: Policies) -> tuple[Grant, Source | None]:
    best, source = Grant.NONE, None
    for policy in policies:
        for statement in policy.allowances:
            grant = statement.grant(case)
            if grant > best:
                best, source = grant, statement.source
    return best, source


def _silent(kind: str, request: Request) -> Decision:
    return Decision(False, f"because no {kind} allows the {request.action} action")


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
