"""Writing down what lifecycle policies do, as CloudTrail does."""

import uuid
from collections.abc import Sequence
from sqlite3 import Connection

import orjson

from ecr_emu.core import events
from ecr_emu.domain import lifecycle, lifecycle_trail, trail
from ecr_emu.domain.lifecycle import Decision
from ecr_emu.store import lifecycle as policies
from ecr_emu.store.repositories import Repository


def record(transaction: Connection, repository: Repository, done: Sequence[Decision], now: float) -> None:
    """Write down what the lifecycle policy of a repository has done; nothing when it did nothing."""
    policy = policies.find(transaction, repository)
    if policy is None or not done:
        return
    rules = lifecycle.read(policy.text, orjson.loads)
    policy_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{repository.arn} {policy.text}"))
    for details in lifecycle_trail.details(repository.name, rules, policy.evaluated_at, policy_id, done):
        event = trail.policy_execution(repository.registry, repository.name, details, now)
        events.record(transaction, repository.registry, event, now)
