"""The `ecr-emu` command in a process of its own, as a user runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests import boto
from tests.clients import Registry

TIMEOUT_SECONDS = 60
READY = re.compile(r"ready: http://127\.0\.0\.1:(\d+)\n")


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without its ECR_EMU_ variables, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ECR_EMU_")}
    return {**kept, **(variables or {})}


def run(*arguments: object, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ecr_emu", *map(str, arguments)],
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


class Served:
    """A server in a process of its own."""

    def __init__(
        self,
        *options: object,
        variables: Mapping[str, str] | None = None,
        command: Sequence[object] = ("serve",),
        errors: Any = None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ecr_emu", *map(str, (*command, *options))],
            env=environment(variables),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert self.process.stdout is not None
        ready = READY.fullmatch(self.process.stdout.readline())
        assert ready is not None
        self.port = int(ready[1])

    @property
    def registry(self) -> Registry:
        """A registry client without a login, for a server that asks nobody."""
        return Registry(self.port, None)

    def ecr(self) -> closing[Any]:
        """A boto3 client, for use in a `with`."""
        return closing(boto.client("ecr", f"http://127.0.0.1:{self.port}"))

    def create_repository(self, name: str) -> dict[str, Any]:
        with self.ecr() as ecr:
            repository: dict[str, Any] = ecr.create_repository(repositoryName=name)["repository"]
        return repository

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()

    def ended(self) -> tuple[int, str]:
        """Exit code, and what it printed after the ready line."""
        rest, _ = self.process.communicate(timeout=TIMEOUT_SECONDS)
        return self.process.returncode, rest


@contextmanager
def serving(
    *options: object,
    variables: Mapping[str, str] | None = None,
    command: Sequence[object] = ("serve",),
    errors: Any = None,
) -> Iterator[Served]:
    """A server on a free port that is ended at the latest when the block is left.

    What it says of errors goes to the file `errors`, or to where this process says them.
    """
    port = () if "--port" in options or "ECR_EMU_PORT" in (variables or {}) else ("--port", 0)
    served = Served(*port, *options, variables=variables, command=command, errors=errors)
    try:
        yield served
    finally:
        served.kill()
        served.ended()


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback address")


def wait_until_refused(port: int) -> None:
    """Return when nobody takes connections on a port any more."""
    with suppress(ConnectionRefusedError):
        while True:
            # One that comes while the socket is being closed is reset.
            with suppress(ConnectionResetError):
                socket.create_connection(("127.0.0.1", port), timeout=5).close()


def data_files(folder: Path) -> set[str]:
    """Names of the servers' temporary folders below a folder."""
    return {path.name for path in folder.glob("ecr-emu-*")}
