"""One process of the fuzzing: reads its share of the inputs, and tells on stdout, in lines of JSON.

A failure is told at once. What the process is at stands in a file, for one that dies of an input.
"""

import faulthandler
import gc
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from conformance.bench import process
from conformance.fuzz import mutations
from conformance.fuzz.mutations import Input
from conformance.fuzz.scan import Scan

# Processor time that an input may take, and how long it is waited for: a machine may be busy.
SLOW_SECONDS, HANG_SECONDS = 2.0, 60
# Inputs between two reports.
SHARE = 500
# Inputs after which memory has no reason to grow.
WARM_AFTER = 2_000


class Hang(BaseException):
    """An input takes too long: no exception that a parser may catch."""


@dataclass(slots=True)
class Tally:
    """What one process has to tell: counts by kind, the slowest input and its seconds, memory in MB."""

    inputs: int = 0
    read: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    slowest_seconds: float = 0.0
    slowest: int = -1
    warm_mb: float = 0.0
    resident_mb: float = 0.0
    peak_mb: float = 0.0
    files: int = 0


class Worker:
    """Scans inputs by number, and counts."""

    def __init__(self, seed: str, folder: Path) -> None:
        self._seed = seed
        self._folder = folder
        self._temporary = folder / "temporary"
        self._temporary.mkdir()
        tempfile.tempdir = str(self._temporary)
        self._scan = Scan(folder)
        self._scan.run(())
        self._files = _open_files()
        self._at = os.open(folder / "at", os.O_CREAT | os.O_WRONLY)
        self._tally = Tally()

    def close(self) -> None:
        self._scan.close()
        os.close(self._at)

    def run(self, numbers: range) -> Iterator[dict[str, object]]:
        """Reports: {"failure": …} and {"tally": …}."""
        for count, number in enumerate(numbers, 1):
            # Of one length, as it overwrites the one before.
            os.pwrite(self._at, b"%20d" % number, 0)
            reason = self._one(number)
            if reason:
                yield {"failure": {"number": number, "reason": reason}}
            if count == WARM_AFTER:
                self._tally.warm_mb = _resident_mb()
            if count % SHARE == 0:
                yield self._report()
        yield self._report()

    def _one(self, number: int) -> str:
        """Why an input fails; nothing if it does not."""
        given = mutations.make(self._seed, number)
        self._tally.inputs += 1
        self._tally.kinds[given.kind] = self._tally.kinds.get(given.kind, 0) + 1
        began = time.thread_time()
        reason = self._scanned(given)
        seconds = time.thread_time() - began
        if seconds > self._tally.slowest_seconds:
            self._tally.slowest_seconds, self._tally.slowest = seconds, number
        if not reason and seconds > SLOW_SECONDS:
            reason = f"takes {seconds:.1f} seconds"
        if not reason and (left := list(self._temporary.iterdir())):
            reason = f"leaves {left[0].name}"
        return f"{given.kind}: {reason}" if reason else ""

    def _scanned(self, given: Input) -> str:
        signal.alarm(HANG_SECONDS)
        try:
            self._tally.read += self._scan.run(given.layers)
        except (Exception, Hang):  # noqa: BLE001 - that there is none is what is shown
            return traceback.format_exc()
        finally:
            signal.alarm(0)
        return ""

    def _report(self) -> dict[str, object]:
        gc.collect()
        tally = self._tally
        tally.resident_mb, tally.peak_mb = _resident_mb(), process.peak_mb(os.getpid())
        tally.files = _open_files() - self._files - 1
        return {"tally": asdict(tally)}


def _resident_mb() -> float:
    return process.resident_mb(os.getpid())


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _raise_hang(number: int, frame: FrameType | None) -> None:
    raise Hang


def main(seed: str, first: str, end: str, step: str, folder: str) -> None:
    """Inputs `first`, `first` + `step` and so on, before `end`."""
    faulthandler.enable()
    signal.signal(signal.SIGALRM, _raise_hang)
    worker = Worker(seed, Path(folder))
    for report in worker.run(range(int(first), int(end), int(step))):
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
    worker.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
