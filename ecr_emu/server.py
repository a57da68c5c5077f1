"""Serving an application with granian, in this process.

granian's own command starts a worker process, binds one address, and lets several servers share a port by
SO_REUSEPORT. An emulator wants one process (it starts sooner and is smaller), both loopback addresses,
port 0, and an error when the port is taken; several may live in one process. So this uses granian's worker
class, the part that does the work, on sockets of its own (docs/decisions/0002-server.md).
"""

import contextlib
import errno
import importlib.util
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from types import SimpleNamespace
from typing import Any

from ecr_emu.app import CannotStart
from ecr_emu.gateway import Gateway, Wsgi
from ecr_emu.threads import Threads
from ecr_emu.wsgi import Environ

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
BACKLOG = 1024
# Threads for what may take long, made as they are needed: a slow upload keeps one, and so does each of 200
# clients that wait for the same layer of an upstream (docs/decisions/0014-pull-through.md).
MAX_THREADS = 512
# Threads of granian's that read files, and one for each pipe of an answer; no Python runs on them.
MAX_FILE_THREADS = MAX_THREADS + 64
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
        # Connections inherit it: no head waits until the client has acknowledged what came before.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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


def never(environ: Environ) -> bool:
    """Of an application that nothing is known of, every request may take long."""
    return False


class Server:
    """One application on some sockets. `start` returns at once; `stop` waits for running requests.

    What `is_quick` says of an environ is answered on the one thread that takes the requests (gateway.py).
    """

    def __init__(
        self, application: Wsgi, sockets: list[socket.socket], is_quick: Callable[[Environ], bool] = never
    ) -> None:
        threads = Threads("request", MAX_THREADS, IDLE_THREAD_SECONDS)
        addresses = frozenset(listener.getsockname()[:2] for listener in sockets)
        self._gateway = Gateway(application, is_quick, threads, addresses)
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
        deadline = time.monotonic() + DRAIN_SECONDS
        self._gateway.end_pipes(DRAIN_SECONDS)
        for signaller, _ in self._workers:
            signaller.set()
        self._gateway.finish_files(max(deadline - time.monotonic(), 0))
        for _, stopped in self._workers:
            stopped.wait(max(deadline - time.monotonic(), 0))
        self._running.clear()

    def _serve(self, listener: socket.socket) -> object:
        granian = _granian()
        no_tls: tuple[Any, ...] = (False, None, None, None, "tls1.3", None, [], False)
        worker = granian.RSGIWorker(
            1,
            (None, granian.SocketHolder(os.dup(listener.fileno()), False, BACKLOG)),
            None,
            1,
            MAX_FILE_THREADS,
            1,
            IDLE_THREAD_SECONDS,
            BACKLOG,
            "auto",
            _HTTP1,
            None,
            False,
            None,
            *no_tls,
            (None, None),
        )
        stopped = threading.Event()
        signaller = granian.WorkerSignal()
        signaller.add_cb(stopped.set)
        loop = _NoLoop()
        worker.serve_mtr(_scheduler(self._gateway, loop), loop, signaller)
        self._workers.append((signaller, stopped))
        return worker


# granian's settings of HTTP/1 as it has them by default; it reads them by these names. With pipeline_flush a
# request could be taken before the answer to the last one is written: file_sender.py would mix them.
_HTTP1 = SimpleNamespace(
    header_read_timeout=30_000, keep_alive=True, max_buffer_size=8192 + 4096 * 100, pipeline_flush=False
)


class _NoLoop:
    """Stands where granian wants an event loop: what it would schedule is done at once.

    granian asks for it on its one thread of Python, where the requests are answered.
    """

    def call_soon(self, do: Callable[..., object], *arguments: Any, context: Any = None) -> None:
        do(*arguments)

    call_soon_threadsafe = call_soon


@cache
def _granian() -> Any:
    """granian's compiled part, which does all the work. The package around it imports asyncio and more.

    Its stubs lag behind it, so it has no types here.
    """
    name = "granian._granian"
    if name not in sys.modules:
        package = importlib.util.find_spec("granian")
        spec = package and PathFinder.find_spec(name, package.submodule_search_locations)
        if spec is None or spec.loader is None:
            raise CannotStart("granian is not installed as it should be; install ecr-emu again")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def _scheduler(gateway: Gateway, loop: _NoLoop) -> object:
    """What granian hands its requests to, in place of its own, which makes a task of each."""

    def begin(scheduler: Any, *_: Any) -> None:
        scheduler._schedule_fn = gateway.schedule

    kind: Any = type("Scheduler", (_granian().CallbackScheduler,), {"__init__": begin})
    nothing = (None, lambda *_: None, lambda *_: None)
    return kind(loop, None, *nothing)


class StopSignal:
    """Waits until the process is asked to end: SIGTERM or SIGINT, from the moment this is made.

    The system may hand a signal to any thread, granian's too, and a lock that the main thread waits for
    would not notice. So the C handler writes to a socket, whichever thread it runs in, and the main thread
    reads it.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float | None = None) -> None:
        """Return when the process is asked to end, or after so many seconds."""
        if not self.is_set:
            self._reader.settimeout(seconds)
            with contextlib.suppress(TimeoutError):
                self.is_set = bool(self._reader.recv(1))
