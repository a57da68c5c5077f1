"""What the README shows works, word for word; and what docs/signing.md shows.

A block of the README is part of the transcript when the line `<!-- test: transcript -->` stands right
above its fence. A ```sh block runs as it is. Of a ```console block run the lines that start with `$ `,
and the lines that start with `> ` continue them; all other lines are output, which nobody compares.
All blocks make up one bash script, so that a variable of one block is known in the next.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from engines.dockerd import Docker
from engines.server import READY_PREFIX, STOP_SECONDS, clean_environment

ROOT = Path(__file__).resolve().parent.parent
TRANSCRIPT = re.compile(r"^<!-- test: transcript -->\n+```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^[$>] (.*\n)", re.MULTILINE)
# `make run` may have to set up the environment first.
READY_SECONDS = 300
SCRIPT_SECONDS = 300


def script_of(readme: str) -> str:
    blocks = [
        body if language == "sh" else "".join(COMMAND.findall(body))
        for language, body in TRANSCRIPT.findall(readme)
    ]
    assert blocks, "no block is marked as transcript"
    return "set -euo pipefail\n" + "".join(blocks)


def signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Reach make and the server below it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def stop(process: subprocess.Popen[str]) -> None:
    """End make and the server, as a terminal or a service manager ends them, and see that both go."""
    assert process.stdout is not None
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        signal_group(process, signal.SIGKILL)

    timer = threading.Timer(STOP_SECONDS, kill)
    timer.start()
    signal_group(process, signal.SIGTERM)
    # The end of the output: the server, too, has closed it.
    process.stdout.read()
    timer.cancel()
    assert not killed.is_set(), "the server did not stop on SIGTERM"


def wait_until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    timer = threading.Timer(READY_SECONDS, signal_group, [process, signal.SIGKILL])
    timer.start()
    try:
        lines = (line.rstrip() for line in process.stdout)
        return next((line for line in lines if line.startswith(READY_PREFIX)), "")
    finally:
        timer.cancel()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[None]:
    """`make run`, as the README tells its reader to start the server."""
    log = tmp_path / "log"
    # The reader's own images are none of the test's business.
    environment = clean_environment() | {"ECR_EMU_DATA_DIR": str(tmp_path / "data")}
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            ["make", "run"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            ready = wait_until_ready(process)
            assert ready.endswith(":4566"), f"make run is not ready at 4566:\n{log.read_text()}"
            yield
        finally:
            stop(process)


@pytest.fixture
def docker() -> Iterator[Docker]:
    engine = Docker()
    yield engine
    engine.stop()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("page", ["README.md", "docs/signing.md"])
def test_transcript_of_a_page_runs(docker: Docker, tmp_path: Path, page: str) -> None:
    script = script_of((ROOT / page).read_text())
    work = tmp_path / "work"
    work.mkdir()
    environment = docker.environment | {
        "PATH": f"{Path(sys.executable).parent}:{docker.environment['PATH']}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }
    done = subprocess.run(
        ["bash", "-x", "-c", script],
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SCRIPT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_transcript_is_what_the_marked_blocks_say() -> None:
    readme = (
        "```sh\nnot marked\n```\n\n<!-- test: transcript -->\n```sh\na=1\n```\n\n"
        "<!-- test: transcript -->\n\n```console\n$ echo $a \\\n> b\n1 b\n```\n"
    )
    assert script_of(readme) == "set -euo pipefail\na=1\necho $a \\\nb\n"
