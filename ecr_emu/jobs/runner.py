"""Doing what is due, when it is due: a thread of the server, and a process for what takes long.

Little work is done in the thread: it is quicker done than a process is started. A computing thread makes
every request wait, so an emulator with many images leaves the work to a child (docs/decisions/0005-jobs.md).
"""

import json
import logging
import subprocess
import sys
import threading

from ecr_emu.context import Emulator
from ecr_emu.jobs import schedule
from ecr_emu.store import images, jobs

log = logging.getLogger(__name__)

# With more images than this the work is done by a child: evaluating so many takes some milliseconds.
MANY_IMAGES = 2_000
# How long the thread waits after a failure of its own.
RETRY_SECONDS = 60.0
# How long the thread sleeps at most: another process may have changed what is due.
MAX_SLEEP_SECONDS = 3600.0


class Runner:
    """Runs the jobs of one emulator, one after the other."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._working = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Do what falls due from now on, until `stop`."""
        self.arrange()
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more, and wait for what runs."""
        self._stopping.set()
        self._emulator.wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def arrange(self) -> None:
        """Look again at when jobs are due: the clock was moved."""
        schedule.arrange(self._emulator.store, self._emulator.settings, self._emulator.clock())
        self._emulator.wake.set()

    def run_due(self) -> list[dict[str, object]]:
        """Do all that is due now, before returning; what was done, in order."""
        with self._working:
            until = self._emulator.clock()
            return self._run_here(until) if self._has_few_images() else self._run_in_child(until)

    def _run(self) -> None:
        wake = self._emulator.wake
        while not self._stopping.is_set():
            try:
                wake.wait(max(self.seconds_to_sleep(), 0))
                wake.clear()
                if not self._stopping.is_set() and self.seconds_to_sleep() <= 0:
                    self.run_due()
            except Exception:
                # A full disk, say. The work is still due.
                log.exception("background work failed")
                self._stopping.wait(RETRY_SECONDS)

    def seconds_to_sleep(self) -> float:
        """Until something is due; 0 or less when something is."""
        with self._emulator.store.read() as connection:
            job = jobs.first(connection)
        seconds = MAX_SLEEP_SECONDS if job is None else job.due_at - self._emulator.clock()
        # A clock that stands still brings nothing nearer.
        is_waiting = seconds > 0 and self._emulator.clock.is_frozen
        return MAX_SLEEP_SECONDS if is_waiting else min(seconds, MAX_SLEEP_SECONDS)

    def _has_few_images(self) -> bool:
        with self._emulator.store.read() as connection:
            return images.count_up_to(connection, MANY_IMAGES) < MANY_IMAGES

    def _run_here(self, until: float) -> list[dict[str, object]]:
        # Nothing is due in the first moments of a server.
        from ecr_emu.jobs.work import Workplace, run_pending

        emulator = self._emulator
        return run_pending(Workplace(emulator.store, emulator.blobs, emulator.settings), until)

    def _run_in_child(self, until: float) -> list[dict[str, object]]:
        settings = self._emulator.settings
        options = {
            "--data-dir": settings.data_dir,
            "--until": repr(until),
            "--sweep-interval": settings.sweep_interval,
            "--lifecycle-interval": settings.lifecycle_interval,
            "--lifecycle-children": settings.lifecycle_children,
        }
        words = [str(word) for option in options.items() for word in option]
        command = [sys.executable, "-m", "ecr_emu", "work", *words]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if finished.returncode:
            log.error("background work failed: %s", finished.stderr.strip())
            return [{"kind": "work", "error": finished.stderr.strip()}]
        reports: list[dict[str, object]] = json.loads(finished.stdout)
        return reports
