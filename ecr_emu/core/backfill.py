"""Replication backfills: what they copy, and how they end (ECR user guide, Replication backfill)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from sqlite3 import Connection

from ecr_emu.core import after_push
from ecr_emu.domain import replication
from ecr_emu.domain.replication import Backfill, Item
from ecr_emu.store import backfills, repositories
from ecr_emu.store.backfills import Candidate
from ecr_emu.store.database import Database
from ecr_emu.store.repositories import Repository

# Why a backfill as a whole has failed; AWS's code is not known.
TOO_MANY_FAILURES = "TooManyFailedReplications"

REPOSITORIES_AT_ONCE = 1_000


def prepare(store: Database, backfill: Backfill, now: float) -> None:
    """Find out what a backfill is to copy: by the rules, and with the images, that there are now."""
    with store.snapshot() as connection:
        items = list(_items(connection, backfill, now))
    with store.write() as transaction:
        current = backfills.find(transaction, backfill.source, backfill.id)
        if current is None or current.status != "PREPARING":
            return
        backfills.add_items(transaction, backfill, items)
        backfills.put(transaction, replace(current, status="IN_PROGRESS", total_count=len(items)))


def end(
    transaction: Connection, backfill: Backfill, status: str, now: float, code: str | None = None
) -> Backfill:
    """Note how a backfill ended. What it did not come to has no result."""
    ended = replace(backfill, status=status, ended_at=now, failure_code=code)
    backfills.put(transaction, ended)
    backfills.drop_untried(transaction, backfill.id)
    return ended


def _items(connection: Connection, backfill: Backfill, now: float) -> Iterator[Item]:
    """Every image with each of its tags, in the order of copying; an image without tags alone."""
    position = 0
    for repository in _repositories(connection, backfill):
        for image in _in_order(backfills.candidates(connection, repository, now)):
            for tag in image.tags or ("",):
                position += 1
                yield Item(position, repository.name, image.digest, tag, image.is_index)


def _repositories(connection: Connection, backfill: Backfill) -> Iterator[Repository]:
    """Those from which a rule copies to the destination."""
    rules = after_push.replication_rules(connection, backfill.source)
    after = ""
    while page := repositories.page(connection, backfill.source, after, REPOSITORIES_AT_ONCE):
        for repository in page:
            if backfill.destination in replication.destinations(rules, repository.name):
                yield repository
        after = page[-1].name


def _in_order(images: Sequence[Candidate]) -> list[Candidate]:
    """What others refer to before them; else in the order of their pushes."""
    subjects = {image.digest: image.subject_digest for image in images}

    def distance(digest: str) -> int:
        steps, subject = 0, subjects[digest]
        while subject in subjects:
            steps, subject = steps + 1, subjects[subject]
        return steps

    return sorted(images, key=lambda image: (distance(image.digest), image.id))
