"""What a lifecycle policy would do, and doing it: for jobs, long after the policy was stored."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection

import orjson

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

    def and_then(self, done: Sequence[Decision], failures: Sequence[Failure]) -> "Done":
        """The same with what was done next."""
        expired = sum(decision.action == "EXPIRE" for decision in done)
        archived = len(done) - expired
        return Done(self.expired + expired, self.archived + archived, (*self.failures, *failures))


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


def families(decisions: Sequence[Decision]) -> list[list[Decision]]:
    """The decisions in groups that go together: indexes and what they list, images and what refers to them.

    The oldest family comes first. A rule that counts counts what is younger, so if a run is interrupted, the
    next decides about what is left as this one did, but for images whose families reach into others'.
    In a family, indexes come before the images that they list.
    """
    places = {decision.image.digest: place for place, decision in enumerate(decisions)}
    heads = list(range(len(decisions)))
    for place, decision in enumerate(decisions):
        for digest in (*decision.image.children, decision.image.subject_digest):
            if digest in places:
                heads[_head(heads, places[digest])] = _head(heads, place)
    found: dict[int, list[Decision]] = {}
    for place, decision in enumerate(decisions):
        found.setdefault(_head(heads, place), []).append(decision)
    return [sorted(family, key=_turn) for family in found.values()]


def _head(heads: list[int], place: int) -> int:
    """Who stands for the family of a place; the way there is made shorter for the next time."""
    while heads[place] != place:
        heads[place] = heads[heads[place]]
        place = heads[place]
    return place


def carry_out(
    transaction: Connection, repository: Repository, family: Sequence[Decision], now: float
) -> tuple[list[Decision], list[Failure]] | None:
    """Delete and archive, by the verbs of the API: what was done, and what one of them refused, which stays.

    None when an image is not as it was decided about: then nothing of the family is touched.
    """
    found = [images.find(transaction, repository, decision.image.digest) for decision in family]
    if not all(_is_same(image, decision, now) for image, decision in zip(found, family, strict=True)):
        return None
    done, failures = [], []
    for image, decision in zip(found, family, strict=True):
        if image is None:
            continue
        try:
            if decision.action == "EXPIRE":
                delete_image(transaction, repository, image, now)
            else:
                archive(transaction, repository, image, now)
            done.append(decision)
        except EcrError as error:
            log.warning("the policy of %s leaves %s: %s", repository.name, image.digest, error.message)
            failures.append(Failure(image.digest, error.code, error.message))
    return done, failures


def _is_same(image: images.Image | None, decision: Decision, now: float) -> bool:
    """Whether the image is as the decision saw it, with its tags and its last pull. One that went is fine."""
    seen = decision.image
    return image is None or (
        image.id,
        image.status_at(now),
        image.pushed_at,
        image.pulled_at,
        *image.kept[1:],
        set(image.tags),
    ) == (
        seen.sequence,
        seen.status,
        seen.pushed_at,
        seen.pulled_at,
        seen.archived_at,
        seen.activated_at,
        set(seen.tags),
    )


def _turn(decision: Decision) -> tuple[bool, int]:
    """Indexes before the images that they list: an index is pushed after them."""
    return not decision.image.children, -decision.image.sequence
