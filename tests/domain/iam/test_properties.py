"""What holds for all policies: Deny wins, Allow never takes away, order says nothing."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.evaluation import evaluate
from ecr_emu.domain.iam.explanation import explain
from ecr_emu.domain.iam.operators import OPERATORS
from ecr_emu.domain.iam.policies import Policy
from ecr_emu.domain.iam.requests import Request
from tests.domain.iam.samples import (
    ANYONE,
    BOB,
    CODEBUILD,
    FEDERATED,
    OTHER,
    OWNER,
    REPOSITORY,
    ROOT,
    SESSION,
    STRANGE_ROOT,
    STRANGE_SESSION,
    STRANGER,
    resource_policy,
    statement,
)

PRINCIPALS = [BOB, ROOT, SESSION, FEDERATED, STRANGER, STRANGE_ROOT, STRANGE_SESSION, CODEBUILD, ANYONE]
ACTIONS = ["ecr:BatchGetImage", "ecr:PutImage", "ecr:GetAuthorizationToken"]
RESOURCES = [REPOSITORY, f"arn:aws:ecr:us-east-1:{OWNER}:repository/*", "*"]
KEYS = [
    "aws:SourceIp",
    "aws:PrincipalArn",
    "aws:TagKeys",
    "aws:ResourceTag/team",
    "aws:CurrentTime",
    "aws:username",
]
VALUES = ["203.0.113.7", "10", "true", "", "*", "2026-05-01", "aGk=", REPOSITORY, "red"]
# What each operator can read; text goes into all the others.
READABLE = {
    "numeric": ["10", "-1.5"],
    "date": ["2026-05-01", "0"],
    "binary": ["aGk="],
    "ip": ["203.0.113.0/24", "2001:db8::/32"],
    "notip": ["0.0.0.0/0"],
}
TEXTS = st.sampled_from([*VALUES, "${aws:username}", "${aws:ResourceTag/team, 'red'}-?", "arn:aws:*:*:*:r*"])


def one_or_many(values: list[str]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from([*OPERATORS, "null"]))
    key = draw(st.sampled_from(KEYS))
    if name == "null":
        return {"Null": {key: draw(st.sampled_from(["true", "false"]))}}
    readable = next((values for prefix, values in READABLE.items() if name.startswith(prefix)), None)
    values = st.lists(st.sampled_from(readable) if readable else TEXTS, max_size=3)
    quantifier = draw(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]))
    return {f"{quantifier}{name}{draw(st.sampled_from(['', 'IfExists']))}": {key: draw(values)}}


NAMES = one_or_many([*(each.arn for each in PRINCIPALS if each.account), OWNER, OTHER, SESSION.role_arn, "*"])
NAMED = st.just("*") | NAMES.map(lambda names: {"AWS": names}) | st.just({"Service": CODEBUILD.arn})
SCOPES = one_or_many(
    ["*", REPOSITORY, "arn:aws:ecr:*:*:repository/team/*", "arn:aws:ecr:*:*:repository/${aws:username}*"]
)


@st.composite
def statements(draw: st.DrawFn, principals: bool = False, effects: str = "Allow Deny") -> dict[str, Any]:
    written: dict[str, Any] = {"Effect": draw(st.sampled_from(effects.split()))}
    negated = st.sampled_from(["", "", "", "Not"])
    written[f"{draw(negated)}Action"] = draw(one_or_many([*ACTIONS, "ecr:*", "*", "ecr:?ut*"]))
    written[f"{draw(negated)}Resource"] = draw(SCOPES)
    if principals:
        written[f"{draw(negated)}Principal"] = draw(NAMED)
    if draw(st.booleans()):
        written["Condition"] = draw(conditions())
    return written


def documents(kind: str, effects: str = "Allow Deny") -> st.SearchStrategy[Policy]:
    principals = kind in (policies.RESOURCE, policies.ENDPOINT)
    entries = st.lists(statements(principals, effects), min_size=1, max_size=3)
    versions = st.sampled_from(["2012-10-17", "2008-10-17"])
    return st.builds(
        lambda entries, version: policies.parse({"Version": version, "Statement": entries}, kind, "p"),
        entries,
        versions,
    )


def lists(*kinds: str) -> st.SearchStrategy[list[Policy]]:
    return st.lists(st.one_of([documents(kind) for kind in kinds]), max_size=3)


REQUESTS = st.builds(
    Request,
    st.sampled_from(PRINCIPALS),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.just(OWNER),
    st.dictionaries(
        st.sampled_from([key.lower() for key in KEYS]),
        st.lists(st.sampled_from(VALUES), max_size=2).map(tuple),
        max_size=3,
    ),
)
LAYERS = st.fixed_dictionaries(
    {
        "identity": st.none() | lists(policies.IDENTITY),
        "boundary": st.none() | documents(policies.BOUNDARY),
        "session": st.none() | lists(policies.SESSION),
        "service_control": st.none() | lists(policies.SERVICE_CONTROL, policies.ENDPOINT),
        "resource": lists(policies.RESOURCE),
    }
)
LISTS = ["identity", "session", "service_control", "resource"]
KIND = {
    "identity": policies.IDENTITY,
    "session": policies.SESSION,
    "service_control": policies.SERVICE_CONTROL,
    "resource": policies.RESOURCE,
}


@given(REQUESTS, LAYERS)
@settings(max_examples=300)
def test_every_request_gets_a_decision_that_the_explanation_bears_out(
    request: Request, layers: dict[str, Any]
) -> None:
    decision = evaluate(request, **layers)
    told = explain(request, **layers)
    assert decision.allowed is (decision.because == "")
    denied = [each.statement for each in told if each.matched and each.effect == "Deny"]
    assert bool(denied) is decision.because.startswith("with an explicit deny in a")
    if denied:
        assert decision.statement == denied[0]
    elif decision.statement:
        assert decision.statement in [each.statement for each in told if each.matched]


@given(REQUESTS, LAYERS, st.sampled_from(LISTS))
def test_a_deny_of_everything_always_wins(request: Request, layers: dict[str, Any], layer: str) -> None:
    named = {"Principal": "*"} if layer == "resource" else {}
    entry = statement("Deny", Action="ecr:*", **named)
    deny = policies.parse({"Statement": entry}, KIND[layer], "deny")
    decision = evaluate(request, **layers | {layer: [*(layers[layer] or []), deny]})
    assert not decision.allowed
    assert decision.because.startswith("with an explicit deny in a")


@given(REQUESTS, LAYERS, st.data())
@settings(max_examples=300)
def test_one_more_allow_never_takes_anything_away(
    request: Request, layers: dict[str, Any], data: Any
) -> None:
    """Where there are policies already: the first session policy is a limit."""
    present = [
        layer
        for layer in LISTS
        if layers[layer] or (layer in ("identity", "resource") and layers[layer] == [])
    ]
    if not present:
        return
    layer = data.draw(st.sampled_from(present))
    kinds = {each.kind for each in layers[layer]} or {KIND[layer]}
    more = data.draw(documents(data.draw(st.sampled_from(sorted(kinds))), "Allow"))
    after = layers | {layer: [*layers[layer], more]}
    assert evaluate(request, **after).allowed >= evaluate(request, **layers).allowed


@given(REQUESTS, LAYERS, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_order_never_matters(request: Request, layers: dict[str, Any], random: Any) -> None:
    def shuffled(policy: Policy) -> Policy:
        entries = random.sample(policy.statements, len(policy.statements))
        denials = tuple(each for each in entries if each.denies)
        allowances = tuple(each for each in entries if not each.denies)
        return Policy(policy.name, policy.kind, tuple(entries), denials, allowances, policy.asks_tags)

    def mixed(layer: Any) -> Any:
        if isinstance(layer, Policy):
            return shuffled(layer)
        return layer and [shuffled(each) for each in random.sample(layer, len(layer))]

    decision = evaluate(request, **layers)
    other = evaluate(request, **{name: mixed(layer) for name, layer in layers.items()})
    assert other.allowed is decision.allowed
    assert _kind_of(other.because) == _kind_of(decision.because)


def _kind_of(because: str) -> str:
    """Filters of the account and of the network are named in the order in which they come."""
    return because.replace(policies.ENDPOINT, policies.SERVICE_CONTROL)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=5)
    | st.sampled_from(["*", "Allow", "ecr:*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ELEMENTS = ["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"]
ROUGH = st.dictionaries(st.sampled_from(ELEMENTS), JSON, max_size=6)


@given(REQUESTS, statements() | ROUGH, ROUGH, st.sampled_from(policies.KINDS))
@settings(max_examples=300)
def test_a_document_is_refused_in_one_line_or_can_be_evaluated(
    request: Request, entry: dict[str, Any], mangled: dict[str, Any], kind: str
) -> None:
    try:
        read = policies.parse({"Version": "2012-10-17", "Statement": entry | mangled}, kind, "p")
    except ValueError as refusal:
        problem = str(refusal)
    else:
        problem = evaluate(request, identity=[read]).because
        explain(request, identity=[read])
    assert len(problem.splitlines()) <= 1


def test_a_deny_without_conditions_holds_in_every_layer_alone() -> None:
    for principal in PRINCIPALS:
        asked = Request(principal, ACTIONS[0], REPOSITORY, OWNER, {})
        assert not evaluate(asked, identity=None, resource=[resource_policy("Deny")]).allowed
