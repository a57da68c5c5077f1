"""One emulator for all tests of a module, and a repository of its own for every test."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.app import build, is_quick
from ecr_emu.server import Server, bind
from ecr_emu.settings import Settings
from tests.clients import Clock, Registry, Running

_numbers = count(1)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    sockets = bind("localhost", 0)
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), port=sockets[0].getsockname()[1])
    application = build(settings, Clock())
    server = Server(application, sockets, is_quick)
    server.start()
    running = Running(application, server)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ecr(emulator: Running) -> Any:
    return emulator.ecr()


@pytest.fixture(scope="module")
def registry(emulator: Running) -> Registry:
    return emulator.registry()


@pytest.fixture
def repo(ecr: Any) -> str:
    """The name of a new, empty repository of the default registry."""
    name = f"team/app-{next(_numbers)}"
    ecr.create_repository(repositoryName=name)
    return name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that outlives an emulator."""
    return tmp_path / "data"
