"""A server that was told to ask nobody for a password."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.dockerd import Docker
from engines.repositories import Repository
from engines.server import Emulator


@pytest.fixture
def open_emulator(tmp_path: Path) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path / "log", "--ephemeral", "--auth", "open")
    yield emulator
    emulator.stop()


def test_docker_pushes_and_pulls_without_login(
    docker_engine: Docker, open_emulator: Emulator, context: Path, content: bytes
) -> None:
    repository = Repository(open_emulator.client(), "open")
    image = f"{repository.uri}:1"
    docker_engine.empty()
    docker_engine.build(image, context)
    docker_engine.run("push", image)
    docker_engine.empty()
    docker_engine.run("pull", image)
    assert docker_engine.content(image, "payload") == content
