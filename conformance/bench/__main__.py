"""python -m conformance.bench: the emulator beside other registries and emulators, medians and ratios."""

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from conformance.bench import load, report, roster
from conformance.bench.client import BenchFailed
from conformance.bench.measures import FULL, QUICK, Plan, Session
from conformance.bench.parts import PARTS, through_json
from conformance.bench.peers import Peer


@click.command()
@click.option("--quick", is_flag=True, help="One short round with less data: shows that it runs.")
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="A part alone, or some of them.")
@click.option("--peers", "names", default="", metavar="A,B", help="These peers only; ours is always there.")
@click.option(
    "--write", is_flag=True, help="Write docs/benchmarks.md; parts not measured now stay as they are."
)
@click.option(
    "--from-json",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Measure nothing: show, or write, what a file of samples holds.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def main(quick: bool, only: Sequence[str], names: str, write: bool, source: Path | None, output: str) -> None:
    """Measure ecr-emu beside other registries and emulators on this machine, in turn, round by round.

    Peers are installed by `python -m conformance.bench.install`; those that are not there are named.
    """
    # As an exception, so that the servers are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    stored: report.Stored = {}
    try:
        runs = [json.loads(source.read_text())] if source else _measure(quick, only, names)
        for stored in runs:
            # After each part: what was measured is not lost with what comes after it.
            if write:
                report.write(_earlier() | stored)
    except (BenchFailed, ValueError) as reason:
        raise click.ClickException(str(reason)) from None
    click.echo(json.dumps(stored, indent=2) if output == "json" else report.text(stored))


def _measure(quick: bool, only: Sequence[str], names: str) -> Iterator[report.Stored]:
    return measure(QUICK if quick else FULL, list(only or PARTS), roster.choose(names))


def measure(plan: Plan, names: Sequence[str], peers: Sequence[Peer]) -> Iterator[report.Stored]:
    """Run parts of a plan, with a progress bar on stderr; what is there so far, after each of them."""
    client, do_load = load.choose()
    how = report.circumstances(plan, peers, client)
    present = [peer for peer in peers if not peer.missing]
    stored: report.Stored = {}
    warnings: list[str] = []
    with click.progressbar(length=1, label="Measuring", file=sys.stderr) as progress:
        session = Session(plan, present, do_load, lambda: progress.update(1), warnings.append)
        progress.length = sum(PARTS[name].steps(session) for name in names)
        for name in names:
            progress.label = f"Measuring {name}"
            data = through_json(PARTS[name].measure(session))
            stored[name] = {"how": how | {"warnings": list(warnings)}, "data": data}
            warnings.clear()
            yield stored


def _earlier() -> report.Stored:
    return json.loads(report.SAMPLES.read_text()) if report.SAMPLES.exists() else {}


if __name__ == "__main__":
    main(prog_name="python -m conformance.bench")
