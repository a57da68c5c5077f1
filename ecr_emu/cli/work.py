"""`ecr-emu work`: what the server starts when much is to be done."""

import json
import os
from dataclasses import replace
from typing import Any

import click

from ecr_emu.app import open_database
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.cli import options
from ecr_emu.domain import limits
from ecr_emu.jobs.work import Workplace, run_pending
from ecr_emu.settings import Settings

NICENESS = 5


@click.command(hidden=True)
@options.data_dir
@options.durability
@options.sweep_interval
@options.lifecycle_interval
@options.lifecycle_children
@options.scanner
@options.limit
@click.option("--until", type=float, required=True, help="Time of the emulator, in seconds since 1970.")
def work(data_dir: str | None, until: float, limit: tuple[str, ...], **given: Any) -> None:
    """Do the jobs that are due. The server is running, and calls this when there are many images."""
    # Requests come first: this gives way to the server, whatever processors there are.
    os.nice(NICENESS)
    folder = options.existing_data_dir(data_dir)
    settings = replace(Settings(data_dir=folder), limit=limits.parse(",".join(limit)), **given)
    store = open_database(folder, durable=settings.is_durable)
    try:
        blobs = FileBlobs(folder, durable=settings.is_durable)
        reports = run_pending(Workplace(store, blobs, settings), until)
    finally:
        store.close()
    click.echo(json.dumps(reports))
