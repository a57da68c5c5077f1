"""The body of a request as a file: granian brings it frame by frame, a thread reads it."""

import io
import threading
from collections import deque
from typing import Any

# What comes while the reader is busy waits in memory, up to this.
AHEAD_BYTES = 2 << 20
# A reader sleeps until so much has come: waking it for every frame costs more than the frame.
WAKE_BYTES = 256 << 10


class Body(io.RawIOBase):
    """A body that one thread reads. Nothing is asked of the client before the first read.

    A body that breaks off looks as if it ended: granian does not tell the two apart.
    """

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self._protocol = protocol
        self._frames: Any = None
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._is_asking = False
        self._has_ended = False
        self._changed = threading.Condition()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, and none at the end only; without a size all that is left."""
        if size < 0:
            return self.readall()
        enough = min(size, WAKE_BYTES)
        while True:
            with self._changed:
                if self._size >= enough or self._has_ended:
                    piece = self._take(size)
                    asks = self._may_ask()
                    break
                asks = self._may_ask()
                if not asks:
                    self._changed.wait()
            if asks:
                self._ask()
        if asks:
            self._ask()
        return piece

    def _may_ask(self) -> bool:
        """True for the one who is to ask for the next frame."""
        asks = not (self._is_asking or self._has_ended or self._size >= AHEAD_BYTES)
        self._is_asking |= asks
        return asks

    def _ask(self) -> None:
        """Ask granian for the next frame. It comes to `_receive`, on granian's thread as a rule."""
        try:
            if self._frames is None:
                self._frames = self._protocol.__aiter__()
            future = self._frames.__anext__()
        except (StopAsyncIteration, RuntimeError):
            # The end, or a client that is gone.
            with self._changed:
                self._has_ended, self._is_asking = True, False
                self._changed.notify()
        else:
            future.add_done_callback(self._receive)

    def _receive(self, future: Any) -> None:
        try:
            frame = future.result()
        except RuntimeError:
            # The client is gone.
            frame = None
        with self._changed:
            self._is_asking = False
            if frame is None:
                self._has_ended = True
            elif frame:
                self._pieces.append(frame)
                self._size += len(frame)
            # An empty frame is followed by the end.
            asks = self._may_ask()
            if not asks or self._size >= WAKE_BYTES:
                self._changed.notify()
        if asks:
            self._ask()

    def _take(self, size: int) -> bytes:
        """What has come, up to `size` bytes."""
        taken: list[bytes] = []
        room = size
        while self._pieces and room > 0:
            piece = self._pieces.popleft()
            if len(piece) > room:
                if taken:
                    self._pieces.appendleft(piece)
                    break
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            taken.append(piece)
            room -= len(piece)
        self._size -= size - room
        return taken[0] if len(taken) == 1 else b"".join(taken)
