"""What the tests share: emulators with a clock of their own, real servers, real clients."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings

from ecr_emu.app import Application, build, is_quick
from ecr_emu.server import Server, bind
from ecr_emu.settings import Settings
from tests.clients import Clock, Registry, Running

# Machines do other things too. `--hypothesis-profile=long` looks further.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("busy"), max_examples=5_000)
settings.load_profile("busy")


@pytest.fixture
def clock() -> Clock:
    """The time that the emulator believes in; tests move it."""
    return Clock()


@pytest.fixture
def start(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Running]]:
    """Starts emulators in this process, each with its own folder, and stops them after the test."""
    running: list[Running] = []

    def start_one(**settings: Any) -> Running:
        sockets = bind("localhost", 0)
        port = sockets[0].getsockname()[1]
        folder = settings.pop("data_dir", tmp_path / f"data-{len(running)}")
        application = build(Settings(data_dir=folder, port=port, **settings), clock)
        server = Server(application, sockets, is_quick)
        server.start()
        running.append(Running(application, server))
        return running[-1]

    yield start_one
    for one in running:
        one.stop()


@pytest.fixture
def emulator(start: Callable[..., Running]) -> Running:
    """One emulator with the default settings."""
    return start()


@pytest.fixture
def application(emulator: Running) -> Application:
    return emulator.application


@pytest.fixture
def ecr(emulator: Running) -> Any:
    """A boto3 client of the default account and region."""
    return emulator.ecr()


@pytest.fixture
def registry(emulator: Running) -> Registry:
    """A logged-in client of the default registry."""
    return emulator.registry()


@pytest.fixture
def anything_goes() -> Config:
    """botocore without its own checks, so that the server's are reached."""
    return Config(parameter_validation=False, retries={"max_attempts": 0})
