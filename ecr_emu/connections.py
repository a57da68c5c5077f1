"""Which descriptor of this process is the connection on which a request came.

granian has the connections and tells nobody. The kernel knows both ends of each descriptor, and when its last
bytes came.
"""

import errno
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Descriptors under which clients were found lately; the next one has one of them, as a rule.
REMEMBERED = 32
# The last bytes of a connection came with the request: so much later at most (the kernel counts in steps of
# some milliseconds), and so much earlier, when the request had to wait for its turn.
LATER_SECONDS, EARLIER_SECONDS = 0.01, 0.25

# tcpi_last_data_recv of Linux's struct tcp_info, in milliseconds; the struct only ever grows at its end.
_TCP_INFO = getattr(socket, "TCP_INFO", None)
_LAST_DATA_RECV = struct.Struct("@52xI")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - looked for, not bound


class Connections:
    """The connections of this process, which granian has, by those at their other ends."""

    def __init__(self, addresses: frozenset[tuple[str, int]]) -> None:
        self._addresses = addresses
        # A client may have one port for two connections to two addresses of the machine.
        self._is_everywhere = any(host in _EVERYWHERE for host, _ in addresses)
        self._remembered: deque[int] = deque(maxlen=REMEMBERED)

    def find(self, client: str, taken: float) -> socket.socket:
        """A descriptor of our own for the connection on which a request came. Raises OSError if not sure."""
        if _TCP_INFO is None or socket.getdefaulttimeout() is not None:
            # With a default timeout, looking at a descriptor would change it.
            raise OSError("the system does not tell enough of its connections")
        found: list[tuple[int, socket.socket]] = []
        for number in self._numbers():
            # The listing's own descriptor is among them, and its number may be that of our copy by now.
            if any(number == link.fileno() for _, link in found):
                continue
            if _peer(number) == client and (link := self._own(number, client, taken)):
                found.append((number, link))
                if not self._is_everywhere:
                    break
        if len(found) != 1:
            for _, link in found:
                link.close()
            raise OSError(f"{len(found)} connections of {client} were found")
        number, link = found[0]
        if number not in self._remembered:
            self._remembered.append(number)
        link.setblocking(False)
        return link

    def _numbers(self) -> Iterator[int]:
        if not self._is_everywhere:
            yield from tuple(self._remembered)
        yield from [int(entry.name) for entry in Path("/dev/fd").iterdir()]

    def _own(self, number: int, client: str, taken: float) -> socket.socket | None:
        """A copy of the descriptor, if it is the one."""
        try:
            copy = os.dup(number)
        except OSError as problem:
            if problem.errno != errno.EBADF:
                raise
            return None
        try:
            link = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            return None
        # It could have been closed, and its number be another's, before it was ours: looked at again.
        if _address(link) == client and self._is_ours(link) and _heard_at(link, taken):
            return link
        link.close()
        return None

    def _is_ours(self, link: socket.socket) -> bool:
        host, port = link.getsockname()[:2]
        return any(port == ours and where in (host, *_EVERYWHERE) for where, ours in self._addresses)


def _heard_at(link: socket.socket, taken: float) -> bool:
    """Whether the last bytes came when the request did.

    Else its client is gone, and another has got its port; or it has asked for something else meanwhile.
    """
    known = link.getsockopt(socket.IPPROTO_TCP, _TCP_INFO or 0, _LAST_DATA_RECV.size)
    (milliseconds,) = _LAST_DATA_RECV.unpack(known)
    early = milliseconds / 1000 - (time.monotonic() - taken)
    return bool(-LATER_SECONDS <= early <= EARLIER_SECONDS)


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
