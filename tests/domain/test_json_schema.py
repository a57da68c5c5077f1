"""The part of JSON Schema that lifecycle policies are checked with, and the validator's words."""

from typing import Any

import pytest

from ecr_emu.domain.json_schema import Violation, position, violation

MEMBERS = {
    "additionalProperties": False,
    "required": ["a"],
    "properties": {"a": {"type": "integer"}, "b": {}},
}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("x", {"type": "string", "enum": ["x", "y"]}),
        (1, {"type": "integer", "minimum": 1}),
        ([], {"type": "array", "minItems": 0, "items": {"type": "string"}}),
        (["x", "y"], {"maxItems": 2, "items": {"type": "string"}}),
        ({"a": 1, "b": None}, {"type": "object", **MEMBERS}),
        (5, {"oneOf": [{"type": "string"}, {"type": "integer"}]}),
        ("anything", {}),
    ],
)
def test_a_value_of_the_schema_breaks_nothing(value: Any, schema: dict[str, Any]) -> None:
    assert violation(value, schema) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "null"),
        (True, "boolean"),
        ("x", "string"),
        (1.0, "number"),
        (1, "integer"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_a_wrong_type_is_named_beside_the_right_one(value: Any, found: str) -> None:
    wanted = "array" if found == "object" else "object"
    assert violation(value, {"type": wanted}) == Violation(
        f'instance type ({found}) does not match any allowed primitive type (allowed: ["{wanted}"])'
    )


@pytest.mark.parametrize(
    ("value", "schema", "problem"),
    [
        ({"z": 1, "c": 1, "b": 1}, MEMBERS, 'properties which are not allowed by the schema: (["c","z"])'),
        ({"b": 1}, MEMBERS, 'object has missing required properties (["a"])'),
        ({}, {"required": ["b", "a"]}, 'object has missing required properties (["a","b"])'),
        (
            {"a": "x"},
            MEMBERS,
            'instance type (string) does not match any allowed primitive type (allowed: ["integ',
        ),
        ("é", {"enum": ["a", "b"]}, 'instance value ("é") not found in enum (possible values: ["a","b"])'),
        (0, {"minimum": 1}, "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        (
            [],
            {"minItems": 1},
            "array is too short: must have at least 1 elements but instance has 0 elements",
        ),
        (
            [1, 2],
            {"maxItems": 1},
            "array is too long: must have at most 1 elements but instance has 2 elements",
        ),
        (["x", 1], {"items": {"type": "string"}}, "instance type (integer) does not match"),
        (1, {"oneOf": [{"type": "string"}] * 3}, "failed to match exactly one schema (matched 0 out of 3)"),
        (1, {"oneOf": [{"minimum": 1}] * 2}, "failed to match exactly one schema (matched 2 out of 2)"),
    ],
)
def test_the_first_violation_is_told(value: Any, schema: dict[str, Any], problem: str) -> None:
    told = violation(value, schema)
    assert told is not None
    assert problem in told.problem


def test_keywords_are_checked_in_the_order_of_the_schema() -> None:
    assert "unknown" not in str(violation({"x": 1}, {"required": ["a"], **MEMBERS}))
    assert "missing" in str(violation({"x": 1}, {"required": ["a"], **MEMBERS}))
    assert "not allowed" in str(violation({"x": 1}, MEMBERS))


KIND = {"properties": {"kind": {"enum": ["a"]}, "size": {"minimum": 1}}}
CHOICES = {
    "discriminator": "kind",
    "oneOf": [KIND, {"additionalProperties": False, "properties": {"kind": {"enum": ["b"]}}}],
}


@pytest.mark.parametrize(
    ("value", "schema", "path"),
    [
        (1, {"type": "string"}, "the top level"),
        ({"b": 1}, MEMBERS, "the top level"),
        ({"z": 1, "c": 1}, MEMBERS, "c"),
        ({"a": 1, "b c": 1}, MEMBERS, '["b c"]'),
        ({"a": "x"}, MEMBERS, "a"),
        ([{"a": 1}, {"a": "x"}], {"items": MEMBERS}, "[1].a"),
        ({"a": [1, ["x"]]}, {"properties": {"a": {"items": {"type": "integer"}}}}, "a[1]"),
        ({"a": [1, 2, 3]}, {"properties": {"a": {"maxItems": 2}}}, "a[2]"),
        ({"a": []}, {"properties": {"a": {"minItems": 2}}}, "a"),
        ({"a": "x"}, {"properties": {"a": {"enum": ["y"]}}}, "a"),
        # A choice by a member that tells which was meant, and without one.
        (1, {"oneOf": [{"type": "string"}]}, "the top level"),
        ({"kind": "c"}, CHOICES, "kind"),
        ({"kind": "a", "size": 0}, CHOICES, "size"),
        ({"kind": "b", "size": 0}, CHOICES, "size"),
        ({"kind": "a"}, {"discriminator": "kind", "oneOf": [KIND, KIND]}, "the top level"),
    ],
)
def test_the_path_leads_to_what_is_wrong(value: Any, schema: dict[str, Any], path: str) -> None:
    found = violation(value, schema)
    assert found is not None
    assert position(found.path) == path
