"""Bytes on their way from an upstream: fetched once, however many want them, by few threads."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from ecr_emu.upstream.logins import Logins
from ecr_emu.upstream.problems import UpstreamProblem, unavailable
from ecr_emu.waiting import may_wait

if TYPE_CHECKING:
    from concurrent.futures import Future

# Pieces that one client has in memory; many clients make many pieces.
PIECE_BYTES = 128 * 1024
# Clients that wait are woken when so much more is there.
WAKE_BYTES = 256 * 1024
BLOB_THREADS, IMAGE_THREADS = 16, 4
MAX_WAITING = 1000
MAX_REMEMBERED = 10_000
CLOSING_SECONDS = 10


class Flight:
    """One blob on its way. `length` and the file are known when it has begun."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: Callable[[], BinaryIO] | None = None
        self._length: int | None = None
        self._written = 0
        self._woken_at = 0
        self._is_done = False
        self._problem: UpstreamProblem | None = None

    # --- For the one who fetches -----------------------------------------------------------------------

    def begin(self, length: int | None, open_file: Callable[[], BinaryIO]) -> None:
        """The upstream gives the blob; bytes come."""
        with self._changed:
            self._length, self._open = length, open_file
            self._changed.notify_all()

    def advance(self, written: int) -> None:
        """So many bytes are in the file."""
        with self._changed:
            self._written = written
            if not self._woken_at or written - self._woken_at >= WAKE_BYTES:
                self._woken_at = written
                self._changed.notify_all()

    def succeed(self) -> None:
        """The blob is stored: its digest was right."""
        with self._changed:
            self._is_done = True
            self._changed.notify_all()

    def fail(self, problem: UpstreamProblem) -> None:
        with self._changed:
            self._problem = problem
            self._changed.notify_all()

    # --- For those who want it -------------------------------------------------------------------------

    def wait_begun(self) -> int | None:
        """Its length, when the upstream has promised it. Raises UpstreamProblem when it does not come."""
        may_wait()
        with self._changed:
            self._changed.wait_for(lambda: self._open is not None or self._is_done or self._problem)
            self._check()
            return self._length

    def wait_done(self) -> None:
        """Return when the blob is stored, or raise UpstreamProblem."""
        may_wait()
        with self._changed:
            self._changed.wait_for(lambda: self._is_done or self._problem)
            self._check()

    def follow(self) -> "Follower":
        """The bytes as they come; it has begun, and its length is known."""
        assert self._open is not None  # noqa: S101 - it has begun
        assert self._length is not None  # noqa: S101
        return Follower(self, self._open(), self._length)

    def wait_for(self, position: int) -> int:
        """How many bytes may be handed out, once there are more than `position`.

        The last byte is held back until the digest is known to be right.
        """
        with self._changed:
            while True:
                self._check()
                length = self._length or 0
                shown = length if self._is_done else min(self._written, length - 1)
                if shown > position:
                    return shown
                self._changed.wait()

    def _check(self) -> None:
        if self._problem is not None:
            raise UpstreamProblem(self._problem.code, self._problem.reason)


class Follower:
    """One client's copy of a flight. It ends too early when the flight fails: the connection breaks then."""

    def __init__(self, flight: Flight, file: BinaryIO, length: int) -> None:
        self._flight = flight
        self._file = file
        self._length = length
        self._position = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._position >= self._length:
            raise self._end()
        try:
            shown = self._flight.wait_for(self._position)
        except UpstreamProblem:
            raise self._end() from None
        chunk = self._file.read(min(PIECE_BYTES, shown - self._position))
        if not chunk:
            raise self._end()
        self._position += len(chunk)
        return chunk

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()

    def _end(self) -> StopIteration:
        self.close()
        return StopIteration()


class Crew:
    """A bounded number of threads that do what they are given, and go when there is nothing to do."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads: set[threading.Thread] = set()
        self._is_closed = False

    def do(self, task: Callable[[], None]) -> bool:
        """Have it done soon. False when too much waits already, or nothing more is begun."""
        with self._lock:
            if self._is_closed or len(self._waiting) >= MAX_WAITING:
                return False
            self._waiting.append(task)
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.add(thread)
                thread.start()
        return True

    def close(self) -> list[Callable[[], None]]:
        """Begin nothing more; what was not begun."""
        with self._lock:
            self._is_closed = True
            dropped = list(self._waiting)
            self._waiting.clear()
        return dropped

    def join(self, seconds: float) -> None:
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads.discard(threading.current_thread())
                    return
                task = self._waiting.popleft()
            task()


class Flights:
    """All that is under way in one emulator, and the logins that fetched it."""

    def __init__(self) -> None:
        self.logins = Logins()
        self.is_closing = False
        self.cassette: Any = None
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Flight] = {}
        self._shared: dict[Hashable, Future[Any]] = {}
        self._pending: dict[Hashable, Any] = {}
        self._sizes: dict[Hashable, int] = {}
        self._blobs = Crew("upstream blobs", BLOB_THREADS)
        self._images = Crew("upstream images", IMAGE_THREADS)

    def blob(self, key: Hashable, fetch: Callable[[Flight], None]) -> Flight:
        """The flight of a blob; one that is not under way begins. `fetch` ends it and does not raise."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight
            flight = self._flights[key] = Flight()

        def run() -> None:
            try:
                if self.is_closing:
                    flight.fail(unavailable("this server is being stopped"))
                else:
                    fetch(flight)
            finally:
                self._forget(self._flights, key)

        if not self._blobs.do(run):
            flight.fail(unavailable("too much is being fetched already"))
            self._forget(self._flights, key)
        return flight

    def find(self, key: Hashable) -> Flight | None:
        """The flight of a blob, if it is under way."""
        with self._lock:
            return self._flights.get(key)

    def together(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        """What `ask` returns or raises; callers of the same key at the same time share one asking."""
        # Most servers never ask an upstream.
        from concurrent.futures import Future

        with self._lock:
            future = self._shared.get(key)
            is_first = future is None
            if future is None:
                future = self._shared[key] = Future()
        if not is_first:
            return future.result()
        try:
            answer = ask()
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            future.set_result(answer)
            return answer
        finally:
            self._forget(self._shared, key)

    def image(self, keys: Sequence[Hashable], content: Any, bring: Callable[[], None]) -> None:
        """Have an image brought in by a thread, unless the first of its keys is being brought.

        Until then it is `pending`, under all keys: who asks for it by its digest need not bring it again.
        """
        with self._lock:
            if keys[0] in self._pending:
                return
            held = [key for key in keys if key not in self._pending]
            self._pending.update(dict.fromkeys(held, content))

        def run() -> None:
            try:
                if not self.is_closing:
                    bring()
            finally:
                forget()

        def forget() -> None:
            for key in held:
                self._forget(self._pending, key)

        if not self._images.do(run):
            forget()

    def pending(self, key: Hashable) -> Any:
        """The content of an image that is being brought in; None when it is not."""
        with self._lock:
            return self._pending.get(key)

    def expect(self, sizes: Mapping[Any, int]) -> None:
        """Remember how many bytes layers have by their manifest; what is forgotten is not compared."""
        with self._lock:
            if len(self._sizes) >= MAX_REMEMBERED:
                self._sizes.clear()
            self._sizes.update(sizes)

    def expected(self, key: Hashable) -> int | None:
        with self._lock:
            return self._sizes.get(key)

    def close(self) -> None:
        """Give up what is under way: an import that ended halfway begins anew with the next pull."""
        self.is_closing = True
        self._images.close()
        for task in self._blobs.close():
            task()
        self._blobs.join(CLOSING_SECONDS)
        self._images.join(CLOSING_SECONDS)

    def _forget(self, table: dict[Any, Any], key: Hashable) -> None:
        with self._lock:
            table.pop(key, None)
