"""Sending the bytes of a file to a client by the kernel alone (sendfile).

granian reads a file 128 KiB at a time, each piece on another thread: of a large layer that costs more than
anything else. So a large answer is written to the client's socket from here. granian, which has the
connection, knows nothing of it; in the end the connection is closed, as the head of the answer says, and
granian finds that it is.

One thread serves all downloads: a slow client costs two descriptors and no thread.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from ecr_emu.wsgi import FileRange

# What is sent of one file before the next one's turn.
TURN_BYTES = 2 << 20
# A thread without a download ends after so long.
IDLE_SECONDS = 30.0
# How long the end of a connection waits for the client's: closing at once could cut off what it did not read
# yet, if it had sent something meanwhile.
LINGER_SECONDS = 5.0
LOOK_SECONDS = 1.0
# Descriptors under which clients were found lately; the next one has one of them, as a rule.
REMEMBERED = 32

# Linux has it.
_MORE_FOLLOWS = getattr(socket, "MSG_MORE", 0)

log = logging.getLogger(__name__)


class Download(NamedTuple):
    """One answer. `release` gives the request back to granian, `fall_back` has granian send the file."""

    client: str
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
        self._file = os.open(body.path, os.O_RDONLY | os.O_CLOEXEC)

    def send(self) -> bool:
        """Send what goes at once; whether there is more. Raises OSError when the client has left."""
        with contextlib.suppress(BlockingIOError):
            if self._head:
                # The head travels with the first bytes of the file.
                self._head = self._head[self.link.send(self._head, _MORE_FOLLOWS) :]
            if not self._head:
                sent = os.sendfile(self.link.fileno(), self._file, self._offset, min(self._left, TURN_BYTES))
                if not sent:
                    raise OSError(f"{self._path} ended {self._left} bytes too early")
                self._offset += sent
                self._left -= sent
        return self._left > 0

    def close(self) -> None:
        os.close(self._file)
        self.link.close()


@dataclass(eq=False)
class FileSender:
    """Sends files to the clients of some ports of this process."""

    ports: frozenset[int]
    _new: deque[Download] = field(default_factory=deque)
    _sending: set[_Transfer] = field(default_factory=set)
    _lingering: set[_Transfer] = field(default_factory=set)
    _is_running: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _wake: socket.socket | None = None
    _remembered: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def take(self, download: Download) -> None:
        """Send it from now on. Raises RuntimeError when there is no thread for it.

        The thread is none of those that answer requests: when all of them wait, what is sent goes on.
        """
        with self._changed:
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
        """Let the downloads come to their end for so long, then cut them off."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._new or self._sending), seconds)
            for transfer in self._sending:
                with contextlib.suppress(OSError):
                    transfer.link.shutdown(socket.SHUT_RDWR)

    def _loop(self) -> None:
        try:
            self._serve()
        except BaseException:
            # No descriptor for it, as a rule. The next download begins anew.
            self._abandon()
            raise

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
        for download in waiting:
            download.fall_back()
        for transfer in begun:
            with contextlib.suppress(OSError):
                transfer.link.shutdown(socket.SHUT_RDWR)
            transfer.close()
            transfer.release()

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """One look at all downloads; whether there shall be another."""
        self._begin_new(selector)
        is_idle = not (self._sending or self._lingering)
        events = selector.select(IDLE_SECONDS if is_idle else LOOK_SECONDS)
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
        # One is taken from the queue when it is under way: `finish` must see it all the time.
        while self._new:
            download = self._new[0]
            try:
                transfer = self._begin(download)
            except Exception as problem:  # noqa: BLE001 - granian can send it all the same
                log.debug("a file is left to granian: %s", problem)
                download.fall_back()
                self._note(self._new.popleft)
            else:
                self._sending.add(transfer)
                self._new.popleft()
                selector.register(transfer.link, selectors.EVENT_WRITE, transfer)
                self._advance(selector, transfer)

    def _begin(self, download: Download) -> _Transfer:
        link = self._link(download.client)
        if link is None:
            raise OSError(f"the connection of {download.client} was not found")
        try:
            return _Transfer(download, link)
        except BaseException:
            link.close()
            raise

    def _advance(self, selector: selectors.BaseSelector, transfer: _Transfer) -> None:
        try:
            if transfer.send():
                return
            transfer.link.shutdown(socket.SHUT_WR)
        except OSError as problem:
            log.debug("a file was not sent to its end: %s", problem)
            self._end(selector, transfer)
        else:
            selector.modify(transfer.link, selectors.EVENT_READ, transfer)
            transfer.ends_at = time.monotonic() + LINGER_SECONDS
            self._lingering.add(transfer)
            self._note(lambda: self._sending.remove(transfer))
            transfer.release()

    def _listen(self, selector: selectors.BaseSelector, transfer: _Transfer) -> None:
        """Throw away what still comes, until the client has closed its end."""
        try:
            if transfer.link.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end(selector, transfer)

    def _give_up(self, selector: selectors.BaseSelector) -> None:
        if self._lingering:
            now = time.monotonic()
            for transfer in [each for each in self._lingering if each.ends_at < now]:
                self._end(selector, transfer)

    def _end(self, selector: selectors.BaseSelector, transfer: _Transfer) -> None:
        """Close the connection, whatever has been sent."""
        selector.unregister(transfer.link)
        with contextlib.suppress(OSError):
            transfer.link.shutdown(socket.SHUT_RDWR)
        transfer.close()
        if transfer in self._lingering:
            self._lingering.remove(transfer)
        else:
            self._note(lambda: self._sending.remove(transfer))
            transfer.release()

    def _note(self, change: Callable[[], object]) -> None:
        """Change what `finish` waits for."""
        with self._changed:
            change()
            self._changed.notify_all()

    def _link(self, client: str) -> socket.socket | None:
        """A descriptor of our own for the connection of the client at this address and port."""
        for number in self._descriptors():
            if _peer(number) == client and (link := self._own(number, client)):
                if number not in self._remembered:
                    self._remembered.append(number)
                return link
        return None

    def _descriptors(self) -> Iterator[int]:
        yield from tuple(self._remembered)
        # The kernel's listing; it holds the descriptor of the listing itself, which is closed by then.
        yield from [int(entry.name) for entry in Path("/dev/fd").iterdir()]

    def _own(self, number: int, client: str) -> socket.socket | None:
        # It could have been closed, and its number be another's, before it was ours: looked at again.
        link = socket.socket(fileno=os.dup(number))
        if _address(link) == client and link.getsockname()[1] in self.ports:
            link.setblocking(False)
            return link
        link.close()
        return None


def _peer(number: int) -> str | None:
    """Who is at the other end of a descriptor, if it is one of a connection."""
    try:
        # Room for the address of any family; the address says which it is.
        link = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, number)
    except OSError:
        return None
    try:
        return _address(link)
    finally:
        link.detach()


def _address(link: socket.socket) -> str | None:
    """As granian writes it: 127.0.0.1:80, [::1]:80."""
    try:
        name: Any = link.getpeername()
    except OSError:
        return None
    if not isinstance(name, tuple) or len(name) < 2:
        return None
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """The head of an answer after which the connection is closed (RFC 9112)."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name.lower()}: {value}" for name, value in headers]
    lines += ["server: granian", f"date: {formatdate(usegmt=True)}", "connection: close"]
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError("a header has a line break in it")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
