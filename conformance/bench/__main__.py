"""python -m conformance.bench: the emulator beside other registries, medians and ratios. Judges nothing."""

import signal
import sys

import click

from conformance.bench import authorization, interference, lifecycle, load, scale, scanning
from conformance.bench.client import BenchFailed
from conformance.bench.measures import FULL, QUICK, Bench, Plan
from conformance.bench.peers import all_peers
from conformance.bench.report import Report, as_json, table

PARTS = ("servers", "authorization", "lifecycle", "scanning", "scale")


@click.command()
@click.option("--quick", is_flag=True, help="One short round, 20 MB in place of 200: shows that it runs.")
@click.option("--only", type=click.Choice(PARTS), help="One part alone.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def main(quick: bool, only: str | None, output: str) -> None:
    """Measure ecr-emu beside other registries on this machine, one after the other in turn.

    Then what authorization costs, a lifecycle policy over ever more images, reading an image for a scan, and
    requests as there are ever more images and while work goes on in the background.
    """
    # As an exception, so that the servers are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    plan = QUICK if quick else FULL
    try:
        report = measure(plan, only)
    except BenchFailed as reason:
        raise click.ClickException(str(reason)) from None
    click.echo(as_json(report) if output == "json" else table(report))


def measure(plan: Plan, only: str | None) -> Report:
    """Run a plan, or one part of it, with a progress bar on stderr."""
    peers = all_peers() if only in (None, "servers") else []
    counts = plan.image_counts if only in (None, "lifecycle") else ()
    rounds = plan.rounds if only in (None, "authorization") else 0
    scans = plan.rounds if only in (None, "scanning") else 0
    present = [peer for peer in peers if not peer.missing]
    client, do_load = load.choose()
    steps = plan.rounds * plan.steps_per_round * len(present) + authorization.steps(rounds) + len(counts)
    steps += scanning.steps(scans)
    sizes = plan.image_counts if only in (None, "scale") else ()
    steps += scale.steps(sizes) + interference.steps(sizes)
    warnings: list[str] = []
    with click.progressbar(length=steps, label="Measuring", file=sys.stderr) as progress:
        bench = Bench(plan, do_load, lambda: progress.update(1), warnings.append)
        if present:
            bench.run(present)
        costs = None
        if rounds:
            costs = authorization.measure(rounds, plan.load_seconds, do_load, lambda: progress.update(1))
        scales = []
        for count in counts:
            scales.append(lifecycle.measure(count))
            progress.update(1)
        sized = scale.measure(sizes, lambda: progress.update(1)) if sizes else None
        disturbed = (
            interference.measure(sizes, plan.load_seconds, lambda: progress.update(1)) if sizes else ()
        )
        scanned = scanning.measure(plan.scan_bytes, scans, lambda: progress.update(1)) if scans else None
    for warning in warnings:
        click.echo(warning, err=True)
    return Report(bench.samples, peers, plan, client, costs, scales, scanned, sized, disturbed)


if __name__ == "__main__":
    main(prog_name="python -m conformance.bench")
