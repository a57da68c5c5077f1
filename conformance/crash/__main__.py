"""`python -m conformance.crash`: kill the server while clients work, and see that nothing is lost."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click

from conformance.crash.story import Figures, Lost, Story


@click.command()
@click.option("--kills", default=500, show_default=True, help="How often the server is killed.")
@click.option("--clients", default=32, show_default=True, help="How many clients work at a time.")
@click.option("--seed", type=int, help="What chance is made of; another one each time if not given.")
@click.option("--durability", type=click.Choice(["safe", "fast"]), default="safe", show_default=True)
def main(kills: int, clients: int, seed: int | None, durability: str) -> None:
    """Print the figures as JSON; end with 1, and leave the data folder, when anything is wrong."""
    seed = secrets.randbits(32) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="ecr-emu-crash-"))
    click.echo(f"seed {seed}, folder {folder}", err=True)
    try:
        figures = Story(folder, clients, seed, ("--durability", durability)).play(kills, _show)
    except Lost as problem:
        click.echo(str(problem), err=True)
        sys.exit(1)
    click.echo(figures.as_json())
    shutil.rmtree(folder)


def _show(figures: Figures) -> None:
    if figures.looks % 25 == 0:
        click.echo(f"{figures.kills} kills, {figures.facts} facts compared", err=True)


if __name__ == "__main__":
    main()
