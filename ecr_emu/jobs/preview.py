"""The job that finds out what a lifecycle policy would do."""

import logging

import orjson

from ecr_emu.core import expire
from ecr_emu.domain import lifecycle_policy
from ecr_emu.domain.lifecycle import Decision
from ecr_emu.settings import Settings
from ecr_emu.store import jobs, previews, repositories
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job
from ecr_emu.store.previews import Result

log = logging.getLogger(__name__)


def run(store: Database, settings: Settings, job: Job) -> dict[str, object] | None:
    """Evaluate the policy of a preview, and store the images that it names. None of them is touched."""
    status, results = "COMPLETE", []
    try:
        results = _results(store, settings, job)
    except Exception:
        # Whatever it was, the one who waits for the preview is told that it will not come.
        log.exception("a lifecycle policy preview failed")
        status = "FAILED"
    with store.write() as transaction:
        if not jobs.take(transaction, job, None):
            return None
        previews.finish(transaction, job.repository_id, job.due_at, status, results)
    return {"at": job.due_at, "status": status, "images": len(results)}


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
