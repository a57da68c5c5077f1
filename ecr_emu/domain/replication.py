"""What is copied to which registries, and backfills, which copy what was there before (Amazon ECR user guide,
Private image replication).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ecr_emu.domain.limits import Limits
from ecr_emu.domain.registries import Registry

# StartReplicationBackfill, ListReplicationBackfills.
TERMINAL = frozenset({"COMPLETE", "FAILED", "STOPPED"})
STOPPABLE = frozenset({"PREPARING", "IN_PROGRESS"})
BACKFILL_KEPT_SECONDS = 90 * 24 * 3600
# How many replications must have been tried before a backfill can fail as a whole.
MEASURED_FROM = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """Where to copy the repositories whose names begin with one of the prefixes.

    None as prefixes means every repository. `replicates_deletes` is None where nothing was said.
    """

    destinations: tuple[Registry, ...]
    prefixes: tuple[str, ...] | None = None
    replicates_deletes: bool | None = None

    def matches(self, name: str) -> bool:
        """True when the rule is for a repository of this name. A prefix ends anywhere, not at a slash."""
        return self.prefixes is None or name.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Backfill:
    """Copying the images that a registry had already to one destination.

    `total_count` is None until it is known what is to be copied.
    """

    id: str
    source: Registry
    destination: Registry
    status: str
    started_at: float
    ended_at: float | None = None
    failure_code: str | None = None
    total_count: int | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL

    def is_forgotten(self, now: float) -> bool:
        """True when it ended so long ago that nobody is told of it any more."""
        return self.ended_at is not None and now >= self.ended_at + BACKFILL_KEPT_SECONDS


@dataclass(frozen=True, slots=True)
class Item:
    """One image with one of its tags, or with none (""), in a backfill, and what became of it.

    `sub_codes` say why images that an index lists were not copied.
    """

    position: int
    repository: str
    digest: str
    tag: str
    is_index: bool
    status: str = "IN_PROGRESS"
    failure_code: str | None = None
    sub_codes: tuple[str, ...] = ()
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is, in replications."""

    total: int
    completed: int
    failed: int
    failure_codes: tuple[str, ...] = ()

    @property
    def is_hopeless(self) -> bool:
        """ECR user guide, Replication backfill: half of them failed, of a hundred that were tried."""
        tried = self.completed + self.failed
        return tried >= MEASURED_FROM and self.failed * 2 >= tried


def destinations(rules: Sequence[Rule], name: str | None = None) -> list[Registry]:
    """Where a repository is copied to, or where anything is, each destination once."""
    wanted = [rule for rule in rules if name is None or rule.matches(name)]
    return list(dict.fromkeys(place for rule in wanted for place in rule.destinations))


def deletes_at(rules: Sequence[Rule], name: str) -> list[Registry]:
    """Where images of a repository that are deleted are deleted as well."""
    return destinations([rule for rule in rules if rule.replicates_deletes], name)


def check(source: Registry, rules: Sequence[Rule], limits: Limits) -> str | None:
    """The constraint that the rules break in the registry `source`, or None."""
    places = destinations(rules)
    if source in places:
        return "Replication destination cannot be the same as the source registry"
    if any(place.partition != source.partition for place in places):
        return "Replication destination must be in the same partition as the source registry"
    filters = max((len(rule.prefixes or ()) for rule in rules), default=0)
    for what, number, limit in (
        ("replication rules", len(rules), limits["replication-rules"]),
        ("filters in a replication rule", filters, limits["filters-per-replication-rule"]),
        ("unique replication destinations", len(places), limits["replication-destinations"]),
    ):
        if number > limit:
            return f"The number of {what} exceeds the limit of {limit}"
    return None


def write(rules: Sequence[Rule]) -> str:
    """The rules as they are stored."""
    return json.dumps(
        [
            [
                [[place.account, place.region] for place in rule.destinations],
                rule.prefixes,
                rule.replicates_deletes,
            ]
            for rule in rules
        ]
    )


def read(text: str | None) -> tuple[Rule, ...]:
    """What `write` wrote; no rules for None."""
    return tuple(
        Rule(
            tuple(Registry(*place) for place in places),
            None if prefixes is None else tuple(prefixes),
            replicates_deletes,
        )
        for places, prefixes, replicates_deletes in json.loads(text or "[]")
    )
