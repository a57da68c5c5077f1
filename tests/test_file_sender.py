"""Large files are sent by the kernel, and the connection ends with them."""

import contextlib
import errno
import http.client
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from ecr_emu.file_sender import Download, _Transfer
from ecr_emu.gateway import LARGE_FILE_BYTES
from ecr_emu.server import Server, bind
from ecr_emu.wsgi import Environ, FileRange, StartResponse
from tests.clients import Running, digest_of
from tests.test_gateway import ask, serving
from tests.upstream.waiting import wait_for

# More than the sockets of both ends hold.
CONTENT = bytes(range(250)) * 80_000
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


@pytest.fixture
def sends(tmp_path: Path) -> Wsgi:
    """An application that answers everything with a large file."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(len(CONTENT))), ("ETag", '"a"')])
        return FileRange(path, 0, len(CONTENT))

    return application


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def read_to_the_end(link: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of an answer that ends with its connection."""
    content = b""
    while piece := link.recv(1 << 20):
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    return head, body


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_the_head_says_that_the_connection_ends(sends: Wsgi) -> None:
    with serving(sends) as port, connected(port) as link:
        link.sendall(ASK)
        head, body = read_to_the_end(link)
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines[1:])}
    date = headers.pop("date")
    assert headers == {
        "content-length": str(len(CONTENT)),
        "etag": '"a"',
        "server": "granian",
        "connection": "close",
    }
    assert time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")
    assert body == CONTENT


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_clients_of_both_loopback_addresses(host: str, sends: Wsgi) -> None:
    server = Server(sends, bind(host, 0))
    server.start()
    with closing(http.client.HTTPConnection(host, server.port, timeout=30)) as connection:
        # The connection is opened anew for each.
        for _ in range(3):
            connection.request("GET", "/")
            response = connection.getresponse()
            assert response.headers["connection"] == "close"
            assert response.read() == CONTENT
    server.stop()


def test_http_1_0_is_left_to_granian(sends: Wsgi) -> None:
    with serving(sends) as port, connected(port) as link:
        link.sendall(b"GET / HTTP/1.0\r\n\r\n")
        head, body = read_to_the_end(link)
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert body == CONTENT


def test_a_connection_that_cannot_be_found_is_left_to_granian(
    sends: Wsgi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecr_emu.connections.Connections._numbers", lambda self: iter(()))
    with serving(sends) as port, closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("GET", "/")
        response = client.getresponse()
        assert "connection" not in response.headers
        assert response.read() == CONTENT


def test_without_descriptors_granian_sends_and_the_next_is_as_before(
    sends: Wsgi, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [OSError(errno.EMFILE, "Too many open files")]
    make = socket.socketpair

    def socketpair() -> tuple[socket.socket, socket.socket]:
        if pairs:
            raise pairs.pop()
        return make()

    monkeypatch.setattr("ecr_emu.file_sender.socket.socketpair", socketpair)
    with serving(sends) as port:
        assert ask(port) == CONTENT
        assert not pairs
        with connected(port) as link:
            link.sendall(ASK)
            head, body = read_to_the_end(link)
    assert b"connection: close" in head
    assert body == CONTENT


# --- The right client ------------------------------------------------------------------------------------


def source_port() -> int:
    """A port that no other program is given: the kernel takes them from 32768 on."""
    return random.randrange(20_000, 32_000)  # noqa: S311 - not a secret


def from_port(source: int, to: tuple[str, int]) -> socket.socket:
    """A connection from a port of our choice, also one that was used a moment ago."""
    link = socket.socket()
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        link.bind(("127.0.0.1", source))
        link.settimeout(30)
        link.connect(to)
    except OSError:
        link.close()
        raise
    return link


def reset(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def test_another_client_with_the_port_of_one_that_left_gets_nothing(sends: Wsgi) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/small":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        asked.set()
        go_on.wait(30)
        return sends(environ, start_response)

    with serving(application) as port:
        source = source_port()
        first = from_port(source, ("127.0.0.1", port))
        first.sendall(ASK)
        assert asked.wait(30)
        reset(first)
        time.sleep(0.1)
        with from_port(source, ("127.0.0.1", port)) as second:
            second.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
            assert second.recv(1000).endswith(b"ok")
            go_on.set()
            second.settimeout(1)
            with pytest.raises(TimeoutError):
                second.recv(1)


def test_one_port_of_a_client_for_two_addresses_of_ours(sends: Wsgi) -> None:
    server = Server(sends, bind("0.0.0.0", 0))  # noqa: S104 - what is tested
    server.start()
    with contextlib.ExitStack() as opened:
        source = source_port()
        idle = opened.enter_context(from_port(source, ("127.0.0.1", server.port)))
        link = opened.enter_context(from_port(source, ("127.0.0.2", server.port)))
        link.sendall(ASK)
        head = b""
        while b"\r\n\r\n" not in head:
            head += link.recv(1)
        size = 0
        while size < len(CONTENT):
            size += len(link.recv(1 << 20))
        idle.settimeout(0.2)
        with pytest.raises(TimeoutError):
            idle.recv(1)
    server.stop()


def test_all_addresses_of_the_machine(sends: Wsgi) -> None:
    server = Server(sends, bind("0.0.0.0", 0))  # noqa: S104 - what is tested
    server.start()
    with connected(server.port) as link:
        link.sendall(ASK)
        head, body = read_to_the_end(link)
    assert b"connection: close" in head
    assert body == CONTENT
    server.stop()


def test_sockets_of_others_are_left_as_they_are(sends: Wsgi) -> None:
    one, other = socket.socketpair()
    socket.setdefaulttimeout(30)
    try:
        with serving(sends) as port:
            assert ask(port) == CONTENT
    finally:
        socket.setdefaulttimeout(None)
    assert os.get_blocking(one.fileno())
    one.close()
    other.close()


# --- Trouble ---------------------------------------------------------------------------------------------


def test_a_file_system_that_knows_no_sendfile(sends: Wsgi, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("ecr_emu.file_sender.os.sendfile", refuse)
    with serving(sends) as port, connected(port) as link:
        link.sendall(ASK)
        head, body = read_to_the_end(link)
    assert b"connection: close" in head
    assert body == CONTENT


def test_what_goes_wrong_with_one_download_does_not_end_another(
    sends: Wsgi, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, refusals = _Transfer.__init__, [RuntimeError("for the second")]

    def beginning(self: _Transfer, download: Download, link: socket.socket) -> None:
        begin(self, download, link)
        if not refusals:
            raise RuntimeError("for the second")

    def fail(*_: object) -> None:
        raise UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed")

    with serving(sends) as port, connected(port) as first, connected(port) as second:
        first.sendall(ASK)
        head = first.recv(100)
        monkeypatch.setattr(_Transfer, "__init__", beginning)
        refusals.clear()
        monkeypatch.setattr("ecr_emu.gateway._send_file_by_granian", fail)
        second.sendall(ASK)
        # granian answers when nobody else can any more.
        assert second.recv(100).startswith(b"HTTP/1.1 500")
        rest = b"".join(read_to_the_end(first))
    assert CONTENT.endswith(rest[-1_000_000:])
    assert len(head + rest) > len(CONTENT)


def test_a_slow_client_costs_no_thread_and_holds_nobody_up(sends: Wsgi) -> None:
    with serving(sends, is_quick=True) as port, contextlib.ExitStack() as opened:
        before = set(threading.enumerate())
        slow = [opened.enter_context(connected(port)) for _ in range(20)]
        for link in slow:
            link.sendall(ASK)
        with connected(port) as link:
            link.sendall(ASK)
            assert read_to_the_end(link)[1] == CONTENT
        new = set(threading.enumerate()) - before
        assert [thread.name for thread in new if thread.name in ("files", "request")] == ["files"]
        for link in slow:
            assert read_to_the_end(link)[1] == CONTENT


def test_nothing_is_left_of_clients_that_leave(sends: Wsgi) -> None:
    with serving(sends) as port:
        with connected(port) as link:
            link.sendall(ASK)
            read_to_the_end(link)
        before = open_files()
        for number in range(30):
            link = connected(port)
            link.sendall(ASK)
            if number % 3:
                link.recv(1000 * (number % 3))
            link.close()
        wait_for(lambda: open_files() <= before)
        with connected(port) as link:
            link.sendall(ASK)
            assert read_to_the_end(link)[1] == CONTENT


def test_a_request_that_came_too_early_does_not_cut_the_answer_off(sends: Wsgi) -> None:
    """Data that nobody reads would have the system reset the connection when it is closed."""
    with serving(sends) as port, connected(port) as link:
        link.sendall(ASK)
        time.sleep(0.3)
        link.sendall(ASK + b"x" * 100_000)
        time.sleep(0.3)
        assert read_to_the_end(link)[1] == CONTENT


def test_a_file_that_ends_too_early_ends_the_connection(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    claimed = len(CONTENT) + LARGE_FILE_BYTES

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(claimed))])
        return FileRange(path, 0, claimed)

    with serving(application) as port, closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
        client.request("GET", "/")
        with pytest.raises(http.client.IncompleteRead) as error:
            client.getresponse().read()
    assert error.value.partial == CONTENT


def test_a_server_that_stops_waits_for_a_download(sends: Wsgi) -> None:
    bodies: list[bytes] = []

    def read(link: socket.socket) -> None:
        time.sleep(0.5)
        bodies.append(read_to_the_end(link)[1])

    with serving(sends) as port:
        link = connected(port)
        link.sendall(ASK)
        link.recv(1, socket.MSG_PEEK)
        reader = threading.Thread(target=read, args=(link,))
        reader.start()
    reader.join()
    link.close()
    assert bodies == [CONTENT]


def test_a_server_that_stops_cuts_off_what_stalls(sends: Wsgi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_emu.server.DRAIN_SECONDS", 1)
    with serving(sends) as port:
        link = connected(port)
        link.sendall(ASK)
        link.recv(1, socket.MSG_PEEK)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    assert len(read_to_the_end(link)[1]) < len(CONTENT)
    link.close()


def test_nothing_begins_after_a_server_has_stopped(sends: Wsgi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_emu.server.DRAIN_SECONDS", 1)
    asked, go_on = threading.Event(), threading.Event()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        asked.set()
        go_on.wait(30)
        return sends(environ, start_response)

    before = set(threading.enumerate())
    with contextlib.ExitStack() as opened:
        with serving(application) as port:
            opened.enter_context(connected(port)).sendall(ASK)
            assert asked.wait(30)
        go_on.set()
        time.sleep(0.3)
        assert not any(thread.name == "files" for thread in set(threading.enumerate()) - before)


def test_layers_and_ranges_of_them(emulator: Running) -> None:
    emulator.ecr().create_repository(repositoryName="team/app")
    registry = emulator.registry()
    digest = registry.push_blob("team/app", CONTENT)
    path = f"/v2/team/app/blobs/{digest}"
    whole = registry.request("GET", path)
    assert (whole.headers["connection"], digest_of(whole.body)) == ("close", digest)
    part = registry.request("GET", path, headers={"Range": "bytes=17-5000016"})
    assert (part.status, part.headers["connection"]) == (206, "close")
    assert part.headers["content-range"] == f"bytes 17-5000016/{len(CONTENT)}"
    assert part.body == CONTENT[17:5_000_017]
    small = registry.request("GET", path, headers={"Range": "bytes=0-9"})
    assert "connection" not in small.headers
