"""The records of rpm's ndb database, Packages.db (rpm: lib/backend/ndb/rpmpkg.c).

32 bytes of header, the last of it being how many pages of slots there are; slots of 16 bytes that say where a
record is, in blocks of 16 bytes; records with a head of 16 bytes. Numbers are little-endian.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.scanner.packages.item import LONGEST_HEADER, Broken

_PAGE, _SLOT, _BLOCK, _HEADER = 4096, 16, 16, 32
_MAGIC, _SLOT_MAGIC, _BLOB_MAGIC = b"RpmP", b"Slot", b"BlbS"
# rpm writes a page of slots for 256 packages; a thousand pages are more packages than there are.
_MOST_PAGES = 1000


def headers(file: BinaryIO) -> Iterator[bytes]:
    """The packages' headers. Raises Broken where the file is none, or is damaged."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = file.read(_HEADER)
    if len(start) < _HEADER or start[:4] != _MAGIC:
        raise Broken("is not an ndb database")
    version, _, pages = struct.unpack_from("<III", start, 4)
    if version != 0 or not 0 < pages <= _MOST_PAGES or pages * _PAGE > size:
        raise Broken("is an ndb database of another version, or damaged")
    slots = file.read(pages * _PAGE - _HEADER)
    left = size
    for magic, index, offset, count in struct.iter_unpack("<4sIII", slots):
        if magic != _SLOT_MAGIC:
            raise Broken("has a damaged slot")
        if offset:
            left -= count * _BLOCK
            if left < 0 or not index:
                raise Broken("has slots that overlap")
            yield _record(file, index, offset * _BLOCK, count * _BLOCK)


def _record(file: BinaryIO, index: int, at: int, size: int) -> bytes:
    if size > LONGEST_HEADER:
        raise Broken(f"has a package of {size} bytes, more than {LONGEST_HEADER}")
    file.seek(at)
    record = file.read(size)
    if len(record) < max(size, _BLOCK):
        raise Broken("ends in the middle of a package")
    magic, its_index, _, length = struct.unpack_from("<4sIII", record)
    if magic != _BLOB_MAGIC or its_index != index or length > size - _BLOCK:
        raise Broken("has a damaged package")
    return record[_BLOCK : _BLOCK + length]
