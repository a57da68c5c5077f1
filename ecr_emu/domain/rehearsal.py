"""Rehearsing a lifecycle policy: what would go, how much that is, and what another policy would change."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ecr_emu.domain.lifecycle import Decision
from ecr_emu.domain.wildcards import matches

EXPIRE, TRANSITION = "EXPIRE", "TRANSITION"


class Summary(NamedTuple):
    """How many images expire, are archived and stay, and their sizes added up."""

    expired: int = 0
    expired_bytes: int = 0
    archived: int = 0
    archived_bytes: int = 0
    stay: int = 0
    stay_bytes: int = 0

    @property
    def images(self) -> int:
        return self.expired + self.archived + self.stay


class Change(NamedTuple):
    """An image that the new policy treats otherwise than the old one."""

    old: Decision
    new: Decision


def summary(decisions: Iterable[Decision]) -> Summary:
    counts: Counter[str | None] = Counter()
    sizes: Counter[str | None] = Counter()
    for decision in decisions:
        counts[decision.action] += 1
        sizes[decision.action] += decision.image.size_bytes
    return Summary(*(counter[action] for action in (EXPIRE, TRANSITION, None) for counter in (counts, sizes)))


def changes(old: Sequence[Decision], new: Sequence[Decision]) -> list[Change]:
    """The images whose fate differs, in the order of `new`. Another rule that does the same is no change."""
    before = {decision.image.digest: decision for decision in old}
    both = (Change(before[decision.image.digest], decision) for decision in new)
    return [change for change in both if change.old.action != change.new.action]


def broken_promises(decisions: Iterable[Decision], patterns: Sequence[str]) -> list[Decision]:
    """The decisions that take an image with a tag that fits one of the patterns."""
    return [
        decision
        for decision in decisions
        if decision.action
        and any(matches(pattern, tag) for pattern in patterns for tag in decision.image.tags)
    ]
