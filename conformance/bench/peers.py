"""The servers that are compared, and how each is started, asked and stopped."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from conformance.bench.client import MANIFEST_TYPE, REPOSITORY, BenchFailed

START_SECONDS = 30.0
STOP_SECONDS = 15.0
# Between two attempts to reach a server that starts: the precision of a cold start.
POLL_SECONDS = 0.001
TARGET = "AmazonEC2ContainerRegistry_V20150921"
# Signatures are not checked; the credential scope names account and region.
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
)
DOCKER_REGISTRY = "docker-registry"
# Debian's configuration of the package, but for the folder, the address and the logs.
DOCKER_REGISTRY_CONFIG = """\
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: {folder}/data
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to measure.

    `command` makes the command line for a data folder and a port. `first_status` is its answer to GET /v2/
    without a login. `log_in` makes the repository if that is needed, and returns the headers of a client.
    `missing` says why it cannot be measured here, and is empty when it can.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    first_status: int
    log_in: Callable[[int], dict[str, str]]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs. `start_seconds` is the time from its start to its first answer."""

    peer: Peer
    port: int
    process: subprocess.Popen[bytes]
    start_seconds: float

    def stop(self) -> bool:
        """End the server. False when it did not end by itself and had to be killed."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True


def all_peers() -> list[Peer]:
    """Ours first, then everything that it is compared with, installed or not."""
    ours = Peer("ecr-emu", our_command, HTTPStatus.UNAUTHORIZED, log_in)
    missing = "" if shutil.which(DOCKER_REGISTRY) else "not installed (Debian package docker-registry)"
    accept = {"Accept": MANIFEST_TYPE}
    theirs = Peer(DOCKER_REGISTRY, _docker_registry_command, HTTPStatus.OK, lambda port: accept, missing)
    return [ours, theirs]


def start(peer: Peer, folder: Path) -> Running:
    """Start a server on an empty folder and wait for its first answer."""
    folder.mkdir(exist_ok=True)
    port = _free_port()
    command = peer.command(folder, port)
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECR_EMU_")}
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        _wait_for_answer(peer, port, process)
    except BaseException as reason:
        process.kill()
        process.wait()
        if isinstance(reason, BenchFailed):
            raise BenchFailed(f"{reason}: {log.read_text(errors='replace')[-500:]}") from None
        raise
    return Running(peer, port, process, time.perf_counter() - began)


def _wait_for_answer(peer: Peer, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        status = _ping(port)
        if status == peer.first_status:
            return
        if status is not None:
            raise BenchFailed(f"{peer.name} answered {status} to its first request")
        time.sleep(POLL_SECONDS)
    raise BenchFailed(f"{peer.name} did not start")


def _ping(port: int) -> int | None:
    """The status of GET /v2/, or None when nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def our_command(folder: Path, port: int) -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder / "data")]
    return [sys.executable, "-m", "ecr_emu", "serve", *options]


def _docker_registry_command(folder: Path, port: int) -> list[str]:
    config = folder / "config.yml"
    config.write_text(DOCKER_REGISTRY_CONFIG.format(folder=folder, port=port))
    return [DOCKER_REGISTRY, "serve", str(config)]


def log_in(port: int) -> dict[str, str]:
    """Make the repository and get a login token, as the headers of a docker client."""
    _call(port, "CreateRepository", {"repositoryName": REPOSITORY})
    answer = _call(port, "GetAuthorizationToken", {})
    token = answer["authorizationData"][0]["authorizationToken"]
    return {"Accept": MANIFEST_TYPE, "Authorization": f"Basic {token}"}


def _call(port: int, operation: str, request: Mapping[str, object]) -> dict[str, list[dict[str, str]]]:
    """Call the AWS API of the emulator."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    headers = {"X-Amz-Target": f"{TARGET}.{operation}", "Authorization": SIGNATURE}
    try:
        connection.request("POST", "/", json.dumps(request), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        raise BenchFailed(f"{operation} was answered {response.status}: {body[:200]!r}")
    answer: dict[str, list[dict[str, str]]] = json.loads(body)
    return answer
