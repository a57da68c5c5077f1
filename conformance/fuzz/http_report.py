"""What the fuzzing over HTTP has found: figures, and what of them is a failure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# The share of the requests after which nothing has a reason to grow.
WARM = 0.2
# How much more a process may have in the end than when it was warm: MB of memory, open files, threads.
MOST_GROWTH_MB, MOST_FILES, MOST_THREADS = 40.0, 12, 40
# Fewer measures say nothing about growth.
FEWEST_MEASURES = 8
# How many more blocks Python may have in the last quarter than in the second: some are read once and kept,
# and few are kept of a request. A list that gets one entry with every request is more.
MOST_BLOCKS, MOST_BLOCKS_OF_REQUEST = 20_000, 0.3

Curve = list[tuple[int, dict[str, Any]]]


@dataclass(slots=True)
class Outcome:
    """What all processes told: their last tallies, and failures as text."""

    seed: str
    tallies: dict[int, dict[str, Any]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return sum(tally["requests"] for tally in self.tallies.values())

    def add(self, failure: dict[str, Any]) -> int:
        """Keep a failure; how many there are now."""
        steps = ",".join(map(str, failure["steps"]))
        again = f"--seed {self.seed} --replay {failure['number']}" + (f" --steps {steps}" if steps else "")
        where = f"round {failure['number']}, step {failure['step']} ({again})"
        self.failures.append(f"{where}: {failure['reason']}\n{failure['request']}".strip())
        return len(self.failures)

    def counted(self, member: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for tally in self.tallies.values():
            found.update(tally[member])
        return found

    def curves(self) -> Iterator[tuple[str, Curve]]:
        """What each process used over time, with its name."""
        for first, tally in self.tallies.items():
            yield f"process {first}", tally["curve"]
            for mode, curve in tally["servers"].items():
                yield f"server {first}, {mode}", curve

    def judge(self) -> None:
        """Add what only shows at the end."""
        for name, curve in self.curves():
            if len(curve) < FEWEST_MEASURES:
                continue
            self._judge_blocks(name, curve)
            warm, last = (at[1] for at in (curve[warm_place(curve)], curve[-1]))
            for member, most in (
                ("resident_mb", MOST_GROWTH_MB),
                ("files", MOST_FILES),
                ("threads", MOST_THREADS),
                ("left_over", 0),
            ):
                if last[member] - warm[member] > most:
                    self.failures.append(
                        f"{name}: {member} has grown from {warm[member]:.0f} to {last[member]:.0f}"
                    )

    def _judge_blocks(self, name: str, curve: Curve) -> None:
        """The fewest of the last quarter against the fewest of the second: what a round has is no leak."""
        quarter = len(curve) // 4
        early, late = curve[quarter : 2 * quarter], curve[-quarter:]
        requests = late[0][0] - early[0][0]
        grown = min(at["blocks"] for _, at in late) - min(at["blocks"] for _, at in early)
        if grown > MOST_BLOCKS + MOST_BLOCKS_OF_REQUEST * requests:
            self.failures.append(
                f"{name}: {grown / requests:.1f} blocks of memory are kept of a request; --trace shows where"
            )


def warm_place(curve: Curve) -> int:
    """Where in a curve a process was warm."""
    wanted = curve[-1][0] * WARM
    return next(place for place, (requests, _) in enumerate(curve) if requests >= wanted)


def table(outcome: Outcome, seconds: float) -> str:
    """The figures for people."""
    lines = []
    for name, count in sorted(_classes(outcome).items()):
        lines.append(f"{name:<26}{count:>12,}")
    lines.append("")
    for plane, (slowest, kind, number) in sorted(_slowest(outcome).items()):
        lines.append(f"slowest, {plane:<16} {slowest * 1000:>8.1f} ms  {kind} (round {number})")
    lines.append("")
    for name, curve in outcome.curves():
        lines += _of_curve(name, curve)
    raw, wire = (sum(tally[name] for tally in outcome.tallies.values()) for name in ("raw", "wire"))
    lines += [
        "",
        f"requests: {outcome.requests:,} in {seconds:.0f} s ({outcome.requests / seconds:,.0f}/s); "
        f"over a socket: {wire:,}, and {raw:,} of raw bytes; failures: {len(outcome.failures)}",
    ]
    return "\n".join(lines)


def _of_curve(name: str, curve: Curve) -> Iterator[str]:
    if not curve:
        return
    places = sorted({0, warm_place(curve), len(curve) // 2, len(curve) - 1})
    memory = ", ".join(f"{curve[place][1]['resident_mb']:.0f} MB at {curve[place][0]:,}" for place in places)
    last = curve[-1][1]
    yield f"{name}: {memory}; {last['files']} files, {last['threads']} threads in the end"


def _classes(outcome: Outcome) -> Counter[str]:
    """Requests by plane and class of status."""
    found: Counter[str] = Counter()
    for name, count in outcome.counted("statuses").items():
        plane, _, status = name.rpartition(" ")
        found[f"{plane} {status[0]}xx"] += count
    return found


def _slowest(outcome: Outcome) -> dict[str, tuple[float, str, int]]:
    found: dict[str, tuple[float, str, int]] = {}
    for tally in outcome.tallies.values():
        for plane, entry in tally["slowest"].items():
            found[plane] = max(found.get(plane, (0.0, "", 0)), tuple(entry))
    return found


def document(outcome: Outcome, seconds: float, seed: str) -> dict[str, Any]:
    """The figures for programs."""
    return {
        "seed": seed,
        "requests": outcome.requests,
        "wire": sum(tally["wire"] for tally in outcome.tallies.values()),
        "raw": sum(tally["raw"] for tally in outcome.tallies.values()),
        "seconds": round(seconds, 1),
        "statuses": dict(sorted(outcome.counted("statuses").items())),
        "kinds": dict(sorted(outcome.counted("kinds").items())),
        "slowest": _slowest(outcome),
        "curves": dict(outcome.curves()),
        "failures": outcome.failures,
    }
