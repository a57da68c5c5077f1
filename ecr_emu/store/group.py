"""Writers that share one transaction, and so wait for the disk once (docs/decisions/0019-durability.md)."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Group:
    """One transaction and those who have written in it, one after the other.

    `turns` counts who was let in, and `size` those of them who want it committed. `ended` is set when it is
    committed, or when `failure` says why it never will be.
    """

    connection: sqlite3.Connection
    turns: int = 0
    size: int = 0
    failure: BaseException | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def is_broken(self) -> bool:
        return self.failure is not None

    @contextlib.contextmanager
    def member(self) -> Iterator[None]:
        """What one of them writes: all of it or, on any error, nothing."""
        connection = self.connection
        self.turns += 1
        connection.execute("SAVEPOINT member")
        try:
            yield
            connection.execute("RELEASE member")
        except BaseException as error:
            # On a full disk SQLite may roll back by itself, and then what the others wrote is gone too.
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO member")
                    connection.execute("RELEASE member")
                else:
                    self.failure = error
            except sqlite3.Error as worse:
                # Half of it would be committed with what the others wrote.
                self.failure = worse
            raise
        self.size += 1

    def commit(self) -> None:
        """Have what they wrote on the disk, or set `failure`."""
        connection = self.connection
        try:
            if self.failure is None:
                connection.execute("COMMIT" if self.size else "ROLLBACK")
        except BaseException as error:  # noqa: BLE001 - each of them raises it
            self.failure = error
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
