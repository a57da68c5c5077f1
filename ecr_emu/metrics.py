"""What the server has done: requests by operation, how long they took, and how many bytes went each way.

Counting costs a request about a microsecond, so it is done with plain numbers; `console/metrics.py` gives
them the form of Prometheus when somebody asks.
"""

import threading
from bisect import bisect_left
from dataclasses import dataclass, field

# Upper bounds of the classes of durations, in seconds; one more class is for what took longer.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Under this key of an environ a plane leaves the operation that it found.
OPERATION = "ecr_emu.operation"
# What is asked for and means nothing is counted under one name: names of strangers are without end.
UNKNOWN = "unknown"
# How a job ends.
DONE, FAILED = "done", "failed"


@dataclass(slots=True)
class Series:
    """Requests of one operation with one status. `classes` has a count for each of BOUNDS, and one more."""

    count: int = 0
    seconds: float = 0.0
    received_bytes: int = 0
    sent_bytes: int = 0
    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))


class Metrics:
    """The counts of one emulator since its start."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, int], Series] = {}
        self._jobs: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def count(
        self, operation: str, status: int, seconds: float, received_bytes: int, sent_bytes: int
    ) -> None:
        """Count a request. `seconds` are those until its answer began; what is sent is as announced."""
        place = bisect_left(BOUNDS, seconds)
        with self._lock:
            series = self._series.get((operation, status))
            if series is None:
                series = self._series[operation, status] = Series()
            series.count += 1
            series.seconds += seconds
            series.received_bytes += received_bytes
            series.sent_bytes += sent_bytes
            series.classes[place] += 1

    def count_job(self, kind: str, outcome: str) -> None:
        """Count a job that did something, or failed: `outcome` is DONE or FAILED."""
        with self._lock:
            self._jobs[kind, outcome] = self._jobs.get((kind, outcome), 0) + 1

    def jobs(self) -> list[tuple[str, str, int]]:
        """Kind, outcome and count of such jobs, in order."""
        with self._lock:
            return sorted((kind, outcome, count) for (kind, outcome), count in self._jobs.items())

    def all(self) -> list[tuple[str, int, Series]]:
        """Operation, status and counts, in order."""
        with self._lock:
            return sorted((operation, status, series) for (operation, status), series in self._series.items())
