"""`ecr-emu gc`: freeing bytes by hand."""

from dataclasses import asdict

import click

from ecr_emu.app import CannotStart, open_database
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.cli import options, progress, tables
from ecr_emu.clock import UserClock
from ecr_emu.core.sweep import sweep


@click.command()
@options.data_dir
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    help="Seconds for which unfinished pushes are left alone (default: a day for uploads, an hour else).",
)
@options.output
def gc(data_dir: str | None, grace: float | None, output: str) -> None:
    """Free the bytes that nobody can reach any more. The server may be running."""
    folder = options.existing_data_dir(data_dir)
    try:
        store = open_database(folder)
    except CannotStart as reason:
        raise options.failure(str(reason)) from None
    now = UserClock(store)()
    with progress.shown() as show:
        swept = sweep(
            store,
            FileBlobs(folder),
            now,
            grace_seconds=grace,
            progress=lambda swept: show(f"freed {tables.size(swept.freed_bytes)}"),
        )
    store.close()
    tables.show(asdict(swept), output)
