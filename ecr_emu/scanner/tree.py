"""What is kept of an image's file system while its layers are read: wanted files, and links on the way.

Layers come from the bottom to the top. What a later layer writes or hides is dropped (OCI image
specification, layer.md, "Applying Changesets" and "Whiteouts"). Paths are bytes without a leading slash.
"""

from bisect import bisect_left
from dataclasses import dataclass

from ecr_emu.domain.inventory import Package, System
from ecr_emu.scanner.layers import Damaged, Exceeded
from ecr_emu.scanner.packages.item import Problem

_WHITEOUT, _AUFS, _OPAQUE = b".wh.", b".wh..wh.", b".wh..wh..opq"
# Links that are followed one after the other (Linux: MAXSYMLINKS).
_MOST_HOPS = 40
# Folders whose place is remembered; only so many are looked up again and again.
_MOST_PARENTS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What one file says. `problem` is why it cannot be read; `problems` are those of parts of it."""

    packages: tuple[Package, ...] = ()
    system: System | None = None
    problem: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def says(self) -> bool:
        return bool(self.packages or self.problem or self.problems)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A wanted file: the number of its layer from the bottom, and its content, which hard links share."""

    layer: int
    content: Content


@dataclass(frozen=True, slots=True)
class _Link:
    layer: int
    target: bytes


class Tree:
    """Wanted files by path, and links by path where it is one of `ways`; at most `most` packages in all."""

    def __init__(self, ways: frozenset[bytes], most: int) -> None:
        self.files: dict[bytes, Found] = {}
        self._links: dict[bytes, _Link] = {}
        self._ways = ways
        self._most = most
        self._kept = 0
        self._layer = -1
        # Paths that the layers below left, in order: what is below a folder is side by side.
        self._below: list[bytes] = []
        self._parents: dict[bytes, bytes] = {}

    def start_layer(self) -> None:
        self._layer += 1
        self._below = sorted((*self.files, *self._links))

    def place(self, path: bytes) -> bytes:
        """Where a path of an archive is, its folders' links followed; itself where they lead nowhere."""
        if not self._links:
            return path
        folder, slash, name = path.rpartition(b"/")
        parent = self._parents.get(folder)
        if parent is None:
            parent = folder if (followed := self.follow(folder)) is None else followed
            if len(self._parents) >= _MOST_PARENTS:
                self._parents.clear()
            self._parents[folder] = parent
        return parent + slash + name if parent else name

    def follow(self, path: bytes) -> bytes | None:
        """Where a path leads, all links followed and none out of the root; None for links in a circle."""
        todo, done, hops = path.split(b"/")[::-1], b"", 0
        while todo:
            part = todo.pop()
            if part == b"..":
                done = done.rpartition(b"/")[0]
            elif part not in (b"", b"."):
                at = done + b"/" + part if done else part
                link = self._links.get(at)
                if link is None:
                    done = at
                    continue
                hops += 1
                if hops > _MOST_HOPS:
                    return None
                done = b"" if link.target.startswith(b"/") else done
                todo.extend(link.target.split(b"/")[::-1])
        return done

    def count(self, path: bytes, content: Content) -> None:
        """Count what is kept, long paths more than once. Raises Exceeded."""
        self._kept += _weight(path, content)
        if self._kept > self._most:
            raise Exceeded(f"more than {self._most} packages (limit packages)")

    def put(self, path: bytes, content: Content) -> None:
        """Keep a file of the layer that is being read. Raises Exceeded."""
        self.count(path, content)
        self.files[path] = Found(self._layer, content)

    def link(self, path: bytes, target: bytes) -> None:
        if path in self._ways:
            self._links[path] = _Link(self._layer, target)
            self._parents.clear()

    def replace(self, path: bytes, folder: bool) -> None:
        """Forget what is at a path that the layer has anew, and what is below, unless that is a folder."""
        if path in self.files or path in self._links:
            self._drop(path)
        if not folder and self._below:
            # Most paths are not the beginning of one that is kept: seen with one look.
            index = bisect_left(self._below, path)
            if index < len(self._below) and self._below[index].startswith(path):
                self._hide_below(path)

    def white_out(self, folder: bytes, name: bytes) -> bool:
        """Whether `name` is a whiteout; what it hides of the layers below is forgotten. Raises Damaged."""
        if not name.startswith(_WHITEOUT):
            return False
        if name == _OPAQUE:
            self._hide_below(folder)
        elif not name.startswith(_AUFS):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in (b"", b".", b".."):
                raise Damaged("has a whiteout of no file")
            path = folder + b"/" + hidden if folder else hidden
            self._hide(path)
            self._hide_below(path)
        return True

    def _hide_below(self, folder: bytes) -> None:
        prefix = folder + b"/" if folder else b""
        for index in range(bisect_left(self._below, prefix), len(self._below)):
            if not self._below[index].startswith(prefix):
                break
            self._hide(self._below[index])

    def _hide(self, path: bytes) -> None:
        kept = self.files.get(path) or self._links.get(path)
        if kept is not None and kept.layer < self._layer:
            self._drop(path)

    def _drop(self, path: bytes) -> None:
        found = self.files.pop(path, None)
        if found is not None:
            self._kept -= _weight(path, found.content)
        if self._links.pop(path, None) is not None:
            self._parents.clear()


def _weight(path: bytes, content: Content) -> int:
    """How many of the packages that may be kept a file counts for; a path of 4 kB takes memory too."""
    return 1 + len(path) // 256 + len(content.packages) + len(content.problems)
