"""Asking a running server, when it answers and when not."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecr_emu.cli import tables
from tests.cli.conftest import Run
from tests.clients import Running

REFUSED = "start `ecr-emu serve`, or name the server with --endpoint-url"


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """The URL of a server that is none: it says these bytes, whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for content in answers:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(content)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def say(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@pytest.mark.parametrize("endpoint", ["localhost:1", "ftp://x", "http://", "http://x:99999", "http://[", ""])
def test_an_endpoint_is_a_url(refused: Callable[..., str], endpoint: str) -> None:
    assert refused("images", "synthesize", "-", "--endpoint-url", endpoint, input="{}") == (
        f"--endpoint-url '{endpoint}' is no URL; write it as http://localhost:4566"
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nobody_answers(refused: Callable[..., str], scheme: str) -> None:
    message = refused("images", "synthesize", "-", "--endpoint-url", f"{scheme}://127.0.0.1:1", input="{}")
    assert message == f"no answer from {scheme}://127.0.0.1:1 (Connection refused); {REFUSED}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "Remote end closed connection without response"),
        (b"SSH-2.0-OpenSSH_9\r\n", "SSH-2.0-OpenSSH_9"),
    ],
)
def test_somebody_else_answers(refused: Callable[..., str], answer: bytes, expected: str) -> None:
    with answering(answer) as url:
        message = refused("images", "synthesize", "-", "--endpoint-url", url, input="{}")
    assert message.startswith(f"no answer from {url} ({expected}")
    assert message.endswith(REFUSED)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"other": 1}', b"\xff"])
def test_an_error_page_of_something_else(refused: Callable[..., str], body: bytes) -> None:
    with answering(say("403 Forbidden", body)) as url:
        message = refused("images", "synthesize", "-", "--endpoint-url", url, input="{}")
    assert message == (
        f"{url} answered 403 Forbidden, as ecr-emu does not; name the server with --endpoint-url"
    )


def test_a_page_of_something_else(refused: Callable[..., str]) -> None:
    with answering(say("200 OK", b"<html>")) as url:
        message = refused("images", "synthesize", "-", "--endpoint-url", url, input="{}")
    assert message == f"{url} did not answer as ecr-emu does; name the server with --endpoint-url"


def test_an_endpoint_may_end_in_a_slash(run: Run, emulator: Running, tmp_path: Path) -> None:
    assert run("clock", "--endpoint-url", f"{emulator.url}/").exit_code == 0


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (48_318_255, "48.3 MB"),
        (2_500_000_000, "2.5 GB"),
        (10**18, "1,000.0 PB"),
    ],
)
def test_sizes_are_shown_in_powers_of_1000(size_bytes: int, expected: str) -> None:
    assert tables.size(size_bytes) == expected
