"""Sending the bytes of a file to a client by the kernel alone (sendfile).

granian reads a file 128 KiB at a time, each piece on another thread: of a large layer that costs more than
anything else. So a large answer is written to the client's socket from here. granian, which has the
connection, knows nothing of it; in the end the connection is closed, as the head of the answer says, and
granian finds that it is. Whatever is not sure is left to granian (docs/decisions/0023-downloads.md).

One thread serves all downloads: a slow client costs two descriptors and no thread.
"""

import contextlib
import errno
import logging
import os
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

from ecr_emu.connections import Connections
from ecr_emu.wsgi import FileRange

# What is sent of one file before the next one's turn.
TURN_BYTES = 2 << 20
# The same where the kernel cannot send from the file, so that it comes through this process.
COPIED_BYTES = 256 << 10
# A thread without a download ends after so long.
IDLE_SECONDS = 30.0
# How long the end of a connection waits for the client's: closing at once could cut off what it did not read
# yet, if it had sent something meanwhile.
LINGER_SECONDS = 5.0
LOOK_SECONDS = 1.0

_CANNOT_SEND_FROM_IT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
# Linux has it.
_MORE_FOLLOWS = getattr(socket, "MSG_MORE", 0)

log = logging.getLogger(__name__)


class Download(NamedTuple):
    """One answer. `release` gives the request back to granian, `fall_back` has granian send the file.

    `taken` is when the request came, by the monotonic clock.
    """

    client: str
    taken: float
    status: int
    headers: list[tuple[str, str]]
    body: FileRange
    release: Callable[[], None]
    fall_back: Callable[[], None]


class _Transfer:
    """A download on its way. Raises OSError when the file cannot be opened."""

    def __init__(self, download: Download, link: socket.socket) -> None:
        body = download.body
        self.release = download.release
        self.link = link
        self.ends_at = 0.0
        self._path, self._offset, self._left = body.path, body.first, body.length
        self._head = _head(download.status, download.headers)
        self._is_copied = False
        self._file = os.open(body.path, os.O_RDONLY | os.O_CLOEXEC)

    def send(self) -> bool:
        """Send what goes at once; whether there is more. Raises OSError when the client has left."""
        with contextlib.suppress(BlockingIOError):
            if self._head:
                # The head travels with the first bytes of the file.
                self._head = self._head[self.link.send(self._head, _MORE_FOLLOWS) :]
            if not self._head:
                sent = self._send_from_file(min(self._left, TURN_BYTES))
                self._offset += sent
                self._left -= sent
        return self._left > 0

    def _send_from_file(self, count: int) -> int:
        if not self._is_copied:
            try:
                sent = os.sendfile(self.link.fileno(), self._file, self._offset, count)
            except OSError as problem:
                if problem.errno not in _CANNOT_SEND_FROM_IT:
                    raise
                self._is_copied = True
        if self._is_copied:
            piece = os.pread(self._file, min(count, COPIED_BYTES), self._offset)
            sent = self.link.send(piece) if piece else 0
        if not sent:
            raise OSError(f"{self._path} ended {self._left} bytes too early")
        return sent

    def close(self) -> None:
        os.close(self._file)
        self.link.close()


class FileSender:
    """Sends files to the clients of some addresses of this process, each a host and a port."""

    def __init__(self, addresses: frozenset[tuple[str, int]]) -> None:
        self._connections = Connections(addresses)
        self._new: deque[Download] = deque()
        self._sending: set[_Transfer] = set()
        self._lingering: set[_Transfer] = set()
        self._is_running = False
        self._is_stopping = False
        self._changed = threading.Condition()
        self._wake: socket.socket | None = None

    def take(self, download: Download) -> None:
        """Send it from now on. Raises RuntimeError when there is no thread for it, or the server stops.

        The thread is none of those that answer requests: when all of them wait, what is sent goes on.
        """
        with self._changed:
            if self._is_stopping:
                raise RuntimeError("the server is being stopped")
            self._new.append(download)
            if self._wake is not None:
                with contextlib.suppress(BlockingIOError):
                    self._wake.send(b"x")
            elif not self._is_running:
                try:
                    threading.Thread(target=self._loop, name="files", daemon=True).start()
                except RuntimeError:
                    self._new.remove(download)
                    raise
                self._is_running = True

    def finish(self, seconds: float) -> None:
        """Take no more, let the downloads come to their end for so long, then cut them off."""
        with self._changed:
            self._is_stopping = True
            self._changed.wait_for(lambda: not (self._new or self._sending), seconds)
            for transfer in tuple(self._sending):
                with contextlib.suppress(OSError):
                    transfer.link.shutdown(socket.SHUT_RDWR)

    def _loop(self) -> None:
        # A client that leaves is an error here, and no reason to end the program.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        try:
            self._serve()
        except Exception:
            # No descriptor for it, as a rule. The next download begins anew.
            log.exception("downloads were cut off")
            self._abandon()

    def _serve(self) -> None:
        """Serve downloads until there has been none for a while."""
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        with reader, writer, selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            with self._changed:
                self._wake = writer
            while self._turn(selector):
                pass

    def _abandon(self) -> None:
        """Leave nothing behind."""
        with self._changed:
            self._is_running, self._wake = False, None
            begun, waiting = [*self._sending, *self._lingering], [*self._new]
            self._sending.clear()
            self._lingering.clear()
            self._new.clear()
            self._changed.notify_all()
        for transfer in begun:
            _end(transfer)
        for download in waiting:
            _fall_back(download)

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """One look at all downloads; whether there shall be another."""
        # One at a time: those under way are not held up by many that begin.
        if self._new:
            self._begin_new(selector)
        is_idle = not (self._new or self._sending or self._lingering)
        seconds = 0 if self._new else IDLE_SECONDS if is_idle else LOOK_SECONDS
        events = selector.select(seconds)
        for key, _ in events:
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(4096)  # type: ignore[union-attr]
            elif key.data in self._sending:
                self._advance(selector, key.data)
            else:
                self._listen(selector, key.data)
        self._give_up(selector)
        if events or not is_idle:
            return True
        with self._changed:
            if self._new:
                return True
            # Under the same lock: who comes after this starts another thread.
            self._is_running, self._wake = False, None
            return False

    def _begin_new(self, selector: selectors.BaseSelector) -> None:
        # It is taken from the queue when it is under way: `finish` must see it all the time.
        download = self._new[0]
        try:
            transfer = self._begin(selector, download)
        except Exception as problem:  # noqa: BLE001 - granian can send it all the same
            log.debug("a file is left to granian: %s", problem)
            self._note(self._new.popleft)
            _fall_back(download)
        else:
            with self._changed:
                self._sending.add(transfer)
                self._new.popleft()
            self._advance(selector, transfer)

    def _begin(self, selector: selectors.BaseSelector, download: Download) -> _Transfer:
        link = self._connections.find(download.client, download.taken)
        transfer = None
        try:
            transfer = _Transfer(download, link)
            selector.register(link, selectors.EVENT_WRITE, transfer)
        except BaseException:
            if transfer is None:
                link.close()
            else:
                transfer.close()
            raise
        return transfer

    def _advance(self, selector: selectors.BaseSelector, transfer: _Transfer) -> None:
        try:
            if transfer.send():
                return
            transfer.link.shutdown(socket.SHUT_WR)
            selector.modify(transfer.link, selectors.EVENT_READ, transfer)
        except Exception as problem:  # noqa: BLE001 - of one download, whatever it is
            log.debug("a file was not sent to its end: %s", problem)
            self._close(selector, transfer)
        else:
            transfer.ends_at = time.monotonic() + LINGER_SECONDS
            self._lingering.add(transfer)
            self._note(lambda: self._sending.remove(transfer))
            _call(transfer.release)

    def _listen(self, selector: selectors.BaseSelector, transfer: _Transfer) -> None:
        """Throw away what still comes, until the client has closed its end."""
        try:
            if transfer.link.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close(selector, transfer)

    def _give_up(self, selector: selectors.BaseSelector) -> None:
        if self._lingering:
            now = time.monotonic()
            for transfer in [each for each in self._lingering if each.ends_at < now]:
                self._close(selector, transfer)

    def _close(self, selector: selectors.BaseSelector, transfer: _Transfer) -> None:
        """Close the connection, whatever has been sent."""
        with contextlib.suppress(KeyError, OSError):
            selector.unregister(transfer.link)
        self._lingering.discard(transfer)
        self._note(lambda: self._sending.discard(transfer))
        _end(transfer)

    def _note(self, change: Callable[[], object]) -> None:
        """Change what `finish` waits for."""
        with self._changed:
            change()
            self._changed.notify_all()


def _end(transfer: _Transfer) -> None:
    # First of all: granian must not write to a connection on which a file was begun.
    with contextlib.suppress(OSError):
        transfer.link.shutdown(socket.SHUT_RDWR)
    transfer.close()
    _call(transfer.release)


def _fall_back(download: Download) -> None:
    if not _call(download.fall_back):
        _call(download.release)


def _call(do: Callable[[], None]) -> bool:
    """Hand a request back to granian: what goes wrong with one is no reason to end the others."""
    try:
        do()
    except BaseException:
        log.exception("an answer could not be handed to granian")
        return False
    return True


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """The head of an answer after which the connection is closed (RFC 9112)."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name.lower()}: {value}" for name, value in headers]
    lines += ["server: granian", f"date: {formatdate(usegmt=True)}", "connection: close"]
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError("a header has a line break in it")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
