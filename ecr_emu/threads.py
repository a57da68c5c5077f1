"""Threads that are made when they are needed and end when they are not."""

import logging
import threading
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]

log = logging.getLogger(__name__)


class Threads:
    """Runs work, each piece on a thread of its own while there are fewer than `most`.

    The standard library's ThreadPoolExecutor keeps every thread it ever made, and waits for all of them when
    the program ends, even for one whose client sends nothing any more.
    """

    def __init__(self, name: str, most: int, idle_seconds: float) -> None:
        self._name = name
        self._most = most
        self._idle_seconds = idle_seconds
        self._count = 0
        self._idle = 0
        self._waiting: deque[Work] = deque()
        self._changed = threading.Condition()

    @property
    def count(self) -> int:
        """How many threads there are."""
        return self._count

    def run(self, work: Work) -> None:
        """Have it run as soon as a thread is free. RuntimeError when there is none and none can be made."""
        with self._changed:
            self._waiting.append(work)
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._count < self._most:
                self._begin(work)

    def _begin(self, work: Work) -> None:
        self._count += 1
        try:
            threading.Thread(target=self._loop, name=self._name, daemon=True).start()
        except RuntimeError:
            # The system gives no more threads. Those that there are will come to it.
            self._count -= 1
            if not self._count:
                self._waiting.remove(work)
                raise

    def _loop(self) -> None:
        while True:
            work = self._next()
            if work is None:
                return
            try:
                work()
            except Exception:
                log.exception("a thread failed at its work")
            # What it holds is not needed while this thread waits.
            del work

    def _next(self) -> Work | None:
        """The next piece of work, or None when this thread is to end."""
        with self._changed:
            while not self._waiting:
                self._idle += 1
                is_woken = self._changed.wait(self._idle_seconds)
                self._idle -= 1
                if not is_woken and not self._waiting:
                    self._count -= 1
                    return None
            return self._waiting.popleft()
