"""The little of WSGI that both planes need: bodies in, responses out."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Client

if TYPE_CHECKING:
    from ecr_emu.context import Emulator

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

# Of a body that nobody wants, this much is read and thrown away; then the connection is closed.
MAX_DRAIN_BYTES = 1 << 30
DRAIN_CHUNK_BYTES = 1 << 20
PIECE_BYTES = 1 << 20

# Under these keys of an environ a plane leaves the id that the client gets, and the caller's account.
REQUEST_ID, ACCOUNT = "ecr_emu.request_id", "ecr_emu.account"

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class FileRange:
    """`length` bytes of a file from `first` on, as the body of an answer.

    Our server has the file sent without Python; for another one it is an iterable of pieces.
    """

    def __init__(self, path: Path, first: int, length: int) -> None:
        self.path = path
        self.first = first
        self.length = length

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.first)
            left = self.length
            while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                yield piece


@dataclass(slots=True)
class Response:
    """What goes back. `body` is whole, or an iterable whose length the headers give."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | Iterable[bytes] = b""


def new_request_id() -> str:
    """32 hexadecimal digits. They tell requests apart and are no secret, so the quick generator will do."""
    return f"{random.getrandbits(128):032x}"


def respond(response: Response, start_response: StartResponse) -> Iterable[bytes]:
    """Hand a response to the server."""
    headers = response.headers
    body = response.body
    if isinstance(body, bytes):
        # A HEAD response has no body and says how long it would be.
        if response.status != HTTPStatus.NO_CONTENT and not any(n == "Content-Length" for n, _ in headers):
            headers = [*headers, ("Content-Length", str(len(body)))]
        body = [body]
    start_response(_STATUS_LINES[response.status], headers)
    return body


def fail(problem: Exception, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer for a part of the server that failed before it could answer by itself, in AWS's shape."""
    request_id = environ[REQUEST_ID] = new_request_id()
    error = errors.of_failure(problem, request_id)
    content = json.dumps({"__type": error.code, "message": error.message}).encode()
    headers = [("Content-Type", "application/json"), ("x-amzn-RequestId", request_id), *error.headers]
    drain(environ)
    return respond(Response(error.status, headers, content), start_response)


def content_length(environ: Environ) -> int | None:
    """The announced length of the body; None when it comes in chunks or nothing was said."""
    text = environ.get("CONTENT_LENGTH") or environ.get("HTTP_CONTENT_LENGTH") or ""
    # int() refuses some thousands of digits; no body has more bytes than 18 of them say.
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 18 else None


def announced(headers: Iterable[tuple[str, str]]) -> int | None:
    """The Content-Length of an answer; None when it does not say."""
    for name, value in headers:
        if name == "Content-Length":
            return int(value)
    return None


def read_body(environ: Environ, limit: int) -> bytes:
    """The whole body, of at most `limit` bytes. A body that ends early is an error."""
    length = content_length(environ)
    if length is not None and length > limit:
        raise errors.request_too_large(limit)
    chunks, size = [], 0
    # One byte more than allowed tells a body that is too long from one that just fits.
    while size <= limit and (chunk := environ["wsgi.input"].read(limit + 1 - size)):
        chunks.append(chunk)
        size += len(chunk)
    if size > limit:
        raise errors.request_too_large(limit)
    if length is not None and size < length:
        raise errors.serialization(f"The request body ended after {size} of {length} bytes")
    return b"".join(chunks)


def drain(environ: Environ) -> None:
    """Read what an answer left of the body: a client that finds the connection closed while it sends
    never gets to see the answer. One that waits for 100 Continue has not sent any, and shall not.
    """
    has_body = content_length(environ) or "HTTP_TRANSFER_ENCODING" in environ
    left = MAX_DRAIN_BYTES if has_body and "HTTP_EXPECT" not in environ else 0
    while left > 0 and (chunk := environ["wsgi.input"].read(min(left, DRAIN_CHUNK_BYTES))):
        left -= len(chunk)


def client(environ: Environ) -> Client:
    """Where the request came from. No header changes the address: anybody can send one."""
    return Client(
        environ.get("REMOTE_ADDR", ""),
        environ.get("HTTP_USER_AGENT", ""),
        environ.get("wsgi.url_scheme") == "https",
    )


def origin(environ: Environ, emulator: "Emulator") -> str:
    """The http://host:port under which the client reached this server."""
    host = environ.get("HTTP_HOST") or f"localhost:{emulator.hosts.port}"
    return f"{environ.get('wsgi.url_scheme', 'http')}://{host}"
