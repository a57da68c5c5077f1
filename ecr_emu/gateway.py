"""Between granian and the WSGI application: what is quick runs on granian's one thread, the rest elsewhere.

granian's RSGI worker calls `schedule` for each request on one thread of Python. A request without a body, or
with a small one that granian has collected, is answered right there if the application calls it quick. All
else goes to a thread of its own: what writes, what brings or streams bytes, and what turned out to have to
wait (waiting.py). The bytes of a file are sent without any Python: a large one's by the kernel
(file_sender.py), a smaller one's by granian.
"""

import contextlib
import errno
import functools
import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_emu.request_body import Body
from ecr_emu.threads import Threads
from ecr_emu.waiting import MustWait, without_waiting
from ecr_emu.wsgi import Environ, FileRange, StartResponse, announced

if TYPE_CHECKING:
    from ecr_emu.file_sender import FileSender

Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

# A body up to this size is collected before the application is called.
SMALL_BODY_BYTES = 64 * 1024
# Names of headers that are remembered in their form of WSGI.
MAX_HEADER_NAMES = 1024
# A file of this size is worth a connection that ends with it.
LARGE_FILE_BYTES = 2 << 20
# Under these keys of an environ are the client's address and port, and when the request came.
CLIENT, TAKEN = "ecr_emu.client", "ecr_emu.taken"
# How long granian may take to open the pipe of an answer; of a client that is gone it never does.
PIPE_SECONDS = 5.0
PIPE_POLL_SECONDS = (0.001, 0.1)

_SAME: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "Granian",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": False,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}
_PLAIN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}

log = logging.getLogger(__name__)


class Gateway:
    """One application and the threads that run it. `is_quick` judges by the environ, without reading."""

    def __init__(
        self,
        application: Wsgi,
        is_quick: Callable[[Environ], bool],
        threads: Threads,
        addresses: frozenset[tuple[str, int]],
    ) -> None:
        self._application = application
        self._is_quick = is_quick
        self._threads = threads
        self._addresses = addresses
        # Pipes of answers that are being sent, by the descriptor of our end.
        self._pipes: set[int] = set()
        # Where they lead when the server stops: opened while there are descriptors.
        self._nowhere = -1
        self._is_stopping = False
        self._is_sending_files = True
        self._changed = threading.Condition()

    def finish_files(self, seconds: float) -> None:
        """Let files come to their end for so long, then cut them off. granian sends those that come later."""
        self._is_sending_files = False
        if "_files" in vars(self):
            self._files.finish(seconds)

    def end_pipes(self, seconds: float) -> None:
        """Let answers in pieces come to their end for so long, then cut them off.

        To be called before granian is stopped: it waits for those who read from a pipe, with Python's lock in
        its hands, so that nobody could write to it any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._pipes, seconds)
            self._is_stopping = True
            for pipe in self._pipes:
                # The descriptor stays the writer's.
                os.dup2(self._nowhere, pipe)
            if self._nowhere >= 0:
                os.close(self._nowhere)
                self._nowhere = -1

    @functools.cached_property
    def _files(self) -> "FileSender":
        # Most servers never send a large file, and no start waits for this.
        from ecr_emu.file_sender import FileSender

        # One alone, whoever asks first: `finish_files` waits for it.
        with self._changed:
            made: FileSender = vars(self).setdefault("_files", FileSender(self._addresses))
            return made

    def schedule(self, watcher: Any) -> None:
        """Take a request from granian. Never raises: that would end granian's thread."""
        try:
            protocol = watcher.proto
            environ = environ_of(watcher.scope)
            size = _size_of_body(environ)
            if size is None or size > SMALL_BODY_BYTES or not self._is_quick(environ):
                _add_unreadable(environ, watcher.scope)
                environ["wsgi.input"] = Body(protocol) if size != 0 else io.BytesIO()
                self._threads.run(functools.partial(self._answer, protocol, environ))
            elif size:
                # granian sets the future on this same thread.
                protocol().add_done_callback(functools.partial(self._with_body, protocol, environ))
            else:
                environ["wsgi.input"] = io.BytesIO()
                self._answer_at_once(protocol, environ, b"")
        except RuntimeError as problem:
            log.warning("a request could not be taken: %s", problem)
            _fail(watcher.proto, HTTPStatus.SERVICE_UNAVAILABLE, ("Retry-After", "1"))
        except Exception:
            log.exception("a request could not be taken")
            _fail(watcher.proto)

    def _with_body(self, protocol: Any, environ: Environ, future: Any) -> None:
        try:
            body = future.result()
        except RuntimeError:
            # It ended too early, with the connection as a rule. What of it came is not told; the application
            # sees that it is less than was announced, and granian waits for an answer before it stops.
            body = b""
        environ["wsgi.input"] = io.BytesIO(body)
        self._answer_at_once(protocol, environ, body)

    def _answer_at_once(self, protocol: Any, environ: Environ, body: bytes) -> None:
        again = dict(environ)
        answer = _Answer()
        try:
            pieces = without_waiting(lambda: self._application(environ, answer))
            self._send(protocol, environ, answer, pieces)
        except MustWait:
            again["wsgi.input"] = io.BytesIO(body)
            self._threads.run(functools.partial(self._answer, protocol, again))
        except Exception:
            log.exception("a request failed")
            _fail(protocol)

    def _answer(self, protocol: Any, environ: Environ) -> None:
        """Call the application and hand its answer to granian, on a thread that may wait."""
        answer = _Answer()
        try:
            self._send(protocol, environ, answer, self._application(environ, answer))
        except Exception:
            log.exception("a request failed")
            _fail(protocol)

    def _send(self, protocol: Any, environ: Environ, answer: "_Answer", pieces: Iterable[bytes]) -> None:
        if isinstance(pieces, list):
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            protocol.response_bytes(answer.status, answer.headers, body)
        elif isinstance(pieces, FileRange):
            self._send_file(protocol, environ, answer, pieces)
        else:
            self._threads.run(functools.partial(self._send_pieces, protocol, answer, pieces))

    def _send_file(self, protocol: Any, environ: Environ, answer: "_Answer", body: FileRange) -> None:
        by_granian = functools.partial(_send_file_by_granian, protocol, answer, body)
        # Of HTTP/2, one connection carries several answers.
        is_fit = body.length >= LARGE_FILE_BYTES and environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        if not (is_fit and self._is_sending_files):
            by_granian()
            return
        # It has been answered by then, so this is not sent; granian learns that the connection has ended.
        release = functools.partial(_fail, protocol)
        try:
            from ecr_emu.file_sender import Download

            self._files.take(
                Download(
                    environ[CLIENT], environ[TAKEN], answer.status, answer.headers, body, release, by_granian
                )
            )
        except (ImportError, OSError, RuntimeError) as problem:
            log.debug("no descriptor or no thread for a large file: %s", problem)
            by_granian()

    def _send_pieces(self, protocol: Any, answer: "_Answer", pieces: Iterable[bytes]) -> None:
        """Send an answer of which the application makes piece after piece.

        granian would take any number of pieces into memory. A pipe, as the file that it is to send, takes as
        many as the client reads.
        """
        try:
            length = announced(answer.headers)
            if length is not None and length <= SMALL_BODY_BYTES:
                protocol.response_bytes(answer.status, answer.headers, b"".join(pieces))
            else:
                self._send_by_pipe(protocol, answer, pieces)
        except OSError as error:
            # The client has left, as a rule.
            log.debug("an answer was not sent to its end: %s", error)
        except Exception:
            log.exception("an answer was not sent to its end")
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
            # It does nothing when there was an answer.
            _fail(protocol)

    def _send_by_pipe(self, protocol: Any, answer: "_Answer", pieces: Iterable[bytes]) -> None:
        # It takes as long to import as a start has time for.
        import tempfile

        with tempfile.TemporaryDirectory(prefix="ecr-emu-answer-") as folder:
            path = Path(folder) / "pipe"
            os.mkfifo(path, 0o600)
            protocol.response_file(answer.status, answer.headers, str(path))
            pipe = _open_pipe(path)
        with self._writing(pipe):
            for piece in pieces:
                _write_all(pipe, piece)

    @contextlib.contextmanager
    def _writing(self, pipe: int) -> Iterator[None]:
        """While pieces are written to a pipe; it is closed in the end."""
        with self._changed:
            self._pipes.add(pipe)
        try:
            with self._changed:
                if self._is_stopping:
                    raise BrokenPipeError("the server is being stopped")
                if self._nowhere < 0:
                    self._nowhere = os.open(os.devnull, os.O_WRONLY)
            yield
        finally:
            with self._changed:
                self._pipes.discard(pipe)
                os.close(pipe)
                self._changed.notify_all()


class _Answer:
    """WSGI's start_response, which remembers what it is given."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        self.status = int(status[:3])
        self.headers = headers


def environ_of(scope: Any) -> Environ:
    """The environ of a request, without its body (PEP 3333)."""
    path = scope.path
    version = scope.http_version
    client = scope.client
    environ = {
        **_SAME,
        "SERVER_PROTOCOL": f"HTTP/{version}",
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": path if path.isascii() else path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": client.rpartition(":")[0].strip("[]"),
        CLIENT: client,
        TAKEN: time.monotonic(),
        "wsgi.url_scheme": scope.scheme,
    }
    for name, value in scope.headers.items():
        key = _header_key(name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if "HTTP_AUTHORIZATION" not in environ and "authorization" in scope.headers:
        _add_unreadable(environ, scope)
    if version == "2" and "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority or ""
    return environ


def _add_unreadable(environ: Environ, scope: Any) -> None:
    """Headers whose values are no ASCII, which granian leaves out: they were sent, and say nothing."""
    for name in list(scope.headers.keys()):
        environ.setdefault(_header_key(name), "")


@functools.lru_cache(maxsize=MAX_HEADER_NAMES)
def _header_key(name: str) -> str:
    return _PLAIN_NAMES.get(name) or "HTTP_" + name.upper().replace("-", "_")


def _size_of_body(environ: Environ) -> int | None:
    """How many bytes the body has; None when that is not known."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    text = environ.get("CONTENT_LENGTH")
    if text is None:
        # HTTP/2 needs no length; its GET ends with its headers all the same.
        return None if environ["SERVER_PROTOCOL"] == "HTTP/2" and environ["REQUEST_METHOD"] != "GET" else 0
    return int(text) if text.isdecimal() and text.isascii() else None


def _fail(protocol: Any, status: int = 500, *headers: tuple[str, str]) -> None:
    protocol.response_bytes(int(status), [("Content-Length", "0"), *headers], b"")


def _send_file_by_granian(protocol: Any, answer: "_Answer", body: FileRange) -> None:
    end = body.first + body.length
    protocol.response_file_range(answer.status, answer.headers, str(body.path), body.first, end)


def _open_pipe(path: Path) -> int:
    """The writing end, once granian has opened the other. Raises OSError when it does not."""
    deadline = time.monotonic() + PIPE_SECONDS
    pause, longest = PIPE_POLL_SECONDS
    while True:
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, longest)
        else:
            os.set_blocking(pipe, True)
            return pipe


def _write_all(descriptor: int, piece: bytes) -> None:
    # No file object: one that is forgotten writes what it still holds to whoever has the descriptor then.
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]
