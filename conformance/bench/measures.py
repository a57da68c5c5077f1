"""What is measured, and in which order: one server after the other at each step, round after round."""

import contextlib
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.bench import process
from conformance.bench.client import MANIFEST_PATH, Client, Payload, Source
from conformance.bench.load import Load
from conformance.bench.peers import Peer, Running, start

BYTES_PER_MB = 1_000_000
BYTES_PER_GB = 1_000_000_000
CONNECTIONS = (1, 16, 64)
# A server that has just answered may still be tidying up.
SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Transfer:
    """`count` blobs of `size_mb` megabytes, one after the other on one connection: one sample."""

    size_mb: int
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to do. `load_seconds` is the length of one series of small requests, `image_counts` are the
    sizes of repositories that a lifecycle policy is evaluated over, `scan_bytes` the size of an image that is
    scanned.
    """

    rounds: int
    load_seconds: float
    small: Transfer
    large: Transfer
    image_counts: tuple[int, ...]
    scan_bytes: int

    @property
    def steps_per_round(self) -> int:
        """How often a round of one server reports progress."""
        return 1 + len(CONNECTIONS) + 2 * len((self.small, self.large))


FULL = Plan(
    rounds=5,
    load_seconds=3,
    small=Transfer(10, 10),
    large=Transfer(200, 2),
    image_counts=(1_000, 10_000, 100_000, 1_000_000),
    scan_bytes=10**9,
)
QUICK = Plan(
    rounds=1,
    load_seconds=1,
    small=Transfer(10, 1),
    large=Transfer(20, 1),
    image_counts=(1_000, 10_000),
    scan_bytes=50_000_000,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the report."""

    name: str
    unit: str
    is_better_when_higher: bool


@dataclass(slots=True)
class Samples:
    """Values by measure and name of the server; measures in the order in which they first came."""

    values: dict[Measure, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, measure: Measure, server: str, value: float) -> None:
        self.values.setdefault(measure, defaultdict(list))[server].append(value)


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server and a client of it that is logged in."""

    running: Running
    client: Client
    headers: dict[str, str]

    @property
    def name(self) -> str:
        return self.running.peer.name

    @property
    def pid(self) -> int:
        return self.running.process.pid


class Bench:
    """Takes all samples of a plan. `step` is told of progress, `warn` of what went wrong but can wait."""

    def __init__(self, plan: Plan, load: Load, step: Callable[[], None], warn: Callable[[str], None]) -> None:
        self._plan = plan
        self._load = load
        self._step = step
        self._warn = warn
        self.samples = Samples()

    def run(self, peers: Sequence[Peer]) -> None:
        """All rounds, and before them a start of each server that fills the caches and is not counted."""
        with tempfile.TemporaryDirectory(prefix="ecr-emu-bench-") as folder:
            for peer in peers:
                self._stop(start(peer, Path(folder) / peer.name))
        for number in range(1, self._plan.rounds + 1):
            with contextlib.ExitStack() as stack:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecr-emu-bench-"))
                subjects = [self._enter(stack, peer, Path(folder) / peer.name) for peer in peers]
                # Who comes first may find warmer memory in the kernel, so that changes each round.
                self._measure(subjects if number % 2 else subjects[::-1])

    def _enter(self, stack: contextlib.ExitStack, peer: Peer, folder: Path) -> Subject:
        """Start a server, note start and idle memory, and store the small image."""
        running = start(peer, folder)
        stack.callback(self._stop, running)
        pid = running.process.pid
        self._add("cold start to first answer", "ms", False, peer.name, running.start_seconds * 1000)
        time.sleep(SETTLE_SECONDS)
        self._add("idle memory, PSS", "MB", False, peer.name, process.proportional_mb(pid))
        self._add("idle memory, RSS", "MB", False, peer.name, process.resident_mb(pid))
        headers = peer.log_in(running.port)
        client = Client(running.port, headers)
        stack.callback(client.close)
        client.put_image()
        self._step()
        return Subject(running, client, headers)

    def _measure(self, subjects: Sequence[Subject]) -> None:
        for connections in CONNECTIONS:
            for subject in subjects:
                self._measure_requests(subject, connections)
        for transfer in (self._plan.small, self._plan.large):
            source = Source(transfer.size_mb * BYTES_PER_MB)
            payloads = {s.name: [source.make() for _ in range(transfer.count)] for s in subjects}
            for subject in subjects:
                self._measure_push(subject, transfer, payloads[subject.name])
            for subject in subjects:
                self._transfer(subject, transfer, "pull", subject.client.pull, payloads[subject.name])

    def _measure_requests(self, subject: Subject, connections: int) -> None:
        port, seconds = subject.running.port, self._plan.load_seconds
        rate = self._load(port, MANIFEST_PATH, subject.headers, connections, seconds)
        plural = "s" if connections > 1 else ""
        self._add(f"manifest GET, {connections} connection{plural}", "requests/s", True, subject.name, rate)
        self._step()

    def _measure_push(self, subject: Subject, transfer: Transfer, payloads: Sequence[Payload]) -> None:
        # What earlier pushes left to the kernel must not be written on this one's time.
        os.sync()
        process.reset_peak(subject.pid)
        self._transfer(subject, transfer, "push", subject.client.push, payloads)
        if transfer == self._plan.large:
            name = f"peak memory, RSS, push {transfer.size_mb} MB"
            self._add(name, "MB", False, subject.name, process.peak_mb(subject.pid))

    def _transfer(
        self,
        subject: Subject,
        transfer: Transfer,
        verb: str,
        move: Callable[[Payload], None],
        payloads: Sequence[Payload],
    ) -> None:
        """Move the payloads and note MB/s, and the processor time that the server took for a GB."""
        cpu_before, began = process.cpu_seconds(subject.pid), time.perf_counter()
        for payload in payloads:
            move(payload)
        seconds = time.perf_counter() - began
        cpu_seconds = process.cpu_seconds(subject.pid) - cpu_before
        size_bytes = sum(payload.size_bytes for payload in payloads)
        name = f"{verb} {transfer.size_mb} MB"
        self._add(name, "MB/s", True, subject.name, size_bytes / BYTES_PER_MB / seconds)
        self._add(f"{name}, CPU", "s/GB", False, subject.name, cpu_seconds / (size_bytes / BYTES_PER_GB))
        self._step()

    def _stop(self, running: Running) -> None:
        if not running.stop():
            self._warn(f"{running.peer.name} did not stop when asked, and was killed")

    def _add(self, name: str, unit: str, is_better_when_higher: bool, server: str, value: float) -> None:
        self.samples.add(Measure(name, unit, is_better_when_higher), server, value)
