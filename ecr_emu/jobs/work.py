"""Doing the jobs that are due, in order, each at its own time."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.jobs import lifecycle, preview, scan, sign, sweep
from ecr_emu.settings import Settings
from ecr_emu.store import jobs
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job

log = logging.getLogger(__name__)

# When a job that broke is tried again.
RETRY_SECONDS = 600

# A report is JSON: what a job did, by name.
Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workplace:
    """What jobs work on."""

    store: Database
    blobs: FileBlobs
    settings: Settings


# Each does one job, which is claimed in the transaction that does it, and tells what it did, if anything.
_KINDS: Mapping[str, Callable[[Workplace, Job, float], Report | None]] = {
    jobs.LIFECYCLE: lambda place, job, until: lifecycle.run(place.store, place.settings, job, until),
    jobs.PREVIEW: lambda place, job, until: preview.run(place.store, place.settings, job),
    jobs.SCAN: lambda place, job, until: scan.run(
        place.store, place.blobs, place.settings.scanner, job, until
    ),
    jobs.SIGN: lambda place, job, until: sign.run(place.store, place.blobs, place.settings, job, until),
    jobs.SWEEP: lambda place, job, until: sweep.run(place.store, place.blobs, place.settings, job, until),
}


def run_pending(place: Workplace, until: float) -> list[Report]:
    """Do all that is due at `until`, the emulator's time, and tell what was done, in order."""
    reports: list[Report] = []
    while True:
        with place.store.read() as connection:
            job = jobs.first(connection)
        if job is None or job.due_at > until:
            return reports
        report = _do(place, job, until)
        if report is not None:
            log.info("%s: %s", job.kind, report)
            reports.append({"kind": job.kind, **report})


def _do(place: Workplace, job: Job, until: float) -> Report | None:
    """Do one job. One that breaks is tried again later, and holds up no other."""
    try:
        return _KINDS[job.kind](place, job, until)
    except Exception as error:
        log.exception("the job %s failed", job.kind)
        with place.store.write() as transaction:
            jobs.take(transaction, job, until + RETRY_SECONDS)
        return {"at": job.due_at, "error": f"{type(error).__name__}: {error}"}
