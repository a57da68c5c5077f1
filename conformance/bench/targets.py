"""What the figures should be, as data, and whether they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.bench.copies import name_of
from conformance.bench.measures import CONNECTIONS, FULL, Samples
from conformance.bench.roster import OURS
from conformance.bench.servers import SMALL
from conformance.bench.tables import number

# "at most" a value of our median; "ratio" to a peer, or to the best of several, of at least a value; "growth"
# of our median over that of another measure, of at most a value.
Kind = Literal["at most", "ratio", "growth"]
DEBIAN = ("docker-registry",)
GO_AND_RUST = ("distribution", "zot", "fakecloud")
REGISTRIES = ("docker-registry", *GO_AND_RUST, "ministack")
PYTHON = ("moto", "ministack")
GROUPS = {
    GO_AND_RUST: f"the best of {', '.join(GO_AND_RUST)}",
    REGISTRIES: "the best registry",
    PYTHON: f"the best of {', '.join(PYTHON)}",
}
GROWTH = 1.3
# Measures of parts that are no comparison of servers.
GROWTH_OF_REQUESTS = "cost of a request, 1,000,000 images against 1,000"
COST_OF_BACKGROUND = "p99 beside a lifecycle run or a scan, against without"


@dataclass(frozen=True, slots=True)
class Target:
    """A target of one measure of one part. `than` are the peers, or for growth the other measure."""

    part: str
    measure: str
    kind: Kind
    value: float
    than: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a target. `is_met` is None where it was not measured; `is_whole` is False where some of
    its peers were not.
    """

    target: Target
    is_met: bool | None
    wanted: str
    found: str
    is_whole: bool = True


def judge(target: Target, samples: Samples | None) -> Verdict:
    """Hold the medians of a part against a target."""
    judges = {"at most": _at_most, "ratio": _ratio, "growth": _growth}
    return judges[target.kind](target, samples or Samples())


def judge_all(parts: Mapping[str, Samples]) -> list[Verdict]:
    """All targets, in the order in which they are listed."""
    return [judge(target, parts.get(target.part)) for target in TARGETS]


def _at_most(target: Target, samples: Samples) -> Verdict:
    measure = samples.find(target.measure)
    median = samples.median(measure, OURS)
    unit = f" {measure.unit}" if measure else ""
    wanted = f"at most {target.value:,g}{unit}"
    if median is None:
        return Verdict(target, None, wanted, "not measured")
    found = f"{number(median)}{unit}"
    if median > target.value:
        found += f"; {median / target.value - 1:.0%} over"
    return Verdict(target, median <= target.value, wanted, found)


def _growth(target: Target, samples: Samples) -> Verdict:
    wanted = f"at most {target.value:g} times that of {target.than[0]}"
    large = samples.median(samples.find(target.measure), OURS)
    small = samples.median(samples.find(target.than[0]), OURS)
    if large is None or not small:
        return Verdict(target, None, wanted, "not measured")
    grown = large / small
    return Verdict(target, grown <= target.value, wanted, f"{grown:.2f} times")


def _ratio(target: Target, samples: Samples) -> Verdict:
    measure = samples.find(target.measure)
    who = target.than[0] if len(target.than) == 1 else GROUPS[target.than]
    wanted = f"at least {target.value:.3g} times {who}"
    best = samples.best(measure, target.than)
    ratio = samples.ratio(measure, OURS, best) if best else None
    if ratio is None:
        return Verdict(target, None, wanted, "not measured")
    absent = [name for name in target.than if samples.median(measure, name) is None]
    found = f"{ratio:.2f} times {best}"
    found += f" ({', '.join(absent)} not measured)" if absent else ""
    if ratio < 1:
        found += f"; {best} wins, {1 / ratio:.2f} times as good"
    if ratio < target.value:
        found += f"; {1 - ratio / target.value:.0%} short"
    return Verdict(target, ratio >= target.value, wanted, found, is_whole=not absent)


def _small_requests() -> Sequence[Target]:
    found = []
    for what in ("manifest", SMALL):
        for count in CONNECTIONS:
            name = f"{what} GET, {count} connection{'s' if count > 1 else ''}"
            found.append(Target("servers", name, "ratio", 15, DEBIAN))
            found.append(Target("servers", name, "ratio", 2, GO_AND_RUST))
    return found


def _layers() -> Sequence[Target]:
    found = []
    small, large, huge = (transfer.label for transfer in (FULL.small, FULL.large, FULL.huge))
    for verb in ("push", "pull"):
        found.append(Target("servers", f"{verb} {small}", "ratio", 2, DEBIAN))
        found.append(Target("servers", f"{verb} {small}", "ratio", 1, REGISTRIES))
    for part, size in (("servers", large), ("large", huge)):
        found.append(Target(part, f"pull {size}", "ratio", 0.9, ("nginx",)))
        found.append(Target(part, f"push {size}", "ratio", 1.5, DEBIAN))
        found.append(Target(part, f"push {size}", "ratio", 1, REGISTRIES))
        found.append(Target(part, f"push {size}, CPU", "ratio", 1.5, DEBIAN))
    memory = "peak memory, RSS, push"
    found.append(Target("large", f"{memory} {huge}", "growth", GROWTH, (f"{memory} {small}",)))
    return found


def _copies() -> Sequence[Target]:
    return [
        Target("copies", name_of(verb, FULL.copy_layers, count), "ratio", 1, REGISTRIES)
        for verb in ("push", "pull")
        for count in (1, FULL.copies)
    ]


TARGETS: tuple[Target, ...] = (
    Target("servers", "cold start to first answer", "at most", 150),
    Target("control", "cold start to first API answer", "ratio", 1, PYTHON),
    Target("servers", "idle memory, PSS", "at most", 70),
    Target("control", "DescribeRepositories, 16 connections", "ratio", 40, ("moto",)),
    Target("control", "DescribeRepositories, 16 connections", "ratio", 6, ("ministack",)),
    *_small_requests(),
    *_layers(),
    *_copies(),
    Target("scale", GROWTH_OF_REQUESTS, "at most", 1.3),
    Target("background", COST_OF_BACKGROUND, "at most", 1.1),
)
