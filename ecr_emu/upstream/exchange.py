"""One request to another server and its answer, with the standard library's http.client.

Nothing is believed: not that the server is quick, not that an answer ends, not that a redirect leads to a
place that we may ask (docs/decisions/0014-pull-through.md).
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ecr_emu import __version__
from ecr_emu.upstream import addresses
from ecr_emu.upstream.addresses import Url
from ecr_emu.upstream.problems import unavailable

MAX_REDIRECTS = 5
# A body must bring so much in each period of the timeout.
LEAST_BYTES = 64 * 1024
READ_BYTES = 256 * 1024
USER_AGENT = f"ecr-emu/{__version__}"


class Pace:
    """How long the other side may take: at first for the head of its answer, then for each bit of body."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends_at = time.monotonic() + seconds
        self._is_flowing = False
        self._window_bytes = 0

    def left(self) -> float:
        """Seconds that are left, or TimeoutError."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def flow(self) -> None:
        """From now on the time is as long as bytes keep coming."""
        self._is_flowing = True
        self._restart()

    def note(self, size: int) -> None:
        self._window_bytes += size
        if self._is_flowing and self._window_bytes >= LEAST_BYTES:
            self._restart()

    def _restart(self) -> None:
        self._ends_at = time.monotonic() + self._seconds
        self._window_bytes = 0


@dataclass
class Manners:
    """How we ask: how long we wait, and whether redirects may lead to private addresses."""

    timeout_seconds: float = 30.0
    allows_private: bool = False

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


@dataclass
class Answer:
    """The head of an answer, with names in lower case, and its body, which is read once, bit by bit."""

    status: int
    headers: Mapping[str, str]
    url: str
    _response: http.client.HTTPResponse = field(repr=False)
    _pace: Pace = field(repr=False)
    _connection: "_Connection" = field(repr=False)
    _left: int | None = None

    @property
    def length(self) -> int | None:
        """The announced length of the body; None when it comes in chunks or until the connection ends."""
        text = self.headers.get("content-length", "")
        is_plain = "transfer-encoding" not in self.headers
        return int(text) if is_plain and text.isascii() and text.isdecimal() and len(text) < 19 else None

    def begin(self) -> None:
        """The body is long: it has all the time that it needs, as long as it keeps coming."""
        self._pace.flow()

    def read(self, size: int = READ_BYTES) -> bytes:
        """Some bytes of the body, b"" at its end. Raises UpstreamProblem when it ends too early."""
        if self._left is None:
            self._left = self.length
        # Counted here: what goes beyond the announced length is never looked at.
        wanted = size if self._left is None or "transfer-encoding" in self.headers else min(size, self._left)
        if not wanted:
            return b""
        try:
            chunk = self._response.read1(wanted)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise unavailable(f"the upstream registry {_words(error)}") from None
        if self._left is not None:
            if not chunk:
                raise unavailable("the upstream registry ended its answer too early")
            self._left -= len(chunk)
        return chunk

    def read_all(self, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes."""
        chunks, size = [], 0
        while chunk := self.read(limit + 1 - size):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise unavailable(f"the upstream registry answered with more than {limit} bytes")
        return b"".join(chunks)

    def close(self) -> None:
        self._connection.end()


def ask(
    method: str,
    url: Url,
    headers: Mapping[str, str],
    manners: Manners,
    host: str | None = None,
    *,
    is_trusted: bool = True,
) -> Answer:
    """The answer behind all redirects. Raises UpstreamProblem when there is none.

    `url` is where the user has said that the registry is, so it may be anywhere; `is_trusted` is False where
    somebody else has said it. A redirect may lead to another server only without the login, not from https
    to http, and not to a private address. `host` stands in the Host header of the first server.
    """
    pace = Pace(manners.timeout_seconds)
    first, sent = url, dict(headers)
    for _ in range(MAX_REDIRECTS + 1):
        is_first_server = url.origin == first.origin
        if not is_first_server:
            sent = {name: value for name, value in sent.items() if name != "Authorization"}
        names = host if is_first_server and host else url.authority
        answer = _once(
            method, url, {**sent, "Host": names}, pace, manners, is_trusted=is_trusted and is_first_server
        )
        if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
            return answer
        answer.close()
        url = _next(url, answer.headers["location"])
    raise unavailable(f"the upstream registry redirected more than {MAX_REDIRECTS} times")


def check_elsewhere(url: Url, asked: Url) -> None:
    """UpstreamProblem when a server that was asked over https sends us to http."""
    if asked.scheme == "https" and url.scheme != "https":
        raise unavailable(f"the upstream registry led from https to {url.origin}, which is not followed")


def _next(url: Url, location: str) -> Url:
    try:
        target = addresses.join(url, location)
    except ValueError:
        raise unavailable("the upstream registry redirected to something that is no URL") from None
    check_elsewhere(target, url)
    return target


def _once(
    method: str, url: Url, headers: Mapping[str, str], pace: Pace, manners: Manners, *, is_trusted: bool
) -> Answer:
    connection = _Connection(url, pace, manners, is_trusted=is_trusted)
    try:
        connection.putrequest(method, url.target, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "User-Agent": USER_AGENT, "Connection": "close"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.end()
        raise unavailable(f"{url.origin} {_words(error)}") from None
    except BaseException:
        connection.end()
        raise
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, str(url), response, pace, connection)


class _Connection(http.client.HTTPConnection):
    """A connection that looks at the address before it connects, and keeps to the pace."""

    def __init__(self, url: Url, pace: Pace, manners: Manners, *, is_trusted: bool) -> None:
        super().__init__(url.host, url.port)
        self._url = url
        self._pace = pace
        self._manners = manners
        self._may_be_private = is_trusted or manners.allows_private
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        self._socket = self._dial()
        if self._url.scheme == "https":
            self._socket.settimeout(self._pace.left())
            self._socket = self._manners.tls.wrap_socket(self._socket, server_hostname=self._url.host)
        self.sock = _Wire(self._socket, self._pace)

    def end(self) -> None:
        """Close the connection, whatever is still under way on it."""
        if self._socket is not None:
            self._socket.close()

    def _dial(self) -> socket.socket:
        """A connection to one of the addresses of the host; what was looked at is what is connected to."""
        problem: Exception = OSError("has no address")
        for family, kind, protocol, _, place in socket.getaddrinfo(
            self._url.host, self._url.port, type=socket.SOCK_STREAM
        ):
            if not self._may_be_private and addresses.is_private(str(place[0])):
                raise unavailable(
                    f"the upstream registry led to {self._url.origin}, which is a private address; "
                    "--upstream-private lets it"
                )
            dialled = socket.socket(family, kind, protocol)
            try:
                dialled.settimeout(self._pace.left())
                dialled.connect(place)
            except OSError as error:
                dialled.close()
                problem = error
            else:
                return dialled
        raise problem


class _Wire:
    """What http.client needs of a socket; every wait is cut short by the pace."""

    def __init__(self, wire: socket.socket, pace: Pace) -> None:
        self._socket = wire
        self._pace = pace

    def sendall(self, content: bytes) -> None:
        self._socket.settimeout(self._pace.left())
        self._socket.sendall(content)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._socket, self._pace))

    def close(self) -> None:
        """http.client closes before the body is read; `_Connection.end` closes."""


class _Reader(io.RawIOBase):
    def __init__(self, wire: socket.socket, pace: Pace) -> None:
        self._socket = wire
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._pace.left())
        size = self._socket.recv_into(buffer)
        self._pace.note(size)
        return size


def _words(error: Exception) -> str:
    """What went wrong, in words that quote nothing the other side sent."""
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, socket.gaierror):
        return "has no address: the name is not known"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has no certificate that can be trusted ({error.verify_message})"
    if isinstance(error, OSError):
        return f"cannot be reached ({error.strerror or type(error).__name__})"
    return f"does not speak HTTP as it should ({type(error).__name__})"
