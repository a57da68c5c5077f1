"""Makes the copies that wait for some regions, one after the other: deletions, pushes, backfills.

What is refused for good has FAILED at once. What cannot be done now is tried again, ever more seldom, by the
machine's time: an emulator's clock that stands still does not mend a network.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from sqlite3 import Connection

from ecr_emu.context import Emulator
from ecr_emu.core import backfill as backfilling
from ecr_emu.core import events
from ecr_emu.core.replicate import NotCopied
from ecr_emu.domain.replication import Backfill, Item, Progress
from ecr_emu.jobs.carriers import Carrier, Load, NotNow
from ecr_emu.store import backfills, deletions, images, replications, repositories
from ecr_emu.store.replications import Waiting

log = logging.getLogger(__name__)

# How often a copy is tried, and how long to wait after the first time and at most: three minutes in all.
MAX_ATTEMPTS = 10
FIRST_RETRY_SECONDS, RETRY_SECONDS = 0.5, 60.0

Report = dict[str, object]


class _Stopped(Exception):
    """The backfill was stopped meanwhile."""


@dataclass
class Waits:
    """Until when what is not tried, by the machine's time."""

    until: dict[Hashable, float]
    everything_until: float = 0.0
    outages: int = 0

    def begin(self) -> None:
        """What has waited long enough is tried now."""
        now = time.monotonic()
        self.until = {key: until for key, until in self.until.items() if until > now}
        if self.everything_until <= now:
            self.everything_until = 0.0

    def has(self, key: Hashable) -> bool:
        return self.until.get(key, 0.0) > time.monotonic()

    def put(self, key: Hashable, attempts: int) -> None:
        self.until[key] = time.monotonic() + _pause(attempts)

    def put_everything(self) -> None:
        self.everything_until = time.monotonic() + _pause(self.outages)
        self.outages += 1

    def end_outage(self) -> None:
        """Something worked, so the next outage is a new one."""
        self.outages = 0

    def seconds(self) -> float | None:
        """Until the next try, which may be due by now; None when nothing waits for one."""
        times = [*self.until.values(), *([self.everything_until] if self.everything_until else [])]
        return max(min(times) - time.monotonic(), 0.0) if times else None


def _pause(attempts: int) -> float:
    return float(min(FIRST_RETRY_SECONDS * 2**attempts, RETRY_SECONDS))


class Courier:
    """Copies by one carrier to the regions that `choose` picks of those for which something waits."""

    def __init__(self, emulator: Emulator, carrier: Carrier, choose: Callable[[set[str]], set[str]]) -> None:
        self._emulator = emulator
        self._store = emulator.store
        self._carrier = carrier
        self._choose = choose
        self._waits = Waits({})
        self._counts: Counter[str] = Counter()
        self._working = threading.Lock()
        self.stopping = threading.Event()

    def run(self) -> list[Report]:
        """Do all that can be done now, and tell what that was."""
        with self._working:
            self._counts.clear()
            self._waits.begin()
            with self._store.read() as connection:
                regions = self._choose(replications.waiting_regions(connection))
            for region in sorted(regions):
                self._serve(region)
            counts = {name: number for name, number in self._counts.items() if number}
            if not counts:
                return []
            report: Report = {"kind": "replication", "at": self._emulator.clock(), **counts}
            log.info("replication: %s", counts)
            return [report]

    def stop(self) -> None:
        """Begin no other copy, and break off what takes long."""
        self.stopping.set()
        self._carrier.close()

    def seconds_to_wait(self) -> float | None:
        """Until something is to be tried again."""
        return self._waits.seconds()

    def _serve(self, region: str) -> None:
        self._stop_backfills(region)
        if self._waits.everything_until > time.monotonic():
            return
        try:
            self._delete(region)
            while (copy := self._next_copy(region)) and not self.stopping.is_set():
                self._copy(copy)
            with self._store.read() as connection:
                running = backfills.running(connection, region)
            for backfill in running:
                self._fill(backfill)
        except NotNow as reason:
            if not self.stopping.is_set():
                self._give_up(region, reason.code)

    def _give_up(self, region: str, code: str) -> None:
        """Nothing can be copied there now. What was tried often enough has failed."""
        with self._store.write() as transaction:
            for rows in (replications, deletions, backfills):
                rows.count_attempts(transaction, region)
            failed = replications.give_up(transaction, region, MAX_ATTEMPTS, code)
            failed += backfills.give_up(transaction, region, MAX_ATTEMPTS, code)
            failed += deletions.give_up(transaction, region, MAX_ATTEMPTS)
        self._counts["failed"] += failed
        log.warning("replication to %s waits: %s", region, code)
        self._waits.put_everything()

    def _delete(self, region: str) -> None:
        while not self.stopping.is_set():
            with self._store.read() as connection:
                deletion = deletions.first(connection, region)
            if deletion is None:
                return
            done = partial(_finish_deletion, deletion=deletion)
            try:
                self._carrier.delete(deletion, done)
                self._counts["deleted"] += 1
            except NotCopied as reason:
                log.warning("deleting %s in %s: %s", deletion.digest, region, reason.code)
                self._write(done)
                self._counts["failed"] += 1
            self._waits.end_outage()

    # --- Pushes ------------------------------------------------------------------------------------------

    def _next_copy(self, region: str) -> Waiting | None:
        with self._store.read() as connection:
            found = replications.waiting(connection, region, len(self._waits.until) + 1)
        return next((copy for copy in found if not self._waits.has(_key(copy))), None)

    def _copy(self, copy: Waiting) -> None:
        subject = self._subject(copy)
        if subject is not None and not self._waits.has(_key(subject)):
            self._copy(subject)
        if subject is not None and self._waits.has(_key(subject)):
            # A signature is of no use without what it signs.
            self._waits.until[_key(copy)] = self._waits.until[_key(subject)]
            return
        load = Load(copy.image_id, copy.tags, copy.destination, copy.since)
        done = partial(_finish, copy=copy)
        try:
            self._carrier.carry(load, done)
            self._counts["copied"] += 1
            self._waits.end_outage()
        except NotCopied as reason:
            self._fail(copy, reason.code)
        except NotNow as reason:
            if reason.is_general:
                raise
            if copy.attempts + 1 >= MAX_ATTEMPTS:
                self._fail(copy, reason.code)
                return
            self._write(partial(replications.count_attempt, copy=copy))
            self._waits.put(_key(copy), copy.attempts)

    def _subject(self, copy: Waiting) -> Waiting | None:
        """The copy of what the image refers to, if that waits as well."""
        with self._store.read() as connection:
            found = replications.source(connection, copy.image_id)
            if found is None or found[1].subject_digest is None:
                return None
            subject = images.find(connection, found[0], found[1].subject_digest)
            return replications.find_waiting(connection, subject.id, copy.destination) if subject else None

    def _fail(self, copy: Waiting, code: str) -> None:
        self._write(partial(_fail, copy=copy, failure_code=code, now=self._emulator.clock()))
        self._counts["failed"] += 1

    def _write(self, change: Callable[[Connection], object]) -> None:
        with self._store.write() as transaction:
            change(transaction)

    # --- Backfills ---------------------------------------------------------------------------------------

    def _fill(self, backfill: Backfill) -> None:
        if backfill.status == "PREPARING":
            backfilling.prepare(self._store, backfill, self._emulator.clock())
        with self._store.read() as connection:
            progress = backfills.progress(connection, backfill)
        while not self.stopping.is_set():
            with self._store.read() as connection:
                now = backfills.find(connection, backfill.source, backfill.id)
                item = backfills.next_item(connection, backfill.id)
                progress = progress or (backfills.progress(connection, now) if now else None)
            if now is None or now.has_ended or progress is None:
                return
            if now.status == "STOPPING" or item is None or progress.is_hopeless:
                self._end(now, progress)
                return
            if self._waits.has((backfill.id, item.position)):
                return
            progress = self._try(now, item, progress)

    def _stop_backfills(self, region: str) -> None:
        """Nothing is being copied at this moment."""
        with self._store.read() as connection:
            running = backfills.running(connection, region)
        for backfill in running:
            if backfill.status == "STOPPING":
                end = partial(
                    backfilling.end, backfill=backfill, status="STOPPED", now=self._emulator.clock()
                )
                self._write(end)

    def _end(self, backfill: Backfill, progress: Progress) -> None:
        status = "FAILED" if progress.is_hopeless else "COMPLETE"
        if backfill.status == "STOPPING":
            status = "STOPPED"
        code = backfilling.TOO_MANY_FAILURES if status == "FAILED" else None
        self._write(
            partial(backfilling.end, backfill=backfill, status=status, now=self._emulator.clock(), code=code)
        )

    def _try(self, backfill: Backfill, item: Item, progress: Progress) -> Progress:
        try:
            self._fetch(backfill, item)
            self._counts["copied"] += 1
            self._waits.end_outage()
            return replace(progress, completed=progress.completed + 1)
        except _Stopped:
            return progress
        except NotCopied as reason:
            failed = replace(item, status="FAILED", failure_code=reason.code, sub_codes=reason.sub_codes)
        except NotNow as reason:
            if reason.is_general:
                raise
            failed = replace(item, attempts=item.attempts + 1)
            if failed.attempts >= MAX_ATTEMPTS:
                failed = replace(failed, status="FAILED", failure_code=reason.code)
            else:
                self._waits.put((backfill.id, item.position), item.attempts)
        self._write(lambda transaction: backfills.put_result(transaction, backfill.id, failed))
        if failed.status != "FAILED":
            return progress
        self._counts["failed"] += 1
        return replace(progress, failed=progress.failed + 1)

    def _fetch(self, backfill: Backfill, item: Item) -> None:
        """Copy what an item means. Raises NotCopied, NotNow and _Stopped."""
        with self._store.snapshot() as connection:
            repository = repositories.find(connection, backfill.source, item.repository)
            image = images.find(connection, repository, item.digest) if repository else None
        if repository is None:
            raise NotCopied("RepositoryNotFound")
        if image is None:
            raise NotCopied("ImageNotFound")
        image_id, is_done = image.id, False

        def done(transaction: Connection) -> None:
            nonlocal is_done
            is_done = True
            now = backfills.find(transaction, backfill.source, backfill.id)
            if now is None or now.has_ended:
                raise _Stopped
            backfills.put_result(transaction, backfill.id, replace(item, status="COMPLETE"))
            replications.mark_complete(transaction, image_id, backfill.destination)

        tags = (item.tag,) if item.tag else ()
        self._carrier.carry(Load(image_id, tags, backfill.destination, self._emulator.clock()), done)
        if not is_done:
            # It went in this moment.
            raise NotCopied("ImageNotFound")


def _key(copy: Waiting) -> Hashable:
    return copy.image_id, copy.destination


def _finish(transaction: Connection, copy: Waiting) -> None:
    replications.finish(transaction, copy)


def _fail(transaction: Connection, copy: Waiting, failure_code: str, now: float) -> None:
    is_its_end = replications.finish(transaction, copy, failure_code)
    found = replications.source(transaction, copy.image_id)
    if is_its_end and found is not None:
        events.not_replicated(transaction, copy.destination, *found, now)


def _finish_deletion(transaction: Connection, deletion: deletions.Deletion) -> None:
    deletions.finish(transaction, deletion)
