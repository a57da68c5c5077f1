"""The job that frees bytes."""

from dataclasses import asdict

from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core.sweep import sweep
from ecr_emu.jobs.schedule import last_turn
from ecr_emu.settings import Settings
from ecr_emu.store import jobs
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job


def run(
    store: Database, blobs: FileBlobs, settings: Settings, job: Job, until: float
) -> dict[str, object] | None:
    """Sweep once for all the times that have passed: a later sweep frees what an earlier one would."""
    interval = settings.sweep_interval
    turn = last_turn(job.due_at, interval, until) if interval else job.due_at
    with store.write() as transaction:
        # Other jobs that are due before the last turn come first: they may leave something to sweep.
        if not jobs.take(transaction, job, turn if turn > job.due_at else (turn + interval or None)):
            return None
    if turn > job.due_at:
        return None
    swept = asdict(sweep(store, blobs, turn))
    return {"at": turn, **swept} if any(swept.values()) else None
