"""Every operation that is built, with members that are missing, null, or of another type."""

from collections.abc import Iterator
from typing import Any

import pytest

from ecr_emu.control import operations
from ecr_emu.control.model import load
from tests.control.calls import Api, invalid

MODEL = load()
BUILT = sorted(MODEL.operation_names[name] for name in operations.implemented())
GOOD: dict[str, Any] = {
    "repositoryName": "team/app",
    "imageManifest": "{}",
    "imageIds": [{"imageTag": "v1"}],
    "layerDigests": ["sha256:00"],
    "layerDigest": "sha256:00",
    "uploadId": "0f0e0d0c-0b0a-4908-8706-050403020100",
    "partFirstByte": 0,
    "partLastByte": 0,
    "layerPartBlob": "AA==",
    "imageTagMutability": "MUTABLE",
    "resourceArn": "arn:aws:ecr:us-east-1:000000000000:repository/team/app",
    "tags": [],
    "tagKeys": [],
}
WRONG: dict[str, list[Any]] = {
    "string": [1, True, [], {}],
    "blob": [1, False, [], {}],
    "integer": ["1", 1.5, True, [], {}],
    "long": ["1", 1.5, True, [], {}],
    "boolean": ["true", 1, [], {}],
    "list": ["x", 1, True, {}],
    "structure": ["x", 1, True, []],
}


def members(operation: str) -> dict[str, str]:
    """The type of each member of an operation's input."""
    shape = MODEL.shapes[MODEL.operations[operation]["input"]["shape"]]
    return {name: MODEL.shapes[entry["shape"]]["type"] for name, entry in shape["members"].items()}


def required(operation: str) -> dict[str, Any]:
    """The smallest request that no constraint is broken in."""
    shape = MODEL.shapes[MODEL.operations[operation]["input"]["shape"]]
    return {name: GOOD[name] for name in shape.get("required", ())}


def mistyped(operation: str) -> Iterator[dict[str, Any]]:
    for member, kind in members(operation).items():
        for value in WRONG[kind]:
            yield {**required(operation), member: value}


@pytest.mark.parametrize("operation", BUILT)
def test_member_of_another_type_does_not_deserialize(api: Api, operation: str) -> None:
    for request in [[], None, "x", *mistyped(operation)]:
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
def test_optional_member_that_is_null_counts_as_absent(api: Api, operation: str) -> None:
    whole = required(operation)
    nulls = dict.fromkeys(set(members(operation)) - set(whole))
    first, second = api.post(operation, whole), api.post(operation, {**whole, **nulls})
    # CreateRepository may do it once only.
    if operation == "CreateRepository":
        second = api.post(operation, {**nulls, "repositoryName": "team/other"})
    assert second.status == first.status
    assert second.json().get("__type") == first.json().get("__type")
