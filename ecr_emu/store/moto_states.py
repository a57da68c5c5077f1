"""Rows of what moto knows of IAM, one for each account that was ever changed through it."""

from dataclasses import dataclass, field
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class State:
    """moto's objects as bytes, the version of moto that made them, and who came from it.

    `names` is a JSON list of [kind, name].
    """

    version: str
    content: bytes = field(repr=False)
    names: str


def find(connection: Connection, account: str) -> State | None:
    row = connection.execute(
        "SELECT version, content, names FROM moto_states WHERE account = ?", (account,)
    ).fetchone()
    return State(*row) if row else None


def put(connection: Connection, account: str, state: State) -> None:
    connection.execute(
        "INSERT INTO moto_states (account, version, content, names) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (account) DO UPDATE SET "
        "version = excluded.version, content = excluded.content, names = excluded.names",
        (account, state.version, state.content, state.names),
    )


def delete(connection: Connection, account: str) -> None:
    connection.execute("DELETE FROM moto_states WHERE account = ?", (account,))
