"""May the caller do this? What IAM and STS ask in `--auth iam`; in the other modes nobody is refused."""

from collections.abc import Mapping
from typing import Any

from ecr_emu import access, errors
from ecr_emu.context import Call
from ecr_emu.decisions import Record
from ecr_emu.domain import timestamps
from ecr_emu.domain.iam.evaluation import Decision, evaluate
from ecr_emu.domain.iam.policies import Policy
from ecr_emu.domain.iam.requests import Principal, Request, Values
from ecr_emu.domain.principals import Identity

Context = Mapping[str, Values]
Policies = tuple[Policy, ...]

# The account of a role whose trust is asked alone: nobody's.
ELSEWHERE = ""


def check(call: Call, action: str, resource: str, more: Context) -> None:
    """Let an action on something of the caller's own account pass, or raise AccessDenied."""
    if call.credential is None:
        return
    request = Request(call.principal, action, resource, call.principal.account, _context(call, more))
    decision = _decide(call, request, access.caller_policies(call))
    if not decision.allowed:
        raise errors.iam_denied(call.principal.arn, action, resource, decision.because)


def check_trust(call: Call, action: str, role: str, account: str, trust: Policies, more: Context) -> None:
    """Let the caller become a role of an account, or raise AccessDenied. A role without trust lets nobody in.

    IAM user guide, Policy evaluation logic: like any resource policy, but that it always has to allow, in
    the same account too. So it is asked alone first, as if the role were elsewhere.
    """
    context = {**_context(call, more), "aws:resourceaccount": (account,)}
    alone = Request(call.principal, action, role, ELSEWHERE, context)
    decision = evaluate(alone, identity=None, resource=trust)
    if not decision.allowed:
        _record(call, alone, {"identity": (), "resource": trust}, decision)
    because = decision.because.replace("because no resource-based policy", "because no role trust policy")
    because = because.replace("in a resource-based policy", "in the role trust policy")
    if decision.allowed:
        request = Request(call.principal, action, role, account, context)
        decision = _decide(call, request, {**access.caller_policies(call), "resource": trust})
        because = decision.because
    if not decision.allowed:
        raise errors.iam_denied(call.principal.arn, action, role, because)


def trusts_provider(
    call: Call, action: str, role: str, provider: Principal, trust: Policies, more: Context
) -> bool:
    """Whether a role lets in whom an identity provider vouches for; the provider is a `service` here."""
    request = Request(provider, action, role, provider.account, _context(call, more))
    decision = evaluate(request, identity=None, resource=trust)
    # A provider has no identity policies: that nobody knows them would be wrong to tell.
    _record(call, request, {"identity": (), "resource": trust}, decision)
    return decision.allowed


def _decide(call: Call, request: Request, policies: Mapping[str, Any]) -> Decision:
    decision = evaluate(request, **policies)
    _record(call, request, policies, decision)
    return decision


def _record(call: Call, request: Request, policies: Mapping[str, Any], decision: Decision) -> None:
    call.emulator.decisions.append(Record(call.request_id, call.now, request, policies, decision))


def _context(call: Call, more: Context) -> Context:
    """Condition keys (IAM user guide, Global condition context keys)."""
    found = {
        **call.client.context,
        "aws:currenttime": (timestamps.text(call.now),),
        "aws:epochtime": (str(int(call.now)),),
        "aws:requestedregion": (call.registry.region,),
    }
    if call.credential is not None:
        found.update(_of_identity(call.credential.identity))
    return {**found, **more}


def _of_identity(identity: Identity) -> dict[str, Values]:
    tags = {f"aws:principaltag/{key.lower()}": (value,) for key, value in identity.tags.items()}
    organization = {"aws:principalorgid": (identity.organization,)} if identity.organization else {}
    return {**tags, **organization}
