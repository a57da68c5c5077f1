"""Requests as data, and the two ways to an answer: the WSGI function in this process, or a socket."""

import io
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from ecr_emu.app import Application

Headers = tuple[tuple[str, str], ...]

DATA, CONTROL, QUERY, PAGES = "data plane", "control plane", "IAM and STS", "pages"
# What an HTTP server lets through in a request line; the rest is for the raw bytes of sockets.py.
_NOT_OF_TARGET = re.compile(r"[^!$-;=@-\[\]_a-z|~?%&]")
_NOT_OF_HEADER = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_NOT_OF_NAME = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_FRAMING = ("content-length", "transfer-encoding", "connection", "expect", "upgrade", "te")
# No limit is known to be larger; hyper, the HTTP library, refuses longer heads.
MAX_VALUE = 60_000
RECEIVE_BYTES = 1 << 16
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. Texts are as WSGI has them, a character for each byte; `target` is percent-encoded.

    `sign` is the service that the request is to be signed for once it is as it shall be sent. `operation` is
    what it asks the JSON API for.
    """

    plane: str
    kind: str
    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    sign: str = ""
    operation: str = ""

    def but(self, **members: Any) -> "Ask":
        """The same with other members."""
        return replace(self, **members)

    def having(self, *headers: tuple[str, str]) -> "Ask":
        """The same with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def sendable(self) -> "Ask":
        """What a server would let through to the application."""
        target = _NOT_OF_TARGET.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", self.target)
        headers = tuple(
            (_NOT_OF_NAME.sub("", name) or "x", _NOT_OF_HEADER.sub(" ", value)[:MAX_VALUE].strip())
            for name, value in self.headers
        )
        method = _NOT_OF_NAME.sub("", self.method) or "GET"
        # In another form than the one of a path it would be a proxy's.
        return replace(self, method=method, target="/" + target.lstrip("/"), headers=headers)


@dataclass(slots=True)
class Said:
    """An answer. `seconds` are of the processor: this thread's, or the server's."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    seconds: float = 0.0

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class Way(Protocol):
    """How requests get to an emulator."""

    def ask(self, ask: Ask) -> Said:
        """The answer to a request, which is sent as it is."""


class Broken(Exception):
    """What came back is no answer of HTTP."""


class InProcess:
    """The WSGI function of an application, as granian calls it."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def ask(self, ask: Ask) -> Said:
        said = Said()

        def start(status: str, headers: list[tuple[str, str]], info: Any = None) -> None:
            said.status, said.headers = int(status.split(" ")[0]), headers

        environ = _environ(ask)
        began = time.thread_time()
        chunks = self.application(environ, start)
        said.body = b"".join(chunks)
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
        said.seconds = time.thread_time() - began
        return said


def _environ(ask: Ask) -> dict[str, Any]:
    path, _, query = ask.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": ask.method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "4566",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(ask.body),
    }
    if ask.body or ask.method not in ("GET", "HEAD", "DELETE"):
        environ["CONTENT_LENGTH"] = str(len(ask.body))
    for name, value in ask.headers:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ and key[:5] == "HTTP_" else value
    return environ


class Wire:
    """A server, asked over one connection after the other. `seconds` tells what it has used so far."""

    def __init__(self, port: int, seconds: Callable[[], float]) -> None:
        self._port = port
        self._seconds = seconds
        self._connection: socket.socket | None = None
        self._left = b""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection, self._left = None, b""

    def ask(self, ask: Ask) -> Said:
        began = self._seconds()
        try:
            said = self._exchange(ask)
        except OSError:
            # The server may close a connection between two requests.
            self.close()
            said = self._exchange(ask)
        said.seconds = self._seconds() - began
        return said

    def _exchange(self, ask: Ask) -> Said:
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT_SECONDS)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # With its own framing a request could not be told from the next one.
        kept = [f"{name}: {value}" for name, value in ask.headers if name.lower() not in _FRAMING]
        kept.append(f"Content-Length: {len(ask.body)}")
        if not ask.header("host"):
            kept.append(f"Host: localhost:{self._port}")
        head = "\r\n".join([f"{ask.method} {ask.target} HTTP/1.1", *kept, "", ""]).encode("latin-1")
        self._connection.sendall(head + ask.body)
        said = self._answer(ask.method)
        if (said.header("connection") or "").lower() == "close":
            self.close()
        return said

    def _answer(self, method: str) -> Said:
        head = self._until(b"\r\n\r\n").decode("latin-1")
        start, *lines = head.split("\r\n")
        if not start.startswith("HTTP/1.1 "):
            raise Broken(f"no answer of HTTP: {start[:100]!r}")
        said = Said(int(start[9:12]), [_split(line) for line in lines if line])
        has_body = method != "HEAD" and said.status not in (204, 304)
        if not has_body:
            return said
        if said.header("transfer-encoding") == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                said.body += self._exactly(size + 2)[:-2]
            self._until(b"\r\n")
        elif (length := said.header("content-length")) is not None:
            said.body = self._exactly(int(length))
        return said

    def _until(self, end: bytes) -> bytes:
        while end not in self._left:
            self._receive()
        found, _, self._left = self._left.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._left) < size:
            self._receive()
        found, self._left = self._left[:size], self._left[size:]
        return found

    def _receive(self) -> None:
        assert self._connection is not None
        chunk = self._connection.recv(RECEIVE_BYTES)
        if not chunk:
            raise ConnectionResetError("the server closed the connection")
        self._left += chunk


def _split(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(": ")
    return (name, value) if colon else (line.rstrip(":"), "")
