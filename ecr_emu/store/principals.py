"""Rows of accounts, principals and access keys.

How a policy reads is remembered by its text, and the registry recalls what it found until the next write.
What is deleted has gone at once.
"""

import json
from collections import defaultdict
from sqlite3 import Connection
from typing import Any

from ecr_emu.domain import principals
from ecr_emu.domain.iam import policies
from ecr_emu.domain.principals import (
    ROOT,
    Account,
    Credential,
    Document,
    Entry,
    Identity,
    Key,
    Name,
    read_policies,
)

_NAME = "p.kind, p.account, p.name"
_ENTRY = f"{_NAME}, p.path, p.unique_id, p.policies, p.boundary, p.trust, p.tags"
_KEY = "k.id, k.secret, k.session_name, k.token, k.expires_at, k.policies, k.tags"
_KEY_MEMBERS = 7


def find_key(connection: Connection, access_key_id: str) -> Credential | None:
    """Whose key it is, with all that decides what may be done with it."""
    row = connection.execute(
        f"SELECT {_KEY}, a.organization, {_ENTRY} FROM iam_keys k "
        "JOIN iam_principals p ON p.id = k.principal_id "
        "LEFT JOIN iam_accounts a ON a.account = p.account WHERE k.id = ?",
        (access_key_id,),
    ).fetchone()
    if row is None:
        return None
    entry = _entry(row[_KEY_MEMBERS + 1 :])
    return principals.credential(Key(*row[:_KEY_MEMBERS]), entry, _identity(entry, row[_KEY_MEMBERS]))


def identity(connection: Connection, arn: str) -> Identity | None:
    """What goes with a principal: with a session what goes with its role. None when there is no such one.

    The root of an account is there without a row.
    """
    found = principals.parse_arn(arn)
    if found is None:
        return None
    name, session = found
    row = connection.execute(
        f"SELECT a.organization, {_ENTRY} FROM (SELECT ? AS account) w "
        "LEFT JOIN iam_accounts a ON a.account = w.account "
        "LEFT JOIN iam_principals p ON p.account = w.account AND p.kind = ? AND p.name = ?",
        (name.account, name.kind, name.name),
    ).fetchone()
    entry = _entry(row[1:]) if row[1] is not None else Entry(name).filled()
    is_there = row[1] is not None or name.kind == ROOT
    if not is_there or (session is None and entry.arn != arn):
        return None
    return _identity(entry, row[0])


def key_of(connection: Connection, name: Name) -> tuple[str, str] | None:
    """An access key of a principal's own, and its secret, or None."""
    row: tuple[str, str] | None = connection.execute(
        "SELECT k.id, k.secret FROM iam_keys k JOIN iam_principals p ON p.id = k.principal_id "
        "WHERE p.account = ? AND p.kind = ? AND p.name = ? AND k.session_name = '' ORDER BY k.id LIMIT 1",
        (name.account, name.kind, name.name),
    ).fetchone()
    return row


def has_account(connection: Connection, account: str) -> bool:
    """True when something is known of the account, or somebody is in it."""
    known = (
        "SELECT 1 FROM iam_accounts WHERE account = ? UNION SELECT 1 FROM iam_principals WHERE account = ?"
    )
    return connection.execute(known, (account, account)).fetchone() is not None


def has_unique_id(connection: Connection, unique_id: str) -> bool:
    """True when a user or a role has this AIDA… or AROA…."""
    known = "SELECT 1 FROM iam_principals WHERE unique_id = ?"
    return connection.execute(known, (unique_id,)).fetchone() is not None


def find_entry(connection: Connection, name: Name) -> Entry | None:
    """A user, a role or a root with a row, without its keys."""
    found = _find(connection, name)
    return found[1] if found else None


def put(connection: Connection, document: Document) -> None:
    """Add what a call brings. What it does not say of a principal stays as it is, and so do other keys."""
    for account in document.accounts:
        _put_account(connection, account, is_of_file=False)
    for entry in document.entries:
        found = _find(connection, entry.name)
        _put_entry(connection, entry.filled(found[1] if found else None), is_of_file=False)


def replace_file(connection: Connection, document: Document) -> None:
    """Take what a file says in the place of what the last one said. What calls brought stays."""
    rows = connection.execute(f"SELECT {_NAME} FROM iam_principals p WHERE p.is_of_file")
    gone = {Name(*row) for row in rows}
    connection.execute("DELETE FROM iam_accounts WHERE is_of_file")
    connection.execute("DELETE FROM iam_keys WHERE is_of_file")
    for account in document.accounts:
        _put_account(connection, account, is_of_file=True)
    for entry in document.entries:
        _put_entry(connection, entry.filled(), is_of_file=True)
    for name in gone - {entry.name for entry in document.entries}:
        _delete(connection, name)


def everything(connection: Connection) -> Document:
    """All that is there, in order, secrets included."""
    accounts = connection.execute("SELECT account, organization, alias FROM iam_accounts ORDER BY account")
    entries = connection.execute(
        f"SELECT p.id, {_ENTRY} FROM iam_principals p ORDER BY p.account, p.kind, p.name"
    ).fetchall()
    keys = defaultdict(list)
    for owner, *key in connection.execute(f"SELECT k.principal_id, {_KEY} FROM iam_keys k ORDER BY k.id"):
        keys[owner].append(Key(*key))
    return Document(
        tuple(Account(*row) for row in accounts),
        tuple(_entry(row, tuple(keys[owner])) for owner, *row in entries),
    )


def delete_key(connection: Connection, access_key_id: str) -> bool:
    """False when there is none."""
    return connection.execute("DELETE FROM iam_keys WHERE id = ?", (access_key_id,)).rowcount > 0


def delete_expired(connection: Connection, before: float) -> None:
    """Delete the keys that calls brought and that ended before a time."""
    connection.execute("DELETE FROM iam_keys WHERE expires_at < ? AND NOT is_of_file", (before,))


def delete(connection: Connection, arn: str) -> bool:
    """Delete a principal with its keys, or a session. False when there is none."""
    meant = principals.parse_arn(arn)
    found = _find(connection, meant[0]) if meant else None
    if meant is None or found is None:
        return False
    name, session = meant
    if session is not None:
        gone = connection.execute(
            "DELETE FROM iam_keys WHERE principal_id = ? AND session_name = ?", (found[0], session)
        )
        return gone.rowcount > 0
    if found[1].arn != arn:
        return False
    _delete(connection, name)
    return True


def _entry(row: Any, keys: tuple[Key, ...] = ()) -> Entry:
    kind, account, name, path, unique_id, of_identity, boundary, trust, tags = row
    known = Name(kind, account, name)
    return Entry(known, path, unique_id, of_identity, boundary, trust, json.loads(tags), keys)


def _identity(entry: Entry, organization: str | None) -> Identity:
    boundaries = read_policies(entry.boundary or principals.NONE, policies.BOUNDARY)
    return Identity(
        read_policies(entry.policies or principals.NONE, policies.IDENTITY),
        boundaries[0] if boundaries else None,
        entry.tags or {},
        organization,
        entry.unique_id or "",
    )


def _find(connection: Connection, name: Name) -> tuple[int, Entry] | None:
    row = connection.execute(
        f"SELECT p.id, {_ENTRY} FROM iam_principals p WHERE p.kind = ? AND p.account = ? AND p.name = ?",
        (name.kind, name.account, name.name),
    ).fetchone()
    return (row[0], _entry(row[1:])) if row else None


def _delete(connection: Connection, name: Name) -> None:
    connection.execute(
        "DELETE FROM iam_principals WHERE kind = ? AND account = ? AND name = ?",
        (name.kind, name.account, name.name),
    )


def _put_account(connection: Connection, account: Account, *, is_of_file: bool) -> None:
    connection.execute(
        "INSERT INTO iam_accounts (account, organization, alias, is_of_file) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (account) DO UPDATE SET "
        "organization = coalesce(excluded.organization, iam_accounts.organization), "
        "alias = coalesce(excluded.alias, iam_accounts.alias), "
        "is_of_file = max(excluded.is_of_file, iam_accounts.is_of_file)",
        (account.number, account.organization, account.alias, is_of_file),
    )


def _put_entry(connection: Connection, entry: Entry, *, is_of_file: bool) -> None:
    """One that the file named stays the file's, whoever changes it."""
    name = entry.name
    (owner,) = connection.execute(
        "INSERT INTO iam_principals "
        "(kind, account, name, path, unique_id, policies, boundary, trust, tags, is_of_file) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, kind, name) DO UPDATE SET "
        "path = excluded.path, unique_id = excluded.unique_id, policies = excluded.policies, "
        "boundary = excluded.boundary, trust = excluded.trust, tags = excluded.tags, "
        "is_of_file = max(excluded.is_of_file, iam_principals.is_of_file) RETURNING id",
        (
            *(name.kind, name.account, name.name, entry.path, entry.unique_id),
            *(entry.policies, entry.boundary, entry.trust, json.dumps(entry.tags), is_of_file),
        ),
    ).fetchone()
    for key in entry.keys:
        _put_key(connection, owner, key, is_of_file=is_of_file)


def _put_key(connection: Connection, owner: int, key: Key, *, is_of_file: bool) -> None:
    connection.execute(
        "INSERT INTO iam_keys "
        "(id, principal_id, secret, session_name, token, expires_at, policies, tags, is_of_file) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "principal_id = excluded.principal_id, secret = excluded.secret, "
        "session_name = excluded.session_name, token = excluded.token, expires_at = excluded.expires_at, "
        "policies = excluded.policies, tags = excluded.tags, "
        "is_of_file = max(excluded.is_of_file, iam_keys.is_of_file)",
        (
            *(key.id, owner, key.secret, key.session_name, key.token, key.expires_at),
            *(key.policies, key.tags, is_of_file),
        ),
    )
