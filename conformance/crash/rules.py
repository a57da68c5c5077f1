"""The order in which a server must ask for things, so that no loss of power can take what it acknowledged.

1. The bytes of a blob are synced before they get their name below blobs/.
2. That name, and each folder above it, is synced before the log of the database is given the name.
3. The log is synced before an answer is sent.
4. The log is synced before the file of a blob is deleted: its row has gone for good.
5. The data folder itself is in its folder for good, and the log in the data folder, before the first answer.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from conformance.crash.disk import Disk, Node
from conformance.crash.trace import Event

BYTES_BEFORE_NAME, NAME_BEFORE_ROW = "bytes before name", "name before row"
LOG_BEFORE_ANSWER, LOG_BEFORE_UNLINK = "log before answer", "log before unlink"
FOLDER_BEFORE_ANSWER = "folder before answer"
RULES = (BYTES_BEFORE_NAME, NAME_BEFORE_ROW, LOG_BEFORE_ANSWER, LOG_BEFORE_UNLINK, FOLDER_BEFORE_ANSWER)


class Order:
    """Reads a trace of one client that asks one thing after the other; `checked` counts by rule."""

    def __init__(self, root: Path) -> None:
        self.disk = Disk(root)
        self.checked: Counter[str] = Counter()
        self.broken: list[tuple[str, str]] = []
        self._log = f"{root}/metadata.db-wal"
        self._blobs = f"{root}/blobs/"
        self._made_at: int | None = None
        self._answered = False
        # Names of blobs that no row has yet, and the whole paths.
        self._without_row: dict[bytes, str] = {}

    def read(self, events: Iterable[Event]) -> None:
        for event in events:
            self._look(event)
            self.disk.apply(event)
            if event.call.startswith("mkdir") and event.strings[0].decode() == self.disk.root:
                self._made_at = event.end

    def _look(self, event: Event) -> None:
        if is_answer(event):
            self._expect(LOG_BEFORE_ANSWER, self._is_log_synced(event.begin), event)
            if not self._answered:
                self._answered = True
                self._expect(FOLDER_BEFORE_ANSWER, self._is_folder_certain(event.begin), event)
        elif event.call in ("rename", "link", "renameat", "linkat", "renameat2"):
            self._look_at_name(event)
        elif event.call == "unlink" and event.strings[0].startswith(self._blobs.encode()):
            self._expect(LOG_BEFORE_UNLINK, self._is_log_synced(event.begin), event)
        elif event.call == "pwrite64" and event.path == self._log:
            self._look_at_row(event)

    def _look_at_name(self, event: Event) -> None:
        source, target = (value.decode() for value in event.strings[:2])
        if not target.startswith(self._blobs):
            return
        node = self.disk.node(source)
        assert isinstance(node, Node)
        self._expect(BYTES_BEFORE_NAME, node.is_synced(event.begin), event)
        self._without_row[target.removeprefix(self._blobs).encode()] = target

    def _look_at_row(self, event: Event) -> None:
        for name in [name for name in self._without_row if name in event.strings[0]]:
            path = self._without_row.pop(name)
            self._expect(NAME_BEFORE_ROW, self.disk.is_certain(path, event.begin), event)

    def _is_log_synced(self, at: int) -> bool:
        log = self.disk.node(self._log)
        return log is not None and log.is_synced(at)

    def _is_folder_certain(self, at: int) -> bool:
        made_at = self._made_at
        is_there = made_at is None or any(
            begin > made_at and end <= at for begin, end in self.disk.parent_syncs
        )
        return is_there and self.disk.is_certain(self._log, at)

    def _expect(self, rule: str, holds: bool, event: Event) -> None:
        self.checked[rule] += 1
        if not holds:
            what = event.strings[0][:60] if event.strings else b""
            self.broken.append((rule, f"line {event.begin + 1}: {event.call} {event.path} {what!r}"))


def is_answer(event: Event) -> bool:
    """Whether this begins an HTTP answer. Only such as a client may rely on: 2xx."""
    return event.path.startswith("TCP") and bool(event.strings) and event.strings[0].startswith(b"HTTP/1.1 2")


def answered_port(event: Event) -> int:
    """The client's port of an answer that begins here, whatever its status; 0 when none begins."""
    if not event.path.startswith("TCP") or not event.strings or not event.strings[0].startswith(b"HTTP/1.1 "):
        return 0
    return int(event.path.rpartition(":")[2].rstrip("]"))
