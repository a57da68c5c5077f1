"""The SQLite file: its schema, its connections, and the one way to write.

WAL, so that readers never wait. Every acknowledged write is synced (`synchronous=FULL`), but for an
ephemeral server, whose data nobody wants back.
"""

import contextlib
import fcntl
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

# How long a writer waits for one in another process (the sweeper) before it gives up.
BUSY_TIMEOUT_SECONDS = 30.0

# Connections that are kept while nobody uses them: each has two files open, and some memory.
MAX_IDLE = 16

# How many answers are remembered between two writes.
MAX_REMEMBERED = 4096

Answer = TypeVar("Answer")


class NewerSchema(RuntimeError):
    """The file was written by a newer version of ecr-emu."""


class Busy(sqlite3.OperationalError):
    """Those who were to write before have waited, or written, for too long."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY


class Database:
    """A pool of connections. Reads run side by side; writes wait for each other.

    A writer waits for `patience_seconds` until it is its turn in this process, and as long for other
    processes; then it gives up with Busy, or with the error of SQLite.
    """

    def __init__(
        self, path: Path, *, durable: bool = True, patience_seconds: float = BUSY_TIMEOUT_SECONDS
    ) -> None:
        self.path = path
        self._patience_seconds = patience_seconds
        self._synchronous = "FULL" if durable else "OFF"
        self._idle: deque[sqlite3.Connection] = deque()
        self._writing = threading.Lock()
        self._is_closed = False
        self._revision = 0
        self._remembered: dict[Hashable, tuple[int, Any]] = {}
        self._listeners: tuple[threading.Event, ...] = ()
        self._arranging = threading.Lock()
        # Keys of --auth iam are in it, for nobody else to read.
        path.touch(mode=0o600)
        try:
            with _alone(path), self.read() as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                _migrate(connection)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit: every statement sees the last commit."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            yield connection
        finally:
            # A transaction that could not even be rolled back would go on for whoever comes next.
            if connection.in_transaction or len(self._idle) >= MAX_IDLE:
                connection.close()
            else:
                self._idle.append(connection)
            # A request whose client has left may end after the server has.
            if self._is_closed:
                self.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection on which several statements see one and the same state."""
        with self.read() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    @contextlib.contextmanager
    def write(self, patience_seconds: float | None = None) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed at the end and rolled back on any error.

        Never held while bytes move: every other writer waits for it. What is not worth the usual patience may
        bring its own.
        """
        # SQLite makes waiting writers sleep and try again; a lock hands over at once.
        with self._turn(patience_seconds), self.read() as connection:
            self._begin(connection, patience_seconds)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite rolls back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            # Nobody has been told of the commit yet, so nobody can miss it.
            self.forget()

    @contextlib.contextmanager
    def _turn(self, patience_seconds: float | None) -> Iterator[None]:
        patience = self._patience_seconds if patience_seconds is None else patience_seconds
        if not self._writing.acquire(timeout=patience):
            raise Busy("other requests have waited for the database for too long")
        try:
            yield
        finally:
            self._writing.release()

    def _begin(self, connection: sqlite3.Connection, patience_seconds: float | None) -> None:
        if patience_seconds is None:
            connection.execute("BEGIN IMMEDIATE")
            return
        connection.execute(f"PRAGMA busy_timeout={patience_seconds * 1000:.0f}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(f"PRAGMA busy_timeout={self._patience_seconds * 1000:.0f}")

    def recall(self, key: Hashable, load: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """What `load` reads, remembered until something is written.

        For what is asked with every request and seldom changes. Other processes do background work on the
        same file; nothing that they write may be recalled.
        """
        revision = self._revision
        known = self._remembered.get(key)
        if known is not None and known[0] == revision:
            answer: Answer = known[1]
            return answer
        with self.read() as connection:
            answer = load(connection)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (revision, answer)
        return answer

    def forget(self) -> None:
        """Recall nothing that was read before now, and tell those who listen that there is something new."""
        self._revision += 1
        for written in self._listeners:
            written.set()

    @contextlib.contextmanager
    def listening(self, written: threading.Event) -> Iterator[None]:
        """Let this be set whenever something was written, until the block is left."""
        with self._arranging:
            self._listeners = (*self._listeners, written)
        try:
            yield
        finally:
            with self._arranging:
                self._listeners = tuple(one for one in self._listeners if one is not written)

    def close(self) -> None:
        """Close the connections that nobody uses; those in use are closed when they come back."""
        self._is_closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self._patience_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")
        except BaseException:
            connection.close()
            raise
        return connection


def schema_files() -> list[tuple[int, str]]:
    """The numbered schema files, in order: number and SQL."""
    folder = resources.files(__package__)
    found = (entry for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return sorted((int(entry.name.removesuffix(".sql")), entry.read_text()) for entry in found)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One opener at a time: two that both make the schema would trip over each other."""
    with path.with_suffix(".opening").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, each numbered file in a transaction of its own."""
    files = schema_files()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > files[-1][0]:
        raise NewerSchema(f"schema {version} is newer than {files[-1][0]}")
    for number, sql in files:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE; {sql}; PRAGMA user_version={number}; COMMIT;")
