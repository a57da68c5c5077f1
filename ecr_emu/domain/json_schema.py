"""As much of JSON Schema as ECR's check of a lifecycle policy needs, in the words of its validator.

The texts are the defaults of the Java library json-schema-validator, as seen in ECR's answers. Keywords are
checked in the order in which a schema lists them, and only the first violation is told, as ECR does.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
# The names of members and the numbers of elements that lead to a place in a document, from its top.
Path = tuple[str | int, ...]


class Violation(NamedTuple):
    """What is wrong, and where. ECR tells the first only."""

    problem: str
    path: Path = ()


def position(path: Path) -> str:
    """A path as people write it: rules[1].selection.countNumber."""
    text = "".join(
        f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{_listed(step)}]" for step in path
    )
    return text.removeprefix(".") or "the top level"


def violation(value: Any, schema: Schema) -> Violation | None:
    """What is wrong with a parsed JSON value, or None.

    Beside the keywords of JSON Schema there is `discriminator` for `oneOf`: the member that tells which
    choice was meant. It makes the path longer and says nothing about what is valid.
    """
    for keyword in schema:
        if problem := _CHECKS[keyword](value, schema):
            return problem
    return None


def _type_of(value: Any) -> str:
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _listed(values: Any) -> str:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def _inside(step: str | int, value: Any, schema: Schema) -> Violation | None:
    """What is wrong with a member or an element, seen from above it."""
    found = violation(value, schema)
    return found and found._replace(path=(step, *found.path))


def _type(value: Any, schema: Schema) -> Violation | None:
    found, wanted = _type_of(value), schema["type"]
    if found == wanted:
        return None
    return Violation(
        f'instance type ({found}) does not match any allowed primitive type (allowed: ["{wanted}"])'
    )


def _additional_properties(value: Any, schema: Schema) -> Violation | None:
    unknown = sorted(set(value) - set(schema["properties"]))
    if not unknown:
        return None
    return Violation(
        f"object instance has properties which are not allowed by the schema: ({_listed(unknown)})",
        (unknown[0],),
    )


def _required(value: Any, schema: Schema) -> Violation | None:
    missing = sorted(set(schema["required"]) - set(value))
    return Violation(f"object has missing required properties ({_listed(missing)})") if missing else None


def _properties(value: Any, schema: Schema) -> Violation | None:
    for name, wanted in schema["properties"].items():
        if name in value and (problem := _inside(name, value[name], wanted)):
            return problem
    return None


def _one_of(value: Any, schema: Schema) -> Violation | None:
    choices = schema["oneOf"]
    matched = sum(violation(value, choice) is None for choice in choices)
    if matched == 1:
        return None
    return Violation(
        f"instance failed to match exactly one schema (matched {matched} out of {len(choices)})",
        _path_in_choice(value, schema),
    )


def _path_in_choice(value: Any, schema: Schema) -> Path:
    """What is wrong by the choice that was meant; if none was, the member that should tell."""
    name = schema.get("discriminator")
    if name is None:
        return ()
    for choice in schema["oneOf"]:
        if not violation(value[name], choice["properties"][name]):
            found = violation(value, choice)
            return found.path if found else ()
    return (name,)


def _enum(value: Any, schema: Schema) -> Violation | None:
    if value in schema["enum"]:
        return None
    listed = _listed(schema["enum"])
    return Violation(f"instance value ({_listed(value)}) not found in enum (possible values: {listed})")


def _minimum(value: Any, schema: Schema) -> Violation | None:
    lowest = schema["minimum"]
    if value >= lowest:
        return None
    return Violation(
        f"numeric instance is lower than the required minimum (minimum: {lowest}, found: {value})"
    )


def _min_items(value: Any, schema: Schema) -> Violation | None:
    lowest = schema["minItems"]
    if len(value) >= lowest:
        return None
    return Violation(
        f"array is too short: must have at least {lowest} elements but instance has {len(value)} elements"
    )


def _max_items(value: Any, schema: Schema) -> Violation | None:
    highest = schema["maxItems"]
    if len(value) <= highest:
        return None
    return Violation(
        f"array is too long: must have at most {highest} elements but instance has {len(value)} elements",
        (highest,),
    )


def _items(value: Any, schema: Schema) -> Violation | None:
    problems = (_inside(number, element, schema["items"]) for number, element in enumerate(value))
    return next((problem for problem in problems if problem), None)


_CHECKS: dict[str, Callable[[Any, Schema], Violation | None]] = {
    "type": _type,
    "additionalProperties": _additional_properties,
    "required": _required,
    "properties": _properties,
    "oneOf": _one_of,
    "discriminator": lambda value, schema: None,
    "enum": _enum,
    "minimum": _minimum,
    "minItems": _min_items,
    "maxItems": _max_items,
    "items": _items,
}
