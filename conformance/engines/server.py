"""The ecr-emu process under test, started as a user starts it."""

import base64
import os
import selectors
import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import IO

import boto3
from botocore.client import BaseClient

READY_SECONDS = 30
STOP_SECONDS = 30
READY_PREFIX = "ready: "


def read_ready_line(stdout: IO[str], log: Path) -> str:
    """Return the URL that the server announces on its standard output once it listens."""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        answered = selector.select(timeout=READY_SECONDS)
    line = stdout.readline() if answered else ""
    assert line.startswith(READY_PREFIX), f"no ready line, but {line!r}:\n{log.read_text()}"
    return line.removeprefix(READY_PREFIX).strip()


def clean_environment() -> dict[str, str]:
    """A setting left over in the caller's shell must not change what is tested."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ECR_EMU_")}


class Emulator:
    """Runs `ecr-emu serve` with the given options; may be killed and started again."""

    def __init__(self, log: Path, *options: str) -> None:
        self._log = log
        self._options = options
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start on a free port the first time, and on that same port from then on."""
        command = [sys.executable, "-m", "ecr_emu", "serve", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options],
                env=clean_environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        try:
            self.url = read_ready_line(self._process.stdout, self._log)
        except AssertionError:
            self.kill()
            raise
        self.port = urllib.parse.urlsplit(self.url).port or 0

    @property
    def host(self) -> str:
        """The registry host of the default account, as image references spell it."""
        return f"localhost:{self.port}"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        status = self._wait()
        assert status == 0, f"SIGTERM ended with status {status}:\n{self._log.read_text()}"

    def kill(self) -> None:
        self._process.kill()
        self._wait()

    def _wait(self) -> int:
        with self._process:
            return self._process.wait(timeout=STOP_SECONDS)

    def client(self, access_key: str = "any", region: str = "us-east-1") -> BaseClient:
        """A client for the default account, or for the one whose number is the access key."""
        return boto3.client(
            "ecr",
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key="any",
        )


def login_password(ecr: BaseClient) -> str:
    """What `aws ecr get-login-password` prints."""
    data = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    return password
