"""What takes long says so on a terminal, and nothing in a pipe."""

import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.cli.test_server import say
from tests.processes import environment


@contextmanager
def slow_server(seconds: float) -> Iterator[str]:
    """The URL of a server that takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                threading.Event().wait(seconds)
                connection.sendall(say("200 OK", b'{"policies": 0, "runs": []}'))

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(30)


def on_terminal(*words: str) -> tuple[str, str]:
    """Stdout, and what the terminal that stderr is has got."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ecr_emu", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment()) as process:
        os.close(theirs)
        text = b""
        # The terminal ends with an error when nobody writes to it any more.
        with suppress(OSError):
            while chunk := os.read(ours, 4096):
                text += chunk
        os.close(ours)
        assert process.stdout is not None
        said = process.stdout.read().decode()
    assert process.returncode == 0, text
    return said, text.decode()


def test_a_command_that_waits_for_the_server_says_so_on_a_terminal() -> None:
    with slow_server(1.5) as url:
        said, shown = on_terminal("lifecycle", "run", "--endpoint-url", url)
    assert f"waiting for {url}: 1 s" in shown
    # The line is empty again in the end.
    assert shown.endswith("\r\x1b[K")
    assert "0 of 0 policies" in said


def test_it_says_nothing_in_a_pipe_and_nothing_when_it_is_quick() -> None:
    command = [sys.executable, "-m", "ecr_emu", "lifecycle", "run", "--endpoint-url"]
    with slow_server(1.5) as url:
        done = subprocess.run([*command, url], capture_output=True, env=environment(), check=True)
    assert done.stderr == b""
    with slow_server(0) as url:
        assert on_terminal("lifecycle", "run", "--endpoint-url", url)[1] == ""
