"""The SQLite file: its schema, its connections, and the one way to write.

WAL, so that readers never wait. Every acknowledged write is synced (`synchronous=FULL`), unless the server
was told that nothing should wait for the disk (docs/decisions/0019-durability.md).
"""

import contextlib
import fcntl
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from ecr_emu.store.group import Group
from ecr_emu.waiting import may_wait

# How long a writer waits for one in another process (the sweeper) before it gives up.
BUSY_TIMEOUT_SECONDS = 30.0
# How often a writer looks whether another process still writes.
LOOK_SECONDS = 0.001

# How many writers share a commit at most: the first of them waits for the last.
MAX_GROUP = 64
# Connections that are kept while nobody uses them: each has two files open, and some memory.
MAX_IDLE = 16

# How many answers are remembered between two writes.
MAX_REMEMBERED = 4096

Answer = TypeVar("Answer")


class NewerSchema(RuntimeError):
    """The file was written by a newer version of ecr-emu."""


class ForeignSchema(RuntimeError):
    """The file is a database of something else."""


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
        self._waiting = 0
        self._group: Group | None = None
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

    def read(self) -> "Reading":
        """A connection in autocommit: every statement sees the last commit."""
        return Reading(self)

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

        Never held while bytes move: every other writer waits for it. Writers that wait already are let in
        before the commit, each in a savepoint of its own, so that all of them wait for the disk once. None
        goes on before the commit is done; when it fails, it has failed for all of them. What is not worth the
        usual patience may bring its own.
        """
        may_wait()
        patience = self._patience_seconds if patience_seconds is None else patience_seconds
        with self._turn(patience):
            group = self._group or self._begin(patience)
            try:
                with group.member():
                    yield group.connection
            finally:
                if group.is_broken or not self._waiting or group.turns >= MAX_GROUP:
                    self._commit(group)
        group.ended.wait()
        if group.failure is not None:
            raise group.failure

    @contextlib.contextmanager
    def _turn(self, patience_seconds: float) -> Iterator[None]:
        """Be the one who writes; until then, be counted among those who wait."""
        # SQLite makes waiting writers sleep and try again; a lock hands over at once.
        with self._arranging:
            self._waiting += 1
        is_mine = self._writing.acquire(timeout=patience_seconds)
        with self._arranging:
            self._waiting -= 1
        try:
            if not is_mine:
                raise Busy("other requests have waited for the database for too long")
            yield
        finally:
            if is_mine:
                self._writing.release()
            self._commit_what_is_left()

    def _begin(self, patience_seconds: float) -> Group:
        connection = self.take()
        try:
            # SQLite would look again after ever longer times, and miss the moments between two pieces of work
            # of another process.
            connection.execute("PRAGMA busy_timeout=0")
            try:
                _begin_immediately(connection, patience_seconds)
            finally:
                # Before somebody else has it.
                connection.execute(f"PRAGMA busy_timeout={self._patience_seconds * 1000:.0f}")
        except BaseException:
            self.give_back(connection)
            raise
        self._group = Group(connection)
        return self._group

    def _commit(self, group: Group) -> None:
        self._group = None
        group.commit()
        self.give_back(group.connection)
        if group.size and not group.is_broken:
            # Nobody has been told of the commit yet, so nobody can miss it.
            self.forget()
        group.ended.set()

    def _commit_what_is_left(self) -> None:
        """Commit what was left to a writer who has lost its patience at that moment.

        Either it or the one who left it comes here when the other is through, and finds nobody who waits.
        """
        group = self._group
        if group is not None and not self._waiting and self._writing.acquire(blocking=False):
            try:
                if self._group is group and not self._waiting:
                    self._commit(group)
            finally:
                self._writing.release()

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

    def take(self) -> sqlite3.Connection:
        """A connection that nobody else has until it is given back."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def give_back(self, connection: sqlite3.Connection) -> None:
        # A transaction that could not even be rolled back would go on for whoever comes next.
        if connection.in_transaction or len(self._idle) >= MAX_IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        # A request whose client has left may end after the server has.
        if self._is_closed:
            self.close()

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


class Reading:
    """A connection of the pool while a block uses it. A generator would cost as much as a look-up."""

    __slots__ = ("_connection", "_database")

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        self._connection = self._database.take()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._database.give_back(self._connection)


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
    """Bring the schema up to date, in one transaction: of a new file each would have to be synced."""
    files = schema_files()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > files[-1][0]:
        raise NewerSchema(f"schema {version} is newer than {files[-1][0]}")
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise ForeignSchema("it has tables, and none of them is ours")
    steps = [f"{sql}; PRAGMA user_version={number};" for number, sql in files if number > version]
    if steps:
        connection.executescript(f"BEGIN IMMEDIATE; {' '.join(steps)} COMMIT;")


def _begin_immediately(connection: sqlite3.Connection, patience_seconds: float) -> None:
    """Begin to write, as soon as no other process does."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as problem:
            is_busy = problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(LOOK_SECONDS)
