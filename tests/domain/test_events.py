"""Every event equals its documented sample, member by member (Must show 4).

The samples are those of the ECR user guide (Amazon ECR events and EventBridge; Image scanning events), as the
reference has them in 9.2.
"""

import json
from typing import Any

import pytest

from ecr_emu.domain import events, inspector_events, timestamps
from ecr_emu.domain.events import CacheRule, Event, Failure, FrequencyChange, Subject
from ecr_emu.domain.registries import Registry

ACCOUNT = "123456789012"
DIGEST = "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"
WEST, EAST, OHIO = (Registry(ACCOUNT, region) for region in ("us-west-2", "us-east-1", "us-east-2"))
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
UBUNTU = "sha256:f98d67af8e53a536502bfc600de3266556b06ed635a32d60aa7a5fe6d7e609d7"
ALPINE = "sha256:4aa08ef415aecc80814cb42fa41b658480779d80c77ab15EXAMPLE"
SAMPLE_IMAGE = "sha256:36c7b282abd0186e01419f2e58743e1bf635808231049bbc9d77e5EXAMPLE"
PLAIN = Subject("my-repository-name", DIGEST)

PUSH = """{"version":"0","id":"13cde686-328b-6117-af20-0e5566167482","detail-type":"ECR Image Action",
 "source":"aws.ecr","account":"123456789012","time":"2019-11-16T01:54:34Z","region":"us-west-2","resources":[],
 "detail":{"result":"SUCCESS","repository-name":"my-repository-name",
  "image-digest":"sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234",
  "action-type":"PUSH","image-tag":"latest"}}"""
DELETE = PUSH.replace("PUSH", "DELETE")
ARCHIVE = """{"version":"0","id":"4f5ec4d5-4de4-7aad-a046-EXAMPLE","detail-type":"ECR Image Action",
 "source":"aws.ecr","account":"123456789012","time":"2019-08-06T00:58:09Z","region":"us-east-1","resources":[],
 "detail":{"action-type":"UPDATE_STORAGE_CLASS","target-storage-class":"ARCHIVE",
  "image-digest":"sha256:f98d67af8e53a536502bfc600de3266556b06ed635a32d60aa7a5fe6d7e609d7",
  "repository-name":"ubuntu","result":"SUCCESS",
  "manifest-media-type":"application/vnd.oci.image.manifest.v1+json",
  "artifact-media-type":"application/vnd.oci.image.config.v1+json"}}"""
RESTORE = ARCHIVE.replace(
    '"target-storage-class":"ARCHIVE"',
    '"target-storage-class":"STANDARD","last-activated-at":"2025-10-10T19:13:02.74Z"',
)
REFERRER_RESTORE = (
    RESTORE.replace("ECR Image Action", "ECR Referrer Action")
    .replace(OCI_MANIFEST, "application/vnd.cncf.oras.artifact.manifest.v1+json")
    .replace(OCI_CONFIG, "text/sbom+json")
)
SCAN = """{"version":"0","id":"85fc3613-e913-7fc4-a80c-a3753e4aa9ae","detail-type":"ECR Image Scan",
 "source":"aws.ecr","account":"123456789012","time":"2019-10-29T02:36:48Z","region":"us-east-1",
 "resources":["arn:aws:ecr:us-east-1:123456789012:repository/my-repository-name"],
 "detail":{"scan-status":"COMPLETE","repository-name":"my-repository-name",
  "finding-severity-counts":{"CRITICAL":10,"MEDIUM":9},
  "image-digest":"sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234","image-tags":[]}}"""
FREQUENCY = """{"version":"0","id":"0c18352a-a4d4-6853-ef53-0ab8638973bf",
 "detail-type":"ECR Scan Resource Change","source":"aws.ecr","account":"123456789012",
 "time":"2021-10-14T20:53:46Z","region":"us-east-1","resources":[],
 "detail":{"action-type":"SCAN_FREQUENCY_CHANGE",
  "repositories":[{"repository-name":"repository-1",
    "repository-arn":"arn:aws:ecr:us-east-1:123456789012:repository/repository-1",
    "scan-frequency":"SCAN_ON_PUSH","previous-scan-frequency":"MANUAL"}],
  "resource-type":"REPOSITORY","scan-type":"ENHANCED"}}"""
CACHE = """{"version":"0","id":"85fc3613-e913-7fc4-a80c-a3753e4aa9ae",
 "detail-type":"ECR Pull Through Cache Action","source":"aws.ecr","account":"123456789012",
 "time":"2023-02-28T02:36:48Z","region":"us-west-2",
 "resources":["arn:aws:ecr:us-west-2:123456789012:repository/docker-hub/alpine"],
 "detail":{"rule-version":"1","sync-status":"SUCCESS","ecr-repository-prefix":"docker-hub",
  "repository-name":"docker-hub/alpine","upstream-registry-url":"public.ecr.aws",
  "image-tag":"3.17.2","image-digest":"sha256:4aa08ef415aecc80814cb42fa41b658480779d80c77ab15EXAMPLE"}}"""
REPLICATION = """{"version":"0","id":"c8b133b1-6029-ee73-e2a1-4f466b8ba999",
 "detail-type":"ECR Replication Action","source":"aws.ecr","account":"123456789012",
 "time":"2024-05-08T20:44:54Z","region":"us-east-1",
 "resources":["arn:aws:ecr:us-east-1:123456789012:repository/docker-hub/alpine"],
 "detail":{"result":"SUCCESS","repository-name":"docker-hub/alpine",
  "image-digest":"sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234",
  "source-account":"123456789012","action-type":"REPLICATE","source-region":"us-west-2","image-tag":"3.17.2"}}"""
INSPECTOR = """{"version":"0","id":"739c0d3c-4f02-85c7-5a88-94a9EXAMPLE","detail-type":"Inspector2 Scan",
 "source":"aws.inspector2","account":"123456789012","time":"2021-12-03T18:03:16Z","region":"us-east-2",
 "resources":["arn:aws:ecr:us-east-2:123456789012:repository/amazon/amazon-ecs-sample"],
 "detail":{"scan-status":"INITIAL_SCAN_COMPLETE",
  "repository-name":"arn:aws:ecr:us-east-2:123456789012:repository/amazon/amazon-ecs-sample",
  "finding-severity-counts":{"CRITICAL":7,"HIGH":61,"MEDIUM":62,"TOTAL":158},
  "image-digest":"sha256:36c7b282abd0186e01419f2e58743e1bf635808231049bbc9d77e5EXAMPLE",
  "image-tags":["latest"]}}"""

UBUNTU_IMAGE = Subject("ubuntu", UBUNTU, OCI_MANIFEST, OCI_CONFIG)
SBOM = Subject(
    "ubuntu", UBUNTU, "application/vnd.cncf.oras.artifact.manifest.v1+json", "text/sbom+json", DIGEST
)
RESTORED_AT = timestamps.parse("2025-10-10T19:13:02.740Z")
HUB = CacheRule("docker-hub", "public.ecr.aws")

SAMPLES: dict[str, tuple[str, Registry, Event]] = {
    "push": (PUSH, WEST, events.pushed(PLAIN, "latest")),
    "delete": (DELETE, WEST, events.deleted(PLAIN, "latest")),
    "archive": (ARCHIVE, EAST, events.archived(UBUNTU_IMAGE)),
    "restore": (RESTORE, EAST, events.restored(UBUNTU_IMAGE, RESTORED_AT)),
    "restore of a referrer": (REFERRER_RESTORE, EAST, events.restored(SBOM, RESTORED_AT)),
    "scan": (SCAN, EAST, events.scanned(EAST, PLAIN, "COMPLETE", {"CRITICAL": 10, "MEDIUM": 9}, [])),
    "scan frequency": (
        FREQUENCY,
        EAST,
        events.scan_frequency_changed(
            EAST, [FrequencyChange("repository-1", "SCAN_ON_PUSH", "MANUAL")], "ENHANCED"
        ),
    ),
    "pull through cache": (
        CACHE,
        WEST,
        events.pulled_through(WEST, HUB, Subject("docker-hub/alpine", ALPINE), "3.17.2"),
    ),
    "replication": (
        REPLICATION,
        EAST,
        events.replicated(EAST, WEST, Subject("docker-hub/alpine", DIGEST), "3.17.2"),
    ),
    "inspector scan": (
        INSPECTOR,
        OHIO,
        # The counts of the sample do not add up: 28 are of severities that it leaves out.
        inspector_events.scanned(
            OHIO,
            "amazon/amazon-ecs-sample",
            SAMPLE_IMAGE,
            {"CRITICAL": 7, "HIGH": 61, "MEDIUM": 62, "LOW": 28},
            ["latest"],
        ),
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_an_event_equals_its_sample(name: str) -> None:
    text, registry, event = SAMPLES[name]
    sample: dict[str, Any] = json.loads(text)
    built = events.envelope(event, registry, sample["id"], timestamps.parse(sample["time"]))
    if name == "inspector scan":
        assert built["detail"]["finding-severity-counts"].pop("LOW") == 28
    assert json.loads(json.dumps(built)) == sample


def test_an_untagged_push_has_an_empty_tag_and_the_types_where_they_are_known() -> None:
    assert events.pushed(UBUNTU_IMAGE, None).detail == {
        "result": "SUCCESS",
        "repository-name": "ubuntu",
        "image-digest": UBUNTU,
        "action-type": "PUSH",
        "image-tag": "",
        "manifest-media-type": OCI_MANIFEST,
        "artifact-media-type": OCI_CONFIG,
    }


def test_what_failed_says_so() -> None:
    failure = Failure("UpstreamUnavailable", "nobody answers")
    cached = events.pulled_through(WEST, HUB, Subject("docker-hub/alpine", ""), None, failure).detail
    assert (cached["sync-status"], cached["failure-code"], cached["failure-reason"]) == (
        "FAILURE",
        "UpstreamUnavailable",
        "nobody answers",
    )
    copied = events.replicated(EAST, WEST, PLAIN, None, succeeded=False).detail
    assert (copied["result"], copied["image-tag"]) == ("FAILED", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (RESTORED_AT, "2025-10-10T19:13:02.74Z"),
        (1.0, "1970-01-01T00:00:01Z"),
        (0.9996, "1970-01-01T00:00:01Z"),
    ],
)
def test_times_have_no_more_digits_than_they_need(seconds: float, text: str) -> None:
    assert events.restored(PLAIN, seconds).detail["last-activated-at"] == text


def test_a_finding_of_inspector_has_its_names_and_times_as_text() -> None:
    at = timestamps.parse("2021-12-03T18:02:30Z")
    arn = f"{OHIO.repository_arn('amazon/amazon-ecs-sample')}/{SAMPLE_IMAGE}"
    cvss = {"score": 6.5, "scoreSource": "REDHAT_CVE", "scoringVector": "CVSS:3.0/AV:N", "version": "3.0"}
    finding = {
        "awsAccountId": ACCOUNT,
        "findingArn": "arn:aws:inspector2:us-east-2:123456789012:finding/be674aaddd0f75ac632055EXAMPLE",
        "firstObservedAt": at,
        "lastObservedAt": at,
        "updatedAt": at,
        "packageVulnerabilityDetails": {"vendorCreatedAt": at, "vulnerabilityId": "CVE-2019-17498"},
        "score": 6.5,
        "scoreDetails": {"cvss": {**cvss, "adjustments": []}},
        "severity": "MEDIUM",
        "fixAvailable": "YES",
    }
    image = {"imageHash": SAMPLE_IMAGE, "pushedAt": at}
    resource = {
        "id": arn,
        "type": "AWS_ECR_CONTAINER_IMAGE",
        "tags": {},
        "details": {"awsEcrContainerImage": image},
    }
    event = inspector_events.found("amazon/amazon-ecs-sample", finding, resource)
    shown = "Dec 3, 2021, 6:02:30 PM"
    assert (event.detail_type, event.source, event.resources) == (
        "Inspector2 Finding",
        "aws.inspector2",
        (arn,),
    )
    assert event.detail == {
        "awsAccountId": ACCOUNT,
        "findingArn": finding["findingArn"],
        "firstObservedAt": shown,
        "lastObservedAt": shown,
        "updatedAt": shown,
        "packageVulnerabilityDetails": {"vendorCreatedAt": shown, "vulnerabilityId": "CVE-2019-17498"},
        "inspectorScore": 6.5,
        "inspectorScoreDetails": {
            "adjustedCvss": {
                "adjustments": [],
                "cvssSource": "REDHAT_CVE",
                "score": 6.5,
                "scoreSource": "REDHAT_CVE",
                "scoringVector": "CVSS:3.0/AV:N",
                "version": "3.0",
            }
        },
        "severity": "MEDIUM",
        "resources": [
            {
                "details": {"awsEcrContainerImage": {"imageHash": SAMPLE_IMAGE, "pushedAt": shown}},
                "id": arn,
                "partition": "N/A",
                "region": "N/A",
                "type": "AWS_ECR_CONTAINER_IMAGE",
            }
        ],
    }


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2021-12-03T00:02:30Z", "Dec 3, 2021, 12:02:30 AM"),
        ("2021-01-03T12:02:30Z", "Jan 3, 2021, 12:02:30 PM"),
        ("2018-07-11T22:17:44Z", "Jul 11, 2018, 10:17:44 PM"),
        ("9999-12-31T23:59:59Z", "Dec 31, 9999, 11:59:59 PM"),
    ],
)
def test_times_for_people(time: str, text: str) -> None:
    assert inspector_events.display(timestamps.parse(time)) == text


def test_a_time_after_the_last_year_is_its_end() -> None:
    """A clock may be set to the last second, and go on."""
    assert inspector_events.display(timestamps.MAX_SECONDS + 1000) == "Dec 31, 9999, 11:59:59 PM"
    assert timestamps.compact(timestamps.MAX_SECONDS + 900) == "99991231T235959Z"
