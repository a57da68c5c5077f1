"""A layer of 2 GB: each server is started anew and runs alone, so that one that keeps it in memory can."""

from collections.abc import Mapping

from conformance.bench.client import Source
from conformance.bench.measures import BYTES_PER_MB, Samples, Session, Transfer
from conformance.bench.peers import FILES, REGISTRY, Peer
from conformance.bench.subjects import Subject, pull, push, running


def steps(session: Session) -> int:
    """How often `measure` reports progress."""
    return session.plan.rounds * len(_peers(session))


def measure(session: Session) -> Samples:
    """A small push, for the memory that it takes; then the large one, and a pull of the same."""
    samples = Samples()
    small, huge = session.plan.small, session.plan.huge
    sources = {transfer: Source(transfer.size_mb * BYTES_PER_MB) for transfer in (small, huge)}
    for number in range(session.plan.rounds):
        peers = _peers(session)
        for peer in peers if number % 2 == 0 else peers[::-1]:
            with running(session, [peer]) as subjects:
                for subject in subjects:
                    _transfers(session, samples, subject, sources)
            session.step()
    return samples


def _transfers(
    session: Session, samples: Samples, subject: Subject, sources: Mapping[Transfer, Source]
) -> None:
    small, huge = session.plan.small, session.plan.huge
    payload = sources[huge].make()
    if subject.is_registry:
        push(session, samples, subject, small, [sources[small].make() for _ in range(small.count)])
        push(session, samples, subject, huge, [payload])
    else:
        subject.place([payload])
    pull(session, samples, subject, huge, [payload])


def _peers(session: Session) -> list[Peer]:
    return [peer for peer in session.peers if peer.roles & {REGISTRY, FILES}]
