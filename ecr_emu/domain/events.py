"""The events of Amazon ECR, as EventBridge delivers them (ECR user guide, Amazon ECR events and EventBridge;
fields and samples: reference, data plane 9.2).

One function for each kind. Members that the published schemas have and the older samples lack, the two media
types of image actions, are given where they are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ecr_emu.domain import timestamps
from ecr_emu.domain.registries import Registry

IMAGE_ACTION = "ECR Image Action"
REFERRER_ACTION = "ECR Referrer Action"
IMAGE_SCAN = "ECR Image Scan"
SCAN_RESOURCE_CHANGE = "ECR Scan Resource Change"
PULL_THROUGH_CACHE_ACTION = "ECR Pull Through Cache Action"
REPLICATION_ACTION = "ECR Replication Action"

SUCCESS = "SUCCESS"
# The result of a replication that failed; that of a pull through the cache is not documented.
FAILED, FAILURE = "FAILED", "FAILURE"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Detail = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. `repository` is a name, or empty; `resources` are ARNs."""

    detail_type: str
    repository: str
    detail: Detail
    resources: tuple[str, ...] = ()
    source: str = "aws.ecr"


@dataclass(frozen=True, slots=True)
class Subject:
    """The image that an event is about. A `subject_digest` makes it a referrer."""

    repository: str
    digest: str
    media_type: str | None = None
    artifact_type: str | None = None
    subject_digest: str | None = None


@dataclass(frozen=True, slots=True)
class FrequencyChange:
    """That a repository is scanned at another frequency than before."""

    repository: str
    frequency: str
    previous: str


@dataclass(frozen=True, slots=True)
class CacheRule:
    """The pull through cache rule that an event is about. `version` is always 1 in what is known of AWS."""

    prefix: str
    upstream_url: str
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed: a code and a sentence."""

    code: str
    reason: str


def envelope(event: Event, registry: Registry, event_id: str, at: float) -> dict[str, Any]:
    """The event as EventBridge delivers it. Times are in UTC, to the second."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": event.detail_type,
        "source": event.source,
        "account": registry.account,
        "time": timestamps.text(at),
        "region": registry.region,
        "resources": list(event.resources),
        "detail": event.detail,
    }


def pushed(image: Subject, tag: str | None) -> Event:
    """A push is complete. Without a tag `image-tag` is empty (seen on AWS, June 2025)."""
    return _image_action(image, {"action-type": "PUSH", "image-tag": tag or ""})


def deleted(image: Subject, tag: str | None) -> Event:
    """A tag of an image was deleted, or an image without tags."""
    return _image_action(image, {"action-type": "DELETE", "image-tag": tag or ""})


def archived(image: Subject) -> Event:
    """An image went into the archive."""
    return _image_action(image, {"action-type": "UPDATE_STORAGE_CLASS", "target-storage-class": "ARCHIVE"})


def restored(image: Subject, activated_at: float) -> Event:
    """An image was taken back from the archive; it can be pulled from `activated_at` on."""
    members = {"target-storage-class": "STANDARD", "last-activated-at": _precise(activated_at)}
    return _image_action(image, {"action-type": "UPDATE_STORAGE_CLASS", **members})


def scanned(
    registry: Registry, image: Subject, status: str, counts: Mapping[str, int], tags: Sequence[str]
) -> Event:
    """A basic scan is over. `counts` are findings by severity, without those that do not occur."""
    detail = {
        "scan-status": status,
        "repository-name": image.repository,
        "finding-severity-counts": dict(counts),
        "image-digest": image.digest,
        "image-tags": list(tags),
    }
    return _of_repository(IMAGE_SCAN, registry, image.repository, detail)


def scan_frequency_changed(registry: Registry, changes: Sequence[FrequencyChange], scan_type: str) -> Event:
    """Repositories are scanned at another frequency."""
    described = [
        {
            "repository-name": change.repository,
            "repository-arn": registry.repository_arn(change.repository),
            "scan-frequency": change.frequency,
            "previous-scan-frequency": change.previous,
        }
        for change in changes
    ]
    name = changes[0].repository if len(changes) == 1 else ""
    detail = {
        "action-type": "SCAN_FREQUENCY_CHANGE",
        "repositories": described,
        "resource-type": "REPOSITORY",
        "scan-type": scan_type,
    }
    return Event(SCAN_RESOURCE_CHANGE, name, detail)


def pulled_through(
    registry: Registry, rule: CacheRule, image: Subject, tag: str | None, failure: Failure | None = None
) -> Event:
    """An upstream image came into the cache, or did not.

    `image.repository` is the name here, with the rule's prefix. An image that was asked for by digest has no
    tag.
    """
    detail = {
        "rule-version": rule.version,
        "sync-status": FAILURE if failure else SUCCESS,
        "ecr-repository-prefix": rule.prefix,
        "repository-name": image.repository,
        "upstream-registry-url": rule.upstream_url,
        "image-tag": tag or "",
        "image-digest": image.digest,
    }
    if failure:
        detail |= {"failure-code": failure.code, "failure-reason": failure.reason}
    return _of_repository(PULL_THROUGH_CACHE_ACTION, registry, image.repository, detail)


def replicated(
    destination: Registry, source: Registry, image: Subject, tag: str | None, *, succeeded: bool = True
) -> Event:
    """An image was copied to another registry, or was not. The event belongs to the destination."""
    detail = {
        "result": SUCCESS if succeeded else FAILED,
        "repository-name": image.repository,
        "image-digest": image.digest,
        "source-account": source.account,
        "action-type": "REPLICATE",
        "source-region": source.region,
        "image-tag": tag or "",
    }
    return _of_repository(REPLICATION_ACTION, destination, image.repository, detail)


def _image_action(image: Subject, members: Detail) -> Event:
    types = {"manifest-media-type": image.media_type, "artifact-media-type": image.artifact_type}
    detail = {
        "result": SUCCESS,
        "repository-name": image.repository,
        "image-digest": image.digest,
        **members,
        **{name: value for name, value in types.items() if value is not None},
    }
    kind = IMAGE_ACTION if image.subject_digest is None else REFERRER_ACTION
    return Event(kind, image.repository, detail)


def _of_repository(detail_type: str, registry: Registry, name: str, detail: Detail) -> Event:
    return Event(detail_type, name, detail, (registry.repository_arn(name),))


def _precise(seconds: float) -> str:
    """A time to the millisecond, without zeros at its end: 2025-10-10T19:13:02.74Z."""
    moment = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    fraction = f".{moment.microsecond // 1000:03}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
