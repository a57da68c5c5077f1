"""What is told of a scan that is over: by ECR of basic scans, by Amazon Inspector of enhanced ones."""

from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from ecr_emu.core import events
from ecr_emu.domain import inspector_events, scan_findings
from ecr_emu.domain.events import Subject, scanned
from ecr_emu.store import images, repositories, scans
from ecr_emu.store.scans import Due, Scan

# The status of an enhanced scan that has looked.
LOOKED = "ACTIVE"


def ended(transaction: Connection, due: Due, scan: Scan, findings: Sequence[Mapping[str, Any]]) -> None:
    """Write down that a scan is over; one that only waits longer is not. Before its findings are stored."""
    if scan.due_at is not None:
        return
    at = due.scan.due_at or due.scan.started_at
    if scan.scan_type == "BASIC":
        image = Subject(due.repository, due.digest)
        tags = images.tags_of(transaction, due.image_id)
        event = scanned(due.registry, image, scan.status, scan.counts, tags)
        events.record(transaction, due.registry, event, at)
    elif scan.status == LOOKED:
        _inspected(transaction, due, scan, findings, at)


def _inspected(
    transaction: Connection, due: Due, scan: Scan, findings: Sequence[Mapping[str, Any]], at: float
) -> None:
    """The first scan of an image tells that it is complete; every one tells what no scan had found before."""
    tags = images.tags_of(transaction, due.image_id)
    if due.scan.completed_at is None:
        event = inspector_events.scanned(due.registry, due.repository, due.digest, scan.counts, tags)
        events.record(transaction, due.registry, event, at)
    known = scans.first_observed(transaction, due.image_id)
    resource = _resource(transaction, due, {**scan.about, "imageTags": list(tags)})
    for finding in findings:
        if finding.get("findingArn") not in known:
            told = inspector_events.found(due.repository, finding, resource)
            events.record(transaction, due.registry, told, at)


def _resource(connection: Connection, due: Due, about: Mapping[str, Any]) -> dict[str, Any]:
    repository = repositories.of_id(connection, due.repository_id)
    image = images.find(connection, repository, due.digest) if repository else None
    pushed = {"pushedAt": image.pushed_at} if image else {}
    arn = due.registry.repository_arn(due.repository)
    return scan_findings.resource(arn, due.digest, {**about, **pushed}, {})
