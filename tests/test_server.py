"""Sockets and servers, several of them in one process."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from ecr_emu.app import CannotStart
from ecr_emu.server import LOOPBACK, Server, bind
from ecr_emu.wsgi import Environ, StartResponse
from tests.clients import Running
from tests.consistency import side_by_side
from tests.processes import needs_ipv6, wait_until_refused


@contextmanager
def bound(host: str, port: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(listener) for listener in bind(host, port)]


def get(port: int, host: str = "127.0.0.1") -> bytes:
    with closing(http.client.HTTPConnection(host, port, timeout=30)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().read()


@needs_ipv6
def test_localhost_is_both_loopback_addresses_on_one_port() -> None:
    with bound("localhost", 0) as listeners:
        names = [listener.getsockname()[:2] for listener in listeners]
    assert names == [("127.0.0.1", names[0][1]), ("::1", names[0][1])]


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_a_named_address_is_the_only_one(host: str) -> None:
    with bound(host, 0) as listeners:
        assert [listener.getsockname()[0] for listener in listeners] == [host]


@needs_ipv6
@pytest.mark.parametrize(("family", "host"), LOOPBACK)
def test_a_port_that_is_taken_on_either_address_is_refused(family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} is in use"):
            bind("localhost", port)
        # Nothing is kept of a failure: the other address is free.
        other = next(name for _, name in LOOPBACK if name != host)
        with bound(other, port) as listeners:
            assert len(listeners) == 1


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("localhost", -1), ("192.0.2.1", 0), ("a" * 70, 0)]
)
def test_an_address_that_cannot_be_is_refused(host: str, port: int) -> None:
    with pytest.raises(CannotStart, match="cannot listen on"):
        bind(host, port)


def test_two_emulators_in_one_process_do_not_meet(start: Callable[..., Running]) -> None:
    one, two = start(), start(account="111122223333")
    one.ecr().create_repository(repositoryName="only-here")
    assert two.ecr().describe_repositories()["repositories"] == []
    two.ecr().create_repository(repositoryName="only-here")
    assert two.ecr().describe_repositories()["repositories"][0]["registryId"] == "111122223333"


def test_a_restart_can_take_the_same_port_at_once() -> None:
    port = 0
    for _ in range(5):
        server = Server(hello, bind("localhost", port))
        port = server.port
        server.start()
        assert get(port) == b"hello"
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            get(port)


@needs_ipv6
def test_a_server_answers_on_both_addresses() -> None:
    server = Server(hello, bind("localhost", 0))
    server.start()
    assert [get(server.port, host) for _, host in LOOPBACK] == [b"hello", b"hello"]
    server.stop()


def test_stopping_waits_for_the_requests_that_run() -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def slow(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        asked.set()
        assert may_answer.wait(30)
        return hello(environ, start_response)

    server = Server(slow, bind("localhost", 0))
    server.start()

    port = server.port

    def stop() -> bytes:
        assert asked.wait(30)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until_refused(port)
        assert stopping.is_alive()
        may_answer.set()
        stopping.join(30)
        return b"" if stopping.is_alive() else b"stopped"

    assert side_by_side([lambda: get(port), stop]) == [b"hello", b"stopped"]


def hello(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
