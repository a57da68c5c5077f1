"""Rows of documents: settings of a registry or of a repository that are kept as one text each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu import errors
from ecr_emu.domain.registries import Registry
from ecr_emu.store.repositories import Repository

# As a limit: none, to SQL.
ALL = -1


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `key` tells several of a kind apart, and is empty where there is only one."""

    key: str
    body: str
    created_at: float
    updated_at: float


def find(connection: Connection, registry: Registry, kind: str, key: str = "") -> Document | None:
    row = connection.execute(
        "SELECT key, body, created_at, updated_at FROM registry_documents "
        "WHERE account = ? AND region = ? AND kind = ? AND key = ?",
        (registry.account, registry.region, kind, key),
    ).fetchone()
    return Document(*row) if row else None


def beside(connection: Connection, repository: Repository, kinds: Sequence[str]) -> dict[str, str]:
    """Bodies of the documents of these kinds (without keys) that the repository's registry has, by kind.

    The look-up confirms the repository as well: RepositoryNotFoundException when it was deleted since it
    was read.
    """
    rows = connection.execute(
        "SELECT d.kind, d.body FROM repositories r LEFT JOIN registry_documents d "
        f"ON d.account = r.account AND d.region = r.region AND d.kind IN ({', '.join('?' * len(kinds))}) "
        "AND d.key = '' WHERE r.id = ?",
        (*kinds, repository.id),
    ).fetchall()
    if not rows:
        raise errors.repository_not_found(repository.name, repository.registry.account)
    return {kind: body for kind, body in rows if kind is not None}


def page(
    connection: Connection,
    registry: Registry,
    kind: str,
    after: str,
    limit: int,
    keys: Collection[str] | None = None,
) -> list[Document]:
    """Up to `limit` documents of a kind in the order of their keys, behind the key `after`.

    `keys` are those that are wanted; None means all.
    """
    of_keys = "" if keys is None else f"AND key IN ({', '.join('?' * len(keys))}) "
    rows = connection.execute(
        "SELECT key, body, created_at, updated_at FROM registry_documents "
        f"WHERE account = ? AND region = ? AND kind = ? AND key > ? {of_keys}ORDER BY key LIMIT ?",
        (registry.account, registry.region, kind, after, *(keys or ()), limit),
    )
    return [Document(*row) for row in rows]


def count(connection: Connection, registry: Registry, kind: str) -> int:
    (number,) = connection.execute(
        "SELECT count(*) FROM registry_documents WHERE account = ? AND region = ? AND kind = ?",
        (registry.account, registry.region, kind),
    ).fetchone()
    return int(number)


def put(connection: Connection, registry: Registry, kind: str, key: str, body: str, now: float) -> None:
    """Store a document, or replace it; then it keeps the time of its creation."""
    connection.execute(
        "INSERT INTO registry_documents (account, region, kind, key, body, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, kind, key) "
        "DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
        (registry.account, registry.region, kind, key, body, now, now),
    )


def delete(connection: Connection, registry: Registry, kind: str, key: str = "") -> None:
    connection.execute(
        "DELETE FROM registry_documents WHERE account = ? AND region = ? AND kind = ? AND key = ?",
        (registry.account, registry.region, kind, key),
    )


def of_repository(connection: Connection, repository: Repository, kind: str) -> str | None:
    """The body of a repository's document."""
    row = connection.execute(
        "SELECT body FROM repository_documents WHERE repository_id = ? AND kind = ?", (repository.id, kind)
    ).fetchone()
    return row[0] if row else None


def put_of_repository(
    connection: Connection, repository: Repository, kind: str, body: str, now: float
) -> None:
    connection.execute(
        "INSERT INTO repository_documents (repository_id, kind, body, updated_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (repository_id, kind) "
        "DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
        (repository.id, kind, body, now),
    )


def delete_of_repository(connection: Connection, repository: Repository, kind: str) -> None:
    connection.execute(
        "DELETE FROM repository_documents WHERE repository_id = ? AND kind = ?", (repository.id, kind)
    )
