"""The job that runs the lifecycle policy of a repository."""

from dataclasses import asdict
from sqlite3 import Connection

from ecr_emu.core import expire
from ecr_emu.core.expire import Done
from ecr_emu.domain.lifecycle import Evaluation
from ecr_emu.jobs.schedule import last_turn
from ecr_emu.settings import Settings
from ecr_emu.store import jobs, repositories
from ecr_emu.store import lifecycle as rows
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job
from ecr_emu.store.repositories import Repository


def run(store: Database, settings: Settings, job: Job, until: float) -> dict[str, object] | None:
    """Run the policy at the time that the job is due: all of it, in one transaction, or nothing."""
    with store.snapshot() as connection:
        repository, found = _evaluate(connection, settings, job)
    if repository is None or not expire.going(found):
        _skip(store, settings, job, found, until)
        return None
    with store.write() as transaction:
        if not jobs.take(transaction, job, _next(settings, job.due_at)):
            return None
        # Again, now that nobody else writes: an image may have been tagged or pulled meanwhile.
        _, found = _evaluate(transaction, settings, job)
        done = expire.carry_out(transaction, repository, expire.going(found), job.due_at)
        rows.record_run(transaction, job.repository_id, job.due_at)
        if done.expired and settings.sweep_interval:
            jobs.put(transaction, jobs.SWEEP, job.due_at)
    return _report(repository, job, done)


def _evaluate(connection: Connection, settings: Settings, job: Job) -> tuple[Repository | None, Evaluation]:
    """The repository and what its policy says; nothing when either is gone, and the job with it."""
    repository = repositories.of_id(connection, job.repository_id)
    policy = rows.find(connection, repository) if repository else None
    if repository is None or policy is None:
        return None, Evaluation((), None)
    return repository, expire.evaluation(connection, repository, policy.text, job.due_at, settings)


def _skip(store: Database, settings: Settings, job: Job, found: Evaluation, until: float) -> None:
    """Nothing goes now, nor at the turns before the next change: they count as run."""
    turn = job.due_at
    if settings.lifecycle_interval:
        unchanged = until if found.next_change_at is None else min(until, found.next_change_at)
        turn = max(turn, last_turn(turn, settings.lifecycle_interval, unchanged))
    with store.write() as transaction:
        if jobs.take(transaction, job, _next(settings, turn)):
            rows.record_run(transaction, job.repository_id, turn)


def _next(settings: Settings, turn: float) -> float | None:
    return turn + settings.lifecycle_interval if settings.lifecycle_interval else None


def _report(repository: Repository, job: Job, done: Done) -> dict[str, object]:
    return {
        "at": job.due_at,
        "registryId": repository.registry.account,
        "region": repository.registry.region,
        "repositoryName": repository.name,
        **asdict(done),
    }
