"""The server is killed in the middle of its work and loses nothing that it had acknowledged."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError

from engines.dockerd import Docker
from engines.images import digest_of, make_image, write_context
from engines.layers import put_image
from engines.repositories import Repository
from engines.server import Emulator, login_password
from engines.tools import TIMEOUT_SECONDS

BIG = 100 * 1024 * 1024
# Early enough that most of the layer is still to come, late enough that some of it is on disk.
KILL_AT = BIG // 4
# What the data directory may hold beside the layers themselves: metadata and its journal.
METADATA = 8 * 1024 * 1024
# Long enough for each thread to get some images through.
PUSHING_SECONDS = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(tmp_path: Path, data: Path) -> Iterator[Emulator]:
    server = Emulator(tmp_path / "log", "--data-dir", str(data))
    yield server
    server.stop()


def bytes_in(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        # A file may go between being listed and being measured.
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def wait_until_more_than(size: int, directory: Path, push: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while bytes_in(directory) <= size:
        assert push.poll() is None, f"the push ended first:\n{directory.with_name('push.log').read_text()}"
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def push_cut_short(
    server: Emulator, docker: Docker, image: str, data: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a push and kill the server when some of the big layer has arrived."""
    before = bytes_in(data)
    push = docker.start("push", image, log=data.with_name("push.log"))
    try:
        wait_until_more_than(before + KILL_AT, data, push)
        server.kill()
        assert bytes_in(data) < before + BIG, "the whole layer had arrived before the kill"
        yield push
    finally:
        push.kill()
        push.wait()


def collect_garbage(data: Path) -> dict[str, int]:
    """Free at once what a push might still come back for; say how much of each kind it was."""
    command = [sys.executable, "-m", "ecr_emu", "gc", "--grace", "0", "--output", "json"]
    done = subprocess.run(
        [*command, "--data-dir", str(data)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    freed: dict[str, int] = json.loads(done.stdout)
    return freed


def test_kill_during_a_push_loses_nothing_and_the_push_can_be_repeated(
    server: Emulator, docker_engine: Docker, data: Path, tmp_path: Path
) -> None:
    docker = docker_engine
    docker.empty()
    ecr = server.client()
    docker.login(server.host, login_password(ecr))
    repository = Repository(ecr, "survivor")
    small, big = f"{repository.uri}:small", f"{repository.uri}:big"
    docker.build(small, write_context(tmp_path / "small", {"payload": b"acknowledged"}))
    docker.run("push", small)
    acknowledged = repository.describe(imageTag="small")
    content = os.urandom(BIG)
    docker.build(big, write_context(tmp_path / "big", {"payload": content}))

    # Leaving the block ends the push, before docker tries again by itself.
    with push_cut_short(server, docker, big, data):
        pass
    server.start()

    assert repository.describe(imageTag="small") == acknowledged
    assert repository.tags() == {"small"}
    docker.run("push", big)
    docker.empty()
    for image, expected in ((small, b"acknowledged"), (big, content)):
        docker.run("pull", image)
        assert docker.content(image, "payload") == expected

    server.stop()
    assert collect_garbage(data)["uploads"] >= 1
    assert bytes_in(data) < BIG + METADATA, "the killed push left its bytes behind"
    server.start()
    docker.empty()
    docker.run("pull", big)
    assert docker.content(big, "payload") == content


def test_docker_finishes_its_push_by_itself_after_a_kill_and_a_restart(
    server: Emulator, docker_engine: Docker, data: Path, tmp_path: Path
) -> None:
    docker = docker_engine
    docker.empty()
    docker.login(server.host, login_password(server.client()))
    repository = Repository(server.client(), "retried")
    image = f"{repository.uri}:big"
    content = os.urandom(BIG)
    docker.build(image, write_context(tmp_path / "big", {"payload": content}))

    with push_cut_short(server, docker, image, data) as push:
        server.start()
        assert push.wait(timeout=TIMEOUT_SECONDS) == 0, data.with_name("push.log").read_text()

    repository.assert_describes("big")
    docker.empty()
    docker.run("pull", image)
    assert docker.content(image, "payload") == content


class Pusher(threading.Thread):
    """Pushes one small image after the other until the server no longer answers."""

    def __init__(self, ecr: BaseClient, repository: Repository, prefix: str) -> None:
        super().__init__()
        self._ecr = ecr
        self._repository = repository
        self._prefix = prefix
        self.acknowledged: dict[str, str] = {}

    def run(self) -> None:
        with suppress(BotoCoreError):
            while True:
                tag = f"{self._prefix}-{len(self.acknowledged)}"
                image = make_image("payload", os.urandom(2000))
                digest = put_image(self._ecr, self._repository.name, image, tag)
                self.acknowledged[tag] = digest


def test_every_acknowledged_image_survives_a_kill(server: Emulator) -> None:
    repository = Repository(server.client(), "many")
    pushers = [Pusher(server.client(), repository, f"thread{number}") for number in range(4)]
    for pusher in pushers:
        pusher.start()
    time.sleep(PUSHING_SECONDS)
    server.kill()
    for pusher in pushers:
        pusher.join()

    server.start()

    for pusher in pushers:
        assert len(pusher.acknowledged) > 1
        for tag, digest in pusher.acknowledged.items():
            assert repository.describe(imageTag=tag)["imageDigest"] == digest
            for layer in repository.manifest(imageTag=tag)["layers"]:
                assert digest_of(repository.download(layer["digest"])) == layer["digest"]
