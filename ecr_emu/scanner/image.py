"""Reads an image's layers for what is installed, without unpacking them.

The layers are read once, from the bottom to the top; each wanted file is parsed as it comes by, so that
packages are kept and not files. Where a link leads from a wanted path to a file that was not wanted, all
layers are read again with that file wanted. A large file is in a temporary file while it is parsed.
"""

import contextlib
import io
import posixpath
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO, cast

from ecr_emu.domain.inventory import Inventory, Package, System
from ecr_emu.scanner import tar
from ecr_emu.scanner.layers import Budget, Damaged, Exceeded, Layer, Limits, Stream, Unreadable, unpack
from ecr_emu.scanner.packages import (
    PROGRAM,
    SYSTEM_FILES,
    SYSTEM_FOLDERS,
    is_checksum,
    language_reader,
)
from ecr_emu.scanner.packages.item import MIB, Broken, Problem, Reader, text
from ecr_emu.scanner.tree import Content, Tree

__all__ = ["Layer", "Limits", "Unreadable", "read"]

# How often the layers are read for the sake of links to files that are not where such files are.
_MOST_READINGS = 4
_IN_MEMORY = 16 * MIB
# Characters of a package's name, versions, source and architecture together: as many as CycloneDX takes.
_LONGEST_PACKAGE = 1024
# What Python, zlib, zipfile and sqlite3 raise at data that makes no sense.
_NONSENSE = (
    Broken,
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    EOFError,
    OSError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    sqlite3.Error,
)


def read(layers: Sequence[Layer], *, languages: bool, limits: Limits | None = None) -> Inventory:
    """What is installed in an image, given its layers from the bottom to the top.

    Packages of the operating system, and with `languages` those of languages, in order of kind, name, version
    and path. Raises Unreadable for a damaged, encrypted or hostile layer, for a database of the operating
    system that cannot be read, and where a limit is passed; OSError where `Layer.open` does.
    """
    budget = Budget(limits or Limits())
    wanted = _Wanted(languages)
    for _ in range(_MOST_READINGS):
        reading = _Reading(wanted, budget)
        for layer in layers:
            _read_layer(reading, layer, budget)
        more = reading.missing()
        if more == wanted:
            break
        wanted = more
        budget.restart()
    return _inventory(reading, [layer.digest for layer in layers])


def _read_layer(reading: "_Reading", layer: Layer, budget: Budget) -> None:
    reading.tree.start_layer()
    try:
        with contextlib.closing(layer.open()) as blob:
            stream = unpack(layer, blob, budget)
            for entry in tar.entries(stream, budget):
                reading.add(entry, stream)
    except (Damaged, Exceeded) as error:
        raise Unreadable(_one_line(f"layer {layer.digest}: {error}")) from None


class _Wanted:
    """Which files are wanted: those of the system and of languages, and targets of links to such."""

    def __init__(self, languages: bool) -> None:
        self.languages = languages
        self.files = dict(SYSTEM_FILES)
        self.folders = dict(SYSTEM_FOLDERS)
        # Files that are wanted only because a wanted one is a hard link to them.
        self.sources: dict[bytes, Reader] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wanted) and self._all() == other._all()

    def _all(self) -> tuple[dict[bytes, Reader], ...]:
        return self.files, self.folders, self.sources

    def ways(self) -> frozenset[bytes]:
        """The wanted paths of the system and the folders on the way: where links matter."""
        return frozenset(way for path in (*self.files, *self.folders) for way in _with_parents(path))

    def reader(self, path: bytes, mode: int) -> Reader | None:
        """What reads a file that counts by where it is."""
        found = self.files.get(path)
        if found is not None:
            return found
        found = self.folders.get(path.rpartition(b"/")[0])
        if found is not None and not is_checksum(path):
            return found
        return language_reader(path, mode) if self.languages else None


class _Reading:
    """One reading of all layers."""

    def __init__(self, wanted: _Wanted, budget: Budget) -> None:
        self.wanted = wanted
        self.tree = Tree(wanted.ways(), budget.limits.packages)
        self._budget = budget
        self._sources: dict[bytes, Content] = {}
        self._missing: dict[bytes, Reader] = {}

    def add(self, entry: tar.Entry, stream: Stream) -> None:
        """Take in one entry of the layer that is being read, whose content is next in `stream`."""
        path = self.tree.place(_clean(entry.name))
        if not path:
            return
        if b".wh." in path and self.tree.white_out(*path.rpartition(b"/")[::2]):
            return
        self.tree.replace(path, folder=entry.kind is tar.FOLDER)
        if entry.kind is tar.REGULAR:
            self._add_file(path, entry, stream)
        elif entry.kind is tar.SYMLINK:
            self.tree.link(path, entry.link)
        elif entry.kind is tar.HARDLINK:
            self._add_hard_link(path, entry)

    def _add_file(self, path: bytes, entry: tar.Entry, stream: Stream) -> None:
        reader = self._reader(path, entry.mode)
        if reader is not None:
            self._keep(path, reader, _content(reader, entry, stream, self._budget))

    def _add_hard_link(self, path: bytes, entry: tar.Entry) -> None:
        target = self.tree.place(_clean(entry.link))
        reader = self._reader(path, entry.mode)
        if reader is None:
            return
        found = self.tree.files.get(target)
        content = found.content if found else self._sources.get(target)
        if content is None and reader is not PROGRAM:
            content = Content(problem=f"is a hard link to {text(target)}, which is not there")
            self._missing[target] = reader
            self.tree.count(target, content)
        if content is not None:
            self._keep(path, reader, content)

    def _reader(self, path: bytes, mode: int) -> Reader | None:
        sources = self.wanted.sources
        return (sources.get(path) if sources else None) or self.wanted.reader(path, mode)

    def _keep(self, path: bytes, reader: Reader, content: Content) -> None:
        """Keep what a file says: for links to it, and as a file of its own where it is at a wanted place."""
        if path in self.wanted.sources:
            self.tree.count(path, content)
            self._sources[path] = content
        counts = reader is PROGRAM or self.wanted.reader(path, 0) is reader
        if counts and (reader.system or content.says):
            self.tree.put(path, content)

    def missing(self) -> _Wanted:
        """What should have been wanted too."""
        more = _Wanted(self.wanted.languages)
        more.files |= self.wanted.files | _followed(self.tree, SYSTEM_FILES)
        more.folders |= self.wanted.folders | _followed(self.tree, SYSTEM_FOLDERS)
        more.sources |= self._missing | self.wanted.sources
        return more


def _with_parents(path: bytes) -> Iterator[bytes]:
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def _followed(tree: Tree, places: dict[bytes, Reader]) -> dict[bytes, Reader]:
    """The places, with links followed, where they lead somewhere."""
    followed = ((tree.follow(path), reader) for path, reader in places.items())
    return {path: reader for path, reader in followed if path}


def _clean(name: bytes) -> bytes:
    """A name of an archive as a path below the root. Raises Damaged where it leads out, as docker does."""
    if name.startswith(b"./"):
        name = name[2:]
    if name.startswith((b"/", b".")) or b"//" in name or b"/." in name or name.endswith(b"/"):
        name = posixpath.normpath(name.lstrip(b"/") or b".")
        if name == b".." or name.startswith(b"../"):
            raise Damaged(f"has a path that leads out of the image: {text(name)[:100]}")
    return b"" if name == b"." else name


def _content(reader: Reader, entry: tar.Entry, stream: Stream, budget: Budget) -> Content:
    """What a file says, or why it cannot be read."""
    longest = reader.longest or budget.limits.file_bytes
    if entry.sparse:
        return Content(problem="is stored as a sparse file, which is not read")
    if reader.magic and not (
        entry.size >= len(reader.magic) and stream.peek(len(reader.magic)) == reader.magic
    ):
        return Content()
    if entry.size > longest:
        limit = "" if reader.longest else " (limit file_bytes)"
        return Content(problem=f"has {entry.size} bytes, more than {longest}{limit}")
    if entry.size <= _IN_MEMORY:
        # Most files are in one piece, which is not copied.
        return _parsed(reader, io.BytesIO(b"".join(stream.exactly(entry.size))), budget)
    with tempfile.TemporaryFile() as file:
        for piece in stream.exactly(entry.size):
            file.write(piece)
        file.seek(0)
        return _parsed(reader, cast(BinaryIO, file), budget)


def _parsed(reader: Reader, file: BinaryIO, budget: Budget) -> Content:
    packages: list[Package] = []
    problems: list[Problem] = []
    system: System | None = None
    try:
        for item in reader.parse(file, budget):
            if isinstance(item, Package):
                packages.append(_checked(item))
            elif isinstance(item, Problem):
                problems.append(item)
            else:
                system = item
            if len(packages) + len(problems) > budget.limits.packages:
                raise Exceeded(f"more than {budget.limits.packages} packages (limit packages)")
    except _NONSENSE as error:
        return Content(problem=_reason(error))
    return Content(tuple(packages), system, problems=tuple(problems))


def _one_line(words: str) -> str:
    """Words with names from an archive in them: what does not print is written as in Python."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in words)


def _reason(error: Exception) -> str:
    """One line about an error; those of our own tell what is wrong, others at least that something is."""
    if isinstance(error, Broken):
        return str(error)
    return f"is damaged: {type(error).__name__}: {error}".splitlines()[0][:300]


def _checked(package: Package) -> Package:
    """The package, its source filled in; names that take megabytes are not kept."""
    whole = replace(
        package,
        source=package.source or package.name,
        source_version=package.source_version or package.version,
    )
    parts = (whole.name, whole.version, whole.arch, whole.source, whole.source_version)
    if sum(map(len, parts)) > _LONGEST_PACKAGE:
        raise Broken(f"has a package with names of more than {_LONGEST_PACKAGE} characters")
    if not all(map(_is_text, parts)):
        raise Broken("has a package with a name that is no text")
    return whole


def _is_text(name: str) -> bool:
    """Whether it can be written as UTF-8: JSON may have half of a pair of surrogates."""
    return name.isascii() or name.encode("utf-8", "replace").decode() == name


def _inventory(reading: _Reading, digests: Sequence[str]) -> Inventory:
    files = reading.tree.files
    places = _followed(reading.tree, SYSTEM_FILES)
    folders = _followed(reading.tree, SYSTEM_FOLDERS)
    packages: list[Package] = []
    unread: dict[str, str] = {}
    said: set[int] = set()
    for path, found in sorted(files.items()):
        reader = reading.wanted.reader(path, 0)
        of_system = reader is not None and reader.system
        if id(found.content) in said:
            continue
        if of_system and path not in places and path.rpartition(b"/")[0] not in folders:
            continue
        said.add(id(found.content))
        name, digest = text(path), digests[found.layer]
        if of_system and found.content.problem:
            raise Unreadable(_one_line(f"layer {digest}: {name} {found.content.problem}"))
        unread |= _unread(name, found.content)
        packages.extend(replace(one, path=name + one.path, layer=digest) for one in found.content.packages)
    packages.sort(key=lambda one: (one.kind, one.name, one.version, one.path, one.layer, one.arch))
    return Inventory(_system(reading.tree), tuple(packages), unread)


def _unread(name: str, content: Content) -> dict[str, str]:
    reasons = {name + problem.path: problem.reason for problem in content.problems}
    if content.problem:
        reasons[name] = content.problem
    return reasons


def _system(tree: Tree) -> System | None:
    """The system of the first os-release that is there."""
    for place in (b"etc/os-release", b"usr/lib/os-release"):
        path = tree.follow(place)
        if path in tree.files:
            return tree.files[path].content.system
    return None
