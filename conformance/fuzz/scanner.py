"""python -m conformance.fuzz.scanner: damaged images, none of which may do more than be refused.

Any exception that is not image.Unreadable, a process that dies, an input that takes long, memory that grows,
files that stay open or in the temporary folder: each is a failure. An input is made from the seed and its
number alone, and `--replay NUMBER` reads it again.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from conformance.fuzz import mutations
from conformance.fuzz.scan import Scan
from conformance.fuzz.worker import WARM_AFTER

# Memory in MB of a process that reads images one after the other, and how much more after the first.
MOST_MB, MOST_GROWTH_MB = 250, 40
# So many failures are enough to begin with.
MOST_FAILURES = 20


@dataclass(slots=True)
class Outcome:
    """What all processes told: their last tallies, and failures as text."""

    tallies: dict[int, dict[str, Any]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        return sum(tally["inputs"] for tally in self.tallies.values())

    def worst(self, member: str) -> float:
        return max((tally[member] for tally in self.tallies.values()), default=0)

    @property
    def growth_mb(self) -> float:
        """The most that a process has grown since it was warm; 0 where it was too short for that."""
        grown = (one["resident_mb"] - one["warm_mb"] for one in self.tallies.values() if one["warm_mb"])
        return max(grown, default=0.0)

    def judge(self) -> None:
        """Add what only shows at the end."""
        if self.worst("peak_mb") > MOST_MB:
            self.failures.append(f"memory: {self.worst('peak_mb'):.0f} MB at the peak, more than {MOST_MB}")
        if self.growth_mb > MOST_GROWTH_MB:
            self.failures.append(f"memory: grown by {self.growth_mb:.0f} MB, more than {MOST_GROWTH_MB}")
        if self.worst("files"):
            self.failures.append(f"{self.worst('files'):.0f} files were left open")


@click.command()
@click.option("--inputs", default=100_000, show_default=True, help="How many images are read.")
@click.option("--seed", default="ecr-emu", show_default=True, help="Another one makes other images.")
@click.option("--processes", default=os.cpu_count() or 1, show_default=True)
@click.option("--replay", type=int, help="Read the image with this number alone, and show what happens.")
@click.option("--save", type=click.Path(path_type=Path), help="With --replay: a folder for its layers.")
def main(inputs: int, seed: str, processes: int, replay: int | None, save: Path | None) -> None:
    """Read damaged images with the scanner. Exits with 1 when one does more than be refused."""
    if replay is not None:
        _replay(seed, replay, save)
        return
    began = time.monotonic()
    with click.progressbar(length=inputs, label="Scanning", file=sys.stderr) as progress:
        outcome = _run(inputs, seed, processes, lambda done: progress.update(done - progress.pos))
    outcome.judge()
    click.echo(_table(outcome, time.monotonic() - began))
    if outcome.failures:
        click.echo("\n\n".join(outcome.failures), err=True)
        raise SystemExit(1)


def _replay(seed: str, number: int, save: Path | None) -> None:
    given = mutations.make(seed, number)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for place, layer in enumerate(given.layers):
            (save / f"{number}-{place}").write_bytes(layer)
    with tempfile.TemporaryDirectory() as folder:
        scan = Scan(Path(folder))
        began = time.thread_time()
        is_read = scan.run(given.layers)
        click.echo(
            f"{given.kind}: {'read' if is_read else 'refused'} in {time.thread_time() - began:.3f} seconds"
        )
        scan.close()


def _run(inputs: int, seed: str, processes: int, tell: Any) -> Outcome:
    """Start the processes, each with every so-manieth input, and gather what they tell."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="ecr-emu-fuzz-") as folder:
        running = []
        for first in range(processes):
            place = Path(folder, str(first))
            place.mkdir()
            words = [seed, str(first), str(inputs), str(processes), str(place)]
            command = [sys.executable, "-m", "conformance.fuzz.worker", *words]
            running.append((first, place, subprocess.Popen(command, stdout=subprocess.PIPE)))
        try:
            for first, report in _reports([(first, process) for first, _, process in running]):
                if "tally" in report:
                    outcome.tallies[first] = report["tally"]
                    tell(outcome.inputs)
                else:
                    failure = report["failure"]
                    outcome.failures.append(f"input {failure['number']}: {failure['reason']}")
                if len(outcome.failures) >= MOST_FAILURES:
                    break
            else:
                outcome.failures += [text for one in running if (text := _death(*one))]
        finally:
            for _, _, process in running:
                process.kill()
                process.wait()
    return outcome


def _reports(running: list[tuple[int, "subprocess.Popen[bytes]"]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of all processes. They are as quick as each other, so they are asked in turn."""
    left = list(running)
    while left:
        for one in list(left):
            first, process = one
            assert process.stdout is not None
            line = process.stdout.readline()
            if line:
                yield first, json.loads(line)
            else:
                left.remove(one)


def _death(first: int, place: Path, process: "subprocess.Popen[bytes]") -> str:
    """What a process died of, if it did."""
    status = process.wait()
    if status == 0:
        return ""
    at = place / "at"
    number = at.read_text().strip() if at.exists() else "none yet"
    return f"process {first} ended with status {status} at input {number}"


def _table(outcome: Outcome, seconds: float) -> str:
    kinds: Counter[str] = Counter()
    for tally in outcome.tallies.values():
        kinds.update(tally["kinds"])
    slowest = max(outcome.tallies.values(), key=lambda one: one["slowest_seconds"], default=None)
    width = max(map(len, kinds), default=0)
    lines = [f"{kind:<{width}}  {count:>9,}" for kind, count in sorted(kinds.items())]
    refused = outcome.inputs - sum(tally["read"] for tally in outcome.tallies.values())
    lines += [
        "",
        f"inputs: {outcome.inputs:,} in {seconds:.0f} s; refused: {refused:,}; "
        f"failures: {len(outcome.failures)}",
    ]
    if slowest:
        lines.append(f"slowest input: {slowest['slowest_seconds']:.3f} s (number {slowest['slowest']})")
    growth = f"{outcome.growth_mb:+.1f} MB" if outcome.worst("warm_mb") else "not measured"
    lines.append(
        f"memory: {outcome.worst('peak_mb'):.0f} MB at the peak, "
        f"{growth} since input {WARM_AFTER:,} of a process"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main(prog_name="python -m conformance.fuzz.scanner")
