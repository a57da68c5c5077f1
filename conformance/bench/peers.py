"""A server that is compared: how it is started, asked and stopped."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
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
# What a peer can be measured for: pushes and pulls, AWS API calls, downloads of files alone.
REGISTRY, CONTROL, FILES = "registry", "control", "files"


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to measure.

    `command` makes the command line for a data folder and a port. `first_status` is its answer to GET /v2/
    without a login. `log_in` makes the repository if that is needed, and returns the headers of a client.
    `missing` says why it cannot be measured here, and is empty when it can. `about` tells its guarantees and
    its login. `environment` makes variables for a data folder and a port.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    first_status: int
    log_in: Callable[[int], dict[str, str]]
    missing: str = ""
    version: str = ""
    about: str = ""
    roles: frozenset[str] = frozenset({REGISTRY})
    environment: Callable[[Path, int], Mapping[str, str]] = field(default=lambda *_: {}, repr=False)


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


def start(peer: Peer, folder: Path, ask: Callable[[int], int | None] | None = None) -> Running:
    """Start a server on an empty folder and wait for its first answer: to GET /v2/, or 200 to `ask`."""
    folder.mkdir(exist_ok=True)
    port = _free_port()
    command = peer.command(folder, port)
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECR_EMU_")}
    environment |= peer.environment(folder, port)
    question = (ping, peer.first_status) if ask is None else (ask, HTTPStatus.OK)
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        _wait_for_answer(partial(question[0], port), question[1], process)
        seconds = time.perf_counter() - began
    except BaseException as reason:
        process.kill()
        process.wait()
        if isinstance(reason, BenchFailed):
            raise BenchFailed(f"{peer.name} {reason}: {log.read_text(errors='replace')[-500:]}") from None
        raise
    return Running(peer, port, process, seconds)


def _wait_for_answer(ask: Callable[[], int | None], expected: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        status = ask()
        if status == expected:
            return
        if status is not None:
            raise BenchFailed(f"answered {status} and not {expected} to its first request")
        time.sleep(POLL_SECONDS)
    raise BenchFailed("did not start")


def ping(port: int) -> int | None:
    """The status of GET /v2/, or None when nobody listens yet."""
    return _first(port, "GET", "/v2/")


def ping_api(port: int) -> int | None:
    """The status of an API call that needs nothing, or None when nobody listens yet."""
    return _first(port, "POST", "/", b"{}", api_headers("GetAuthorizationToken"))


def _first(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request(method, path, body, dict(headers or {}))
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


def log_in(port: int, token: bool = True) -> dict[str, str]:
    """Make the repository and get a login token if one is needed, as the headers of a docker client."""
    call(port, "CreateRepository", {"repositoryName": REPOSITORY})
    headers = {"Accept": MANIFEST_TYPE}
    if token:
        answer = call(port, "GetAuthorizationToken", {})
        headers["Authorization"] = f"Basic {answer['authorizationData'][0]['authorizationToken']}"
    return headers


def api_headers(operation: str) -> dict[str, str]:
    """The headers of a call of the AWS API whose signature is made up."""
    return {
        "X-Amz-Target": f"{TARGET}.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": SIGNATURE,
    }


def call(port: int, operation: str, request: Mapping[str, object]) -> dict[str, list[dict[str, str]]]:
    """Call the AWS API."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("POST", "/", json.dumps(request), api_headers(operation))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        raise BenchFailed(f"{operation} was answered {response.status}: {body[:200]!r}")
    answer: dict[str, list[dict[str, str]]] = json.loads(body)
    return answer
