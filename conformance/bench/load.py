"""Many small requests on keep-alive connections: by wrk, or by a client of our own where there is no wrk."""

import contextlib
import re
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from conformance.bench.client import BenchFailed


@dataclass(frozen=True, slots=True)
class Sent:
    """What else a request is. A body is ASCII."""

    method: str = "GET"
    body: str = ""


GET, HEAD = Sent(), Sent("HEAD")


class Load(Protocol):
    """Requests that were answered in a second; each connection waits for an answer before it asks again."""

    def __call__(
        self,
        port: int,
        path: str,
        headers: Mapping[str, str],
        connections: int,
        seconds: float,
        sent: Sent = GET,
    ) -> float: ...


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


def wrk(
    port: int,
    path: str,
    headers: Mapping[str, str],
    connections: int,
    seconds: float,
    sent: Sent = GET,
) -> float:
    """Requests a second, by wrk with one thread. `seconds` is rounded up to whole ones.

    wrk waits for the body of an answer to HEAD, so these are asked by the Python client.
    """
    if sent.method == "HEAD":
        return python(port, path, headers, connections, seconds, sent)
    options = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s"]
    for name, value in headers.items():
        options += ["-H", f"{name}: {value}"]
    with tempfile.TemporaryDirectory(prefix="ecr-emu-bench-") as folder:
        if sent.body:
            script = Path(folder) / "request.lua"
            script.write_text(f"wrk.method = '{sent.method}'\nwrk.body = [==[{sent.body}]==]\n")
            options += ["-s", str(script)]
        try:
            finished = subprocess.run(
                ["wrk", *options, f"http://127.0.0.1:{port}{path}"],
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds + GRACE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise BenchFailed(f"wrk did not end {GRACE_SECONDS} s after its time") from None
    trouble = _TROUBLE.search(finished.stdout)
    rate = _RATE.search(finished.stdout)
    if finished.returncode or trouble or rate is None:
        raise BenchFailed(f"wrk: {trouble[0] if trouble else finished.stderr.strip()}")
    return float(rate[1])


def python(
    port: int,
    path: str,
    headers: Mapping[str, str],
    connections: int,
    seconds: float,
    sent: Sent = GET,
) -> float:
    """Requests a second, by one thread that watches all connections."""
    lines = [f"{sent.method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if sent.body:
        lines.append(f"Content-Length: {len(sent.body)}")
    request = ("\r\n".join(lines) + "\r\n\r\n" + sent.body).encode()
    has_body = sent.method != "HEAD"
    answered = 0
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as links:
        for _ in range(connections):
            link = links.enter_context(socket.create_connection(("127.0.0.1", port)))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(link, selectors.EVENT_READ, bytearray())
            link.sendall(request)
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            for key, _ in selector.select(timeout=seconds):
                answered += _advance(key, request, has_body)
    return answered / elapsed


def _advance(key: selectors.SelectorKey, request: bytes, has_body: bool) -> bool:
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
    if b" 200 " not in head[:16] or (has_body and length is None):
        raise BenchFailed(f"an unexpected answer: {bytes(head[:200])!r}")
    if has_body and len(body) < int(length[1] if length else 0):
        return False
    received.clear()
    link.sendall(request)
    return True


def _socket(key: selectors.SelectorKey) -> socket.socket:
    if not isinstance(key.fileobj, socket.socket):
        raise TypeError(key.fileobj)
    return key.fileobj
