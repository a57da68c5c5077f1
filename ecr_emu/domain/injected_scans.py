"""What a user wants a scan to find: for which images, and with which result.

    {"repositoryName": "team/app", "imageTag": "v1" or "imageDigest": "sha256:…" or "label": {"key": "value"},
     "status": "COMPLETE", "description": "…", "delaySeconds": 0,
     "findings": […], "enhancedFindings": […], "findingSeverityCounts": {…}}

Findings have the shapes of the API: `findings` for basic scans, `enhancedFindings` for enhanced ones.
`"findings": {"CRITICAL": 1}` makes so many of each severity, for both. An image can say that itself, in a
label.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu.domain import scan_findings
from ecr_emu.domain.findings import SEVERITIES

# The label by which an image says itself what is found in it: the members of a result, as JSON.
LABEL = "ecr-emu.scan-findings"
MARK = {"key": "injected", "value": "true"}
MAX_FINDINGS = 100_000
MAX_DELAY_SECONDS = 365 * 24 * 3600

# ECR API, ImageScanStatus.
STATUSES = (
    *("IN_PROGRESS", "COMPLETE", "FAILED", "UNSUPPORTED_IMAGE", "ACTIVE", "PENDING"),
    *("SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "IMAGE_ARCHIVED"),
    "IMAGE_SIZE_EXCEEDED",
)
WITH_FINDINGS = ("COMPLETE", "ACTIVE")
_SELECTORS = ("imageTag", "imageDigest", "label")
_RESULT = {
    *("status", "description", "delaySeconds", "findings", "enhancedFindings", "findingSeverityCounts"),
}

_OF_LABEL = {"status", "description", "delaySeconds", "findings"}

# From an object in the shape of the API's ImageScanFindings to the same with its known members only; raises
# ValueError.
Check = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Result:
    """What the scan is to say; None is what a scan that went well says. Findings have the API's shape."""

    status: str | None
    description: str | None
    delay_seconds: float
    findings: tuple[Any, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Target:
    """An image that may be meant."""

    digest: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]


def check(document: Any, read: Check) -> dict[str, Any]:
    """The document with its known members, findings made out. Raises ValueError with one line."""
    _need(isinstance(document, dict), "the body must be a JSON object")
    unknown = sorted(set(document) - _RESULT - {"repositoryName", "registryId", "region", *_SELECTORS})
    _need(not unknown, f"unknown member {', '.join(unknown)}")
    _need(isinstance(document.get("repositoryName"), str), "repositoryName must be text")
    _need(sum(name in document for name in _SELECTORS) <= 1, f"give one of {', '.join(_SELECTORS)}, or none")
    for name in ("imageTag", "imageDigest"):
        _need(isinstance(document.get(name, ""), str), f"{name} must be text")
    label = document.get("label", {"": ""})
    _need(
        isinstance(label, dict) and bool(label) and _are_texts(label.values()),
        "label must be an object of texts",
    )
    selectors = {name: document[name] for name in _SELECTORS if name in document}
    return {**selectors, **check_result(document, read)}


def check_result(document: Mapping[str, Any], read: Check) -> dict[str, Any]:
    """The members of a result. Raises ValueError with one line."""
    status = document.get("status")
    _need(status is None or status in STATUSES, f"status must be one of {', '.join(STATUSES)}")
    _need(isinstance(document.get("description", ""), str), "description must be text")
    delay = document.get("delaySeconds", 0)
    is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
    _need(is_number and 0 <= delay <= MAX_DELAY_SECONDS, "delaySeconds must be a number from 0 to a year's")
    members = ("findings", "enhancedFindings", "findingSeverityCounts")
    given = {name: document[name] for name in members if name in document}
    if isinstance(given.get("findings"), dict):
        counts = given.pop("findings")
        _check_counts(counts)
        kept = {"findings": counts}
    else:
        kept = {}
    kept |= {name: document[name] for name in ("status", "description", "delaySeconds") if name in document}
    return {**read(given), **kept}


def of_label(text: str | None, loads: Callable[[str], Any]) -> Mapping[str, Any] | None:
    """What an image's label wants; None without one, or when it is not understood.

    A label has numbers of findings, not findings: `{"findings": {"HIGH": 2}}`.
    """
    if text is None:
        return None
    try:
        document = loads(text)
        _need(isinstance(document, dict) and set(document) <= _OF_LABEL, "unknown members")
        _need(isinstance(document.get("findings", {}), dict), "findings must be numbers by severity")
        return check_result(document, lambda findings: findings)
    except ValueError:
        return None


def matches(document: Mapping[str, Any], target: Target) -> bool:
    """Whether a checked document means this image."""
    if "imageTag" in document:
        return document["imageTag"] in target.tags
    if "imageDigest" in document:
        return bool(document["imageDigest"] == target.digest)
    return all(target.labels.get(name) == value for name, value in document.get("label", {}).items())


def result(document: Mapping[str, Any], *, is_basic: bool) -> Result:
    """What a checked document wants of a basic or of an enhanced scan. Every finding is marked."""
    findings = document.get("findings" if is_basic else "enhancedFindings", [])
    if isinstance(document.get("findings"), dict):
        findings = _made(document["findings"], is_basic=is_basic)
    shapes = tuple(_marked(finding) if is_basic else _marked_enhanced(finding) for finding in findings)
    counts = document.get("findingSeverityCounts")
    return Result(
        document.get("status"),
        document.get("description"),
        document.get("delaySeconds", 0),
        shapes,
        scan_findings.counts(shapes) if counts is None else counts,
    )


def _marked(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {**finding, "attributes": [*finding.get("attributes", []), MARK]}


def _marked_enhanced(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Enhanced findings have no attributes; what they are about has tags."""
    if "resources" not in finding:
        # What is said of the image is added when it is asked for, with the mark.
        return dict(finding)
    marked = [
        {**one, "tags": {**one.get("tags", {}), MARK["key"]: MARK["value"]}} for one in finding["resources"]
    ]
    return {**finding, "resources": marked}


def _made(counts: Mapping[str, int], *, is_basic: bool) -> list[dict[str, Any]]:
    """So many findings of each severity, with names that nobody takes for real ones."""
    named = [
        (f"INJECTED-{severity}-{number}", severity)
        for severity in SEVERITIES
        for number in range(1, counts.get(severity, 0) + 1)
    ]
    if is_basic:
        return [{"name": name, "severity": severity} for name, severity in named]
    return [
        {
            "title": name,
            "severity": scan_findings.UNTRIAGED if severity == "UNDEFINED" else severity,
            "status": "ACTIVE",
            "type": "PACKAGE_VULNERABILITY",
            "packageVulnerabilityDetails": {"vulnerabilityId": name, "source": "injected"},
        }
        for name, severity in named
    ]


def _check_counts(counts: Mapping[str, Any]) -> None:
    unknown = sorted(set(counts) - set(SEVERITIES))
    _need(not unknown, f"findings: {', '.join(unknown)} is none of {', '.join(SEVERITIES)}")
    numbers = [number for number in counts.values() if type(number) is int and number >= 0]
    _need(len(numbers) == len(counts), "findings: a severity has a number of findings")
    _need(sum(numbers) <= MAX_FINDINGS, f"findings: more than {MAX_FINDINGS:,}")


def _are_texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _need(is_so: bool, problem: str) -> None:
    if not is_so:
        raise ValueError(problem)
