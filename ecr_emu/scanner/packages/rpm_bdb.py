"""The records of a Berkeley DB hash database, as rpm wrote it until 4.16: Packages.

(Berkeley DB's source, src/dbinc/db_page.h.) A first page with magic, size of pages and number of the last;
pages with pairs of key and value; values too large for a page in chains of overflow pages. Numbers have the
order of the machine that wrote the file, which its magic tells.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ecr_emu.scanner.packages.item import LONGEST_HEADER, Broken

_MAGIC = 0x00061561
_HASH_META = 8
# Types of pages and of what is on them.
_HASH_PAGES = (2, 13)
_OVERFLOW = 7
_INLINE, _OFF_PAGE = 1, 3
_PAGE_HEADER = 26
# The value of rpm's first record is the number of the last package, not a header.
_NUMBER_BYTES = 4


@dataclass(slots=True)
class _Database:
    """An open file: order of its numbers for struct, bytes of a page, pages, bytes that may still be read."""

    file: BinaryIO
    order: str
    page_bytes: int
    pages: int
    left: int

    def page(self, number: int) -> bytes:
        self.left -= self.page_bytes
        if self.left < 0:
            raise Broken("has pages that follow each other in a circle")
        self.file.seek(number * self.page_bytes)
        page = self.file.read(self.page_bytes)
        if not 0 < number < self.pages or len(page) < self.page_bytes:
            raise Broken("refers to a page that is not there")
        return page


def headers(file: BinaryIO) -> Iterator[bytes]:
    """The packages' headers. Raises Broken where the file is none, or is damaged."""
    database = _open(file)
    for number in range(1, database.pages):
        page = database.page(number)
        if page[25] in _HASH_PAGES:
            for value in _values(database, page):
                if len(value) > _NUMBER_BYTES:
                    yield value


def _open(file: BinaryIO) -> _Database:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    meta = file.read(72)
    if len(meta) < 72 or meta[25] != _HASH_META or meta[24]:
        raise Broken("is not a Berkeley DB hash database, or is encrypted")
    for order in "<>":
        magic, _, page_bytes = struct.unpack_from(order + "III", meta, 12)
        if magic == _MAGIC and 512 <= page_bytes <= 65536:
            last = struct.unpack_from(order + "I", meta, 32)[0]
            # Every page is read once in order, and those of a value once more.
            return _Database(file, order, page_bytes, min(last + 1, size // page_bytes), 2 * size)
    raise Broken("is not a Berkeley DB hash database")


def _values(database: _Database, page: bytes) -> Iterator[bytes]:
    """The second of each pair on a page; the offsets of all items come first, the items from the end."""
    count = struct.unpack_from(database.order + "H", page, 20)[0]
    if _PAGE_HEADER + 2 * count > len(page):
        raise Broken("has a page with more items than fit")
    offsets = struct.unpack_from(f"{database.order}{count}H", page, _PAGE_HEADER)
    for index in range(1, count, 2):
        at, end = offsets[index], offsets[index - 1]
        if not _PAGE_HEADER <= at < end <= len(page):
            raise Broken("has an item outside of its page")
        if page[at] == _INLINE:
            yield page[at + 1 : end]
        elif page[at] == _OFF_PAGE and at + 12 <= len(page):
            first, length = struct.unpack_from(database.order + "II", page, at + 4)
            yield _overflow(database, first, length)
        else:
            raise Broken("has an item of a type that rpm does not write")


def _overflow(database: _Database, number: int, length: int) -> bytes:
    if length > LONGEST_HEADER:
        raise Broken(f"has a value of {length} bytes, more than {LONGEST_HEADER}")
    parts: list[bytes] = []
    while length > 0:
        page = database.page(number)
        used = struct.unpack_from(database.order + "H", page, 22)[0]
        if page[25] != _OVERFLOW or not 0 < used <= len(page) - _PAGE_HEADER:
            raise Broken("has a value with a page that is damaged")
        parts.append(page[_PAGE_HEADER : _PAGE_HEADER + min(used, length)])
        length -= used
        number = struct.unpack_from(database.order + "I", page, 16)[0]
    return b"".join(parts)
