"""Every operation that is built, with members that are missing, null, or of another type."""

from collections.abc import Iterator
from typing import Any

import pytest

from ecr_emu.control import operations
from ecr_emu.control.codec import Codec
from ecr_emu.control.model import load
from tests.control.calls import Api, invalid

MODEL = load()
BUILT = sorted(MODEL.operation_names[name] for name in operations.implemented())
# Values of members that any other text would not do for.
GOOD: dict[str, Any] = {
    "registryId": "000000000000",
    "repositoryName": "team/app",
    "layerDigest": "sha256:00",
    "layerDigests": ["sha256:00"],
    "uploadId": "0f0e0d0c-0b0a-4908-8706-050403020100",
    "replicationBackfillId": "0f0e0d0c-0b0a-4908-8706-050403020100",
    "principalArn": "arn:aws:iam::000000000000:role/puller",
}
# What is not of a type, but for null, which is not there.
WRONG: dict[str, list[Any]] = {
    "string": [1, True, [], {}],
    "blob": [1, False, [], {}],
    "integer": ["1", 1.5, True, [], {}],
    "long": ["1", 1.5, True, [], {}],
    "double": ["1", True, [], {}],
    "float": ["1", True, [], {}],
    "timestamp": ["1", True, [], {}],
    "boolean": ["true", 1, [], {}],
    "list": ["x", 1, True, {}],
    "map": ["x", 1, True, []],
    "structure": ["x", 1, True, []],
}


def members(operation: str) -> dict[str, str]:
    """The type of each member of an operation's input."""
    shape = MODEL.shapes[MODEL.operations[operation]["input"]["shape"]]
    return {name: MODEL.shapes[entry["shape"]]["type"] for name, entry in shape["members"].items()}


def required(operation: str) -> dict[str, Any]:
    """The smallest request in which no constraint is broken."""
    value: dict[str, Any] = smallest("", MODEL.operations[operation]["input"]["shape"])
    return value


def smallest(member: str, shape_name: str) -> Any:
    shape = MODEL.shapes[shape_name]
    fewest = shape.get("min", 0)
    if member in GOOD:
        return GOOD[member]
    if shape["type"] == "structure":
        wanted = shape.get("required", ())
        return {name: smallest(name, shape["members"][name]["shape"]) for name in wanted}
    if shape["type"] == "list":
        return [smallest(member, shape["member"]["shape"])] * fewest
    if shape["type"] == "string":
        return shape.get("enum", ["x" * fewest])[0]
    return {"blob": "", "boolean": False, "map": {}}.get(shape["type"], fewest)


def mistyped(operation: str) -> Iterator[dict[str, Any]]:
    for member, kind in members(operation).items():
        for value in WRONG[kind]:
            yield {**required(operation), member: value}


@pytest.mark.parametrize("operation", BUILT)
def test_member_of_another_type_does_not_deserialize(api: Api, operation: str) -> None:
    requests: list[Any] = [[], None, "x", *mistyped(operation)]
    for request in requests:
        code, _ = api.refusal(operation, request)
        assert code == "SerializationException", request


@pytest.mark.parametrize("operation", BUILT)
def test_required_member_that_is_absent_or_null_is_named(api: Api, operation: str) -> None:
    whole = required(operation)
    for member in whole:
        words = "must not be null" if member == "repositoryName" else "Member must not be null"
        absent = {name: value for name, value in whole.items() if name != member}
        assert api.refusal(operation, absent) == invalid(member, words)
        assert api.refusal(operation, {**whole, member: None}) == invalid(member, words)


@pytest.mark.parametrize("operation", BUILT)
def test_optional_member_that_is_null_counts_as_absent(operation: str) -> None:
    whole = required(operation)
    nulls = dict.fromkeys(set(members(operation)) - set(whole))
    read = Codec(MODEL).reader(operation)
    assert read({**whole, **nulls}) == read(whole)
