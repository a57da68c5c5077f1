"""One line of a Condition block: an operator, a key, and the values that it may have.

IAM user guide, Condition operators, and Conditions with multiple context keys or values: several values are
joined by OR, under a negated operator by NOR; a key that is absent fits a negated operator and no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu.domain.iam.operators import OPERATORS, Test, any_of
from ecr_emu.domain.iam.requests import Request, Values

_Check = Callable[[Values, Request], bool]
_ALL, _ANY, _IF_EXISTS = "forallvalues:", "foranyvalue:", "ifexists"


@dataclass(frozen=True, slots=True)
class Condition:
    operator: str
    key: str
    wanted: Values
    looked_up: str
    check: _Check

    def holds(self, request: Request) -> bool:
        return self.check(request.values_of(self.looked_up), request)


def parse(block: Any, *, variables: bool) -> tuple[Condition, ...]:
    """All conditions of a block; all of them have to hold. ValueError for what IAM refuses."""
    if not isinstance(block, Mapping):
        raise ValueError("Condition is not an object")
    return tuple(
        _condition(operator, key, value, variables)
        for operator, keys in block.items()
        for key, value in _keys(operator, keys)
    )


def _keys(operator: str, keys: Any) -> list[tuple[str, Any]]:
    if not isinstance(keys, Mapping):
        raise ValueError(f"Condition {operator} is not an object")
    return list(keys.items())


def _condition(operator: str, key: str, value: Any, variables: bool) -> Condition:
    if ":" not in key:
        raise ValueError(f"condition key {key} has no vendor")
    wanted = tuple(_text(entry) for entry in (value if isinstance(value, list) else [value]))
    try:
        check = _check(operator.lower(), wanted, variables)
    except ValueError as problem:
        raise ValueError(f"Condition {operator} {key}: {problem}") from None
    return Condition(operator, key, wanted, key.lower(), check)


def _text(value: Any) -> str:
    """Numbers and booleans may stand without quotation marks."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("a condition's value is text, a number or a boolean")


def _check(name: str, wanted: Values, variables: bool) -> _Check:
    if name == "null":
        return _null(wanted)
    quantifier = next((prefix for prefix in (_ALL, _ANY) if name.startswith(prefix)), "")
    if_exists = name.endswith(_IF_EXISTS)
    found = OPERATORS.get(name.removeprefix(quantifier).removesuffix(_IF_EXISTS))
    if found is None:
        raise ValueError("there is no such operator")
    prepare, negated = found
    test = prepare(wanted, variables)
    if quantifier:
        return _of_set(_one(test, negated), quantifier == _ALL, if_exists)
    return _of_value(test, negated, if_exists)


def _null(wanted: Values) -> _Check:
    """Null: "true" wants the key absent, "false" wants it there."""
    answers = {text.lower() for text in wanted}
    if not answers <= {"true", "false"}:
        raise ValueError("Null takes true or false")
    return lambda values, request: ("false" if values else "true") in answers


def _of_value(test: Test, negated: bool, if_exists: bool) -> _Check:
    """Without a set operator. One of several values has to fit (inferred: IAM says to use a set operator)."""
    when_absent = negated or if_exists

    def check(values: Values, request: Request) -> bool:
        if not values:
            return when_absent
        if len(values) == 1:
            found = test(values[0], request)
        else:
            found = any_of(test(value, request) for value in values)
        return found is False if negated else bool(found)

    return check


def _one(test: Test, negated: bool) -> Callable[[str, Request], bool]:
    if negated:
        return lambda value, request: test(value, request) is False
    return lambda value, request: bool(test(value, request))


def _of_set(fits: Callable[[str, Request], bool], all_values: bool, if_exists: bool) -> _Check:
    """Nothing at all, or an empty string, fits ForAllValues and does not fit ForAnyValue."""

    def check(values: Values, request: Request) -> bool:
        if not values and if_exists:
            return True
        results = (fits(value, request) for value in values if value)
        return all(results) if all_values else any(results)

    return check
