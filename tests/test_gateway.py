"""Between the server and the application: which thread answers, how bodies come and go."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ecr_emu.connections import Connections
from ecr_emu.gateway import CLIENT, TAKEN, Gateway
from ecr_emu.server import Server, bind
from ecr_emu.threads import Threads
from ecr_emu.waiting import MustWait, may_wait, once, without_waiting
from ecr_emu.wsgi import Environ, FileRange, StartResponse
from tests.clients import Running, digest_of
from tests.upstream.waiting import wait_for

PIECE = b"p" * 100_000
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


@contextmanager
def serving(application: Wsgi, is_quick: bool = False) -> Iterator[int]:
    """A server of an application, and its port."""
    server = Server(application, bind("127.0.0.1", 0), lambda environ: is_quick)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def ask(port: int, method: str = "GET", body: object = None, path: str = "/") -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body)  # type: ignore[arg-type]
        return connection.getresponse().read()


def send_what_goes(link: socket.socket) -> int:
    """How many bytes the other end takes before it takes no more."""
    sent = 0
    with contextlib.suppress(TimeoutError):
        while True:
            sent += link.send(PIECE)
    return sent


def say(start_response: StartResponse, text: str) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]


def thread_and_body(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    content = environ["wsgi.input"].read()
    return say(start_response, f"{threading.current_thread().name} {digest_of(content)}")


# --- Which thread -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"small", PIECE])
def test_quick_requests_with_small_bodies_share_a_thread(body: bytes) -> None:
    with serving(thread_and_body, is_quick=True) as port:
        thread, digest = ask(port, "POST", body).decode().split()
    assert digest == digest_of(body)
    assert (thread == "request") == (body == PIECE)


def test_other_requests_have_threads_of_their_own() -> None:
    with serving(thread_and_body) as port:
        assert ask(port).decode().split()[0] == "request"


def test_what_must_wait_is_run_again_by_another_thread() -> None:
    runs: list[tuple[str, str]] = []
    sure: list[str] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        runs.append((threading.current_thread().name, environ["wsgi.input"].read().decode()))
        once(lambda: sure.append(environ["PATH_INFO"]))
        if environ["PATH_INFO"] == "/waits":
            may_wait()
        return say(start_response, "answered")

    with serving(application, is_quick=True) as port:
        assert ask(port, "POST", b"body", "/waits") == b"answered"
        assert ask(port, "POST", b"body", "/quick") == b"answered"
    assert [thread == "request" for thread, _ in runs] == [False, True, False]
    assert {body for _, body in runs} == {"body"}
    assert sure == ["/waits", "/quick"]


def test_nothing_is_left_of_a_thread_that_must_not_wait() -> None:
    with pytest.raises(MustWait):
        without_waiting(may_wait)
    may_wait()


def test_a_body_that_comes_slowly_holds_nobody_up(emulator: Running) -> None:
    head = (
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories\r\n\r\n{"
    )
    slow = [socket.create_connection(("127.0.0.1", emulator.port)) for _ in range(20)]
    for link in slow:
        link.sendall(head.encode())
    assert emulator.ecr().describe_repositories()["repositories"] == []
    for link in slow:
        link.close()
    assert emulator.ecr().describe_repositories()["repositories"] == []


def test_a_write_on_the_quick_thread_is_told_once(start: Callable[..., Running]) -> None:
    """The first pull of an image writes when it was: its decision is remembered once all the same."""
    emulator = start()
    emulator.ecr().create_repository(repositoryName="team/app")
    registry = emulator.registry()
    digest = registry.push_image("team/app", "v1")
    mark = emulator.application.emulator.decisions.mark
    assert registry.request("GET", f"/v2/team/app/manifests/{digest}").status == 200
    new = emulator.application.emulator.decisions.mark - mark
    assert new == 1
    image = emulator.ecr().describe_images(repositoryName="team/app")["imageDetails"][0]
    assert "lastRecordedPullTime" in image


# --- Bodies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 1000, 32_768, 1_000_000])
def test_a_body_in_chunks_comes_whole(chunk: int) -> None:
    content = bytes(range(256)) * (40 if chunk == 1 else 20_000)
    pieces = (content[start : start + chunk] for start in range(0, len(content), chunk))
    with serving(thread_and_body) as port:
        assert ask(port, "POST", pieces).decode().split()[1] == digest_of(content)


def test_a_body_is_read_in_pieces_of_the_size_that_is_asked_for() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        read = environ["wsgi.input"].read
        sizes = []
        while piece := read(7):
            sizes.append(len(piece))
        return say(start_response, f"{max(sizes)} {sum(sizes)}")

    with serving(application) as port:
        assert ask(port, "POST", PIECE) == b"7 100000"


def test_a_body_that_nobody_reads_does_not_fill_the_memory() -> None:
    """What comes before anybody reads is bounded: the client has to wait."""
    go_on = threading.Event()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(1)
        go_on.wait(30)
        return thread_and_body(environ, start_response)

    with serving(application) as port, socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n")
        link.settimeout(1)
        sent = send_what_goes(link)
        go_on.set()
    assert 0 < sent < 30_000_000


def test_a_body_that_ends_too_early_is_the_clients_mistake(emulator: Running) -> None:
    head = (
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n"
        "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry\r\n\r\n{"
    )
    application, answers = emulator.application, []
    count = application.emulator.metrics.count

    def counting(operation: str, status: int, *more: float) -> None:
        answers.append(status)
        count(operation, status, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(application.emulator.metrics), "count", lambda self, *given: counting(*given))
        with socket.create_connection(("127.0.0.1", emulator.port), timeout=30) as link:
            link.sendall(head.encode())
            link.shutdown(socket.SHUT_WR)
            answer = link.recv(1000)
        wait_for(lambda: bool(answers))
    assert answers == [400]
    # granian closes the connection before or after it has sent that.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


# --- Answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "length"), [(0, 3_000_000), (2_999_999, 1), (17, 2_500_000)])
def test_a_range_of_a_file_is_sent(first: int, length: int, tmp_path: Path) -> None:
    content = bytes(range(250)) * 12_000
    (tmp_path / "file").write_bytes(content)
    answer = FileRange(tmp_path / "file", first, length)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(length))])
        return answer

    with serving(application) as port:
        assert ask(port) == content[first : first + length]
    assert b"".join(answer) == content[first : first + length]


def test_an_answer_in_pieces_waits_for_its_client() -> None:
    made, closed = [0], threading.Event()

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            if made[0] == 1000:
                raise StopIteration
            made[0] += 1
            return PIECE

        def close(self) -> None:
            closed.set()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(1000 * len(PIECE)))])
        return Pieces()

    with serving(application) as port:
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            link.recv(100)
            time.sleep(1)
            # What the sockets, the pipe and granian hold, and no more.
            assert 0 < made[0] < 300
        # The client has left.
        assert closed.wait(30)
        assert made[0] < 1000
        made[0] = 0
        assert len(ask(port)) == 1000 * len(PIECE)


def test_a_server_stops_though_an_answer_in_pieces_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    """granian waits for those who read a pipe, and lets nobody write to it meanwhile."""
    monkeypatch.setattr("ecr_emu.server.DRAIN_SECONDS", 1)
    go_on, asked = threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield PIECE
        asked.set()
        go_on.wait(60)
        yield PIECE

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(2 * len(PIECE)))])
        return pieces()

    with serving(application) as port:
        link = socket.create_connection(("127.0.0.1", port))
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asked.wait(30)
        link.close()
        began = time.monotonic()
    assert time.monotonic() - began < 20
    go_on.set()


def test_a_small_answer_in_pieces_is_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: Gateway, *_: object) -> None:
        raise AssertionError("a pipe for a few bytes")

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "6")])
        return iter([b"one", b"two"])

    monkeypatch.setattr(Gateway, "_send_by_pipe", never)
    with serving(application) as port:
        assert ask(port) == b"onetwo"


def test_an_answer_in_pieces_that_fails_is_an_error() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("a mistake")

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "6")])
        return pieces()

    with serving(application) as port, closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().status == 500


def test_heads_do_not_wait_for_the_client_to_acknowledge() -> None:
    """Nagle's algorithm and a client's delayed acknowledgement make 40 ms together."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        link = Connections(frozenset([("127.0.0.1", port)])).find(environ[CLIENT], environ[TAKEN])
        with link:
            return say(start_response, str(link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

    with serving(application) as port:
        assert ask(port) == b"1"


# --- Threads ----------------------------------------------------------------------------------------------


def test_threads_come_when_needed_and_go() -> None:
    threads = Threads("test", most=3, idle_seconds=0.2)
    go_on, done = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        go_on.wait(30)
        done.release()

    for _ in range(10):
        threads.run(work)
    assert threads.count == 3
    go_on.set()
    assert all(done.acquire(timeout=30) for _ in range(10))
    wait_for(lambda: threads.count == 0)
    threads.run(work)
    assert done.acquire(timeout=30)


def test_a_thread_that_cannot_be_made_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads("test", most=2, idle_seconds=1)
    done = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(5):
            with pytest.raises(RuntimeError):
                threads.run(lambda: None)
    threads.run(done.set)
    assert done.wait(30)


def test_a_request_for_which_there_is_no_thread_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble of the machine, which passes."""
    with serving(thread_and_body) as port:
        with monkeypatch.context() as patch, closing(http.client.HTTPConnection("127.0.0.1", port)) as link:
            patch.setattr("ecr_emu.threads.threading.Thread.start", refuse)
            link.request("GET", "/")
            response = link.getresponse()
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert ask(port).decode().split()[0] == "request"


def refuse(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_work_that_fails_ends_no_thread_pool() -> None:
    threads = Threads("test", most=1, idle_seconds=1)
    done = threading.Event()
    threads.run(lambda: [][0])
    threads.run(done.set)
    assert done.wait(30)
