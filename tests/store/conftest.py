"""A database with a repository in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecr_emu.domain.registries import Registry
from ecr_emu.store import repositories
from ecr_emu.store.database import Database
from ecr_emu.store.repositories import Repository

HOME = Registry("000000000000", "us-east-1")


def a_repository(name: str = "team/app") -> Repository:
    """A repository that is not stored yet."""
    return Repository(0, HOME, name, 1.0, "MUTABLE", (), False, "AES256", None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "metadata.db")
    yield database
    database.close()


@pytest.fixture
def repository(store: Database) -> Repository:
    with store.write() as transaction:
        return repositories.insert(transaction, a_repository())
