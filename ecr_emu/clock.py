"""The emulator's time: the machine's, unless the user has moved or stopped it.

Everything that reads time reads this. It is kept in the database, so a restart does not jump back.
"""

import time
from collections.abc import Callable

from ecr_emu.store import clock as rows
from ecr_emu.store.database import Database

Clock = Callable[[], float]


class UserClock:
    """Epoch seconds in UTC, ahead of the machine's clock by some seconds, or frozen."""

    def __init__(self, store: Database, machine: Clock = time.time) -> None:
        self._store = store
        self._machine = machine
        with store.read() as connection:
            self._ahead_seconds, self._frozen_at = rows.get(connection)

    def __call__(self) -> float:
        return self._machine() + self._ahead_seconds if self._frozen_at is None else self._frozen_at

    def machine_now(self) -> float:
        """The machine's time: what clients sign their requests with."""
        return self._machine()

    @property
    def ahead_seconds(self) -> float:
        """How far it is ahead of the machine's clock now."""
        return self() - self._machine()

    @property
    def is_frozen(self) -> bool:
        return self._frozen_at is not None

    def set(self, now: float) -> None:
        """Make it this time. A frozen clock stays frozen."""
        if self._frozen_at is None:
            self._keep(now - self._machine(), None)
        else:
            self._keep(self._ahead_seconds, now)

    def freeze(self) -> None:
        """Let no more time pass."""
        self._keep(self._ahead_seconds, self())

    def release(self) -> None:
        """Let time pass again, from where it is."""
        self._keep(self.ahead_seconds, None)

    def reset(self) -> None:
        """Show the machine's time again."""
        with self._store.write() as transaction:
            rows.delete(transaction)
        self._ahead_seconds, self._frozen_at = 0.0, None

    def _keep(self, ahead_seconds: float, frozen_at: float | None) -> None:
        with self._store.write() as transaction:
            rows.put(transaction, ahead_seconds, frozen_at)
        self._ahead_seconds, self._frozen_at = ahead_seconds, frozen_at
