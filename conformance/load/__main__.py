"""python -m conformance.load: many clients for some minutes, and one trouble after the other.

Exits with 1 when something is wrong.
"""

import signal
import sys
from pathlib import Path

import click

from conformance.load import report
from conformance.load.run import REST_SECONDS, run


@click.command()
@click.option("--minutes", type=click.FloatRange(0.1), default=10, show_default=True, help="How long.")
@click.option("--clients", type=click.IntRange(2), default=256, show_default=True, help="How many.")
@click.option(
    "--rest", type=click.FloatRange(0), default=REST_SECONDS, show_default=True, help="Seconds of rest."
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--page", type=click.Path(path_type=Path), help="Write the report and its curve there.")
def main(minutes: float, clients: int, rest: float, output: str, page: Path | None) -> None:
    """Drive a server of its own with many clients, every second one slow."""
    # As an exception, so that the server is stopped and the disk unmounted on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    is_terminal = sys.stderr.isatty()
    tell = (
        (lambda text: click.echo(f"\r{text}\x1b[K", err=True, nl=False)) if is_terminal else lambda text: None
    )
    result = run(minutes * 60, clients, rest, tell)
    if is_terminal:
        click.echo("", err=True)
    if page is not None:
        report.write_page(result, page)
    click.echo(report.as_json(result) if output == "json" else report.table(result))
    sys.exit(1 if report.judge(result) else 0)


if __name__ == "__main__":
    main()
