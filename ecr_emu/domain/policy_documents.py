"""Repository and registry policies: what a policy document must look like, and how ECR hands it out.

Only the structure is checked (IAM user guide, Grammar of the IAM JSON policy language); whether a principal
exists is for those who know (core/principals.py).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ecr_emu.domain.iam.policies import RESOURCE, parse

_VERSIONS = ("2012-10-17", "2008-10-17")
_ELEMENTS = {"Version", "Id", "Statement"}
_STATEMENT_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}
_ACTION = re.compile(r"\*|ecr:[a-z*?]+", re.IGNORECASE | re.ASCII)
_RESOURCE = re.compile(r"\*|arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)
_PRINCIPALS = {
    "AWS": re.compile(
        r"\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/\S+)"
        r"|A[A-Z]{3}[A-Z0-9]{12,}",
        re.ASCII,
    ),
    "Service": re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?"),
    "Federated": re.compile(r"\S+"),
    "CanonicalUser": re.compile(r"[0-9a-f]+"),
}
_OPERATOR = re.compile(
    r"(ForAllValues:|ForAnyValue:)?"
    r"(String(Not)?(Equals(IgnoreCase)?|Like)|(Numeric|Date)((Not)?Equals|(Less|Greater)Than(Equals)?)"
    r"|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?"
    r"|Null"
)
# All that a registry policy of scope V1 can grant (Amazon ECR user guide, Private registry permissions).
_V1_ACTIONS = {"ecr:*", "ecr:replicateimage", "ecr:batchimportupstreamimage", "ecr:createrepository"}

# Jackson's escapes: short ones where JSON has them, upper-case digits elsewhere.
_ESCAPES = {
    **{code: f"\\u{code:04X}" for code in range(0x20)},
    **str.maketrans(
        {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    ),
}

Policy = Mapping[str, Any]


class InvalidPolicy(ValueError):
    """Not a policy document; the argument says why. ECR tells nobody."""


def repository_policy(text: str, loads: Callable[[str], Any]) -> Policy:
    """Read a repository policy, whose statements need no resource: it is bound to its repository.

    `loads` reads JSON. Raises InvalidPolicy.
    """
    try:
        document: Any = loads(text)
    except ValueError:
        raise InvalidPolicy("not JSON") from None
    _need(isinstance(document, dict) and set(document) <= _ELEMENTS, "unknown elements")
    _need(document.get("Version", _VERSIONS[0]) in _VERSIONS, "unknown Version")
    _need(isinstance(document.get("Id", ""), str), "Id")
    statements = statements_of(document)
    _need(bool(statements), "no Statement")
    for statement in statements:
        _check_statement(statement)
    try:
        # What could not be evaluated is not stored.
        parse(document, RESOURCE, "")
    except ValueError as problem:
        raise InvalidPolicy(str(problem)) from None
    return dict(document)


def registry_policy(text: str, scope: str, loads: Callable[[str], Any]) -> Policy:
    """Read a registry policy: it names its resources, and in scope V1 it has three actions to grant."""
    document = repository_policy(text, loads)
    for statement in statements_of(document):
        _need("Resource" in statement or "NotResource" in statement, "no Resource")
        if scope == "V1":
            actions = {action.lower() for action in as_list(statement.get("Action", []))}
            _need("Action" in statement and actions <= _V1_ACTIONS, "actions beyond scope V1")
    return document


def pretty(value: Any, indent: str = "") -> str:
    """JSON as Jackson's default pretty printer writes it: what ECR answers, byte for byte."""
    match value:
        case dict():
            inner = indent + "  "
            members = [f"{inner}{_quoted(key)} : {pretty(entry, inner)}" for key, entry in value.items()]
            return "{\n" + ",\n".join(members) + f"\n{indent}}}" if members else "{ }"
        case list():
            return f"[ {', '.join(pretty(entry, indent) for entry in value)} ]" if value else "[ ]"
        case str():
            return _quoted(value)
        case bool():
            return str(value).lower()
    return "null" if value is None else str(value)


def named_principals(policy: Policy) -> set[str]:
    """Accounts, users, roles and sessions that the policy names, as it names them."""
    principals = [_either(statement, "Principal") for statement in statements_of(policy)]
    names = {name for each in principals if isinstance(each, dict) for name in as_list(each.get("AWS", []))}
    return names - {"*"}


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]


def statements_of(policy: Policy) -> list[Any]:
    return as_list(policy.get("Statement", []))


def _need(is_so: bool, problem: str) -> None:
    if not is_so:
        raise InvalidPolicy(problem)


def _check_statement(statement: Any) -> None:
    _need(isinstance(statement, dict) and set(statement) <= _STATEMENT_ELEMENTS, "unknown elements")
    _need(isinstance(statement.get("Sid", ""), str), "Sid")
    _need(statement.get("Effect") in ("Allow", "Deny"), "Effect")
    _check_principal(_either(statement, "Principal"))
    _need(_all_match(_either(statement, "Action"), _ACTION), "Action")
    if "Resource" in statement or "NotResource" in statement:
        _need(_all_match(_either(statement, "Resource"), _RESOURCE), "Resource")
    _check_condition(statement.get("Condition", {}))


def _either(statement: Policy, element: str) -> Any:
    """The value of an element or of its Not…: exactly one of the two must be there."""
    found = [name for name in (element, f"Not{element}") if name in statement]
    _need(len(found) == 1, element)
    return statement[found[0]]


def _all_match(value: Any, pattern: re.Pattern[str]) -> bool:
    values = as_list(value)
    return bool(values) and all(isinstance(entry, str) and pattern.fullmatch(entry) for entry in values)


def _check_principal(principal: Any) -> None:
    if principal == "*":
        return
    _need(isinstance(principal, dict) and bool(principal), "Principal")
    for kind, value in principal.items():
        _need(kind in _PRINCIPALS and _all_match(value, _PRINCIPALS[kind]), f"Principal {kind}")


def _check_condition(condition: Any) -> None:
    _need(isinstance(condition, dict), "Condition")
    for operator, keys in condition.items():
        _need(bool(_OPERATOR.fullmatch(operator)) and isinstance(keys, dict), "Condition")
        for value in keys.values():
            _need(all(isinstance(entry, str | int | float) for entry in as_list(value)), "Condition")


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
