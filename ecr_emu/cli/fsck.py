"""`ecr-emu fsck`: is all there that the rows of a data folder say?"""

import contextlib
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ecr_emu.app import CannotStart, claim, open_database
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.cli import options, tables
from ecr_emu.core.fsck import Checker, Problem, before_opening


@click.command()
@options.data_dir
@click.option("--repair", is_flag=True, help="Mend what can be mended. No server may be running.")
@click.option("--quick", is_flag=True, help="Compare the sizes of files and not their bytes.")
@options.output
def fsck(data_dir: str | None, repair: bool, quick: bool, output: str) -> None:
    """Check every row of the data folder against every byte, and every file against the rows.

    Exits with 1 when something is wrong and was not mended. Without --repair the server may be running.
    """
    folder = options.existing_data_dir(data_dir)
    with contextlib.ExitStack() as closing:
        seen = before_opening(folder)
        try:
            if repair:
                closing.callback(os.close, claim(folder))
            store = open_database(folder)
        except CannotStart as reason:
            raise options.failure(str(reason)) from None
        closing.callback(store.close)
        found = seen + _check(Checker(store, FileBlobs(folder), folder, repair=repair, quick=quick))
    _show(found, folder, output)
    if any(problem.is_open for problem in found):
        sys.exit(1)


def _check(checker: Checker) -> list[Problem]:
    if not sys.stderr.isatty():
        return list(checker.problems(lambda size_bytes: None))
    with click.progressbar(length=checker.size_bytes(), label="Checking", file=sys.stderr) as bar:
        return list(checker.problems(bar.update))


def _show(found: list[Problem], folder: Path, output: str) -> None:
    if output == "json":
        tables.show({"problems": [asdict(problem) for problem in found]}, output)
    elif not found:
        click.echo(f"{folder}: nothing is wrong")
    else:
        rows = [
            (one.kind, one.what, one.problem + (f" ({one.mended})" if one.mended else "")) for one in found
        ]
        click.echo(tables.table(("KIND", "WHAT", "PROBLEM"), rows))
