"""As much of JSON Schema as ECR's check of a lifecycle policy needs, in the words of its validator.

The texts are the defaults of the Java library json-schema-validator, as seen in ECR's answers. Keywords are
checked in the order in which a schema lists them, and only the first violation is told, as ECR does.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]


def violation(value: Any, schema: Schema) -> str | None:
    """What is wrong with a parsed JSON value, or None."""
    for keyword in schema:
        if problem := _CHECKS[keyword](value, schema):
            return problem
    return None


def _type_of(value: Any) -> str:
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _listed(values: Any) -> str:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def _type(value: Any, schema: Schema) -> str | None:
    found, wanted = _type_of(value), schema["type"]
    if found == wanted:
        return None
    return f'instance type ({found}) does not match any allowed primitive type (allowed: ["{wanted}"])'


def _additional_properties(value: Any, schema: Schema) -> str | None:
    unknown = sorted(set(value) - set(schema["properties"]))
    if not unknown:
        return None
    return f"object instance has properties which are not allowed by the schema: ({_listed(unknown)})"


def _required(value: Any, schema: Schema) -> str | None:
    missing = sorted(set(schema["required"]) - set(value))
    return f"object has missing required properties ({_listed(missing)})" if missing else None


def _properties(value: Any, schema: Schema) -> str | None:
    for name, wanted in schema["properties"].items():
        if name in value and (problem := violation(value[name], wanted)):
            return problem
    return None


def _one_of(value: Any, schema: Schema) -> str | None:
    choices = schema["oneOf"]
    matched = sum(violation(value, choice) is None for choice in choices)
    if matched == 1:
        return None
    return f"instance failed to match exactly one schema (matched {matched} out of {len(choices)})"


def _enum(value: Any, schema: Schema) -> str | None:
    if value in schema["enum"]:
        return None
    return f"instance value ({_listed(value)}) not found in enum (possible values: {_listed(schema['enum'])})"


def _minimum(value: Any, schema: Schema) -> str | None:
    lowest = schema["minimum"]
    if value >= lowest:
        return None
    return f"numeric instance is lower than the required minimum (minimum: {lowest}, found: {value})"


def _min_items(value: Any, schema: Schema) -> str | None:
    lowest = schema["minItems"]
    if len(value) >= lowest:
        return None
    return f"array is too short: must have at least {lowest} elements but instance has {len(value)} elements"


def _max_items(value: Any, schema: Schema) -> str | None:
    highest = schema["maxItems"]
    if len(value) <= highest:
        return None
    return f"array is too long: must have at most {highest} elements but instance has {len(value)} elements"


def _items(value: Any, schema: Schema) -> str | None:
    problems = (violation(element, schema["items"]) for element in value)
    return next((problem for problem in problems if problem), None)


_CHECKS: dict[str, Callable[[Any, Schema], str | None]] = {
    "type": _type,
    "additionalProperties": _additional_properties,
    "required": _required,
    "properties": _properties,
    "oneOf": _one_of,
    "enum": _enum,
    "minimum": _minimum,
    "minItems": _min_items,
    "maxItems": _max_items,
    "items": _items,
}
