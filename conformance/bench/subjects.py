"""Servers that run for a part of the benchmark, and what one of them does not manage."""

import contextlib
import http.client
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.bench import process
from conformance.bench.client import BenchFailed, Client, Payload
from conformance.bench.measures import BYTES_PER_GB, BYTES_PER_MB, Measure, Samples, Session, Transfer
from conformance.bench.peers import FILES, Peer, Running, start
from conformance.bench.roster import OURS

# A server that has just answered may still be tidying up.
SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server and a client of it that is logged in."""

    running: Running
    client: Client
    headers: dict[str, str]
    folder: Path

    @property
    def name(self) -> str:
        return self.running.peer.name

    @property
    def pid(self) -> int:
        return self.running.process.pid

    @property
    def is_registry(self) -> bool:
        return FILES not in self.running.peer.roles

    def place(self, payloads: Sequence[Payload]) -> None:
        """Write blobs to where a server of files takes them from."""
        for payload in payloads:
            path = self.folder / "data" / "v2" / "bench" / "image" / "blobs" / payload.digest
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(payload.blocks)


@contextlib.contextmanager
def running(
    session: Session, peers: Sequence[Peer], ask: Callable[[int], int | None] | None = None
) -> Iterator[list[Subject]]:
    """Start servers on empty folders, in this order, log in, and stop them at the end."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecr-emu-bench-")))
        subjects = []
        for peer in peers:
            with tolerated(session, peer.name, "start"):
                server = start(peer, folder / peer.name, ask)
                stack.callback(_stop, session, server)
                time.sleep(SETTLE_SECONDS)
                headers = peer.log_in(server.port)
                client = Client(server.port, headers)
                stack.callback(client.close)
                subjects.append(Subject(server, client, headers, folder / peer.name))
        yield subjects


def warm(session: Session, peers: Sequence[Peer], ask: Callable[[int], int | None] | None = None) -> None:
    """A start of each server that fills the caches and is not counted."""
    for peer in peers:
        with (
            tolerated(session, peer.name, "start"),
            tempfile.TemporaryDirectory(prefix="ecr-emu-bench-") as folder,
        ):
            _stop(session, start(peer, Path(folder) / peer.name, ask))


def in_turn(subjects: Sequence[Subject], number: int) -> Sequence[Subject]:
    """Who comes first may find warmer memory in the kernel, so that changes each round."""
    return subjects if number % 2 == 0 else subjects[::-1]


@contextlib.contextmanager
def tolerated(session: Session, name: str, what: str) -> Iterator[None]:
    """What a peer does not manage is told and left out of its figures; what we do not ends the benchmark."""
    try:
        yield
    except (BenchFailed, OSError, http.client.HTTPException) as reason:
        if name == OURS:
            raise
        session.warn(f"{name}, {what}: {type(reason).__name__}: {reason}"[:300])


def push(
    session: Session, samples: Samples, subject: Subject, transfer: Transfer, payloads: Sequence[Payload]
) -> None:
    """Push in chunks, as docker does, with the peak of the memory."""
    # What earlier pushes left to the kernel must not be written on this one's time.
    os.sync()
    process.reset_peak(subject.pid)
    with tolerated(session, subject.name, f"push {transfer.label}"):
        move(samples, subject, transfer, "push", payloads)
        name = f"peak memory, RSS, push {transfer.label}"
        samples.add(Measure(name, "MB", False), subject.name, process.peak_mb(subject.pid))


def pull(
    session: Session, samples: Samples, subject: Subject, transfer: Transfer, payloads: Sequence[Payload]
) -> None:
    with tolerated(session, subject.name, f"pull {transfer.label}"):
        move(samples, subject, transfer, "pull", payloads)


def move(
    samples: Samples, subject: Subject, transfer: Transfer, verb: str, payloads: Sequence[Payload]
) -> None:
    """Move the payloads and note MB/s, and the processor time that the server took for a GB."""
    client = subject.client
    # While the others had their turn, the server may have closed it.
    client.close()
    how = {"push": client.push, "push whole": client.push_whole, "pull": client.pull}[verb]
    cpu_before, began = process.cpu_seconds(subject.pid), time.perf_counter()
    for payload in payloads:
        how(payload)
    seconds = time.perf_counter() - began
    cpu_seconds = process.cpu_seconds(subject.pid) - cpu_before
    size_bytes = sum(payload.size_bytes for payload in payloads)
    name = f"{verb} {transfer.label}"
    speed = Measure(name, "MB/s", True, verb, transfer.size_mb)
    samples.add(speed, subject.name, size_bytes / BYTES_PER_MB / seconds)
    costs = Measure(f"{name}, CPU", "s/GB", False)
    samples.add(costs, subject.name, cpu_seconds / (size_bytes / BYTES_PER_GB))


def _stop(session: Session, server: Running) -> None:
    if not server.stop():
        session.warn(f"{server.peer.name} did not stop when asked, and was killed")
