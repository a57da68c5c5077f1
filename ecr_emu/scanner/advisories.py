"""The advisory database: one SQLite file, read by servers while a command writes it (WAL).

`add` puts a file or folder in, in one transaction; `sources` says what is there, `covers` what is not there
for an image, `affecting` and `advisories` are what the matcher asks.
"""

import contextlib
import hashlib
import json
import re
import sqlite3
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from ecr_emu.domain.inventory import SYSTEM_KINDS, System
from ecr_emu.scanner import ecosystems
from ecr_emu.scanner.advisory_files import AdvisoryError, sources
from ecr_emu.scanner.advisory_loading import Added, Loading, Progress
from ecr_emu.scanner.osv import Advisory

__all__ = ["FILE_NAME", "Added", "AdvisoryError", "Coverage", "Database", "Hit", "Source"]

FILE_NAME = "advisories.db"

_SCHEMA = 1
# How long a command waits for another one that adds.
_BUSY_SECONDS = 30.0
_WRITER_CACHE_KIB = 65_536


@dataclass(frozen=True, slots=True)
class Source:
    """What one file gave for one ecosystem.

    `releases` are the full names ("Debian:12"); times are in seconds since 1970.
    """

    ecosystem: str
    releases: tuple[str, ...]
    origin: str
    added_at: float
    modified_at: float
    records: int
    withdrawn: int
    packages: int


class Hit(NamedTuple):
    """A record that names a package; `record` is for `Database.advisories`, `body` for osv.Condition.load."""

    ecosystem: str
    name: str
    record: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether there are advisories for an image: `missing` ecosystems, and why there can be none."""

    missing: tuple[str, ...] = ()
    unsupported: str = ""

    @property
    def is_complete(self) -> bool:
        return not (self.missing or self.unsupported)

    @property
    def description(self) -> str:
        """One sentence that says which command helps; "" if nothing is missing."""
        told = [self.unsupported] if self.unsupported else []
        if self.missing:
            families = " ".join(dict.fromkeys(f"{_quoted(ecosystems.family(name))}" for name in self.missing))
            told.append(
                f"no advisories for {', '.join(self.missing)}; load them with `ecr-emu advisories add FILE`"
                f" or `ecr-emu advisories fetch {families}`"
            )
        return "; ".join(told)


# Device and number of a file; None for none.
_Identity = tuple[int, int] | None


class Database:
    """The file at `path`. Reading one that is not there is the same as reading an empty one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # With the file that each was opened on: the path may be another file by now.
        self._idle: deque[tuple[_Identity, sqlite3.Connection]] = deque()

    @property
    def is_there(self) -> bool:
        return self.path.is_file()

    @property
    def revision(self) -> str:
        """Changes when the advisories do, and not when the same are added again. "" without any."""
        with self._read() as connection:
            rows = connection.execute("SELECT origin, digest FROM source ORDER BY 1, 2") if connection else ()
            told = "\n".join(f"{digest} {origin}" for origin, digest in rows)
        return hashlib.sha256(told.encode()).hexdigest()[:16] if told else ""

    @property
    def updated_at(self) -> float | None:
        """When something was added last, in seconds since 1970."""
        return max((source.added_at for source in self.sources()), default=None)

    def add(
        self, path: Path, *, now: float, origin: str = "", progress: Progress = lambda text: None
    ) -> list[Added]:
        """Add a zip, a record or a folder of them: all or nothing. Raises AdvisoryError.

        `origin` is the name to keep in place of the file's. A file of the same name that was about the same
        ecosystem is replaced.
        """
        with self._write() as connection:
            added = []
            for name, expected, texts in sources(path, origin):
                added.append(Loading(connection, name, now).load(texts, expected, progress))
            progress("comparing records")
            _mark_newest(connection)
        return added

    def sources(self) -> list[Source]:
        """What was added, by ecosystem and file name."""
        with self._read() as connection:
            if connection is None:
                return []
            rows = connection.execute(
                "SELECT source.id, family, origin, added_at, modified_at, records, withdrawn, packages"
                " FROM content JOIN source ON source.id = content.source ORDER BY family, origin"
            ).fetchall()
            covered = connection.execute("SELECT source, name FROM ecosystem WHERE is_covered").fetchall()
        return [Source(family, _releases(covered, source, family), *rest) for source, family, *rest in rows]

    def covers(self, system: System | None, kinds: Collection[str]) -> Coverage:
        """Whether there are advisories for packages of these kinds on this system.

        Advisories for another release are none: those of Debian 11 do not speak of Debian 12.
        """
        needed = [ecosystems.LANGUAGES[kind] for kind in ecosystems.LANGUAGES if kind in kinds]
        unsupported = ""
        if not kinds or any(kind in kinds for kind in SYSTEM_KINDS):
            release = ecosystems.release_of(system) if system else None
            if release:
                needed.insert(0, release.names[0])
            else:
                unsupported = _unsupported(system)
        there = self._covered()
        return Coverage(tuple(name for name in needed if name not in there), unsupported)

    def affecting(self, names: Iterable[tuple[str, str]], now: float) -> Iterator[Hit]:
        """The records that name one of these packages (ecosystem, name) and are not withdrawn by `now`."""
        by_ecosystem: dict[str, list[str]] = {}
        for ecosystem, name in names:
            # No package has such a name, and SQLite's JSON would end it there.
            if "\x00" in name:
                continue
            by_ecosystem.setdefault(ecosystem, []).append(name)
        with self._read() as connection:
            if connection is None:
                return
            for number, ecosystem in _numbers(connection, by_ecosystem):
                yield from _hits(connection, (number, ecosystem), by_ecosystem[ecosystem], now)

    def advisories(self, records: Collection[int]) -> dict[int, Advisory]:
        """What the records of hits say."""
        with self._read() as connection:
            if connection is None:
                return {}
            rows = connection.execute(
                "SELECT id, body FROM record WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(records)),),
            ).fetchall()
        return {row: Advisory.load(body) for row, body in rows}

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _covered(self) -> set[str]:
        with self._read() as connection:
            rows = connection.execute("SELECT name FROM ecosystem WHERE is_covered") if connection else ()
            return {name for (name,) in rows}

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection | None]:
        """A connection; None while there is no file."""
        identity = self._identity()
        connection = self._idle_one(identity) or (self._open() if identity else None)
        try:
            yield connection
        except sqlite3.Error as reason:
            raise AdvisoryError(f"cannot read {self.path}: {reason}") from reason
        finally:
            if connection is not None:
                self._idle.append((identity, connection))

    def _identity(self) -> _Identity:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _idle_one(self, identity: _Identity) -> sqlite3.Connection | None:
        """A connection to this very file; those to a file that was taken away are closed."""
        with contextlib.suppress(IndexError):
            while True:
                opened_on, connection = self._idle.pop()
                if opened_on == identity:
                    return connection
                connection.close()
        return None

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on a connection of its own. Readers see nothing of it before it ends."""
        connection = self._open()
        try:
            connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as reason:
            raise AdvisoryError(f"cannot write {self.path}: {reason}") from reason
        finally:
            # What was not committed is rolled back.
            connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as reason:
            raise AdvisoryError(f"cannot open {self.path}: {reason}") from reason
        try:
            self._prepare(connection)
        except sqlite3.Error as reason:
            connection.close()
            raise AdvisoryError(f"cannot open {self.path}: {reason}") from reason
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables in a new file; refuse one of another version."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == _SCHEMA:
            return
        if version:
            raise AdvisoryError(f"{self.path} is of another version of ecr-emu; delete it, and add again")
        connection.execute("PRAGMA journal_mode = WAL")
        sql = resources.files(__package__).joinpath("advisories.sql").read_text()
        # Two commands may find the new file at the same time: the second one waits, and looks again.
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            for statement in sql.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")
        connection.execute("COMMIT")


def _mark_newest(connection: sqlite3.Connection) -> None:
    """Of records with one id the later modified one counts (OSV schema, "modified"), else the last added."""
    connection.execute("UPDATE record SET is_newest = 1 WHERE is_newest = 0")
    connection.execute(
        "UPDATE record SET is_newest = 0"
        " WHERE osv_id IN (SELECT osv_id FROM record GROUP BY osv_id HAVING count(*) > 1)"
        " AND id <> (SELECT other.id FROM record other WHERE other.osv_id = record.osv_id"
        " ORDER BY modified_at DESC, id DESC LIMIT 1)"
    )


def _numbers(connection: sqlite3.Connection, names: Collection[str]) -> list[tuple[int, str]]:
    """The rows of ecosystems: one for each file that names it."""
    return connection.execute(
        "SELECT id, name FROM ecosystem WHERE name IN (SELECT value FROM json_each(?))",
        (json.dumps(list(names)),),
    ).fetchall()


def _hits(
    connection: sqlite3.Connection, ecosystem: tuple[int, str], names: list[str], now: float
) -> Iterator[Hit]:
    # CROSS JOIN keeps SQLite from starting with the records.
    rows = connection.execute(
        "SELECT name, record, affected.body FROM affected CROSS JOIN record ON record.id = record"
        " WHERE ecosystem = ? AND name IN (SELECT value FROM json_each(?)) AND is_newest"
        " AND (withdrawn_at IS NULL OR withdrawn_at > ?)",
        (ecosystem[0], json.dumps(names), now),
    )
    for name, record, body in rows:
        yield Hit(ecosystem[1], name, record, body)


def _releases(covered: list[tuple[int, str]], source: int, family: str) -> tuple[str, ...]:
    found = {name for owner, name in covered if owner == source and ecosystems.family(name) == family}
    return tuple(sorted(found, key=_by_number))


def _by_number(name: str) -> list[tuple[str, int]]:
    """So that Debian:10 comes after Debian:9."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]*)", name)]


def _unsupported(system: System | None) -> str:
    if system is None:
        return "nothing says which operating system this is"
    name = system.name or f"{system.id} {system.version}".strip()
    return f"there are no advisories for {name} (ID={system.id} VERSION_ID={system.version}): OSV has none"


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
