"""Events of Amazon Inspector, which does the enhanced scans (ECR user guide, EventBridge events sent for
enhanced scanning; samples: reference, data plane 9.2).

They name things in their own way: a repository by its ARN, counts with a TOTAL, times as people read them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_emu.domain import timestamps
from ecr_emu.domain.events import Event
from ecr_emu.domain.registries import Registry

SCAN = "Inspector2 Scan"
FINDING = "Inspector2 Finding"
SOURCE = "aws.inspector2"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Members of findings that are times, wherever they stand.
_TIMES = {
    "firstObservedAt",
    "lastObservedAt",
    "updatedAt",
    "vendorCreatedAt",
    "vendorUpdatedAt",
    "pushedAt",
    "lastInUseAt",
}
# Members of the API's findings that the event's do not have.
_OF_THE_API = {"score", "scoreDetails", "fixAvailable", "exploitAvailable", "resources"}


def scanned(
    registry: Registry, name: str, digest: str, counts: Mapping[str, int], tags: Sequence[str]
) -> Event:
    """The first enhanced scan of an image is complete."""
    arn = registry.repository_arn(name)
    detail = {
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": arn,
        "finding-severity-counts": {**counts, "TOTAL": sum(counts.values())},
        "image-digest": digest,
        "image-tags": list(tags),
    }
    return Event(SCAN, name, detail, (arn,), SOURCE)


def found(name: str, finding: Mapping[str, Any], resource: Mapping[str, Any]) -> Event:
    """Something was found. `finding` is one of enhancedFindings, `resource` what it says of its image."""
    detail = {member: value for member, value in finding.items() if member not in _OF_THE_API}
    if "score" in finding:
        cvss = finding["scoreDetails"]["cvss"]
        adjusted = {
            **{key: value for key, value in cvss.items() if key != "source"},
            "cvssSource": cvss.get("scoreSource"),
        }
        detail |= {
            "inspectorScore": finding["score"],
            "inspectorScoreDetails": {"adjustedCvss": adjusted},
        }
    where = {key: value for key, value in resource.items() if key != "tags"}
    detail["resources"] = [{**where, "partition": "N/A", "region": "N/A"}]
    return Event(FINDING, name, _for_people(detail), (resource["id"],), SOURCE)


def _for_people(value: Any) -> Any:
    """The same with every time as text."""
    if isinstance(value, Mapping):
        return {
            name: display(inner) if name in _TIMES and isinstance(inner, int | float) else _for_people(inner)
            for name, inner in value.items()
        }
    return [_for_people(inner) for inner in value] if isinstance(value, list) else value


def display(seconds: float, comma: str = ",") -> str:
    """A time as people read it: Dec 3, 2021, 6:02:30 PM. CloudTrail has no comma before the hour."""
    moment = timestamps.moment(seconds)
    hour, half = moment.hour % 12 or 12, "AM" if moment.hour < 12 else "PM"
    day = f"{_MONTHS[moment.month - 1]} {moment.day}, {moment.year}"
    return f"{day}{comma} {hour}:{moment:%M:%S} {half}"
