"""Sections and segments of ELF programs (elf(5)): where they are, and no more than that is read.

Not pyelftools: it makes an object of each section of what type it claims to be, which for some types reads
tables of any size, and looks through all sections for each segment.
"""

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ecr_emu.scanner.packages.item import MIB, Broken

MAGIC = b"\x7fELF"
_HEADER_BYTES = 64
# Numbers of the header that stand in the first section, as they do not fit (elf(5)).
_NONE, _ELSEWHERE = 0, 0xFFFF
_LONGEST_NAMES = 4 * MIB
# Sections and segments (Linux itself built with a section for each function has some ten thousand).
_MOST = 65_536
_NO_BITS, _COMPRESSED, _LOADED = 8, 0x800, 1


@dataclass(frozen=True, slots=True)
class Section:
    """Where a section is in the file; `size` in bytes."""

    name: str
    offset: int
    size: int


def is_program(header: bytes) -> bool:
    """Whether a file that starts like this is an ELF file of 32 or 64 bits."""
    right = header[4:5] in (b"\1", b"\2") and header[5:6] in (b"\1", b"\2")
    return right and header.startswith(MAGIC) and len(header) >= _HEADER_BYTES


class Program:
    """An ELF file. Raises Broken where it is damaged, and what `read` of a file raises at odd places."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        header = self.read(0, _HEADER_BYTES)
        self._order = ">" if header[5] == 2 else "<"
        self._wide = header[4] == 2
        # A section: name, type, flags, address, offset, size, link, info.
        self._section = struct.Struct(self._order + ("IIQQQQII16x" if self._wide else "IIIIIIII8x"))
        tables = self._order + ("32xQQ6xHHHHH" if self._wide else "28xII6xHHHHH")
        self._segments, self._sections, *self._sizes = struct.unpack_from(tables, header)

    def sections(self, wanted: Collection[str]) -> list[Section]:
        """The sections with one of these names that have content. A program may be without any section."""
        _, _, size, count, names_at = self._sizes
        if not self._sections:
            return []
        if size != self._section.size:
            raise Broken(f"has sections of {size} bytes")
        first = self._table(self._sections, self._section, 1)[0]
        count = first[5] if count == _NONE else count
        names_at = first[6] if names_at == _ELSEWHERE else names_at
        if count > _MOST or names_at >= count:
            raise Broken(f"has {count} sections, and their names in number {names_at}")
        _, _, _, _, at, length, *_ = self._table(self._sections + names_at * size, self._section, 1)[0]
        names = self.read(at, min(length, _LONGEST_NAMES))
        # Most programs have none of them, which shows here.
        if not any(name.encode() in names for name in wanted):
            return []
        table = self._table(self._sections, self._section, count)
        return list(_named(table, names, wanted))

    def address(self, address: int, size: int) -> bytes:
        """Bytes that the running program would have at an address; none if it would have none."""
        segment = struct.Struct(self._order + ("I4xQQ8xQ16x" if self._wide else "III4xI12x"))
        entry_bytes, count, *_ = self._sizes
        if entry_bytes != segment.size or count == _ELSEWHERE:
            raise Broken(f"has segments of {entry_bytes} bytes, {count} of them")
        for kind, offset, start, length in self._table(self._segments, segment, count):
            if kind == _LOADED and start <= address and address + size <= start + length:
                return self.read(offset + address - start, size)
        return b""

    def read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def _table(self, offset: int, entry: struct.Struct, count: int) -> list[tuple[int, ...]]:
        content = self.read(offset, entry.size * count)
        if len(content) < entry.size * count:
            raise Broken("ends before its tables do")
        return list(entry.iter_unpack(content))


def _named(table: list[tuple[int, ...]], names: bytes, wanted: Collection[str]) -> Iterator[Section]:
    for at, kind, flags, _, offset, size, *_ in table:
        for name in wanted:
            if names.startswith(name.encode() + b"\0", at) and kind != _NO_BITS:
                if flags & _COMPRESSED:
                    raise Broken(f"has its {name} compressed, which is not read")
                yield Section(name, offset, size)
