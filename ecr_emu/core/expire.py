"""What a lifecycle policy would do, and doing it: for jobs, long after the policy was stored."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection

import orjson

from ecr_emu.core import policy_runs
from ecr_emu.core.archive import archive
from ecr_emu.core.delete import delete_image
from ecr_emu.domain.lifecycle import Decision, Evaluation, evaluate, read
from ecr_emu.errors import EcrError
from ecr_emu.settings import Settings
from ecr_emu.store import images
from ecr_emu.store import lifecycle as rows
from ecr_emu.store.repositories import Repository

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that a policy could not touch, with the error's code and message."""

    digest: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """What one run did: how many images it deleted and archived, and where it failed."""

    expired: int = 0
    archived: int = 0
    failures: tuple[Failure, ...] = ()


def evaluation(
    connection: Connection, repository: Repository, text: str, now: float, settings: Settings
) -> Evaluation:
    """What a policy in canonical form says about the images of a repository."""
    rules = read(text, orjson.loads)
    counts_children = settings.lifecycle_children == "counted"
    return evaluate(rows.images(connection, repository, now), rules, now, counts_children=counts_children)


def going(evaluation: Evaluation) -> list[Decision]:
    """The decisions that touch an image, oldest first."""
    return [decision for decision in evaluation.decisions if decision.action]


def carry_out(
    transaction: Connection, repository: Repository, decisions: Sequence[Decision], now: float
) -> Done:
    """Delete and archive, by the verbs of the API. What one of them refuses stays, and is told."""
    done = {"EXPIRE": 0, "TRANSITION": 0}
    failures = []
    carried_out = []
    for decision in sorted(decisions, key=_turn):
        digest = decision.image.digest
        image = images.find(transaction, repository, digest)
        if image is None or decision.action is None:
            continue
        try:
            if decision.action == "EXPIRE":
                delete_image(transaction, repository, image, now)
            else:
                archive(transaction, repository, image, now)
            done[decision.action] += 1
            carried_out.append(decision)
        except EcrError as error:
            log.warning("the policy of %s leaves %s: %s", repository.name, digest, error.message)
            failures.append(Failure(digest, error.code, error.message))
    policy_runs.record(transaction, repository, carried_out, now)
    return Done(done["EXPIRE"], done["TRANSITION"], tuple(failures))


def _turn(decision: Decision) -> tuple[bool, int]:
    """Indexes before the images that they list: an index is pushed after them."""
    return not decision.image.children, -decision.image.sequence
