"""Records of API calls in CloudTrail's shape."""

import json

import pytest

from ecr_emu.control.model import load
from ecr_emu.domain import timestamps, trail
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.trail import Outcome, Request

ACCOUNT = "123456789012"
HOME = Registry(ACCOUNT, "us-east-1")
ROOT = trail.caller(
    Principal(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "root"), "", "203.0.113.12", "docker/20"
)


def record(request: Request, outcome: Outcome) -> dict[str, object]:
    event = trail.api_call(ROOT, request, outcome, HOME, timestamps.parse("2018-07-11T22:17:43Z"))
    assert event.detail_type == "AWS API Call via CloudTrail"
    return dict(event.detail)


def test_a_created_repository_equals_the_documented_record() -> None:
    """ECR user guide, Logging Amazon ECR actions with AWS CloudTrail (reference, data plane 9.3)."""
    about = {
        "repositoryArn": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/testrepo",
        "repositoryName": "testrepo",
        "repositoryUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/testrepo",
        "registryId": ACCOUNT,
    }
    created_at = timestamps.parse("2018-07-11T22:17:44Z")
    answer = {"repository": {**about, "createdAt": created_at, "kmsKey": None}}
    assert record(Request("CreateRepository", {"repositoryName": "testrepo"}, "id"), Outcome(answer)) == {
        "eventVersion": "1.05",
        "userIdentity": {
            "type": "Root",
            "principalId": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accountId": ACCOUNT,
        },
        "eventTime": "2018-07-11T22:17:43Z",
        "eventSource": "ecr.amazonaws.com",
        "eventName": "CreateRepository",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.12",
        "userAgent": "docker/20",
        "requestParameters": {"repositoryName": "testrepo"},
        "responseElements": {"repository": {**about, "createdAt": "Jul 11, 2018 10:17:44 PM"}},
        "requestID": "id",
        "readOnly": False,
        "resources": [{"ARN": about["repositoryArn"], "accountId": ACCOUNT}],
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }


def test_what_only_reads_has_no_response_and_an_error_says_why() -> None:
    read = record(Request("BatchGetImage", {"repositoryName": "a/b"}), Outcome({"images": ["…"]}))
    assert (read["readOnly"], read["responseElements"]) == (True, None)
    refused = record(Request("PutImage", {}), Outcome(error=("AccessDeniedException", "no")))
    assert (refused["errorCode"], refused["errorMessage"]) == ("AccessDeniedException", "no")
    assert (refused["responseElements"], refused["resources"]) == (None, [])


def test_neither_logins_nor_layers_nor_what_is_too_long_is_written_down() -> None:
    token = record(Request("GetAuthorizationToken", {}), Outcome({"authorizationData": ["secret"]}))
    part = record(Request("UploadLayerPart", {"uploadId": "x", "layerPartBlob": "Ynl0ZXM="}), Outcome({}))
    assert "secret" not in json.dumps(token)
    assert part["requestParameters"] == {"uploadId": "x"}
    long = record(Request("PutImage", {"imageManifest": "x" * 200_000}), Outcome({}))
    assert long["requestParameters"] == {"omitted": True, "originalSize": 200_021}


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (
            Principal(f"arn:aws:iam::{ACCOUNT}:user/team/bob", ACCOUNT, "user", unique_id="AIDABOB"),
            {"type": "IAMUser", "principalId": "AIDABOB", "userName": "bob"},
        ),
        (
            Principal(
                f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/run-1", ACCOUNT, "assumed-role", unique_id="AROACI"
            ),
            {"type": "AssumedRole", "principalId": "AROACI:run-1"},
        ),
    ],
)
def test_callers_are_named_as_cloudtrail_does(principal: Principal, expected: dict[str, str]) -> None:
    identity = trail.caller(principal, "AKIA1", "", "").identity
    common = {"arn": principal.arn, "accountId": ACCOUNT, "accessKeyId": "AKIA1"}
    assert identity == {**common, **expected}


def test_every_time_of_an_answer_is_known() -> None:
    model = load()
    times = {
        name
        for shape in model.shapes.values()
        for name, member in shape.get("members", {}).items()
        if model.shapes[member["shape"]]["type"] == "timestamp"
    }
    # Of findings and login tokens, which are never in a record.
    unseen = {
        "firstObservedAt",
        "lastObservedAt",
        "vendorCreatedAt",
        "vendorUpdatedAt",
        "pushedAt",
        "lastInUseAt",
    }
    assert times - unseen == trail.TIMES


def test_operations_that_read_are_told_by_their_names() -> None:
    names = [name for name in load().operations if not trail.is_read(name)]
    verbs = {
        "Batch",
        "Complete",
        "Create",
        "Delete",
        "Deregister",
        "Initiate",
        "Put",
        "Register",
        "Set",
        "Start",
    }
    verbs |= {"Stop", "Tag", "Untag", "Update", "Upload"}
    assert [name for name in names if not name.startswith(tuple(verbs))] == []
