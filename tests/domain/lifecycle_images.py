"""Images and rules for the tests of the lifecycle engine, in few words."""

from dataclasses import replace
from typing import Any

from ecr_emu.domain.lifecycle import DAY_SECONDS, Decision, Image, Rule, evaluate

NOW = 1000.0 * DAY_SECONDS

OLD = Rule(1, "any", "sinceImagePushed", 30)
ARCHIVE_OLD = replace(OLD, action="TRANSITION")
PULLED = Rule(1, "any", "sinceImagePulled", 30, "TRANSITION")
ARCHIVED = Rule(2, "any", "sinceImageTransitioned", 90, storage_class="archive")


def at(days_ago: float) -> float:
    return NOW - days_ago * DAY_SECONDS


def image(digest: str, days_ago: float, *tags: str, **others: Any) -> Image:
    return Image(digest, tags, at(days_ago), **others)


def archived(digest: str, days_ago: float, **others: Any) -> Image:
    return image(digest, 500, status="ARCHIVED", archived_at=at(days_ago), **others)


def count(priority: int, number: int, *patterns: str) -> Rule:
    status = "tagged" if patterns else "any"
    return Rule(priority, status, "imageCountMoreThan", number, tag_patterns=patterns)


def decide(images: list[Image], *rules: Rule, counts_children: bool = True) -> dict[str, Decision]:
    decisions = evaluate(images, rules, NOW, counts_children=counts_children).decisions
    return {decision.image.digest: decision for decision in decisions}


def referrer(digest: str, subject: str, days_ago: float = 1, **others: Any) -> Image:
    return image(digest, days_ago, subject_digest=subject, **others)


def index(digest: str, days_ago: float, *children: str, **others: Any) -> Image:
    return image(digest, days_ago, children=children, **others)
