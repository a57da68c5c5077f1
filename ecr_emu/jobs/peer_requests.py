"""HTTP with an emulator that plays a region: one connection, short answers, and an end to all waiting.

Nothing of a request is logged: it may hold a login. Redirects are not followed.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from ecr_emu.domain.region_endpoints import address
from ecr_emu.jobs.carriers import NotNow

# How long one step of a connection may take, and how long a whole answer.
STEP_SECONDS = 30.0
ANSWER_SECONDS = 60.0
# No answer that we want is longer.
MAX_ANSWER_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024

UNREACHABLE = "DestinationUnreachable"
TIMED_OUT = "DestinationTimedOut"
SENSELESS = "DestinationAnswerInvalid"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is sent: bytes, or a file of so many bytes."""

    size_bytes: int
    data: bytes = b""
    file: BinaryIO | None = None

    def chunks(self) -> Iterator[bytes]:
        if self.file is None:
            yield self.data
            return
        left = self.size_bytes
        while left > 0:
            chunk = self.file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise OSError("the file of a blob is shorter than its row says")
            left -= len(chunk)
            yield chunk


NOTHING = Content(0)


class Line:
    """A connection to one endpoint, opened when it is needed."""

    def __init__(self, url: str) -> None:
        self._is_secure, self._host, self.port = address(url)
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, headers: Mapping[str, str], content: Content = NOTHING) -> Answer:
        """One request. Raises NotNow; then it is not known whether it was done."""
        was_open = self._connection is not None
        try:
            return self._ask(method, path, headers, content)
        except (ConnectionError, http.client.BadStatusLine):
            # The other side lets go of connections that nobody uses. Once more, on a new one.
            self.close()
            if not was_open or content.file is not None:
                raise NotNow(UNREACHABLE, is_general=True) from None
        except TimeoutError:
            self.close()
            raise NotNow(TIMED_OUT, is_general=True) from None
        except OSError:
            self.close()
            raise NotNow(UNREACHABLE, is_general=True) from None
        except (http.client.HTTPException, ValueError):
            self.close()
            raise NotNow(SENSELESS, is_general=True) from None
        return self.ask(method, path, headers, content)

    def close(self) -> None:
        """Let go of the connection. Another thread may do it: then a request that runs has failed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _ask(self, method: str, path: str, headers: Mapping[str, str], content: Content) -> Answer:
        connection = self._connection = self._connection or self._connect()
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if method != "HEAD":
            connection.putheader("Content-Length", str(content.size_bytes))
        connection.endheaders()
        # One that refuses may hang up before it has read all: its answer says why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for chunk in content.chunks():
                connection.send(chunk)
        with self._within(connection):
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES)
            if response.will_close or not response.isclosed():
                self.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        return kind(self._host, self.port, timeout=STEP_SECONDS)

    @contextlib.contextmanager
    def _within(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Inside, an answer that drips in for ever is cut off."""
        is_late = threading.Event()

        def cut() -> None:
            is_late.set()
            sock = connection.sock
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(ANSWER_SECONDS, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception:
            if is_late.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        if is_late.is_set():
            raise TimeoutError
