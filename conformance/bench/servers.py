"""Registries beside each other: start and memory, small requests, blobs of 10 and of 200 MB."""

import os
from collections.abc import Sequence

from conformance.bench import process
from conformance.bench.client import MANIFEST_PATH, SMALL_BYTES, Source, blob_path
from conformance.bench.load import GET, HEAD, Sent
from conformance.bench.measures import (
    BYTES_PER_MB,
    CONNECTIONS,
    SOME_CONNECTIONS,
    Measure,
    Samples,
    Session,
    Transfer,
)
from conformance.bench.peers import FILES, REGISTRY
from conformance.bench.subjects import Subject, in_turn, move, pull, push, running, tolerated, warm

SMALL = f"blob of {SMALL_BYTES // 1000} KB"
SERIES = 2 * len(CONNECTIONS) + 2
MOVES = ("push", "push whole", "pull")


def steps(session: Session) -> int:
    """How often `measure` reports progress."""
    registries, files = len(session.having(REGISTRY)), len(session.having(FILES))
    return session.plan.rounds * (registries * (1 + SERIES + 2 * len(MOVES)) + 2 * files)


def measure(session: Session) -> Samples:
    """All rounds: in each, every server is started anew, and all are asked in turn at every step."""
    samples = Samples()
    peers = [peer for peer in session.peers if peer.roles & {REGISTRY, FILES}]
    warm(session, peers)
    for number in range(session.plan.rounds):
        with running(session, peers) as subjects:
            subjects = list(in_turn(subjects, number))
            registries = [subject for subject in subjects if subject.is_registry]
            for subject in registries:
                _note_start(session, samples, subject)
            _small_requests(session, samples, registries)
            for transfer in (session.plan.small, session.plan.large):
                _transfers(session, samples, subjects, transfer)
    return samples


def _note_start(session: Session, samples: Samples, subject: Subject) -> None:
    pid, server = subject.pid, subject.running
    first = Measure("cold start to first answer", "ms", False)
    samples.add(first, subject.name, server.start_seconds * 1000)
    samples.add(Measure("idle memory, PSS", "MB", False), subject.name, process.proportional_mb(pid))
    samples.add(Measure("idle memory, RSS", "MB", False), subject.name, process.resident_mb(pid))
    session.step()


def _small_requests(session: Session, samples: Samples, subjects: Sequence[Subject]) -> None:
    paths = {}
    for subject in subjects:
        with tolerated(session, subject.name, "push of the small image"):
            paths[subject.name] = blob_path(subject.client.put_image())
    for what in ("manifest", SMALL):
        for sent, counts in ((GET, CONNECTIONS), (HEAD, (SOME_CONNECTIONS,))):
            for connections in counts:
                for subject in subjects:
                    if path := MANIFEST_PATH if what == "manifest" else paths.get(subject.name):
                        series(session, samples, subject, f"{what} {sent.method}", (path, sent, connections))
                    session.step()


def series(
    session: Session, samples: Samples, subject: Subject, what: str, request: tuple[str, Sent, int]
) -> None:
    """One series of small requests: of a path, what else is sent, and the number of connections."""
    path, sent, connections = request
    name = f"{what}, {connections} connection{'s' if connections > 1 else ''}"
    with tolerated(session, subject.name, name):
        seconds, cpu_before = session.plan.load_seconds, process.cpu_seconds(subject.pid)
        rate = session.load(subject.running.port, path, subject.headers, connections, seconds, sent)
        cpu_seconds = process.cpu_seconds(subject.pid) - cpu_before
        curve = what if sent.method != "HEAD" else ""
        samples.add(Measure(name, "requests/s", True, curve, connections), subject.name, rate)
        if connections == SOME_CONNECTIONS:
            # Not much changed by what else the machine does.
            costs = Measure(f"{name}, CPU", "us/request", False)
            samples.add(costs, subject.name, cpu_seconds / (rate * seconds) * 1e6)


def _transfers(session: Session, samples: Samples, subjects: Sequence[Subject], transfer: Transfer) -> None:
    source = Source(transfer.size_mb * BYTES_PER_MB)
    payloads = {s.name: [source.make() for _ in range(transfer.count)] for s in subjects}
    registries = [subject for subject in subjects if subject.is_registry]
    for subject in registries:
        push(session, samples, subject, transfer, payloads[subject.name])
        session.step()
    for subject in registries:
        others = [source.make() for _ in range(transfer.count)]
        os.sync()
        with tolerated(session, subject.name, f"push whole {transfer.label}"):
            move(samples, subject, transfer, "push whole", others)
        session.step()
    for subject in subjects:
        if not subject.is_registry:
            subject.place(payloads[subject.name])
    os.sync()
    for subject in subjects:
        pull(session, samples, subject, transfer, payloads[subject.name])
        session.step()
