"""The decision over all policies, as tables."""

from typing import Any

import pytest

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.evaluation import Decision, evaluate
from ecr_emu.domain.iam.policies import Policy, Source
from ecr_emu.domain.iam.requests import Principal, Request
from tests.domain.iam.samples import (
    ALLOW,
    ANYONE,
    BOB,
    CODEBUILD,
    DENY,
    FEDERATED,
    OTHER,
    OWNER,
    PULL,
    ROOT,
    SESSION,
    SILENT,
    STRANGE_ROOT,
    STRANGE_SESSION,
    STRANGER,
    policy,
    request,
    resource_policy,
    statement,
)

BECAUSE = {
    "ok": "",
    "no identity": f"because no identity-based policy allows the {PULL} action",
    "no resource": f"because no resource-based policy allows the {PULL} action",
    "no boundary": f"because no permissions boundary allows the {PULL} action",
    "no session": f"because no session policy allows the {PULL} action",
    "no scp": f"because no service control policy allows the {PULL} action",
    "no endpoint": f"because no VPC endpoint policy allows the {PULL} action",
    "identity denies": "with an explicit deny in an identity-based policy",
    "resource denies": "with an explicit deny in a resource-based policy",
    "boundary denies": "with an explicit deny in a permissions boundary",
    "session denies": "with an explicit deny in a session policy",
    "scp denies": "with an explicit deny in a service control policy",
    "endpoint denies": "with an explicit deny in a VPC endpoint policy",
}

# Identity policy, repository policy, registry policy (scope V2): A allows, - says nothing, D denies; then the
# answer in the same account and across accounts. Reference 7.5, steps 1 to 3; that a registry policy grants
# across accounts by itself, and which of two reasons is named, is inferred.
TABLE = """
    A A A   ok               ok
    A A -   ok               ok
    A A D   resource denies  resource denies
    A - A   ok               ok
    A - -   ok               no resource
    A - D   resource denies  resource denies
    A D A   resource denies  resource denies
    A D -   resource denies  resource denies
    A D D   resource denies  resource denies
    - A A   ok               no identity
    - A -   ok               no identity
    - A D   resource denies  resource denies
    - - A   ok               no identity
    - - -   no identity      no identity
    - - D   resource denies  resource denies
    - D A   resource denies  resource denies
    - D -   resource denies  resource denies
    - D D   resource denies  resource denies
    D A A   identity denies  identity denies
    D A -   identity denies  identity denies
    D A D   resource denies  resource denies
    D - A   identity denies  identity denies
    D - -   identity denies  identity denies
    D - D   resource denies  resource denies
    D D A   resource denies  resource denies
    D D -   resource denies  resource denies
    D D D   resource denies  resource denies
"""
ROWS = [(line.split()[:3], line[12:29].strip(), line[29:].strip()) for line in TABLE.strip("\n").splitlines()]


def on_resource(answer: str, principal: Principal) -> Policy:
    if answer == "-":
        return resource_policy(Action="s3:*")
    return resource_policy("Allow" if answer == "A" else "Deny", {"AWS": principal.arn})


@pytest.mark.parametrize(("answers", "same", "cross"), ROWS)
def test_identity_repository_and_registry_policy_decide_together(
    answers: list[str], same: str, cross: str
) -> None:
    identity = {"A": ALLOW, "-": SILENT, "D": DENY}[answers[0]]
    for principal, expected in ((BOB, same), (STRANGER, cross)):
        resource = [on_resource(answer, principal) for answer in answers[1:]]
        decision = evaluate(request(principal), identity=[identity], resource=resource)
        assert decision.because == BECAUSE[expected]
        assert decision.allowed is (expected == "ok")


@pytest.mark.parametrize(("answers", "same", "cross"), [row for row in ROWS if row[0][0] == "A"])
def test_unknown_identity_policies_count_as_allowing(answers: list[str], same: str, cross: str) -> None:
    for principal, expected in ((BOB, same), (STRANGER, cross)):
        resource = [on_resource(answer, principal) for answer in answers[1:]]
        assert evaluate(request(principal), identity=None, resource=resource).because == BECAUSE[expected]


def evaluated(principal: Principal, grant: Any = None, **layers: Any) -> str:
    resource = [] if grant is None else [resource_policy("Allow", grant)]
    layers = {"identity": []} | layers
    because = evaluate(request(principal), resource=resource, **layers).because
    return next(name for name, clause in BECAUSE.items() if clause == because)


def kind(name: str, *entries: dict[str, Any]) -> Policy:
    return policy(*entries, kind=name)


QUIET = statement(Action="s3:*")
BOUND = kind(policies.BOUNDARY, QUIET)
WIDE_BOUND = kind(policies.BOUNDARY, statement())
NARROW, WIDE = [kind(policies.SESSION, QUIET)], [kind(policies.SESSION, statement())]
ACCOUNT = {"AWS": OWNER}

# IAM user guide, Policy evaluation logic, Resource-based policies and implicit denies in other policy types.
SAME_ACCOUNT: list[tuple[Principal, Any, dict[str, Any], str]] = [
    # A grant to the user itself, or to everyone, needs nothing else.
    (BOB, {"AWS": BOB.arn}, {}, "ok"),
    (BOB, {"AWS": BOB.arn}, {"boundary": BOUND}, "ok"),
    (BOB, "*", {"boundary": BOUND}, "ok"),
    # To its account: a delegation.
    (BOB, ACCOUNT, {}, "no identity"),
    (BOB, ACCOUNT, {"identity": [ALLOW]}, "ok"),
    (BOB, ACCOUNT, {"identity": [ALLOW], "boundary": BOUND}, "no boundary"),
    (BOB, None, {"identity": [ALLOW], "boundary": BOUND}, "no boundary"),
    (BOB, None, {"identity": [ALLOW], "boundary": WIDE_BOUND}, "ok"),
    (BOB, None, {"boundary": WIDE_BOUND}, "no identity"),
    # To a session itself: nothing else; to its role: boundary and session policies still count.
    (SESSION, {"AWS": SESSION.arn}, {"boundary": BOUND, "session": NARROW}, "ok"),
    (SESSION, "*", {"boundary": BOUND, "session": NARROW}, "ok"),
    (SESSION, {"AWS": SESSION.role_arn}, {}, "ok"),
    (SESSION, {"AWS": SESSION.role_arn}, {"boundary": BOUND}, "no boundary"),
    (SESSION, {"AWS": SESSION.role_arn}, {"session": NARROW}, "no session"),
    (SESSION, {"AWS": SESSION.role_arn}, {"boundary": WIDE_BOUND, "session": WIDE}, "ok"),
    (SESSION, ACCOUNT, {"session": WIDE}, "no identity"),
    (SESSION, None, {"identity": [ALLOW]}, "ok"),
    (SESSION, None, {"identity": [ALLOW], "session": NARROW}, "no session"),
    (SESSION, None, {"identity": [ALLOW], "session": [*NARROW, *WIDE]}, "ok"),
    (SESSION, None, {"identity": [ALLOW], "boundary": BOUND, "session": NARROW}, "no boundary"),
    (SESSION, None, {"identity": None, "session": NARROW}, "no session"),
    # A federated user has nothing without a session policy.
    (FEDERATED, {"AWS": FEDERATED.arn}, {}, "ok"),
    (FEDERATED, {"AWS": FEDERATED.user_arn}, {}, "no session"),
    (FEDERATED, {"AWS": FEDERATED.user_arn}, {"session": WIDE}, "ok"),
    (FEDERATED, None, {"identity": [ALLOW]}, "no session"),
    (FEDERATED, None, {"identity": [ALLOW], "session": WIDE}, "ok"),
    (FEDERATED, None, {"identity": None}, "ok"),
    # The root user may do everything that is not denied.
    (ROOT, None, {}, "ok"),
    # Services and strangers without a name have resource policies only.
    (CODEBUILD, None, {"identity": None}, "no resource"),
    (CODEBUILD, {"Service": "codebuild.amazonaws.com"}, {}, "ok"),
    (ANYONE, ACCOUNT, {"identity": None}, "no resource"),
    (ANYONE, "*", {}, "ok"),
]


@pytest.mark.parametrize(("principal", "grant", "layers", "expected"), SAME_ACCOUNT)
def test_in_the_same_account(principal: Principal, grant: Any, layers: dict[str, Any], expected: str) -> None:
    assert evaluated(principal, grant, **layers) == expected


# IAM user guide, Cross-account policy evaluation logic: two evaluations, and both have to allow.
ACROSS: list[tuple[Principal, Any, dict[str, Any], str]] = [
    (STRANGER, {"AWS": OTHER}, {"identity": [ALLOW]}, "ok"),
    (STRANGER, {"AWS": OTHER}, {}, "no identity"),
    (STRANGER, "*", {}, "no identity"),
    (STRANGER, "*", {"identity": [ALLOW]}, "ok"),
    (STRANGER, ACCOUNT, {"identity": [ALLOW]}, "no resource"),
    (STRANGER, {"AWS": STRANGER.arn}, {"identity": [ALLOW], "boundary": BOUND}, "no boundary"),
    (STRANGE_SESSION, {"AWS": STRANGE_SESSION.arn}, {"identity": [ALLOW], "session": NARROW}, "no session"),
    (STRANGE_SESSION, {"AWS": f"arn:aws:iam::{OTHER}:role/pull"}, {"identity": [ALLOW]}, "ok"),
    (STRANGE_ROOT, None, {}, "no resource"),
    (STRANGE_ROOT, {"AWS": OTHER}, {}, "ok"),
]


@pytest.mark.parametrize(("principal", "grant", "layers", "expected"), ACROSS)
def test_across_accounts(principal: Principal, grant: Any, layers: dict[str, Any], expected: str) -> None:
    assert evaluated(principal, grant, **layers) == expected


def test_an_explicit_deny_anywhere_denies_and_names_its_kind() -> None:
    deny = statement("Deny")
    for name, layers in {
        "boundary denies": {"boundary": kind(policies.BOUNDARY, statement(), deny)},
        "session denies": {"session": [kind(policies.SESSION, statement(), deny)]},
        "scp denies": {"service_control": [kind(policies.SERVICE_CONTROL, statement(), deny)]},
        "endpoint denies": {"service_control": [kind(policies.ENDPOINT, deny | {"Principal": "*"})]},
        "identity denies": {"identity": [ALLOW, DENY]},
    }.items():
        for principal in (BOB, SESSION, ROOT):
            assert evaluated(principal, "*", **{"identity": [ALLOW]} | layers) == name


def test_filters_have_to_allow_kind_by_kind() -> None:
    """IAM user guide, Policy evaluation logic: an SCP gives nothing, but has to allow; also to the root."""
    full, quiet = kind(policies.SERVICE_CONTROL, statement()), kind(policies.SERVICE_CONTROL, QUIET)
    network = kind(policies.ENDPOINT, QUIET | {"Principal": "*"})
    for principal in (BOB, ROOT):
        assert evaluated(principal, "*", identity=[ALLOW], service_control=[quiet]) == "no scp"
        assert evaluated(principal, "*", identity=[ALLOW], service_control=[quiet, full]) == "ok"
        assert evaluated(principal, "*", identity=[ALLOW], service_control=[full, network]) == "no endpoint"
    assert evaluated(BOB, None, service_control=[full]) == "no identity"


def test_when_several_kinds_deny_one_is_named() -> None:
    """The order is inferred: service control, resource, identity, boundary, session."""
    deny = statement("Deny")
    layers: dict[str, Any] = {
        "service_control": [kind(policies.SERVICE_CONTROL, deny)],
        "resource": [resource_policy("Deny")],
        "identity": [DENY],
        "boundary": kind(policies.BOUNDARY, deny),
        "session": [kind(policies.SESSION, deny)],
    }
    named = []
    for layer in list(layers):
        named.append(evaluate(request(SESSION), **{"identity": []} | layers).because)
        del layers[layer]
    order = ("scp", "resource", "identity", "boundary", "session")
    assert named == [BECAUSE[f"{name} denies"] for name in order]


def test_the_deciding_statement_is_named() -> None:
    delegation = resource_policy("Allow", ACCOUNT, Sid="Ours")
    grant = resource_policy("Allow", {"AWS": [BOB.arn, OTHER]}, Sid="Bob")
    role = resource_policy("Allow", {"AWS": SESSION.role_arn}, Sid="Role")
    named = policy(QUIET, statement(Sid="Mine"))

    def decided(principal: Principal, identity: Any, *resource: Policy) -> tuple[str, int, str] | None:
        source = evaluate(request(principal), identity=identity, resource=resource).statement
        return source and (source.kind, source.index, source.sid)

    mine, bob = (policies.IDENTITY, 1, "Mine"), (policies.RESOURCE, 0, "Bob")
    assert decided(BOB, [named]) == mine
    assert decided(BOB, [named], delegation) == mine
    assert decided(BOB, [named], delegation, grant) == bob
    assert decided(SESSION, [], delegation, role) == (policies.RESOURCE, 0, "Role")
    assert decided(SESSION, [named], role) == mine
    assert decided(STRANGER, [named], grant) == bob
    assert decided(STRANGER, [named], delegation) is None
    assert decided(BOB, None, delegation) is None
    assert decided(ROOT, []) is None


def test_a_denial_tells_the_statement_and_the_action_as_it_was_asked() -> None:
    refused = evaluate(request(action="ecr:PutImage"), identity=[policy(QUIET, statement("Deny", Sid="No"))])
    source = Source(policies.IDENTITY, policies.IDENTITY, 1, "No")
    assert refused == Decision(False, "with an explicit deny in an identity-based policy", source)
    quiet = evaluate(request(action="ecr:putimage"), identity=[])
    assert quiet == Decision(False, "because no identity-based policy allows the ecr:putimage action", None)


def test_an_action_on_nothing_has_only_identity_policies() -> None:
    """Reference 7.5, step 4: GetAuthorizationToken."""
    asked = Request(BOB, "ecr:GetAuthorizationToken", "*", OWNER, {})
    narrow = policy(statement(Resource="arn:aws:ecr:*:*:repository/*"))
    assert not evaluate(asked, identity=[narrow]).allowed
    assert evaluate(asked, identity=[ALLOW]).allowed
