"""For `ecr-emu why`: of every statement, whether it applied, and otherwise the first thing that did not fit.

Only for people who ask; `evaluation` is for requests.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ecr_emu.domain.iam.evaluation import Policies, layers_of
from ecr_emu.domain.iam.matching import Case, Grant
from ecr_emu.domain.iam.policies import Policy, Source, Statement
from ecr_emu.domain.iam.requests import Request, Values

_NOTES = {
    Grant.ACCOUNT: "names the account only: an identity-based policy has to allow as well",
    Grant.IDENTITY: "names the role or user of a session: its boundary and session policies count",
}


@dataclass(frozen=True, slots=True)
class Considered:
    """`missed` is "" for a statement that applied, else "principal", "action", "resource" or "condition …".

    `wanted` is what the statement says there, `actual` what the request says: () for a key that is absent.
    """

    statement: Source
    effect: str
    missed: str
    wanted: Values = ()
    actual: Values = ()
    note: str = ""

    @property
    def matched(self) -> bool:
        return not self.missed


def explain(
    request: Request,
    *,
    identity: Policies | None,
    boundary: Policy | None = None,
    session: Policies | None = None,
    service_control: Policies | None = None,
    resource: Policies = (),
) -> tuple[Considered, ...]:
    """The statements that `evaluate` looks at with the same arguments, in the order in which it does."""
    case = Case(request, request.action.lower(), boundary is not None)
    layers = layers_of(identity, boundary, session, service_control, resource)
    policies = (policy for layer in layers for policy in layer)
    return tuple(_consider(statement, case) for policy in policies for statement in policy.statements)


def _consider(statement: Statement, case: Case) -> Considered:
    effect = "Deny" if statement.denies else "Allow"
    grant = statement.grant(case)
    if grant:
        note = "" if statement.denies else _NOTES.get(grant, "")
        return Considered(statement.source, effect, "", note=note)
    (missed, wanted, actual), *_ = _misfits(statement, case)
    return Considered(statement.source, effect, missed, wanted, actual)


def _misfits(statement: Statement, case: Case) -> Iterator[tuple[str, Values, Values]]:
    request = case.request
    named = statement.principals
    if named and not named.admit(case, denies=statement.denies):
        yield _not("principal", named.negated), named.written, (request.principal.arn,)
    actions, resources = statement.actions, statement.resources
    if not actions.cover(case.action, request):
        yield _not("action", actions.negated), actions.written, (request.action,)
    if not resources.cover(request.resource, request):
        yield _not("resource", resources.negated), resources.written, (request.resource,)
    for condition in statement.conditions:
        if not condition.holds(request):
            actual = request.values_of(condition.looked_up)
            yield f"condition {condition.operator} {condition.key}", condition.wanted, actual


def _not(what: str, negated: bool) -> str:
    return f"Not{what.title()}" if negated else what
