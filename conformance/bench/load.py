"""Many small requests on keep-alive connections: by wrk, or by a client of our own where there is no wrk."""

import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping

from conformance.bench.client import BenchFailed

# Of (port, path, headers, connections, seconds): GET requests that were answered in a second.
Load = Callable[[int, str, Mapping[str, str], int, float], float]

GRACE_SECONDS = 30
RECEIVE_BYTES = 64 << 10
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_TROUBLE = re.compile(r"(Non-2xx or 3xx responses: \d+|Socket errors: .*)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def choose() -> tuple[str, Load]:
    """The client to use, and its name for the report."""
    if shutil.which("wrk"):
        return "wrk, 1 thread", wrk
    return "a Python client of its own (wrk is not installed: the client may be the limit)", python


def wrk(port: int, path: str, headers: Mapping[str, str], connections: int, seconds: float) -> float:
    """Requests a second, by wrk with one thread. `seconds` is rounded up to whole ones."""
    options = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s"]
    for name, value in headers.items():
        options += ["-H", f"{name}: {value}"]
    finished = subprocess.run(
        ["wrk", *options, f"http://127.0.0.1:{port}{path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + GRACE_SECONDS,
    )
    trouble = _TROUBLE.search(finished.stdout)
    rate = _RATE.search(finished.stdout)
    if finished.returncode or trouble or rate is None:
        raise BenchFailed(f"wrk: {trouble[0] if trouble else finished.stderr.strip()}")
    return float(rate[1])


def python(port: int, path: str, headers: Mapping[str, str], connections: int, seconds: float) -> float:
    """Requests a second, by one thread that watches all connections."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{n}: {v}" for n, v in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    answered = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            link = socket.create_connection(("127.0.0.1", port))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(link, selectors.EVENT_READ, bytearray())
            link.sendall(request)
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            for key, _ in selector.select(timeout=seconds):
                answered += _advance(key, request)
        for key in list(selector.get_map().values()):
            _socket(key).close()
    return answered / elapsed


def _advance(key: selectors.SelectorKey, request: bytes) -> bool:
    """Read what has come; at the end of an answer ask again, and say so."""
    link, received = _socket(key), key.data
    data = link.recv(RECEIVE_BYTES)
    if not data:
        raise BenchFailed("the server closed a connection")
    received += data
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = _LENGTH.search(head)
    if b" 200 " not in head[:16] or length is None:
        raise BenchFailed(f"an unexpected answer: {bytes(head[:200])!r}")
    if len(body) < int(length[1]):
        return False
    received.clear()
    link.sendall(request)
    return True


def _socket(key: selectors.SelectorKey) -> socket.socket:
    if not isinstance(key.fileobj, socket.socket):
        raise TypeError(key.fileobj)
    return key.fileobj
