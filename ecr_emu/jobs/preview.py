"""The job that finds out what a lifecycle policy would do."""

import itertools
import logging
from collections.abc import Iterator
from sqlite3 import Connection

import orjson

from ecr_emu.core import expire, pieces
from ecr_emu.domain import lifecycle_policy
from ecr_emu.domain.lifecycle import Decision
from ecr_emu.settings import Settings
from ecr_emu.store import jobs, previews, repositories
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job
from ecr_emu.store.previews import Result

log = logging.getLogger(__name__)


# Results that are stored or cleared before anybody looks at the time.
_ROWS = 100


def run(store: Database, settings: Settings, job: Job) -> dict[str, object] | None:
    """Evaluate the policy of a preview, and store the images that it names. None of them is touched."""
    status, results = "COMPLETE", []
    try:
        results = _results(store, settings, job)
    except Exception:
        # Whatever it was, the one who waits for the preview is told that it will not come.
        log.exception("a lifecycle policy preview failed")
        status = "FAILED"
    # Nobody sees results before the preview has ended, so they can come in pieces.
    pieces.until_done(store, lambda transaction: previews.clear(transaction, job.repository_id, _ROWS) > 0)
    left = iter(results)
    pieces.until_done(store, lambda transaction: _add_some(transaction, job, left))
    actions = [result.action for result in results]
    with store.write() as transaction:
        if not jobs.take(transaction, job, None):
            return None
        counts = (actions.count("EXPIRE"), actions.count("TRANSITION"))
        previews.finish(transaction, job.repository_id, job.due_at, status, *counts)
    return {"at": job.due_at, "status": status, "images": len(results)}


def _add_some(transaction: Connection, job: Job, left: Iterator[Result]) -> bool:
    """Store the next results; whether more may be left."""
    if not jobs.is_waiting(transaction, job):
        return False
    some = list(itertools.islice(left, _ROWS))
    previews.add(transaction, job.repository_id, some)
    return bool(some)


def _results(store: Database, settings: Settings, job: Job) -> list[Result]:
    with store.snapshot() as connection:
        repository = repositories.of_id(connection, job.repository_id)
        preview = previews.find(connection, job.repository_id)
        if repository is None or preview is None:
            return []
        text = lifecycle_policy.canonical(preview.policy_text, orjson.loads)
        found = expire.evaluation(connection, repository, text, job.due_at, settings)
    return [_result(position, decision) for position, decision in enumerate(expire.going(found), 1)]


def _result(position: int, decision: Decision) -> Result:
    image = decision.image
    return Result(
        position,
        image.digest,
        tuple(sorted(image.tags)),
        image.pushed_at,
        "ARCHIVE" if image.status == "ARCHIVED" else "STANDARD",
        decision.action or "",
        decision.rule.priority if decision.rule else 0,
    )
