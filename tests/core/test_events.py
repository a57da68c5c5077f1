"""What is told of what is done: which cause on which plane makes which events, in which order."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.core.reset import reset
from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from ecr_emu.store import events as rows
from tests.clients import CONFIG_TYPE, Clock, Registry, Running, digest_of, image_index, image_manifest
from tests.policies import keep_newest, policy

NAME = "team/app"
ARN = f"arn:aws:ecr:us-east-1:000000000000:repository/{NAME}"
TYPES = {"manifest-media-type": OCI_MANIFEST, "artifact-media-type": CONFIG_TYPE}


def told(application: Application, after: int = 0) -> list[dict[str, Any]]:
    """All events, but for those of CloudTrail."""
    with application.emulator.store.read() as connection:
        found = [json.loads(event.body) for event in rows.after(connection, after, 1000)]
    return [event for event in found if "CloudTrail" not in event["detail-type"]]


def details(application: Application) -> list[dict[str, Any]]:
    return [event["detail"] for event in told(application)]


def short(application: Application) -> list[tuple[str, str, str]]:
    """Kind, deed and tag of all events."""
    return [
        (
            event["detail-type"],
            event["detail"].get("target-storage-class", event["detail"]["action-type"]),
            event["detail"].get("image-tag", "-"),
        )
        for event in told(application)
    ]


def trail(application: Application) -> list[dict[str, Any]]:
    with application.emulator.store.read() as connection:
        found = [json.loads(event.body) for event in rows.after(connection, 0, 1000)]
    return [event["detail"] for event in found if "CloudTrail" in event["detail-type"]]


@pytest.fixture
def repository(ecr: Any) -> str:
    ecr.create_repository(repositoryName=NAME)
    return NAME


def test_a_push_is_told_as_documented(
    application: Application, registry: Registry, repository: str, clock: Clock
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    (event,) = told(application)
    assert event == {
        "version": "0",
        "id": event["id"],
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": "000000000000",
        "time": "2025-06-15T15:06:40Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "result": "SUCCESS",
            "repository-name": NAME,
            "image-digest": digest,
            "action-type": "PUSH",
            "image-tag": "v1",
            **TYPES,
        },
    }


def test_every_manifest_of_an_index_is_told_and_what_changes_nothing_is_not(
    application: Application, registry: Registry, repository: str
) -> None:
    digest = registry.push_image(NAME, None, b"layer")
    child = registry.request("GET", f"/v2/{NAME}/manifests/{digest}").body
    for _ in range(2):
        assert registry.put_manifest(NAME, "all", image_index(child), OCI_INDEX).status == 201
    registry.put_manifest(NAME, "v1", child)
    assert [(one["image-digest"], one["image-tag"]) for one in details(application)] == [
        (digest, ""),
        (digest_of(image_index(child)), "all"),
        (digest, "v1"),
    ]


def test_a_referrer_is_told_as_a_referrer(
    application: Application, ecr: Any, registry: Registry, repository: str
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    signature = registry.push_image(
        NAME, None, b"signature", artifactType="text/x", subject={"digest": digest, "size": 1}
    )
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": signature}])
    assert short(application)[1:] == [
        ("ECR Referrer Action", "PUSH", ""),
        ("ECR Referrer Action", "DELETE", ""),
    ]
    assert details(application)[1]["artifact-media-type"] == "text/x"


def test_put_image_tells_the_same_as_the_registry(
    application: Application, ecr: Any, registry: Registry, repository: str
) -> None:
    registry.push_blob(NAME, b"{}")
    body = image_manifest(b"{}")
    ecr.put_image(repositoryName=NAME, imageManifest=body.decode(), imageTag="v1")
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(repositoryName=NAME, imageManifest=body.decode(), imageTag="v1")
    assert details(application) == [
        {
            "result": "SUCCESS",
            "repository-name": NAME,
            "image-digest": digest_of(body),
            "action-type": "PUSH",
            "image-tag": "v1",
            **TYPES,
        }
    ]


@pytest.mark.parametrize("plane", ["api", "registry"])
def test_deleting_a_tag_and_an_image_is_told(
    application: Application, ecr: Any, registry: Registry, repository: str, plane: str
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    registry.push_image(NAME, "v2", b"layer")
    registry.push_image(NAME, "v3", b"layer")
    if plane == "api":
        ecr.batch_delete_image(
            repositoryName=NAME, imageIds=[{"imageTag": "v1"}, {"imageDigest": digest}, {"imageTag": "v9"}]
        )
    else:
        registry.request("DELETE", f"/v2/{NAME}/manifests/v1")
        registry.request("DELETE", f"/v2/{NAME}/manifests/{digest}")
        registry.request("DELETE", f"/v2/{NAME}/manifests/v9")
    assert [(deed, tag) for _, deed, tag in short(application)[3:]] == [
        ("DELETE", "v1"),
        ("DELETE", "v2"),
        ("DELETE", "v3"),
    ]


def test_archiving_and_restoring_is_told_once(
    application: Application, ecr: Any, registry: Registry, repository: str
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    for target in ("ARCHIVE", "ARCHIVE", "STANDARD", "STANDARD", "ARCHIVE"):
        ecr.update_image_storage_class(
            repositoryName=NAME, imageId={"imageTag": "v1"}, targetStorageClass=target
        )
    registry.push_image(NAME, "v1", b"layer")
    kind = "ECR Image Action"
    assert short(application)[1:] == [
        (kind, "ARCHIVE", "-"),
        (kind, "STANDARD", "-"),
        (kind, "ARCHIVE", "-"),
        (kind, "STANDARD", "-"),
        (kind, "PUSH", "v1"),
    ]
    assert details(application)[2] == {
        "result": "SUCCESS",
        "repository-name": NAME,
        "image-digest": digest,
        "action-type": "UPDATE_STORAGE_CLASS",
        "target-storage-class": "STANDARD",
        "last-activated-at": "2025-06-15T15:06:40.25Z",
        **TYPES,
    }


def test_a_lifecycle_policy_tells_what_it_deletes_and_cloudtrail_why(
    application: Application, ecr: Any, registry: Registry, repository: str, emulator: Running, clock: Clock
) -> None:
    digests = [registry.push_image(NAME, f"v{number}", str(number).encode()) for number in range(12)]
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(keep_newest(1)))
    emulator.post("/_emu/lifecycle/run")
    deleted = [one for one in details(application) if one["action-type"] == "DELETE"]
    assert {one["image-digest"] for one in deleted} == set(digests[:11])
    records = [one for one in trail(application) if one["eventName"] == "PolicyExecutionEvent"]
    assert [len(one["serviceEventDetails"]["lifecycleEventImageActions"]) for one in records] == [10, 1]
    record = records[0]
    details_ = record["serviceEventDetails"]
    policy_ = details_["lifecycleEventPolicy"]
    assert record == {
        "eventVersion": "1.05",
        "userIdentity": {"accountId": "000000000000", "invokedBy": "AWS Internal"},
        "eventTime": "2025-06-15T15:06:40Z",
        "eventSource": "ecr.amazonaws.com",
        "eventName": "PolicyExecutionEvent",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": None,
        "responseElements": None,
        "eventID": record["eventID"],
        "readOnly": True,
        "resources": [{"ARN": ARN, "accountId": "000000000000", "type": "AWS::ECR::Repository"}],
        "eventType": "AwsServiceEvent",
        "recipientAccountId": "000000000000",
        "serviceEventDetails": details_,
    }
    assert policy_ | {"lifecycleEventRules": [], "policyId": ""} == {
        "lifecycleEventRules": [],
        "lastEvaluatedAt": 0,
        "policyVersion": 1,
        "policyId": "",
    }
    (rule,) = policy_["lifecycleEventRules"]
    assert (rule["lifecycleEventSelection"]["countType"], rule["action"]) == (
        "Image count more than",
        "expire",
    )
    image = details_["lifecycleEventImageActions"][0]
    assert image["rulePriority"] == rule["rulePriority"]
    assert image["lifecycleEventImage"]["tagStatus"] == "Tagged"
    assert image["lifecycleEventImage"]["pushedAt"] == round(clock() * 1000)


def inject(emulator: Running, **content: Any) -> None:
    body = json.dumps({"repositoryName": NAME, **content}).encode()
    assert Registry(emulator.port, None).request("PUT", "/_emu/scan-findings", body).status == 200


def test_a_basic_scan_is_told_as_documented(
    application: Application, ecr: Any, registry: Registry, repository: str, emulator: Running
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    inject(emulator, findingSeverityCounts={"CRITICAL": 10, "MEDIUM": 9})
    ecr.start_image_scan(repositoryName=NAME, imageId={"imageTag": "v1"})
    application.runner.run_due()
    event = told(application)[-1]
    assert (event["detail-type"], event["resources"]) == ("ECR Image Scan", [ARN])
    assert event["detail"] == {
        "scan-status": "COMPLETE",
        "repository-name": NAME,
        "finding-severity-counts": {"CRITICAL": 10, "MEDIUM": 9},
        "image-digest": digest,
        "image-tags": ["v1"],
    }


FINDING = {
    "findingArn": "arn:aws:inspector2:us-east-1:000000000000:finding/one",
    "awsAccountId": "000000000000",
    "firstObservedAt": 1_638_554_550.0,
    "severity": "HIGH",
    "title": "CVE-2019-17498 - libssh2",
    "type": "PACKAGE_VULNERABILITY",
}


def test_enhanced_scanning_tells_of_frequencies_and_inspector_of_scans_and_findings(
    application: Application, ecr: Any, registry: Registry, repository: str, emulator: Running
) -> None:
    ecr.create_repository(repositoryName="other")
    rule = {
        "scanFrequency": "SCAN_ON_PUSH",
        "repositoryFilters": [{"filter": NAME, "filterType": "WILDCARD"}],
    }
    for _ in range(2):
        ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    (change,) = told(application)
    assert (change["detail-type"], change["resources"]) == ("ECR Scan Resource Change", [])
    assert change["detail"]["repositories"] == [
        {
            "repository-name": NAME,
            "repository-arn": ARN,
            "scan-frequency": "SCAN_ON_PUSH",
            "previous-scan-frequency": "MANUAL",
        }
    ]
    inject(emulator, enhancedFindings=[FINDING])
    digest = registry.push_image(NAME, "v1", b"layer")
    application.runner.run_due()
    scan, finding = told(application)[-2:]
    assert (scan["source"], scan["detail-type"], scan["resources"]) == (
        "aws.inspector2",
        "Inspector2 Scan",
        [ARN],
    )
    assert scan["detail"] == {
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": ARN,
        "finding-severity-counts": {"HIGH": 1, "TOTAL": 1},
        "image-digest": digest,
        "image-tags": ["v1"],
    }
    assert (finding["detail-type"], finding["resources"]) == ("Inspector2 Finding", [f"{ARN}/{digest}"])
    assert finding["detail"]["title"] == FINDING["title"]
    assert finding["detail"]["firstObservedAt"] == "Dec 3, 2021, 6:02:30 PM"
    # Scanned again, with the same result: nothing is new.
    mark = len(told(application))
    inject(emulator, enhancedFindings=[FINDING])
    application.runner.run_due()
    assert len(told(application)) == mark


def test_repositories_made_and_deleted_are_api_calls(
    application: Application, ecr: Any, registry: Registry, repository: str
) -> None:
    ecr.create_repository_creation_template(prefix="ROOT", appliedFor=["CREATE_ON_PUSH"])
    registry.push_image("made/by/push", "v1", b"layer")
    ecr.delete_repository(repositoryName=NAME)
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.delete_repository(repositoryName=NAME)
    made, by_push, deleted = trail(application)
    assert (made["eventName"], made["requestParameters"]) == ("CreateRepository", {"repositoryName": NAME})
    assert made["responseElements"]["repository"]["createdAt"] == "Jun 15, 2025 3:06:40 PM"
    assert made["userIdentity"]["type"] == "Root"
    assert made["resources"] == [{"ARN": ARN, "accountId": "000000000000"}]
    assert by_push["userIdentity"] == {"type": "AWSService", "invokedBy": "ecr.amazonaws.com"}
    assert by_push["requestParameters"] == {"repositoryName": "made/by/push"}
    assert (deleted["eventName"], deleted["eventType"]) == ("DeleteRepository", "AwsApiCall")


def test_what_is_refused_is_not_told(
    application: Application, ecr: Any, registry: Registry, repository: str
) -> None:
    ecr.put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    registry.push_image(NAME, "v1", b"layer")
    before = len(told(application))
    registry.push_blob(NAME, b"other")
    body = image_manifest(b"other")
    assert registry.put_manifest(NAME, "v1", body).status == 400
    assert registry.put_manifest(NAME, "v2", image_manifest(b"nobody has this")).status == 404
    assert len(told(application)) == before


def test_a_reset_forgets_what_happened_and_numbers_go_on(
    application: Application, ecr: Any, repository: str
) -> None:
    with application.emulator.store.read() as connection:
        mark = rows.mark(connection)
    reset(application.emulator)
    assert trail(application) == []
    ecr.create_repository(repositoryName=NAME)
    with application.emulator.store.read() as connection:
        assert [event.number for event in rows.after(connection, 0, 10)] == [mark + 1]


def test_other_accounts_and_regions_are_told_as_theirs(
    application: Application, start: Callable[..., Running]
) -> None:
    emulator = start()
    emulator.ecr("111122223333", "eu-west-1").create_repository(repositoryName=NAME)
    emulator.registry("111122223333", "eu-west-1").push_image(NAME, "v1", b"layer")
    (event,) = told(emulator.application)
    assert (event["account"], event["region"]) == ("111122223333", "eu-west-1")
