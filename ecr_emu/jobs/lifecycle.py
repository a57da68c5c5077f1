"""The job that runs the lifecycle policy of a repository."""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from sqlite3 import Connection

from ecr_emu.core import expire, pieces, policy_runs
from ecr_emu.core.expire import Done, Failure
from ecr_emu.domain.lifecycle import Decision, Evaluation
from ecr_emu.jobs.schedule import last_turn
from ecr_emu.settings import Settings
from ecr_emu.store import jobs, repositories
from ecr_emu.store import lifecycle as rows
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job
from ecr_emu.store.repositories import Repository

# An image that changes during a run is decided about anew, so often at most; then it waits for the next run.
ROUNDS = 3


def run(store: Database, settings: Settings, job: Job, until: float) -> dict[str, object] | None:
    """Run the policy at the time that the job is due.

    It decides about all images at once, without a lock, and carries that out piece by piece. A crash leaves
    the job due, and its next turn goes on with what is left (core/expire.py, families).
    """
    course = _Course(store, settings, job)
    for _ in range(ROUNDS):
        with store.snapshot() as connection:
            repository, text, found = _evaluate(connection, settings, job)
        going = expire.going(found)
        if not course.has_begun and (repository is None or not going):
            _skip(store, settings, job, found, until)
            return None
        if repository is None or not going or course.carry_out(repository, text, expire.families(going)):
            break
    course.finish()
    return _report(course.repository, job, course.done) if course.repository else None


@dataclass(slots=True)
class _Course:
    """How far a run has come."""

    store: Database
    settings: Settings
    job: Job
    done: Done = field(default_factory=Done)
    repository: Repository | None = None

    @property
    def has_begun(self) -> bool:
        return self.repository is not None

    def carry_out(self, repository: Repository, text: str, families: Sequence[Sequence[Decision]]) -> bool:
        """Carry decisions out. False when some were put off, because what they are about has changed."""
        left = deque(families)
        is_whole = True
        while True:
            with pieces.piece(self.store) as (transaction, has_time):
                if not jobs.is_waiting(transaction, self.job):
                    return True
                policy = rows.find(transaction, repository)
                if policy is None or policy.text != text:
                    return False
                self.repository = repository
                is_whole &= self._piece(transaction, repository, left, has_time)
                if not left and is_whole:
                    self._end(transaction)
            if not left:
                return is_whole
            pieces.pause()

    def _piece(
        self,
        transaction: Connection,
        repository: Repository,
        left: deque[Sequence[Decision]],
        has_time: pieces.HasTime,
    ) -> bool:
        is_whole = True
        carried_out: list[Decision] = []
        failures: list[Failure] = []
        while left:
            result = expire.carry_out(transaction, repository, left.popleft(), self.job.due_at)
            if result is None:
                is_whole = False
            else:
                carried_out += result[0]
                failures += result[1]
            if not has_time():
                break
        policy_runs.record(transaction, repository, carried_out, self.job.due_at)
        self.done = self.done.and_then(carried_out, failures)
        return is_whole

    def finish(self) -> None:
        """End a run that has not ended with its last piece: something is put off until the next."""
        with self.store.write() as transaction:
            if jobs.is_waiting(transaction, self.job):
                self._end(transaction)

    def _end(self, transaction: Connection) -> None:
        """Note that the policy has run, and what comes after."""
        jobs.take(transaction, self.job, _next(self.settings, self.job.due_at))
        rows.record_run(transaction, self.job.repository_id, self.job.due_at)
        if self.done.expired and self.settings.sweep_interval:
            jobs.put(transaction, jobs.SWEEP, self.job.due_at)


def _evaluate(
    connection: Connection, settings: Settings, job: Job
) -> tuple[Repository | None, str, Evaluation]:
    """The repository, its policy and what that says; nothing when either is gone, and the job with it."""
    repository = repositories.of_id(connection, job.repository_id)
    policy = rows.find(connection, repository) if repository else None
    if repository is None or policy is None:
        return None, "", Evaluation((), None)
    found = expire.evaluation(connection, repository, policy.text, job.due_at, settings)
    return repository, policy.text, found


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
