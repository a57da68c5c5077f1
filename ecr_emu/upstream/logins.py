"""What has opened upstream registries, remembered while it is good."""

import threading
import time

MAX_REMEMBERED = 1024


class Logins:
    """Authorization headers that worked, by who asks whom for what, until they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[object, tuple[float, str]] = {}

    def find(self, key: object) -> str | None:
        with self._lock:
            ends_at, header = self._known.get(key, (0.0, ""))
            return header if time.monotonic() < ends_at else None

    def put(self, key: object, header: str, seconds: float) -> None:
        with self._lock:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[key] = (time.monotonic() + seconds, header)

    def drop(self, key: object) -> None:
        with self._lock:
            self._known.pop(key, None)
