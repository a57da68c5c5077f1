"""Storing lifecycle policies, from PutLifecyclePolicy and from creation templates.

That never touches an image: jobs run the policy later (core/expire.py; ECR user guide, Lifecycle policies).
"""

from sqlite3 import Connection

import orjson

from ecr_emu import errors
from ecr_emu.domain import lifecycle_policy
from ecr_emu.domain.lifecycle_policy import InvalidLifecyclePolicy
from ecr_emu.settings import Settings
from ecr_emu.store import jobs
from ecr_emu.store import lifecycle as rows
from ecr_emu.store.repositories import Repository


def canonical(text: str, settings: Settings) -> str:
    """The policy as ECR writes it, or InvalidParameterException (LifecyclePolicyText)."""
    try:
        return lifecycle_policy.canonical(text, orjson.loads)
    except InvalidLifecyclePolicy as problem:
        position = problem.position if settings.lifecycle_positions else None
        raise errors.invalid_lifecycle_policy(str(problem), position) from None


def put_policy(
    transaction: Connection, repository: Repository, text: str, now: float, settings: Settings
) -> None:
    """Store a policy in canonical form. It first runs an interval from now."""
    rows.put(transaction, repository, text)
    if settings.lifecycle_interval:
        jobs.put(transaction, jobs.LIFECYCLE, now + settings.lifecycle_interval, repository.id)


def delete_policy(transaction: Connection, repository: Repository) -> None:
    rows.delete(transaction, repository)
    jobs.delete(transaction, jobs.LIFECYCLE, repository.id)
