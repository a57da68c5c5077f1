"""The images and rules of a repository's lifecycle, and the times that rules measure from.

Times: Amazon ECR user guide, Lifecycle policy properties (countType).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DAY_SECONDS = 86_400
EXPIRE, TRANSITION = "EXPIRE", "TRANSITION"
ACTIVE, ARCHIVED, ACTIVATING = "ACTIVE", "ARCHIVED", "ACTIVATING"


@dataclass(frozen=True, slots=True)
class Image:
    """What the rules look at. Times are epoch seconds; `size_bytes` is imageSizeInBytes.

    `sequence` is the order of pushing, for images pushed at the same time. `children` are the digests that
    an index lists, `subject_digest` is what a referrer refers to. `status` is ACTIVE, ARCHIVED or ACTIVATING.
    """

    digest: str
    tags: tuple[str, ...] = ()
    pushed_at: float = 0.0
    sequence: int = 0
    size_bytes: int = 0
    pulled_at: float | None = None
    status: str = ACTIVE
    archived_at: float | None = None
    activated_at: float | None = None
    subject_digest: str | None = None
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy that has been checked. A `tagged` rule has patterns or prefixes, not both.

    `count_number` is images for imageCountMoreThan, else days. `action` is EXPIRE or TRANSITION.
    """

    priority: int
    tag_status: str
    count_type: str
    count_number: int
    action: str = EXPIRE
    storage_class: str = "standard"
    tag_patterns: tuple[str, ...] = ()
    tag_prefixes: tuple[str, ...] = ()
    description: str | None = None


def read(text: str, loads: Callable[[str], Any]) -> tuple[Rule, ...]:
    """The rules of a policy in canonical form, by priority."""
    return tuple(sorted(map(_rule, loads(text)["rules"]), key=lambda rule: rule.priority))


def _rule(document: Mapping[str, Any]) -> Rule:
    selection = document["selection"]
    return Rule(
        priority=document["rulePriority"],
        tag_status=selection["tagStatus"],
        count_type=selection["countType"],
        count_number=selection["countNumber"],
        action=document["action"]["type"].upper(),
        storage_class=selection.get("storageClass", "standard"),
        tag_patterns=tuple(selection.get("tagPatternList", ())),
        tag_prefixes=tuple(selection.get("tagPrefixList", ())),
        description=document.get("description"),
    )


def pushed(image: Image) -> float:
    """When the image was pushed, or restored from the archive for the last time."""
    return image.pushed_at if image.activated_at is None else image.activated_at


def pulled(image: Image) -> float:
    """When it was pulled; as if pushed when it was not, or not since it was restored."""
    since = pushed(image)
    if image.pulled_at is None or (image.activated_at is not None and image.pulled_at < since):
        return since
    return image.pulled_at


def transitioned(image: Image) -> float:
    """When it was archived; as if pushed where nobody wrote that down."""
    return pushed(image) if image.archived_at is None else image.archived_at


# What an age is counted from. imageCountMoreThan is no age, and is not here.
REFERENCE_TIMES: Mapping[str, Callable[[Image], float]] = {
    "sinceImagePushed": pushed,
    "sinceImagePulled": pulled,
    "sinceImageTransitioned": transitioned,
}
