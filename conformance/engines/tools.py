"""Command line tools that the tests drive, each with its own state and never the machine's."""

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

# Long enough for a 100 MB push on a slow machine, short enough to end a hung run.
TIMEOUT_SECONDS = 300


def find_tool(name: str, how_to_install: str) -> str:
    """Fail, never skip: a conformance run without an engine would prove nothing about it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not on PATH; {how_to_install}", pytrace=False)
    return found


def private_environment(home: Path) -> dict[str, str]:
    """Leave out proxies, credentials and settings of whoever runs the tests."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8"}


class Tool:
    """One program with fixed leading options and a fixed environment."""

    def __init__(self, *command: str, environment: Mapping[str, str]) -> None:
        self.command = command
        self.environment = dict(environment)

    def output(self, *arguments: str, stdin: str = "") -> bytes:
        done = self._execute(arguments, stdin)
        assert done.returncode == 0, f"{self._describe(arguments, done)}"
        return done.stdout

    def run(self, *arguments: str, stdin: str = "") -> str:
        return self.output(*arguments, stdin=stdin).decode()

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must fail, and return all that it said."""
        done = self._execute(arguments, stdin)
        assert done.returncode != 0, f"expected a failure: {self._describe(arguments, done)}"
        return (done.stdout + done.stderr).decode()

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Run a command in the background; what it says goes to a file."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [*self.command, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _execute(self, arguments: tuple[str, ...], stdin: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            input=stdin.encode(),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def _describe(self, arguments: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> str:
        said = (done.stdout + done.stderr).decode(errors="replace")
        return f"{self.command[0]} {' '.join(arguments)} exited {done.returncode}\n{said}"


class Engine(Tool):
    """What docker and podman have in common."""

    def build(self, image: str, context: Path, *options: str) -> None:
        self.run("build", "--quiet", *options, "--tag", image, str(context))

    def content(self, image: str, path: str, *options: str) -> bytes:
        """Read one file of an image without running it: scratch images hold no program."""
        container = self.run("create", *options, "--network", "none", image, "nothing").strip()
        try:
            exported = self.output("export", container)
        finally:
            self.run("rm", container)
        with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
            member = archive.extractfile(path)
            assert member is not None, f"{path} is not a file in {image}"
            return member.read()

    def empty(self) -> None:
        """Forget every image, so that the next pull has to fetch it all."""
        self.run("image", "prune", "--all", "--force")
        assert self.run("images", "--all", "--quiet") == ""
