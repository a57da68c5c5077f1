"""Doing what is due, when it is due: a thread of the server, and a process for what takes long.

Little work is done in the thread: it is quicker done than a process is started. A computing thread makes
every request wait, so an emulator with many images leaves the work to a child (docs/decisions/0005-jobs.md).
So does one that has to look into an image: who knows what is in it.
"""

import json
import logging
import subprocess
import sys
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from ecr_emu.context import Emulator
from ecr_emu.jobs import schedule
from ecr_emu.metrics import DONE, FAILED
from ecr_emu.store import images, jobs, replications, scans

if TYPE_CHECKING:
    from ecr_emu.jobs.couriers import Couriers
    from ecr_emu.jobs.rematch import Seen

log = logging.getLogger(__name__)

# With more images than this the work is done by a child: evaluating so many takes some milliseconds.
MANY_IMAGES = 2_000
# How long the thread waits after a failure, at first and at most.
FIRST_RETRY_SECONDS, RETRY_SECONDS = 1.0, 60.0
# How long a child may go on when the server is to end.
CHILD_SECONDS = 10.0
# How often it looks for new advisories, where images are scanned again with them.
ADVISORIES_SECONDS = 5.0
# How long the thread sleeps at most: another process may have changed what is due.
MAX_SLEEP_SECONDS = 3600.0


class Runner:
    """Runs the jobs of one emulator, one after the other."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._working = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._child: subprocess.Popen[str] | None = None
        self._failures = 0
        self._advisories: Seen | None = None

    def start(self) -> None:
        """Do what falls due from now on, until `stop`."""
        self.arrange()
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more, and wait for what runs; a child that takes long is ended.

        Its job is due again at the next start: a job is claimed in the transaction that does it.
        """
        self._stopping.set()
        self._emulator.wake.set()
        if self._thread.is_alive():
            self._thread.join(CHILD_SECONDS)
        child = self._child
        if child is not None:
            child.terminate()
        if self._thread.is_alive():
            self._thread.join()
        if "_couriers" in vars(self):
            self._couriers.stop()

    @property
    def is_working(self) -> bool:
        """Whether jobs are being done now."""
        return self._working.locked()

    def arrange(self) -> None:
        """Look again at when jobs are due: the clock was moved."""
        schedule.arrange(self._emulator.store, self._emulator.settings, self._emulator.clock())
        self._emulator.wake.set()

    def run_due(self) -> list[dict[str, object]]:
        """Do all that is due now, before returning; what was done, in order."""
        with self._working:
            until = self._emulator.clock()
            reports = self._copy() + self._finish_injected(until)
            reports += self._run_here(until) if self._is_light(until) else self._run_in_child(until)
            for report in reports:
                outcome = FAILED if "error" in report else DONE
                self._emulator.metrics.count_job(str(report["kind"]), outcome)
            return reports

    def _run(self) -> None:
        wake = self._emulator.wake
        while not self._stopping.is_set():
            try:
                wake.wait(max(self._seconds_to_wait(), 0))
                wake.clear()
                if not self._stopping.is_set():
                    self._notice_advisories()
                if not self._stopping.is_set() and self.seconds_to_sleep() <= 0:
                    self.run_due()
                if not self._stopping.is_set() and self._has_copies():
                    self._couriers.notice()
            except Exception:
                # A full disk, say. The work is still due.
                log.exception("background work failed")
                self._failures += 1
            if self._failures:
                self._stopping.wait(min(FIRST_RETRY_SECONDS * 2**self._failures, RETRY_SECONDS))

    def seconds_to_sleep(self) -> float:
        """Until something is due; 0 or less when something is."""
        with self._emulator.store.read() as connection:
            job = jobs.first(connection)
        seconds = MAX_SLEEP_SECONDS if job is None else job.due_at - self._emulator.clock()
        # A clock that stands still brings nothing nearer.
        is_waiting = seconds > 0 and self._emulator.clock.is_frozen
        return MAX_SLEEP_SECONDS if is_waiting else min(seconds, MAX_SLEEP_SECONDS)

    def _seconds_to_wait(self) -> float:
        """The same, or less where new advisories are waited for: nobody tells of them."""
        with self._emulator.store.read() as connection:
            is_curious = scans.depend_on_advisories(connection)
        return min(self.seconds_to_sleep(), ADVISORIES_SECONDS if is_curious else MAX_SLEEP_SECONDS)

    def _notice_advisories(self) -> None:
        """When the advisories have changed, let the images that are scanned continuously be scanned again."""
        from ecr_emu.jobs import rematch

        self._advisories = rematch.notice(self._emulator, self._advisories)

    @cached_property
    def _couriers(self) -> "Couriers":
        # Most servers replicate nothing.
        from ecr_emu.jobs.couriers import Couriers

        return Couriers(self._emulator)

    def _has_copies(self) -> bool:
        with self._emulator.store.read() as connection:
            return replications.are_waiting(connection)

    def _copy(self) -> list[dict[str, object]]:
        """Replicate inside of this emulator; what goes elsewhere has threads of its own."""
        return self._couriers.run_here() if self._has_copies() else []

    def _is_light(self, until: float) -> bool:
        with self._emulator.store.read() as connection:
            is_small = images.count_up_to(connection, MANY_IMAGES) < MANY_IMAGES
            return is_small and scans.first_due(connection, until) is None

    def _finish_injected(self, until: float) -> list[dict[str, object]]:
        """Scans whose findings the user has given need no child."""
        with self._emulator.store.read() as connection:
            job = jobs.of_kind(connection, jobs.SCAN)
        if job is None or job.due_at > until:
            return []
        from ecr_emu.jobs import scan

        finished = scan.finish_injected(self._emulator.store, self._emulator.blobs, job, until)
        return [{"kind": jobs.SCAN, **report} for report in finished]

    def _run_here(self, until: float) -> list[dict[str, object]]:
        # Nothing is due in the first moments of a server.
        from ecr_emu.jobs.work import Workplace, run_pending

        emulator = self._emulator
        reports = run_pending(Workplace(emulator.store, emulator.blobs, emulator.settings), until)
        self._failures = 0
        return reports

    def _run_in_child(self, until: float) -> list[dict[str, object]]:
        settings = self._emulator.settings
        options = {
            "--data-dir": settings.data_dir,
            "--durability": "safe" if settings.is_durable else "fast",
            "--until": repr(until),
            "--sweep-interval": settings.sweep_interval,
            "--lifecycle-interval": settings.lifecycle_interval,
            "--lifecycle-children": settings.lifecycle_children,
            "--scanner": settings.scanner,
        }
        words = [str(word) for option in options.items() for word in option]
        words += [f"--limit={name}={value}" for name, value in settings.limit]
        command = [sys.executable, "-m", "ecr_emu", "work", *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, text=True, stdout=pipe, stderr=pipe) as child:  # noqa: S603
            self._child = child
            said, problem = child.communicate()
            self._child = None
        if child.returncode:
            reason = problem.strip() or f"it ended with {child.returncode}"
            log.log(
                logging.INFO if self._stopping.is_set() else logging.ERROR,
                "background work failed: %s",
                reason,
            )
            self._failures += 1
            return [{"kind": "work", "error": reason}]
        self._failures = 0
        # It wrote to the same file.
        self._emulator.store.forget()
        reports: list[dict[str, object]] = json.loads(said)
        for report in reports:
            if "error" in report:
                log.error("the job %s failed: %s", report["kind"], report["error"])
        return reports
