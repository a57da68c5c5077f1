"""Rows of events, in the order in which they happened, and how far each target has got."""

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import NamedTuple

from ecr_emu.domain.registries import Registry

# So many events are kept, and all that an active target has not got.
KEPT = 100_000
# Older ones go when a number divisible by this is given out.
TRIM_EVERY = 1_000

_FAR = 1 << 62


class Stored(NamedTuple):
    """An event. `number` is its place in the order of all events, `body` its JSON."""

    number: int
    detail_type: str
    repository: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for: those behind a number and not before a time; None means any."""

    after: int = 0
    since: float | None = None
    detail_types: Sequence[str] = ()
    repository: str | None = None
    account: str | None = None
    region: str | None = None


def append(
    connection: Connection, registry: Registry, repository: str, detail_type: str, body: bytes, at: float
) -> None:
    """Store an event behind all others."""
    number = connection.execute(
        "INSERT INTO events (account, region, repository, detail_type, at, body) VALUES (?, ?, ?, ?, ?, ?)",
        (registry.account, registry.region, repository, detail_type, at, body),
    ).lastrowid
    if number is not None and number % TRIM_EVERY == 0:
        _trim(connection, number - KEPT)


def _trim(connection: Connection, last: int) -> None:
    """Forget the events up to this number, but for those that a target waits for."""
    connection.execute(
        "DELETE FROM events WHERE id <= min(?, (SELECT coalesce(min(cursor), ?) FROM event_targets "
        "WHERE is_active))",
        (last, _FAR),
    )


def mark(connection: Connection) -> int:
    """The number of the last event that there ever was; 0 before the first."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return row[0] if row else 0


def forgotten(connection: Connection) -> int:
    """The number up to which events are gone."""
    (oldest,) = connection.execute("SELECT min(id) FROM events").fetchone()
    return mark(connection) if oldest is None else oldest - 1


def after(connection: Connection, number: int, limit: int) -> list[Stored]:
    """Up to `limit` events behind the one with this number."""
    rows = connection.execute(
        "SELECT id, detail_type, repository, body FROM events WHERE id > ? ORDER BY id LIMIT ?",
        (number, limit),
    )
    return [Stored(*row) for row in rows]


def page(connection: Connection, wanted: Wanted, limit: int) -> list[Stored]:
    """Up to `limit` of the events that are wanted, the oldest first."""
    conditions, values = ["id > ?"], [wanted.after]
    for condition, value in (
        ("at >= ?", wanted.since),
        ("repository = ?", wanted.repository),
        ("account = ?", wanted.account),
        ("region = ?", wanted.region),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)  # type: ignore[arg-type]  # of either type
    if wanted.detail_types:
        conditions.append(f"detail_type IN ({', '.join('?' * len(wanted.detail_types))})")
    rows = connection.execute(
        f"SELECT id, detail_type, repository, body FROM events WHERE {' AND '.join(conditions)} "
        "ORDER BY id LIMIT ?",
        (*values, *wanted.detail_types, limit),
    )
    return [Stored(*row) for row in rows]


def delete_all(connection: Connection) -> None:
    """Forget all events. Numbers go on, so that no target takes a new event for an old one."""
    connection.execute("DELETE FROM events")


def arrange_targets(connection: Connection, names: Sequence[str]) -> None:
    """Let events wait for these targets, and for no other. A new one gets what happens from now on."""
    connection.execute("UPDATE event_targets SET is_active = 0")
    start = mark(connection)
    connection.executemany(
        "INSERT INTO event_targets (name, cursor, is_active) VALUES (?, ?, 1) "
        "ON CONFLICT (name) DO UPDATE SET is_active = 1",
        [(name, start) for name in names],
    )


def cursor(connection: Connection, name: str) -> int:
    """The number of the last event that a target has for sure."""
    row = connection.execute("SELECT cursor FROM event_targets WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0


def advance(connection: Connection, name: str, number: int) -> None:
    """A target has the events up to this number."""
    connection.execute("UPDATE event_targets SET cursor = ? WHERE name = ?", (number, name))
