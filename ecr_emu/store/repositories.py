"""Rows of repositories and their resource tags."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from sqlite3 import Connection, IntegrityError
from typing import Any

from ecr_emu import errors
from ecr_emu.domain.registries import Registry


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository. `mutability_filters` are wildcard patterns, in the order they were given."""

    id: int
    registry: Registry
    name: str
    created_at: float
    tag_mutability: str
    mutability_filters: tuple[str, ...]
    scan_on_push: bool
    encryption_type: str
    kms_key: str | None

    @property
    def arn(self) -> str:
        return self.registry.repository_arn(self.name)


_COLUMNS = (
    "SELECT id, account, region, name, created_at, tag_mutability, mutability_filters, scan_on_push, "
    "encryption_type, kms_key FROM repositories"
)
_SELECT = f"{_COLUMNS} WHERE account = ? AND region = ?"


@lru_cache(maxsize=1024)
def _filters(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _repository(row: Any) -> Repository:
    return Repository(
        id=row[0],
        registry=Registry(row[1], row[2]),
        name=row[3],
        created_at=row[4],
        tag_mutability=row[5],
        mutability_filters=_filters(row[6]),
        scan_on_push=bool(row[7]),
        encryption_type=row[8],
        kms_key=row[9],
    )


def find(connection: Connection, registry: Registry, name: str) -> Repository | None:
    sql = f"{_SELECT} AND name = ?"
    row = connection.execute(sql, (registry.account, registry.region, name)).fetchone()
    return _repository(row) if row else None


def of_id(connection: Connection, repository_id: int) -> Repository | None:
    row = connection.execute(f"{_COLUMNS} WHERE id = ?", (repository_id,)).fetchone()
    return _repository(row) if row else None


def get(connection: Connection, registry: Registry, name: str) -> Repository:
    """The repository, or RepositoryNotFoundException."""
    repository = find(connection, registry, name)
    if repository is None:
        raise errors.repository_not_found(name, registry.account)
    return repository


def confirm(connection: Connection, repository: Repository) -> None:
    """RepositoryNotFoundException when the repository was deleted since it was read."""
    row = connection.execute("SELECT 1 FROM repositories WHERE id = ?", (repository.id,))
    if row.fetchone() is None:
        raise errors.repository_not_found(repository.name, repository.registry.account)


def page(connection: Connection, registry: Registry, after: str, limit: int) -> list[Repository]:
    """Up to `limit` repositories in the order of their names, behind the name `after`."""
    sql = f"{_SELECT} AND name > ? ORDER BY name LIMIT ?"
    rows = connection.execute(sql, (registry.account, registry.region, after, limit))
    return [_repository(row) for row in rows]


def count(connection: Connection, registry: Registry) -> int:
    """How many repositories a registry has, as triggers have counted."""
    row = connection.execute(
        "SELECT repository_count FROM registry_counts WHERE account = ? AND region = ?",
        (registry.account, registry.region),
    ).fetchone()
    return row[0] if row else 0


def image_count(connection: Connection, repository: Repository) -> int:
    """How many images a repository has, as triggers have counted."""
    row = connection.execute("SELECT image_count FROM repositories WHERE id = ?", (repository.id,)).fetchone()
    return row[0] if row else 0


def insert(connection: Connection, repository: Repository) -> Repository:
    """Store a new repository (its id is ignored) and return it, or RepositoryAlreadyExistsException."""
    row = {
        "account": repository.registry.account,
        "region": repository.registry.region,
        "name": repository.name,
        "created_at": repository.created_at,
        "tag_mutability": repository.tag_mutability,
        "mutability_filters": json.dumps(repository.mutability_filters),
        "scan_on_push": repository.scan_on_push,
        "encryption_type": repository.encryption_type,
        "kms_key": repository.kms_key,
    }
    names = ", ".join(row)
    places = ", ".join("?" * len(row))
    try:
        connection.execute(f"INSERT INTO repositories ({names}) VALUES ({places})", tuple(row.values()))
    except IntegrityError:
        raise errors.repository_already_exists(repository.name, repository.registry.account) from None
    return get(connection, repository.registry, repository.name)


def delete(connection: Connection, repository: Repository) -> None:
    """Delete the row and, by the schema's cascades, everything that belongs to it."""
    connection.execute("DELETE FROM repositories WHERE id = ?", (repository.id,))


def set_tag_mutability(
    connection: Connection, repository: Repository, mode: str, filters: Sequence[str]
) -> None:
    connection.execute(
        "UPDATE repositories SET tag_mutability = ?, mutability_filters = ? WHERE id = ?",
        (mode, json.dumps(list(filters)), repository.id),
    )


def set_scan_on_push(connection: Connection, repository: Repository, scan_on_push: bool) -> None:
    connection.execute("UPDATE repositories SET scan_on_push = ? WHERE id = ?", (scan_on_push, repository.id))


def resource_tags(connection: Connection, repository: Repository) -> dict[str, str]:
    rows = connection.execute(
        "SELECT key, value FROM resource_tags WHERE repository_id = ? ORDER BY key", (repository.id,)
    )
    return dict(rows.fetchall())


def put_resource_tags(connection: Connection, repository: Repository, tags: Mapping[str, str]) -> None:
    connection.executemany(
        "INSERT INTO resource_tags (repository_id, key, value) VALUES (?, ?, ?) "
        "ON CONFLICT (repository_id, key) DO UPDATE SET value = excluded.value",
        [(repository.id, key, value) for key, value in tags.items()],
    )


def delete_resource_tags(connection: Connection, repository: Repository, keys: Iterable[str]) -> None:
    connection.executemany(
        "DELETE FROM resource_tags WHERE repository_id = ? AND key = ?",
        [(repository.id, key) for key in keys],
    )
