"""The entrance of the JSON API: targets, bodies, callers, headers."""

import base64
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config

from ecr_emu.control.wire import MAX_BODY_BYTES
from tests.clients import DEFAULT_ACCOUNT, Registry, Running
from tests.control.calls import TARGET_PREFIX, Api, authorization, refusal, refused

SERIALIZATION = "SerializationException"


def key_of_account(account: str, prefix: str = "AKIA") -> str:
    """An access key of the kind that holds its account: the top bit, then 40 bits of number."""
    bits = 1 << 47 | int(account) << 7
    return prefix + base64.b32encode(bits.to_bytes(6, "big") + b"\x05\x0e\x4e\x0f").decode()


def registry_id(api: Api, authorized: str) -> str:
    reply = api.post("DescribeRegistry", {}, authorized)
    assert reply.status == 200, reply.body
    return str(reply.json()["registryId"])


@pytest.fixture
def not_built(emulator: Running) -> str:
    """An operation of the model that this emulator lacks."""
    del emulator.application.control._built["DescribeRegistry"]
    return "DescribeRegistry"


# --- Targets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        f"{TARGET_PREFIX}.MakeCoffee",
        f"{TARGET_PREFIX}.describeRegistry",
        f"{TARGET_PREFIX}.describe_registry",
        f"{TARGET_PREFIX}.",
        TARGET_PREFIX,
        "AmazonEC2ContainerRegistry_V20990101.DescribeRegistry",
        "DescribeRegistry",
        "",
    ],
)
def test_unknown_target_is_refused(api: Api, target: str) -> None:
    reply = api.send(b"{}", {"X-Amz-Target": target, "Authorization": authorization()})
    assert (reply.status, reply.json()) == (
        400,
        {"__type": "UnknownOperationException", "message": f"Unknown operation '{target}'"},
    )


def test_missing_target_is_refused(api: Api) -> None:
    reply = api.send(b"{}", {"Authorization": authorization()})
    assert (reply.status, reply.json()["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_answered(api: Api, method: str) -> None:
    headers = {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRegistry", "Authorization": authorization()}
    reply = api.send(b"", headers, method)
    assert (reply.status, reply.json()["__type"]) == (405, "UnsupportedMethod")


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_operation_that_is_not_built_is_answered_with_501_and_not_tried_again(
    emulator: Running, not_built: str, mode: str
) -> None:
    config = Config(parameter_validation=False, retries={"mode": mode, "total_max_attempts": 5})
    client = emulator.ecr(config=config)
    python_name = next(py for py, name in client.meta.method_to_api_mapping.items() if name == not_built)
    response = refused(getattr(client, python_name))
    assert response["Error"]["Code"] == "NotImplementedException"
    assert response["Error"]["Message"] == f"ecr-emu does not implement {not_built} yet"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


# --- Bodies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The request body is not JSON"),
        (b"repositoryName=app", "The request body is not JSON"),
        (b'{"repositoryName": NaN}', "The request body is not JSON"),
        (b'{"repositoryName": "\xff"}', "The request body is not JSON"),
        (b'{"repositoryName": "\\ud800"}', "The request body is not JSON"),
        (b"[" * 5000, "The request body is not JSON"),
        (b"[]", "Start of list found where not expected."),
        (b"[{}]", "Start of list found where not expected."),
        (b"null", "NULL_VALUE can not be converted to a Structure"),
        (b"true", "TRUE_VALUE can not be converted to a Structure"),
        (b"1", "NUMBER_VALUE can not be converted to a Structure"),
        (b'"{}"', "STRING_VALUE can not be converted to a Structure"),
    ],
)
def test_body_that_is_no_json_object_is_refused(api: Api, body: bytes, message: str) -> None:
    assert api.refusal("DescribeRepositories", body) == (SERIALIZATION, message)


def test_empty_body_means_no_members(api: Api) -> None:
    assert api.post("DescribeRepositories", b"").json() == {"repositories": []}


def test_unknown_members_are_ignored(api: Api) -> None:
    request = {"repositoryName": "app", "colour": "red", "imageScanningConfiguration": {"depth": [1]}}
    assert api.post("CreateRepository", request).status == 200


def test_member_names_are_case_sensitive(api: Api) -> None:
    code, message = api.refusal("CreateRepository", {"RepositoryName": "app"})
    assert (code, "'repositoryName'" in message) == ("InvalidParameterException", True)


def test_body_that_announces_too_much_is_refused_and_the_answer_arrives(api: Api) -> None:
    headers = {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRegistry", "Authorization": authorization()}
    reply = api.send(b" " * (MAX_BODY_BYTES + 1), headers)
    assert (reply.status, reply.json()) == (
        413,
        {
            "__type": "RequestEntityTooLargeException",
            "message": f"The request body is larger than {MAX_BODY_BYTES} bytes",
        },
    )


def test_body_that_turns_out_too_large_is_refused(emulator: Running) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 2**20):
            yield b" " * 2**20
        yield b"{}"

    headers = {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRegistry", "Authorization": authorization()}
    reply = Registry(emulator.port, None).request("POST", "/", chunks(), headers)
    assert (reply.status, reply.json()["__type"]) == (413, "RequestEntityTooLargeException")


def test_refusal_reaches_a_client_that_still_sends(api: Api) -> None:
    reply = api.send(b" " * MAX_BODY_BYTES, {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRegistry"})
    assert (reply.status, reply.json()["__type"]) == (400, "MissingAuthenticationTokenException")


# --- Headers ---------------------------------------------------------------------------------------------


def test_every_answer_has_the_content_type_and_a_request_id_of_its_own(api: Api, not_built: str) -> None:
    replies = [
        api.post("DescribeRepositories", {}),
        api.post("DescribeRepositories", {}),
        api.post("DescribeRepositories", []),
        api.post("MakeCoffee", {}),
        api.post(not_built, {}),
        api.send(b"", {}, "GET"),
    ]
    assert {reply.headers["content-type"] for reply in replies} == {"application/x-amz-json-1.1"}
    assert all(int(reply.headers["content-length"]) == len(reply.body) for reply in replies)
    ids = [uuid.UUID(reply.headers["x-amzn-requestid"]) for reply in replies]
    assert len(set(ids)) == len(replies)


def test_boto3_sees_the_request_id(ecr: Any) -> None:
    metadata = ecr.describe_registry()["ResponseMetadata"]
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]


# --- Callers ---------------------------------------------------------------------------------------------


def test_request_without_authorization_is_refused(api: Api) -> None:
    reply = api.send(b"{}", {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRegistry"})
    assert (reply.status, reply.json()) == (
        400,
        {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"},
    )


def test_open_emulator_asks_nobody_who_they_are(start: Callable[..., Running]) -> None:
    api = Api(start(auth="open"))
    reply = api.send(b"{}", {"X-Amz-Target": f"{TARGET_PREFIX}.DescribeRegistry"})
    assert (reply.status, reply.json()["registryId"]) == (200, DEFAULT_ACCOUNT)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer token",
        "Basic QVdTOnBhc3N3b3Jk",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=test/20250615/us-east-1/ecr, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=/20250615/us-east-1/ecr/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=test/20250615//ecr/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=test/20250615/US_EAST/ecr/aws4_request, SignedHeaders=host",
    ],
)
def test_authorization_without_a_whole_credential_is_refused(api: Api, header: str) -> None:
    assert api.refusal("DescribeRegistry", {}, header) == (
        "IncompleteSignatureException",
        "Authorization header requires 'Credential' parameter with a credential scope.",
    )


@pytest.mark.parametrize(
    ("access_key", "account"),
    [
        ("123456789012", "123456789012"),
        ("000000000001", "000000000001"),
        (key_of_account("123456789012"), "123456789012"),
        (key_of_account("999999999999"), "999999999999"),
        (key_of_account("000000000042", "ASIA"), "000000000042"),
        ("test", DEFAULT_ACCOUNT),
        ("12345678901", DEFAULT_ACCOUNT),
        ("1234567890123", DEFAULT_ACCOUNT),
        ("AKIAIOSFODNN7EXAMPLE", DEFAULT_ACCOUNT),
        (key_of_account("123456789012", "AROA"), DEFAULT_ACCOUNT),
        ("AKIA7777777777777777", DEFAULT_ACCOUNT),
    ],
)
def test_access_key_names_the_account(api: Api, access_key: str, account: str) -> None:
    assert registry_id(api, authorization(access_key)) == account


def test_setting_names_the_account_of_all_other_keys(start: Callable[..., Running]) -> None:
    api = Api(start(account="111122223333"))
    assert registry_id(api, authorization("test")) == "111122223333"
    assert registry_id(api, authorization("123456789012")) == "123456789012"


def test_region_is_that_of_the_credential_scope(emulator: Running) -> None:
    repository = emulator.ecr(region="eu-central-1").create_repository(repositoryName="app")["repository"]
    assert repository["repositoryArn"] == f"arn:aws:ecr:eu-central-1:{DEFAULT_ACCOUNT}:repository/app"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_region_decides_the_partition(api: Api, region: str, partition: str) -> None:
    reply = api.post("CreateRepository", {"repositoryName": "app"}, authorization(region=region))
    arn = reply.json()["repository"]["repositoryArn"]
    assert arn == f"arn:{partition}:ecr:{region}:{DEFAULT_ACCOUNT}:repository/app"


@pytest.mark.parametrize(("access_key", "region"), [("222222222222", "us-east-1"), ("test", "us-west-2")])
def test_other_accounts_and_regions_share_nothing(
    emulator: Running, ecr: Any, access_key: str, region: str
) -> None:
    ecr.create_repository(repositoryName="app")
    other = emulator.ecr(access_key, region)
    assert other.describe_repositories()["repositories"] == []
    code, _ = refusal(other.list_images, repositoryName="app")
    assert code == "RepositoryNotFoundException"
    theirs = other.create_repository(repositoryName="app")["repository"]
    other.delete_repository(repositoryName="app")
    (mine,) = ecr.describe_repositories()["repositories"]
    assert mine["repositoryArn"] != theirs["repositoryArn"]


def test_own_registry_id_is_the_same_as_none(ecr: Any) -> None:
    ecr.create_repository(repositoryName="app", registryId=DEFAULT_ACCOUNT)
    assert ecr.describe_repositories(registryId=DEFAULT_ACCOUNT)["repositories"]


ARN = "arn:aws:ecr:us-east-1:222222222222:repository"


@pytest.mark.parametrize(
    ("operation", "request_", "resource"),
    [
        ("CreateRepository", {"repositoryName": "app"}, f"{ARN}/app"),
        ("DeleteRepository", {"repositoryName": "app"}, f"{ARN}/app"),
        ("DescribeRepositories", {}, f"{ARN}/*"),
        ("DescribeRepositories", {"repositoryNames": ["app"]}, f"{ARN}/app"),
        (
            "PutImageTagMutability",
            {"repositoryName": "app", "imageTagMutability": "MUTABLE"},
            f"{ARN}/app",
        ),
        ("ListImages", {"repositoryName": "app"}, f"{ARN}/app"),
        ("InitiateLayerUpload", {"repositoryName": "none/such"}, f"{ARN}/none/such"),
        ("PutImage", {"repositoryName": "app", "imageManifest": "{}"}, f"{ARN}/app"),
    ],
)
def test_registry_of_another_account_is_closed(
    api: Api, operation: str, request_: dict[str, Any], resource: str
) -> None:
    api.post("CreateRepository", {"repositoryName": "app"}, authorization("222222222222"))
    assert api.refusal(operation, {**request_, "registryId": "222222222222"}) == (
        "AccessDeniedException",
        f"User: arn:aws:iam::{DEFAULT_ACCOUNT}:root is not authorized to perform: ecr:{operation} "
        f"on resource: {resource} because no resource-based policy allows the ecr:{operation} action",
    )
