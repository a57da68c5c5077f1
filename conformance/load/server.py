"""The server under load: its process, and what the kernel knows of it, second by second."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conformance.bench import process

READY = re.compile(r"ready: http://[^:]+:(\d+)\n")
STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the start of the run, memory in MB, descriptors and threads."""

    at: float
    pss_mb: float
    rss_mb: float
    files: int
    threads: int


class Server:
    """`ecr-emu serve` on a folder. It can be stopped and started again on the same port."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self.port = 0
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "ecr_emu", "serve", "--port", str(self.port)]
        with self._log.open("a") as errors:
            started = subprocess.Popen(
                [*command, "--data-dir", str(self._folder), "--log-format", "json"],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert started.stdout is not None
        ready = READY.fullmatch(started.stdout.readline())
        if ready is None:
            raise RuntimeError(f"the server does not start: {self._log.read_text()[-500:]}")
        self.port = int(ready[1])
        return started

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code; one that does not end is killed."""
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self._process.wait()

    def start_again(self) -> None:
        self._process = self._start()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def sample(self, began: float) -> Sample | None:
        """What it uses now, or None when it is gone."""
        pid = self._process.pid
        with suppress(OSError, ValueError, IndexError):
            status = Path(f"/proc/{pid}/status").read_text()
            return Sample(
                round(time.monotonic() - began, 1),
                round(process.proportional_mb(pid), 1),
                round(process.resident_mb(pid), 1),
                len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208 - names are enough
                int(re.findall(r"Threads:\s+(\d+)", status)[0]),
            )
        return None

    def log_levels(self) -> dict[str, int]:
        """How many lines of each level it has logged."""
        found: dict[str, int] = {}
        for line in self._log.read_text().splitlines():
            level = re.search(r'"level":"(\w+)"', line)
            name = level[1] if level else "other"
            found[name] = found.get(name, 0) + 1
        return found
