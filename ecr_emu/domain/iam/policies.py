"""A policy document, read into statements that can be asked.

IAM user guide, Grammar of the IAM JSON policy language. The document is decoded JSON; what IAM refuses is a
ValueError of one line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ecr_emu.domain.iam import conditions, matching
from ecr_emu.domain.iam.conditions import Condition
from ecr_emu.domain.iam.matching import Case, Grant, Names, Principals
from ecr_emu.domain.iam.requests import Request

IDENTITY = "identity-based policy"
RESOURCE = "resource-based policy"
BOUNDARY = "permissions boundary"
SESSION = "session policy"
SERVICE_CONTROL = "service control policy"
ENDPOINT = "VPC endpoint policy"
KINDS = (IDENTITY, RESOURCE, BOUNDARY, SESSION, SERVICE_CONTROL, ENDPOINT)

_NAMING_PRINCIPALS = (RESOURCE, ENDPOINT)
_VERSIONS = ("2012-10-17", "2008-10-17")
_ELEMENTS = {"Version", "Id", "Statement"}
_STATEMENT_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}
_PRINCIPAL_TYPES = {"AWS", "Service", "Federated", "CanonicalUser"}
_ACTION = re.compile(r"\*|(\*|[a-z0-9-]+):[a-z0-9*?]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement stands: AWS's word for the kind, the policy's name, the place in it, Sid or ""."""

    kind: str
    policy: str
    index: int
    sid: str


@dataclass(frozen=True, slots=True)
class Statement:
    source: Source
    denies: bool
    principals: Principals | None
    actions: Names
    resources: Names
    conditions: tuple[Condition, ...]

    def grant(self, case: Case) -> Grant:
        """NONE when the statement does not apply; otherwise how it names the principal."""
        request = case.request
        if not self.actions.cover(case.action, request) or not self.resources.cover(
            request.resource, request
        ):
            return Grant.NONE
        grant = Grant.DIRECT
        if self.principals is not None:
            grant = self.principals.admit(case, denies=self.denies)
        if grant and self.conditions and not all(condition.holds(request) for condition in self.conditions):
            return Grant.NONE
        return grant

    def asks_context(self, request: Request) -> bool:
        """Whether more of the request than principal, action and resource counts."""
        asks = bool(self.conditions) or self.resources.have_variables
        return asks and self.actions.cover(request.action.lower(), request)


@dataclass(frozen=True, slots=True)
class Policy:
    """`asks_tags` is False when nothing in it can depend on the tags of the resource."""

    name: str
    kind: str
    statements: tuple[Statement, ...]
    denials: tuple[Statement, ...]
    allowances: tuple[Statement, ...]
    asks_tags: bool


def parse(document: Mapping[str, Any], kind: str, name: str) -> Policy:
    """Read a policy document of one of KINDS."""
    try:
        statements = tuple(_statements(document, kind, name))
    except ValueError as problem:
        # What was written may have lines of its own.
        raise ValueError(f"{name}: {' '.join(str(problem).split())}") from None
    denials = tuple(statement for statement in statements if statement.denies)
    allowances = tuple(statement for statement in statements if not statement.denies)
    return Policy(name, kind, statements, denials, allowances, "resourcetag" in str(document).lower())


def _statements(document: Mapping[str, Any], kind: str, name: str) -> list[Statement]:
    _need(kind in KINDS, f"there is no {kind}")
    _need(isinstance(document, Mapping), "a policy is a JSON object")
    _known(document, _ELEMENTS)
    # Without a Version, IAM takes the older language, which has no variables.
    version = document.get("Version", "2008-10-17")
    _need(version in _VERSIONS, f"there is no Version {version}")
    written = document.get("Statement")
    entries = written if isinstance(written, list) else [written]
    _need(bool(entries) and all(isinstance(entry, Mapping) for entry in entries), "no Statement")
    return [
        _statement(entry, Source(kind, name, index, _sid(entry)), version == "2012-10-17")
        for index, entry in enumerate(entries)
    ]


def _statement(entry: Mapping[str, Any], source: Source, variables: bool) -> Statement:
    try:
        _known(entry, _STATEMENT_ELEMENTS)
        effect = entry.get("Effect")
        _need(effect in ("Allow", "Deny"), f"Effect is Allow or Deny, not {effect}")
        return Statement(
            source,
            effect == "Deny",
            _principals(entry, source.kind),
            _actions(entry),
            _resources(entry, source.kind, variables),
            conditions.parse(entry.get("Condition", {}), variables=variables),
        )
    except ValueError as problem:
        raise ValueError(f"Statement[{source.index}]: {problem}") from None


def _sid(entry: Mapping[str, Any]) -> str:
    sid = entry.get("Sid", "")
    return sid if isinstance(sid, str) else _refuse("Sid is not text")


def _actions(entry: Mapping[str, Any]) -> Names:
    written, negated = _either(entry, "Action")
    texts = _texts(written, "Action")
    actions = tuple(text.lower() for text in texts)
    for text, action in zip(texts, actions, strict=True):
        _need(bool(_ACTION.fullmatch(action)), f"{text} is no action")
    return replace(matching.names(actions, negated=negated), written=texts)


def _resources(entry: Mapping[str, Any], kind: str, variables: bool) -> Names:
    """The policy of a repository names no resource: it stands for its own."""
    if kind == RESOURCE and "Resource" not in entry and "NotResource" not in entry:
        return matching.names(("*",), negated=False)
    written, negated = _either(entry, "Resource")
    resources = _texts(written, "Resource")
    for text in resources:
        _need(text == "*" or text.startswith("arn:"), f"resource {text} is neither an ARN nor *")
        head = text.partition("${")[0]
        _need(
            not variables or head == text or head.count(":") >= 5,
            f"a variable before the fifth colon of {text}",
        )
    return matching.names(resources, negated=negated, variables=variables)


def _principals(entry: Mapping[str, Any], kind: str) -> Principals | None:
    if kind not in _NAMING_PRINCIPALS:
        _need("Principal" not in entry and "NotPrincipal" not in entry, f"no {kind} names a principal")
        return None
    written, negated = _either(entry, "Principal")
    if written == "*":
        return matching.principals(("*",), (), (), negated=negated)
    _need(isinstance(written, Mapping) and bool(written), "Principal is * or an object")
    _known(written, _PRINCIPAL_TYPES)
    of = {key: _texts(value, f"Principal {key}") for key, value in written.items()}
    for key, text in ((key, text) for key, texts in of.items() for text in texts):
        _need("*" not in text or (key, text) == ("AWS", "*"), f"a wildcard in principal {text}")
    others = (*of.get("Federated", ()), *of.get("CanonicalUser", ()))
    return matching.principals(of.get("AWS", ()), of.get("Service", ()), others, negated=negated)


def _either(entry: Mapping[str, Any], element: str) -> tuple[Any, bool]:
    """The value of an element or of its Not…, and whether it was that: exactly one must be there."""
    positive, negative = element in entry, f"Not{element}" in entry
    _need(not (positive and negative), f"both {element} and Not{element}")
    _need(positive or negative, f"neither {element} nor Not{element}")
    return entry[f"Not{element}" if negative else element], negative


def _texts(value: Any, element: str) -> tuple[str, ...]:
    """IAM writes a list of one as the one."""
    texts = value if isinstance(value, list) else [value]
    _need(bool(texts) and all(isinstance(text, str) and text for text in texts), f"{element} is not text")
    return tuple(texts)


def _known(entry: Mapping[str, Any], elements: set[str]) -> None:
    unknown = sorted(set(entry) - elements)
    _need(not unknown, f"unknown element {', '.join(unknown)}")


def _need(is_so: bool, problem: str) -> None:
    if not is_so:
        _refuse(problem)


def _refuse(problem: str) -> Any:
    raise ValueError(problem)
