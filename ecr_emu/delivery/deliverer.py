"""Delivering events: a thread for each target of --events, so that one that is down holds up no other.

An event counts as delivered when its target has said so. How far a target has got is written down half
a second later at the latest; what it got meanwhile comes again after a crash.
"""

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from ecr_emu.context import Emulator
from ecr_emu.delivery.targets import Target, parse
from ecr_emu.store import events as rows
from ecr_emu.store.database import Database

if TYPE_CHECKING:
    from ecr_emu.delivery.sinks import Sink

log = logging.getLogger(__name__)

BATCH = 100
# How long a target is left alone after it refused an event, at first and at most.
FIRST_RETRY_SECONDS, RETRY_SECONDS = 0.25, 30.0
# How often the number of the last event that a target has is written down: every write is synced.
KEEP_SECONDS = 0.5
# How often a thread looks by itself: other processes write events too, and tell nobody.
LOOK_SECONDS = 1.0
# How long a stop waits for a target that is slow.
STOP_SECONDS = 5.0


class Deliverer:
    """All targets of an emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._store = emulator.store
        self._region = emulator.settings.region
        self._targets = [parse(text) for text in dict.fromkeys(emulator.settings.events)]
        self._lines: list[_Line] = []

    def start(self) -> None:
        """Deliver from where each target has got to, until `stop`. Other targets are waited for no longer.

        When it fails nothing is delivered, so it can be started again.
        """
        with self._store.write() as transaction:
            rows.arrange_targets(transaction, [target.name for target in self._targets])
        lines = [_Line(self._store, target, self._region) for target in self._targets]
        try:
            for line in lines:
                line.start()
                self._lines.append(line)
        except RuntimeError:
            # No thread can be made. Two threads for one target would deliver everything twice.
            self.stop()
            raise

    def stop(self) -> None:
        """Start no new delivery, and write down how far each target has got."""
        for line in self._lines:
            line.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for line in self._lines:
            line.join(max(deadline - time.monotonic(), 0))
        self._lines = []


class _Line:
    """One target, its thread, and how far it has got: `_sent` for sure, `_kept` in the database."""

    def __init__(self, store: Database, target: Target, region: str) -> None:
        self._store = store
        self._target = target
        self._region = region
        self._sink: Sink | None = None
        self._stopping = threading.Event()
        self._written = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"events to {target.name}", daemon=True)
        with store.read() as connection:
            self._sent = self._kept = rows.cursor(connection, target.name)
        self._kept_at = 0.0
        self._failures = 0

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stopping.set()
        self._written.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        with self._store.listening(self._written):
            while not self._stopping.is_set():
                self._written.clear()
                if self._step() or self._stopping.is_set():
                    continue
                # What the target has got is written down soon; after a failure it was waited already.
                self._written.wait(LOOK_SECONDS if self._sent == self._kept else KEEP_SECONDS)
            with contextlib.suppress(Exception):
                self._keep()

    def _step(self) -> bool:
        """Deliver what there is, or wait a while when the target is down. True when there may be more."""
        try:
            is_behind = self._deliver()
            self._failures = 0
            if time.monotonic() - self._kept_at >= KEEP_SECONDS:
                self._keep()
            return is_behind
        except (ImportError, OSError) as error:
            # Said once, not each time that it is tried.
            if not self._failures:
                log.warning("events to %s wait: %s", self._target.name, error)
        except Exception:
            log.exception("events to %s wait", self._target.name)
        self._stopping.wait(min(FIRST_RETRY_SECONDS * 2.0 ** min(self._failures, 20), RETRY_SECONDS))
        self._failures += 1
        return True

    def _deliver(self) -> bool:
        """Deliver some events. True when there may be more."""
        with self._store.read() as connection:
            events = rows.after(connection, self._sent, BATCH)
        if not events:
            return False
        if self._sink is None:
            from ecr_emu.delivery.sinks import open_sink

            self._sink = open_sink(self._target, self._region)
        self._sent = events[self._sink.send(events) - 1].number
        return True

    def _keep(self) -> None:
        if self._sent == self._kept:
            return
        with self._store.write() as transaction:
            rows.advance(transaction, self._target.name, self._sent)
        self._kept, self._kept_at = self._sent, time.monotonic()
