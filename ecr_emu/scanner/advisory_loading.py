"""Writing the records of one file into the advisory database, in a transaction that the caller holds."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ecr_emu.scanner import ecosystems, osv
from ecr_emu.scanner.advisory_files import AdvisoryError, Texts

Progress = Callable[[str], None]

_BATCH = 1_000
# Names of malformed records that are told; the others are counted.
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Added:
    """What was added: counts of records, and names and reasons of the first malformed ones."""

    origin: str
    ecosystems: tuple[str, ...]
    records: int
    withdrawn: int
    malformed: int
    examples: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """What is known of a file while it is read."""

    records: int = 0
    withdrawn: int = 0
    malformed: int = 0
    examples: list[str] = field(default_factory=list)
    digest: int = 0
    of_family: Counter[str] = field(default_factory=Counter)
    withdrawn_of_family: Counter[str] = field(default_factory=Counter)
    modified_at: dict[str, float] = field(default_factory=dict)
    # Families that some record is about and no other.
    alone: set[str] = field(default_factory=set)

    def count(self, record: osv.Record, text: bytes) -> None:
        self.records += 1
        is_withdrawn = record.withdrawn_at is not None
        self.withdrawn += is_withdrawn
        # A sum, so that the order in the file does not matter.
        self.digest += int.from_bytes(hashlib.blake2b(text, digest_size=16).digest())
        families = {ecosystems.family(name) for name in record.ecosystems}
        for family in families:
            self.of_family[family] += 1
            self.withdrawn_of_family[family] += is_withdrawn
            self.modified_at[family] = max(
                record.modified_at, self.modified_at.get(family, record.modified_at)
            )
        if len(families) == 1:
            self.alone |= families

    def fail(self, name: str, reason: str) -> None:
        self.malformed += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{name}: {reason}")

    def covered(self) -> set[str]:
        """The families that the file is about.

        Every record in osv.dev's zip of npm names npm, and some name PyPI too: PyPI is never alone in it.
        """
        return self.alone or set(self.of_family)


class Loading:
    """Stores the records of one file. Rows go in by the thousand: memory does not grow with the file."""

    def __init__(self, connection: sqlite3.Connection, origin: str, now: float) -> None:
        self._connection = connection
        self._origin = origin
        self._tally = _Tally()
        self._ecosystems: dict[str, int] = {}
        made = connection.execute(
            "INSERT INTO source (origin, added_at, digest) VALUES (?, ?, '') RETURNING id", (origin, now)
        )
        (self._source,) = made.fetchone()
        (self._next,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM record").fetchone()
        self._records: list[tuple[object, ...]] = []
        self._affected: list[tuple[object, ...]] = []

    def load(self, texts: Texts, expected: int, progress: Progress) -> Added:
        """Read all; what an earlier file of this name gave for the same ecosystems goes.

        Raises AdvisoryError.
        """
        for number, (name, text) in enumerate(texts):
            self._take(name, text)
            if number % _BATCH == 0:
                self._flush()
                progress(f"{self._origin}: {number:,} of {expected:,} records")
        self._flush()
        tally, covered = self._tally, self._tally.covered()
        if not covered:
            told = f", as {tally.examples[0]}" if tally.examples else ""
            raise AdvisoryError(f"{self._origin} has no OSV record that names a package{told}")
        self._replace(covered)
        self._summarize(covered)
        return Added(
            self._origin,
            tuple(sorted(covered)),
            tally.records,
            tally.withdrawn,
            tally.malformed,
            tuple(tally.examples),
        )

    def _take(self, name: str, text: bytes | None) -> None:
        if text is None:
            self._tally.fail(name, "it is damaged or too large")
            return
        try:
            record = osv.read(text)
        except osv.MalformedRecord as reason:
            self._tally.fail(name, str(reason))
            return
        self._tally.count(record, text)
        row, self._next = self._next, self._next + 1
        self._records.append(
            (row, self._source, record.id, record.modified_at, record.withdrawn_at, record.body)
        )
        for ecosystem in record.ecosystems:
            self._ecosystem(ecosystem)
        self._affected += [
            (self._ecosystem(one.ecosystem), one.name, row, number, one.body)
            for number, one in enumerate(record.affected)
        ]

    def _ecosystem(self, name: str) -> int:
        if name not in self._ecosystems:
            made = self._connection.execute(
                "INSERT INTO ecosystem (source, name) VALUES (?, ?) RETURNING id", (self._source, name)
            )
            (self._ecosystems[name],) = made.fetchone()
        return self._ecosystems[name]

    def _flush(self) -> None:
        self._connection.executemany(
            "INSERT INTO record (id, source, osv_id, modified_at, withdrawn_at, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            self._records,
        )
        self._connection.executemany("INSERT INTO affected VALUES (?, ?, ?, ?, ?)", self._affected)
        self._records, self._affected = [], []

    def _replace(self, covered: set[str]) -> None:
        """Take away the earlier files of this name that were about one of the ecosystems."""
        earlier = self._connection.execute(
            "SELECT DISTINCT source, family FROM content JOIN source ON source.id = content.source"
            " WHERE origin = ? AND source <> ?",
            (self._origin, self._source),
        ).fetchall()
        for source in {source for source, family in earlier if family in covered}:
            for statement in (
                "DELETE FROM affected WHERE ecosystem IN (SELECT id FROM ecosystem WHERE source = ?)",
                "DELETE FROM ecosystem WHERE source = ?",
                "DELETE FROM record WHERE source = ?",
                "DELETE FROM content WHERE source = ?",
                "DELETE FROM source WHERE id = ?",
            ):
                self._connection.execute(statement, (source,))

    def _summarize(self, covered: set[str]) -> None:
        tally = self._tally
        for family in sorted(covered):
            self._connection.execute(
                "UPDATE ecosystem SET is_covered = 1 WHERE source = ? AND (name = ? OR name LIKE ? || ':%')",
                (self._source, family, family),
            )
            (packages,) = self._connection.execute(
                "SELECT count(*) FROM (SELECT DISTINCT name FROM affected WHERE ecosystem IN"
                " (SELECT id FROM ecosystem WHERE source = ? AND (name = ? OR name LIKE ? || ':%')))",
                (self._source, family, family),
            ).fetchone()
            self._connection.execute(
                "INSERT INTO content VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self._source,
                    family,
                    tally.of_family[family],
                    tally.withdrawn_of_family[family],
                    packages,
                    tally.modified_at[family],
                ),
            )
        self._connection.execute(
            "UPDATE source SET digest = ? WHERE id = ?", (f"{tally.digest % (1 << 128):032x}", self._source)
        )
