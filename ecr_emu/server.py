"""Serving an application with granian, in this process.

granian's own command starts a worker process, binds one address, and lets several servers share a port by
SO_REUSEPORT. An emulator wants one process (it starts sooner and is smaller), both loopback addresses,
port 0, and an error when the port is taken; several may live in one process. So this uses granian's worker
class, the part that does the work, on sockets of its own (docs/decisions/0002-server.md).
"""

import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from ecr_emu.app import CannotStart
from ecr_emu.wsgi import Environ, StartResponse

Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
BACKLOG = 1024
# Threads that run the application, made as they are needed: a slow client keeps one, and so does each of
# 200 that wait for the same layer of an upstream (docs/decisions/0014-pull-through.md).
MAX_THREADS = 512
IDLE_THREAD_SECONDS = 30
# How long running requests have to end: a client that stopped sending would keep the server for ever.
DRAIN_SECONDS = 30


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets: both loopback addresses for localhost, else the one named. Raises CannotStart."""
    if host == "localhost":
        return _bind_loopback(port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return [_bind(family, host, port)]


def _bind_loopback(port: int) -> list[socket.socket]:
    first = _bind(*LOOPBACK[0], port)
    try:
        second = _bind(*LOOPBACK[1], first.getsockname()[1])
    except CannotStart:
        if port != 0:
            first.close()
            raise
        # The free port is taken on the other address: another one.
        retry = _bind_loopback(0)
        first.close()
        return retry
    except OSError:
        # A machine without IPv6.
        return [first]
    return [first, second]


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if family == socket.AF_INET6 and host == "::1" and error.errno == errno.EADDRNOTAVAIL:
            raise
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(f"port {port} is in use; choose another with --port") from None
        raise CannotStart(f"cannot listen on {host} port {port}: {error.strerror or error}") from None
    except (OverflowError, UnicodeError) as error:
        listener.close()
        raise CannotStart(f"cannot listen on {host} port {port}: {error}") from None
    listener.setblocking(False)
    return listener


class Server:
    """One application on some sockets. `start` returns at once; `stop` waits for running requests."""

    def __init__(self, application: Wsgi, sockets: list[socket.socket]) -> None:
        self._application = application
        self._sockets = sockets
        self._workers: list[tuple[Any, threading.Event]] = []
        self._running: list[object] = []

    @property
    def port(self) -> int:
        port: int = self._sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        """Accept connections."""
        self._running = [self._serve(listener) for listener in self._sockets]

    def stop(self) -> None:
        """Refuse new connections, finish the requests that are running, and return."""
        for listener in self._sockets:
            # The worker closes its copy; the kernel refuses a client when both are gone.
            listener.close()
        for signaller, _ in self._workers:
            signaller.set()
        deadline = time.monotonic() + DRAIN_SECONDS
        for _, stopped in self._workers:
            stopped.wait(max(deadline - time.monotonic(), 0))
        self._running.clear()

    def _serve(self, listener: socket.socket) -> object:
        import asyncio

        from granian import _futures, _granian
        from granian.http import HTTP1Settings

        # The stubs of this private part lag behind it.
        granian: Any = _granian
        futures: Any = _futures
        no_tls: tuple[Any, ...] = (False, None, None, None, "tls1.3", None, [], False)
        worker = granian.WSGIWorker(
            1,
            (None, granian.SocketHolder(os.dup(listener.fileno()), False, BACKLOG)),
            None,
            1,
            512,
            MAX_THREADS,
            IDLE_THREAD_SECONDS,
            BACKLOG,
            "auto",
            HTTP1Settings(),
            None,
            None,
            *no_tls,
            (None, None),
        )
        stopped = threading.Event()
        signaller = granian.WorkerSignal()
        signaller.add_cb(stopped.set)
        # A WSGI worker never runs the loop, but its scheduler is built on one.
        loop = asyncio.new_event_loop()
        scheduler = futures._new_cbscheduler(loop, _handler(self._application), impl_asyncio=True)
        worker.serve_mtr(scheduler, loop, signaller)
        self._workers.append((signaller, stopped))
        loop.close()
        return worker


def _handler(application: Wsgi) -> Callable[[Any, Environ], int]:
    """What granian calls for a request.

    Its own begins every environ with the process's environment, where HTTP_PROXY and the like would stand for
    headers that nobody sent.
    """
    from granian import wsgi

    # This part has no types.
    make: Any = wsgi.Response
    wrap: Any = wsgi.ResponseIterWrap
    same = {
        "SCRIPT_NAME": "",
        "SERVER_SOFTWARE": "Granian",
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multiprocess": False,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.version": (1, 0),
    }

    def handle(protocol: Any, scope: Environ) -> int:
        response = make()
        body = application({**same, **scope}, response)
        if isinstance(body, list):
            protocol.response_bytes(response.status, response.headers, b"".join(body))
        else:
            protocol.response_iter(response.status, response.headers, wrap(body))
        status: int = response.status
        return status

    return handle


class StopSignal:
    """Waits until the process is asked to end: SIGTERM or SIGINT, from the moment this is made.

    The system may hand a signal to any thread, granian's too, and a lock that the main thread waits for
    would not notice. So the C handler writes to a socket, whichever thread it runs in, and the main thread
    reads it.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def wait(self) -> None:
        self._reader.recv(1)
