"""A private Docker daemon and its client."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from engines.tools import Engine, find_tool, private_environment

PACKAGE = "install the Debian package docker.io"
START_SECONDS = 60

# A second registry for the tests. Few resolvers know names under localhost, so that the daemon
# gets its own /etc/hosts, in a mount namespace that ends with it.
OTHER_ACCOUNT = "210987654321"
OTHER_REGISTRY = f"{OTHER_ACCOUNT}.dkr.ecr.us-east-1.localhost"
WITH_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"'


class Docker(Engine):
    """Docker with its own daemon, images and logins; nothing else on the machine sees them."""

    def __init__(self) -> None:
        # Not pytest's tmp_path: a unix socket's path may be no longer than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="ecr"))
        self.socket = f"unix://{self.directory}/sock"
        environment = private_environment(self.directory) | {
            "DOCKER_HOST": self.socket,
            "DOCKER_CONFIG": str(self.directory / "config"),
            # BuildKit would look for its frontend outside, and needs a plug-in Debian leaves out.
            "DOCKER_BUILDKIT": "0",
        }
        super().__init__(find_tool("docker", PACKAGE), environment=environment)
        self._log = self.directory / "log"
        self._daemon = self._start()

    def login(self, host: str, password: str) -> None:
        self.run("login", "--username", "AWS", "--password-stdin", host, stdin=password)

    def stop(self) -> None:
        self._daemon.terminate()
        try:
            self._daemon.wait(timeout=60)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        hosts = self.directory / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {OTHER_REGISTRY}\n")
        command = [
            *(find_tool("unshare", "install the Debian package util-linux"), "--mount"),
            *("sh", "-c", WITH_HOSTS, str(hosts)),
            find_tool("dockerd", PACKAGE),
            *("--iptables=false", "--ip6tables=false", "--bridge=none"),
            *("--storage-driver", "vfs"),
            *("--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/exec"),
            *("--pidfile", f"{self.directory}/pid", "--host", self.socket),
        ]
        with self._log.open("wb") as log:
            daemon = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if daemon.poll() is not None or time.monotonic() > deadline:
                daemon.kill()
                pytest.fail(f"dockerd did not start (it needs root):\n{self._log.read_text()}")
            time.sleep(0.2)
        return daemon

    def _answers(self) -> bool:
        return self._execute(("version",), "").returncode == 0
