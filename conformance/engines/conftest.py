"""One emulator and one of each engine for the whole run; a fresh repository for each test."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.client import BaseClient

from engines.containers import Buildah, Podman, Skopeo
from engines.dockerd import Docker
from engines.images import write_context
from engines.repositories import Repository
from engines.server import Emulator, login_password
from engines.tools import Tool, find_tool, private_environment

CRANE = "get it with: go install github.com/google/go-containerregistry/cmd/crane@latest"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("emulator") / "log", "--ephemeral")
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def ecr(emulator: Emulator) -> BaseClient:
    return emulator.client()


@pytest.fixture(scope="session")
def password(ecr: BaseClient) -> str:
    return login_password(ecr)


@pytest.fixture
def repository(ecr: BaseClient) -> Repository:
    return Repository(ecr, f"team/{uuid.uuid4().hex[:12]}")


@pytest.fixture
def other_repository(ecr: BaseClient) -> Repository:
    return Repository(ecr, f"team/{uuid.uuid4().hex[:12]}")


@pytest.fixture
def content() -> bytes:
    """Never the same twice, so that no engine and no registry already has the layer."""
    return os.urandom(200_000)


@pytest.fixture
def context(tmp_path: Path, content: bytes) -> Path:
    """A build context for an image with the files `payload` and `second`, a layer each."""
    files = {"payload": content, "second": os.urandom(1000)}
    return write_context(tmp_path / "context", files)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Docker]:
    engine = Docker()
    yield engine
    engine.stop()


@pytest.fixture
def docker(docker_engine: Docker, emulator: Emulator, password: str) -> Docker:
    docker_engine.empty()
    docker_engine.login(emulator.host, password)
    return docker_engine


@pytest.fixture(scope="session")
def podman(emulator: Emulator, password: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    engine = Podman(tmp_path_factory.mktemp("podman"))
    engine.login(emulator.host, password)
    yield engine
    engine.empty()


@pytest.fixture(scope="session")
def buildah(emulator: Emulator, password: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    tool = Buildah(tmp_path_factory.mktemp("buildah"))
    tool.login(emulator.host, password)
    yield tool
    tool.empty()


@pytest.fixture(scope="session")
def skopeo(emulator: Emulator, password: str, tmp_path_factory: pytest.TempPathFactory) -> Skopeo:
    tool = Skopeo(tmp_path_factory.mktemp("skopeo"))
    tool.login(emulator.host, password)
    return tool


@pytest.fixture(scope="session")
def crane(emulator: Emulator, password: str, tmp_path_factory: pytest.TempPathFactory) -> Tool:
    state = tmp_path_factory.mktemp("crane")
    environment = private_environment(state) | {"DOCKER_CONFIG": str(state)}
    tool = Tool(find_tool("crane", CRANE), environment=environment)
    options = ("--username", "AWS", "--password-stdin")
    tool.run("auth", "login", *options, emulator.host, stdin=password)
    return tool
