"""Reading requests and writing answers: every constraint in AWS's words."""

from typing import Any

import pytest

from ecr_emu.control.codec import Codec
from ecr_emu.control.model import Model, load
from ecr_emu.errors import EcrError
from tests.control.calls import invalid

CODEC = Codec(load())
NAME = "repositoryName"
NAME_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
APP = {NAME: "team/app"}
FILTER = {"filterType": "WILDCARD", "filter": "dev-*"}
UPLOAD = {**APP, "uploadId": "0f0e0d0c-0b0a-4908-8706-050403020100"}
PART = {**UPLOAD, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "AA=="}


def read(operation: str, request: object) -> dict[str, Any]:
    return CODEC.reader(operation)(request)


def refusal(operation: str, request: object) -> tuple[str, str]:
    with pytest.raises(EcrError) as caught:
        read(operation, request)
    assert caught.value.status == 400
    return caught.value.code, caught.value.message


# --- Constraints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "request_", "member", "constraint"),
    [
        # repositoryName has words of its own.
        ("CreateRepository", {}, NAME, "must not be null"),
        ("CreateRepository", {NAME: None}, NAME, "must not be null"),
        ("CreateRepository", {NAME: "a"}, NAME, "must have length greater than or equal to 2"),
        ("CreateRepository", {NAME: ""}, NAME, "must have length greater than or equal to 2"),
        ("CreateRepository", {NAME: "a" * 257}, NAME, "must have length less than or equal to 256"),
        ("ListImages", {NAME: "Bad_Name!"}, NAME, f"must satisfy regular expression '{NAME_PATTERN}'"),
        ("ListImages", {NAME: "app\n"}, NAME, f"must satisfy regular expression '{NAME_PATTERN}'"),
        # registryId too, without inner quotes.
        *[
            (
                "ListImages",
                {**APP, "registryId": registry_id},
                "registryId",
                "must satisfy regular expression [0-9]{12}",
            )
            for registry_id in ("1", "", "12345678901a", "1234567890123", "١٢٣٤٥٦٧٨٩٠١٢")
        ],
        # Everything else is the framework's.
        ("PutImageTagMutability", APP, "imageTagMutability", "Member must not be null"),
        ("PutImage", {**APP, "imageManifest": None}, "imageManifest", "Member must not be null"),
        (
            "PutImage",
            {**APP, "imageManifest": ""},
            "imageManifest",
            "Member must have length greater than or equal to 1",
        ),
        (
            "PutImage",
            {**APP, "imageManifest": "x" * 4_194_305},
            "imageManifest",
            "Member must have length less than or equal to 4194304",
        ),
        (
            "PutImage",
            {**APP, "imageManifest": "{}", "imageTag": "x" * 301},
            "imageTag",
            "Member must have length less than or equal to 300",
        ),
        (
            "UploadLayerPart",
            {**PART, "uploadId": "latest"},
            "uploadId",
            "Member must satisfy regular expression pattern: "
            "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        ),
        (
            "GetDownloadUrlForLayer",
            {**APP, "layerDigest": "sha256"},
            "layerDigest",
            "Member must satisfy regular expression pattern: [a-zA-Z0-9-_+.]+:[a-fA-F0-9]+",
        ),
        # Enums; imageTagMutability's order is the server's own.
        (
            "PutImageTagMutability",
            {**APP, "imageTagMutability": "mutable"},
            "imageTagMutability",
            "Member must satisfy enum value set: "
            "[IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]",
        ),
        (
            "CreateRepository",
            {**APP, "encryptionConfiguration": {"encryptionType": "ROT13"}},
            "encryptionConfiguration.encryptionType",
            "Member must satisfy enum value set: [AES256, KMS, KMS_DSSE]",
        ),
        (
            "ListImages",
            {**APP, "filter": {"tagStatus": ""}},
            "filter.tagStatus",
            "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]",
        ),
        (
            "DescribeImages",
            {**APP, "filter": {"imageStatus": "LOST"}},
            "filter.imageStatus",
            "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]",
        ),
        # Numbers.
        (
            "ListImages",
            {**APP, "maxResults": 0},
            "maxResults",
            "Member must have value greater than or equal to 1",
        ),
        (
            "DescribeRepositories",
            {"maxResults": 1001},
            "maxResults",
            "Member must have value less than or equal to 1000",
        ),
        (
            "UploadLayerPart",
            {**PART, "partFirstByte": -1},
            "partFirstByte",
            "Member must have value greater than or equal to 0",
        ),
        # Sizes of lists.
        *[
            (operation, {**APP, member: []}, member, "Member must have length greater than or equal to 1")
            for operation, member in (
                ("BatchGetImage", "imageIds"),
                ("BatchDeleteImage", "imageIds"),
                ("DescribeImages", "imageIds"),
                ("BatchCheckLayerAvailability", "layerDigests"),
                ("DescribeRepositories", "repositoryNames"),
                ("GetAuthorizationToken", "registryIds"),
            )
        ],
        (
            "BatchGetImage",
            {**APP, "imageIds": [{}] * 101},
            "imageIds",
            "Member must have length less than or equal to 100",
        ),
        (
            "GetAuthorizationToken",
            {"registryIds": ["123456789012"] * 11},
            "registryIds",
            "Member must have length less than or equal to 10",
        ),
        (
            "CreateRepository",
            {**APP, "imageTagMutabilityExclusionFilters": [FILTER] * 6},
            "imageTagMutabilityExclusionFilters",
            "Member must have length less than or equal to 5",
        ),
        # Elements of plain values are reported as the list's own.
        (
            "GetAuthorizationToken",
            {"registryIds": ["123456789012", "x"]},
            "registryIds",
            "Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]",
        ),
        (
            "BatchCheckLayerAvailability",
            {**APP, "layerDigests": ["x" * 1001]},
            "layerDigests",
            "Member must satisfy constraint: [Member must have length less than or equal to 1000]",
        ),
        (
            "DescribeRepositories",
            {"repositoryNames": ["a"]},
            "repositoryNames",
            "Member must satisfy constraint: [Member must have length greater than or equal to 2]",
        ),
        # Elements that are null, and members inside of elements, have a path that counts from 1.
        (
            "GetAuthorizationToken",
            {"registryIds": [None]},
            "registryIds.1.member",
            "Member must not be null",
        ),
        ("BatchGetImage", {**APP, "imageIds": [{}, None]}, "imageIds.2.member", "Member must not be null"),
        (
            "BatchGetImage",
            {**APP, "imageIds": [{}, {"imageTag": ""}]},
            "imageIds.2.member.imageTag",
            "Member must have length greater than or equal to 1",
        ),
        (
            "CreateRepository",
            {**APP, "tags": [{"Key": "a", "Value": ""}, {"Value": ""}]},
            "tags.2.member.key",
            "Member must not be null",
        ),
        (
            "CreateRepository",
            {**APP, "tags": [{"Key": "a", "Value": None}]},
            "tags.1.member.value",
            "Member must not be null",
        ),
        (
            "CreateRepository",
            {**APP, "imageTagMutabilityExclusionFilters": [{**FILTER, "filterType": "REGEX"}]},
            "imageTagMutabilityExclusionFilters.1.member.filterType",
            "Member must satisfy enum value set: [WILDCARD]",
        ),
        (
            "CreateRepository",
            {**APP, "imageTagMutabilityExclusionFilters": [FILTER, {**FILTER, "filter": "a b"}]},
            "imageTagMutabilityExclusionFilters.2.member.filter",
            "Member must satisfy regular expression pattern: ^[0-9a-zA-Z._*-]{1,128}$",
        ),
        (
            "CreateRepository",
            {**APP, "encryptionConfiguration": {}},
            "encryptionConfiguration.encryptionType",
            "Member must not be null",
        ),
        (
            "CreateRepository",
            {**APP, "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": ""}},
            "encryptionConfiguration.kmsKey",
            "Member must have length greater than or equal to 1",
        ),
    ],
)
def test_broken_constraint_is_worded_as_aws_does(
    operation: str, request_: dict[str, Any], member: str, constraint: str
) -> None:
    assert refusal(operation, request_) == invalid(member, constraint)


def test_layer_part_is_measured_when_it_is_decoded() -> None:
    largest = "AAAA" * (20_971_518 // 3)
    assert len(read("UploadLayerPart", {**PART, "layerPartBlob": largest + "AAA="})["layerPartBlob"]) == (
        20_971_520
    )
    assert refusal("UploadLayerPart", {**PART, "layerPartBlob": largest + "AAAA"}) == invalid(
        "layerPartBlob", "Member must have length less than or equal to 20971520"
    )


def test_only_the_first_broken_constraint_in_the_order_of_the_model_is_reported() -> None:
    request = {"maxResults": 0, "filter": {"tagStatus": "x"}, "registryId": "x"}
    assert refusal("ListImages", request)[1].startswith("Invalid parameter at 'registryId'")
    del request["registryId"]
    assert refusal("ListImages", request)[1].startswith("Invalid parameter at 'repositoryName'")
    assert refusal("ListImages", {**APP, **request})[1].startswith("Invalid parameter at 'maxResults'")


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("CreateRepository", {NAME: "00"}),
        ("CreateRepository", {NAME: "a" * 256}),
        ("CreateRepository", {**APP, "imageTagMutabilityExclusionFilters": [FILTER] * 5}),
        ("GetAuthorizationToken", {"registryIds": ["000000000000"] * 10}),
        ("ListImages", {**APP, "maxResults": 1}),
        ("ListImages", {**APP, "maxResults": 1000}),
        ("BatchGetImage", {**APP, "imageIds": [{"imageTag": "x" * 300}] * 100}),
        ("BatchCheckLayerAvailability", {**APP, "layerDigests": ["", "x" * 1000]}),
        ("UploadLayerPart", {**UPLOAD, "partFirstByte": 0, "partLastByte": 2**63 - 1, "layerPartBlob": ""}),
    ],
)
def test_limits_themselves_are_allowed(operation: str, request_: dict[str, Any]) -> None:
    assert set(read(operation, request_)) == set(request_)


# --- Types -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("ListImages", {NAME: 1}, "NUMBER_VALUE can not be converted to a String"),
        ("ListImages", {NAME: 1.5}, "NUMBER_VALUE can not be converted to a String"),
        ("ListImages", {NAME: False}, "FALSE_VALUE can not be converted to a String"),
        ("ListImages", {NAME: []}, "Start of list found where not expected."),
        ("ListImages", {NAME: {}}, "Start of structure or map found where not expected."),
        ("ListImages", {**APP, "maxResults": "1"}, "STRING_VALUE can not be converted to an Integer"),
        ("ListImages", {**APP, "maxResults": True}, "TRUE_VALUE can not be converted to an Integer"),
        ("ListImages", {**APP, "maxResults": 1.5}, "NUMBER_VALUE can not be converted to an Integer"),
        ("ListImages", {**APP, "maxResults": 2**31}, "NUMBER_VALUE can not be converted to an Integer"),
        ("UploadLayerPart", {**PART, "partFirstByte": 2**63}, "NUMBER_VALUE can not be converted to a Long"),
        ("UploadLayerPart", {**PART, "layerPartBlob": 1}, "NUMBER_VALUE can not be converted to a Blob"),
        ("UploadLayerPart", {**PART, "layerPartBlob": "AA"}, "'layerPartBlob' is not base64"),
        ("UploadLayerPart", {**PART, "layerPartBlob": "é==="}, "'layerPartBlob' is not base64"),
        ("UploadLayerPart", {**PART, "layerPartBlob": "A-_="}, "'layerPartBlob' is not base64"),
        ("DeleteRepository", {**APP, "force": "true"}, "STRING_VALUE can not be converted to a Boolean"),
        ("DeleteRepository", {**APP, "force": 1}, "NUMBER_VALUE can not be converted to a Boolean"),
        ("ListImages", {**APP, "filter": "ANY"}, "STRING_VALUE can not be converted to a Structure"),
        ("ListImages", {**APP, "filter": []}, "Start of list found where not expected."),
        ("BatchGetImage", {**APP, "imageIds": {}}, "Start of structure or map found where not expected."),
        ("BatchGetImage", {**APP, "imageIds": "v1"}, "Expected list or null"),
        ("BatchGetImage", {**APP, "imageIds": ["v1"]}, "STRING_VALUE can not be converted to a Structure"),
        ("GetAuthorizationToken", {"registryIds": [1]}, "NUMBER_VALUE can not be converted to a String"),
    ],
)
def test_wrong_type_does_not_deserialize(operation: str, request_: dict[str, Any], message: str) -> None:
    assert refusal(operation, request_) == ("SerializationException", message)


def test_wrong_type_anywhere_outranks_a_broken_constraint() -> None:
    request = {NAME: "A", "tags": [{"Key": "a", "Value": 1}]}
    assert refusal("CreateRepository", request)[0] == "SerializationException"


def test_reader_keeps_what_the_model_knows() -> None:
    request = {**PART, "layerPartBlob": "aGk=", "registryId": None, "colour": "red"}
    assert read("UploadLayerPart", request) == {
        **UPLOAD,
        "partFirstByte": 0,
        "partLastByte": 0,
        "layerPartBlob": b"hi",
    }


# --- Writing ---------------------------------------------------------------------------------------------


def test_writer_leaves_out_what_is_not_set_and_keeps_empty_lists() -> None:
    answer = {"imageIds": [{"imageDigest": "sha256:00", "imageTag": None}], "failures": [], "nextToken": None}
    del answer["nextToken"]
    assert CODEC.writer("BatchDeleteImage")(answer) == {
        "imageIds": [{"imageDigest": "sha256:00"}],
        "failures": [],
    }


def test_writer_gives_times_in_seconds_to_the_millisecond() -> None:
    answer = {"repository": {"createdAt": 1_750_000_000.123456}}
    assert CODEC.writer("CreateRepository")(answer) == {"repository": {"createdAt": 1_750_000_000.123}}


def test_writer_refuses_a_member_that_the_model_lacks() -> None:
    with pytest.raises(KeyError, match="colour"):
        CODEC.writer("CreateRepository")({"repository": {"colour": "red"}})


# --- Shapes that ECR's own model hardly uses --------------------------------------------------------------

TREE = Codec(
    Model(
        {
            "metadata": {"targetPrefix": "Trees"},
            "operations": {"PutTree": {"input": {"shape": "Tree"}, "output": {"shape": "Tree"}}},
            "shapes": {
                "Tree": {
                    "type": "structure",
                    "members": {
                        "children": {"shape": "Trees"},
                        "labels": {"shape": "Labels"},
                        "height": {"shape": "Height"},
                        "planted": {"shape": "Planted"},
                        "bark": {"shape": "Bark"},
                    },
                },
                "Trees": {"type": "list", "member": {"shape": "Tree"}},
                "Labels": {"type": "map", "key": {"shape": "Label"}, "value": {"shape": "Label"}},
                "Label": {"type": "string", "max": 3},
                "Height": {"type": "double"},
                "Planted": {"type": "timestamp"},
                "Bark": {"type": "blob"},
            },
        }
    )
)


def test_recursive_shapes_maps_and_numbers_are_read_and_written() -> None:
    document = {
        "children": [{"children": [], "labels": {"a": "b"}}],
        "height": 2.0,
        "planted": 3.0,
        "bark": "aGk=",
    }
    tree = TREE.reader("PutTree")(document)
    assert tree == {**document, "bark": b"hi"}
    assert TREE.writer("PutTree")(tree) == document


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"height": "tall"}, "SerializationException"),
        ({"height": True}, "SerializationException"),
        ({"planted": "2026-01-01"}, "SerializationException"),
        ({"labels": []}, "SerializationException"),
        ({"labels": {"a": 1}}, "SerializationException"),
        ({"children": [{"labels": {"a": "long"}}]}, "InvalidParameterException"),
    ],
)
def test_recursive_shapes_maps_and_numbers_are_checked(request_: dict[str, Any], code: str) -> None:
    with pytest.raises(EcrError) as caught:
        TREE.reader("PutTree")(request_)
    assert caught.value.code == code
