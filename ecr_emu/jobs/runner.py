"""Starting background work when it is due."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

log = logging.getLogger(__name__)


class Runner:
    """A thread that sleeps, and starts the sweeper in a process of its own every so often."""

    def __init__(self, data_dir: Path, interval_seconds: float) -> None:
        self._command = [
            sys.executable,
            "-m",
            "ecr_emu",
            "gc",
            "--data-dir",
            str(data_dir),
        ]
        self._interval_seconds = interval_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        if self._interval_seconds > 0:
            self._thread.start()

    def stop(self) -> None:
        """Start nothing more, and wait for what runs."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            finished = subprocess.run(self._command, capture_output=True, text=True, check=False)  # noqa: S603
            if finished.returncode:
                log.error("the sweeper failed: %s", finished.stderr.strip())
            else:
                log.info("%s", finished.stdout.strip())
