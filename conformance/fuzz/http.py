"""python -m conformance.fuzz.http: requests of all kinds to both planes, none of which may do harm.

A status 500, or 503 where no upstream was asked; an error in another form than that of its plane; headers
that cannot be sent; an answer that takes long; an error in the log; what fsck finds; files that stay when all
was deleted; memory, open files or threads that grow: each is a failure. Requests come in rounds, which are
made of the seed and their number alone; `--replay NUMBER` plays one again, `--steps` a part of it.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from conformance.fuzz.http_report import Outcome, document, table
from conformance.fuzz.http_worker import Worker
from conformance.fuzz.playing import Faults, Player, shown
from conformance.fuzz.rounds import STEPS, Round

MOST_FAILURES = 30


@click.command()
@click.option("--requests", default=100_000, show_default=True, help="How many requests are made, at least.")
@click.option("--seed", default="ecr-emu", show_default=True, help="Another one makes other requests.")
@click.option("--processes", default=1, show_default=True, help="How many make requests at the same time.")
@click.option(
    "--over",
    type=click.Choice(["both", "wsgi", "wire"]),
    default="both",
    show_default=True,
    help="wsgi: the function in this process; wire: a server; both: a server for one round of 16.",
)
@click.option("--trace", is_flag=True, help="Show which lines of code hold more memory than before; slow.")
@click.option("--replay", type=int, help="Play the round with this number alone, and show what happens.")
@click.option("--steps", default="", help="With --replay: the numbers of the steps to play, with commas.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def main(**given: Any) -> None:
    """Send requests to emulators. Exits with 1 when something is not as it must be."""
    if given["replay"] is not None:
        _replay(given)
        return
    began = time.monotonic()
    progress = click.progressbar(length=given["requests"], label="Requests", file=sys.stderr)
    with progress as bar:
        outcome = _run(given, lambda done: bar.update(done - bar.pos))
    outcome.judge()
    seconds = time.monotonic() - began
    if given["output"] == "json":
        click.echo(json.dumps(document(outcome, seconds, given["seed"])))
    else:
        click.echo(table(outcome, seconds))
    if outcome.failures:
        click.echo("\n\n".join(outcome.failures), err=True)
        raise SystemExit(1)


def _replay(given: dict[str, Any]) -> None:
    """Show every request of a round, its status, and what is wrong with it."""
    round_ = Round(given["seed"], given["replay"])
    chosen = [int(step) for step in given["steps"].split(",") if step] or range(STEPS)
    with tempfile.TemporaryDirectory(prefix="ecr-emu-fuzz-") as folder:
        worker = Worker(given["seed"], Path(folder), given["over"])
        site = worker.site(round_.number)
        is_told = len(chosen) < STEPS

        def tell(ask: Any, said: Any) -> None:
            if is_told:
                click.echo(f"{said.status} {said.body[:300]!r}\n  {shown(ask)}")

        found = list(Player(Faults.listening()).play(round_, site, tell, chosen))
        for failure in found:
            click.echo(f"step {failure.step}: {failure.reason}\n  {failure.request}")
        for problem in site.problems():
            click.echo(f"fsck: {problem}")
        worker.close()
    click.echo(f"round {round_.number} ({round_.mode}): {len(chosen)} steps, {len(found)} failures")


def _run(given: dict[str, Any], tell: Callable[[int], None]) -> Outcome:
    """Start the processes, each with every so-manieth round, and gather what they tell.

    Ctrl-C ends them sooner; what they did counts.
    """
    outcome = Outcome(given["seed"])
    # A step may be left out, and the beginning of a round counts as well.
    rounds, processes = -(-given["requests"] // STEPS), given["processes"]
    with tempfile.TemporaryDirectory(prefix="ecr-emu-fuzz-") as folder:
        running = {}
        for first in range(processes):
            place = Path(folder, str(first))
            place.mkdir()
            share = {"first": first, "end": rounds, "step": processes, "folder": str(place)}
            told = json.dumps({**share, **{name: given[name] for name in ("seed", "over", "trace")}})
            command = [sys.executable, "-m", "conformance.fuzz.http_worker", told]
            running[first] = subprocess.Popen(command, stdout=subprocess.PIPE)
        is_cut = True
        try:
            for first, report in _reports(running):
                if "tally" in report:
                    outcome.tallies[first] = report["tally"]
                    tell(outcome.requests)
                elif outcome.add(report["failure"]) >= MOST_FAILURES:
                    break
            else:
                is_cut = False
        except KeyboardInterrupt:
            click.echo("cut short", err=True)
        finally:
            for first, process in running.items():
                _end(outcome, first, process, is_cut=is_cut)
    return outcome


def _end(outcome: Outcome, first: int, process: "subprocess.Popen[bytes]", *, is_cut: bool) -> None:
    if is_cut:
        process.terminate()
    status = process.wait()
    if status and not is_cut:
        outcome.failures.append(f"process {first} ended with status {status}")


def _reports(running: dict[int, "subprocess.Popen[bytes]"]) -> Iterator[tuple[int, dict[str, Any]]]:
    """What the processes tell, a line each, until all have ended."""
    import selectors

    with selectors.DefaultSelector() as selector:
        for first, process in running.items():
            selector.register(process.stdout, selectors.EVENT_READ, first)  # type: ignore[arg-type]
        while selector.get_map():
            for key, _ in selector.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if not line:
                    selector.unregister(key.fileobj)
                    continue
                yield key.data, json.loads(line)


if __name__ == "__main__":
    main(prog_name="python -m conformance.fuzz.http")
