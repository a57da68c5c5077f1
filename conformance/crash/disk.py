"""A disk that may lose what was not synced: what a data folder can look like after a loss of power.

The model is stricter than any file system. Bytes of a file are certain once an fsync of it that began after
the write has ended; a name in a folder is certain once an fsync of the folder that began after the name was
given has ended. All else may be there or not, in any order.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conformance.crash.trace import Event

SECTOR = 512
# What SQLite makes anew whatever is in it.
NOT_KEPT = "-shm"


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at a place of a file; no bytes cut it there."""

    begin: int
    end: int
    offset: int
    content: bytes = b""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Naming:
    """A name in a folder is given to something, or taken away."""

    begin: int
    end: int
    name: str
    target: "Node | None"


@dataclass(eq=False, slots=True)
class Node:
    """A file or a folder, all that was done to it, and each fsync as (begin, end)."""

    is_folder: bool
    writes: list[Write] = field(default_factory=list)
    namings: list[Naming] = field(default_factory=list)
    syncs: list[tuple[int, int]] = field(default_factory=list)

    def certain_before(self, at: int) -> int:
        """What ended before this is on the disk at a time."""
        return max((begin for begin, end in self.syncs if end <= at), default=-1)

    def is_synced(self, at: int) -> bool:
        """Whether everything that had begun is certain."""
        certain = self.certain_before(at)
        return all(done.end < certain for done in (*self.writes, *self.namings) if done.begin < at)


# Which of the things that are not certain happened: those with a write, and those with a name.
Choice = Callable[[Write | Naming], bool]
Variant = Callable[[random.Random], Choice]

VARIANTS: dict[str, Variant] = {
    "all that is not synced is lost": lambda chooser: lambda done: False,
    "names are there, and bytes that are not synced are lost": lambda chooser: (
        lambda done: isinstance(done, Naming)
    ),
    "anything may have happened": lambda chooser: lambda done: chooser.random() < 0.5,
}


class Disk:
    """What the calls of a trace did below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.top = Node(is_folder=True)
        self.parent_syncs: list[tuple[int, int]] = []
        self._nodes: dict[str, Node] = {self.root: self.top}
        self._offsets: dict[int, int] = {}

    def node(self, path: str) -> Node | None:
        """What has this path now."""
        return self._nodes.get(path)

    def apply(self, event: Event) -> None:
        """Note a call. Those that do not change anything below the folder are no matter."""
        paths = [value.decode(errors="replace") for value in event.strings if value.startswith(b"/")]
        if event.call in ("fsync", "fdatasync"):
            if node := self._nodes.get(event.path):
                node.syncs.append((event.begin, event.end))
            elif event.path == str(Path(self.root).parent):
                self.parent_syncs.append((event.begin, event.end))
        elif event.path.startswith(self.root + "/"):
            self._apply_to_file(event)
        elif paths and paths[0].startswith(self.root + "/"):
            self._apply_to_names(event, paths)

    def _apply_to_file(self, event: Event) -> None:
        node = self._nodes.get(event.path)
        if event.call == "openat":
            if node is None and "O_CREAT" in event.flags:
                node = Node(is_folder=False)
                self._name(event, event.path, node)
            if node is not None and "O_TRUNC" in event.flags:
                node.writes.append(Write(event.begin, event.end, 0, is_cut=True))
            self._offsets[event.descriptor] = 0
        elif event.call == "lseek":
            self._offsets[event.descriptor] = event.result
        elif event.call in ("write", "pwrite64"):
            content = event.strings[0][: event.result]
            offset = event.numbers[-1] if event.call == "pwrite64" else self._offsets[event.descriptor]
            if event.call == "write":
                self._offsets[event.descriptor] = offset + len(content)
            if node is not None:
                node.writes.append(Write(event.begin, event.end, offset, content))
        elif event.call == "ftruncate" and node is not None:
            node.writes.append(Write(event.begin, event.end, event.numbers[0], is_cut=True))
        elif event.call in ("writev", "pwritev", "fallocate", "sync_file_range"):
            raise AssertionError(f"nobody taught this test what {event.call} does")

    def _apply_to_names(self, event: Event, paths: list[str]) -> None:
        first, last = paths[0], paths[-1]
        if event.call.startswith("mkdir"):
            self._name(event, first, Node(is_folder=True))
        elif event.call.startswith(("rename", "link")):
            node = self._nodes[first]
            if event.call.startswith("rename"):
                self._name(event, first, None)
            self._name(event, last, node)
        elif event.call.startswith(("unlink", "rmdir")):
            self._name(event, first, None)

    def _name(self, event: Event, path: str, target: Node | None) -> None:
        folder, _, name = path.rpartition("/")
        self._nodes[folder].namings.append(Naming(event.begin, event.end, name, target))
        if target is None:
            self._nodes.pop(path, None)
        else:
            self._nodes[path] = target

    # --- After a loss of power -------------------------------------------------------------------------

    def is_certain(self, path: str, at: int) -> bool:
        """Whether a file is on the disk at a time with all bytes and all names that lead to it."""
        node = self.top
        for name in path.removeprefix(self.root + "/").split("/"):
            certain = node.certain_before(at)
            given = [one for one in node.namings if one.name == name and one.end < certain]
            if not given or given[-1].target is None:
                return False
            node = given[-1].target
        return node.is_synced(at)

    def write_down(self, folder: Path, at: int, choice: Choice, chooser: random.Random) -> None:
        """Make the folder as it can be found when power is lost at a time."""
        folder.mkdir()
        for name, node in _names(self.top, at, choice).items():
            if name.endswith(NOT_KEPT):
                continue
            if node.is_folder:
                self._write_down(node, folder / name, at, choice, chooser)
            else:
                (folder / name).write_bytes(_content(node, at, choice, chooser))

    def _write_down(self, node: Node, folder: Path, at: int, choice: Choice, chooser: random.Random) -> None:
        folder.mkdir()
        for name, child in _names(node, at, choice).items():
            if child.is_folder:
                self._write_down(child, folder / name, at, choice, chooser)
            else:
                (folder / name).write_bytes(_content(child, at, choice, chooser))


def _names(folder: Node, at: int, choice: Choice) -> dict[str, Node]:
    found: dict[str, Node] = {}
    decided: dict[int, bool] = {}
    certain = folder.certain_before(at)
    for naming in folder.namings:
        if naming.begin >= at:
            continue
        # A rename takes one name and gives another; both or none.
        if naming.begin not in decided:
            decided[naming.begin] = naming.end < certain or choice(naming)
        if not decided[naming.begin]:
            continue
        if naming.target is None:
            found.pop(naming.name, None)
        else:
            found[naming.name] = naming.target
    return found


def _content(file: Node, at: int, choice: Choice, chooser: random.Random) -> bytes:
    content = bytearray()
    for write, is_torn in _chosen(file, at, choice, chooser):
        if write.is_cut:
            del content[write.offset :]
            content.extend(bytes(write.offset - len(content)))
            continue
        data = write.content
        if is_torn:
            data = data[: chooser.randrange(len(data) // SECTOR + 1) * SECTOR]
        content.extend(bytes(max(write.offset - len(content), 0)))
        content[write.offset : write.offset + len(data)] = data
    return bytes(content)


def _chosen(file: Node, at: int, choice: Choice, chooser: random.Random) -> Iterator[tuple[Write, bool]]:
    """The writes that are there, and whether only some sectors of one are."""
    certain = file.certain_before(at)
    for write in file.writes:
        if write.begin >= at:
            continue
        if write.end < certain:
            yield write, False
        elif choice(write):
            yield write, chooser.random() < 0.25
