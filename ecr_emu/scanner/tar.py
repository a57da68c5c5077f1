"""Reads tar archives forward, entry by entry: ustar, pax and GNU (POSIX pax; GNU tar manual, "Standard").

Not the standard library's tarfile: it reads an extended header of any size into memory, calls itself for each
that follows another, and its stream mode copies what is skipped. What a
header means where the documents differ is as docker takes it, which is Go's archive/tar.
"""

import functools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ecr_emu.scanner.layers import Budget, Damaged, Stream

BLOCK = 512
# Bytes of an extended header (Go: maxSpecialFileSize) and of a path (Linux: PATH_MAX).
LONGEST_EXTENSION = 1 << 20
LONGEST_PATH = 4096
_END = bytes(BLOCK)
_SUM_OF_SPACES, _ADLER_PRIME, _LARGEST_SUM = 8 * ord(" "), 65521, 255 * BLOCK
# Name, mode, size, type, link, magic and the beginning of the name where it is long.
_HEADER = struct.Struct("100s8s16x12s20xc100s6s82x155s12x")

REGULAR, HARDLINK, SYMLINK, FOLDER, SPECIAL = "regular", "hardlink", "symlink", "folder", "special"
_KINDS = {
    b"0": REGULAR,
    b"\0": REGULAR,
    b"7": REGULAR,
    b"S": REGULAR,
    b"1": HARDLINK,
    b"2": SYMLINK,
    b"5": FOLDER,
}
# Their size field says nothing about bytes that follow.
_HEADER_ONLY = frozenset(b"123456")


@dataclass(slots=True)
class Entry:
    """One entry. `name` and `link` as they are written, `size` in bytes of what follows."""

    name: bytes
    kind: str
    size: int
    mode: int
    link: bytes
    # Whether holes are left out of what follows.
    sparse: bool


def entries(stream: Stream, budget: Budget) -> Iterator[Entry]:
    """The entries of an archive. The content of each may be read from `stream` before the next is asked for.

    Raises Damaged, and Exceeded from `budget`.
    """
    extension: dict[bytes, bytes] = {}
    while (header := stream.read(BLOCK)) and header != _END:
        budget.spend_entry()
        _check(header)
        size = _size(header)
        if header[156] in b"xgLK":
            _extend(extension, header[156:157], _extension(stream, size))
            continue
        entry = _entry(header, size, extension)
        extension = {}
        if header[156:157] == b"S":
            _skip_sparse_map(stream, header, budget)
        before = stream.position
        yield entry
        stream.skip(entry.size + -entry.size % BLOCK - stream.position + before)
    stream.drain()


def _check(header: bytes) -> None:
    """Compare the checksum: the sum of all bytes, those of the checksum itself taken as spaces."""
    if len(header) < BLOCK:
        raise Damaged("ends in the middle of a header")
    # The low half of Adler-32 is the sum modulo a prime (RFC 1950), and fourteen times as fast.
    field = header[148:156]
    try:
        expected = int(field.strip(b" \0"), 8)
    except ValueError:
        expected = -1
    actual = (zlib.adler32(header, 0) & 0xFFFF) - sum(field) + _SUM_OF_SPACES
    if (actual - expected) % _ADLER_PRIME or not 0 <= expected <= _LARGEST_SUM:
        raise Damaged("is not a tar archive, or is damaged: a header's checksum is wrong")


def _number(field: bytes) -> int:
    """A number in octal digits; where the first bit is set, in binary, negative if the second is (GNU)."""
    if field[0] & 0x80:
        sign = 1 << 8 * len(field) - 2
        return (int.from_bytes(field, "big") & (2 * sign - 1) ^ sign) - sign
    digits = field.partition(b"\0")[0]
    try:
        return int(digits, 8) if digits.strip() else 0
    except ValueError:
        raise Damaged("a header has a number that is none") from None


# An archive has a handful of modes.
_mode = functools.lru_cache(256)(_number)


def _size(header: bytes) -> int:
    if header[156] in _HEADER_ONLY:
        return 0
    return _checked_size(_number(header[124:136]))


def _checked_size(size: int) -> int:
    if not 0 <= size < 1 << 63:
        raise Damaged(f"a header gives a size of {size} bytes")
    return size


def _extension(stream: Stream, size: int) -> bytes:
    if size > LONGEST_EXTENSION:
        raise Damaged(f"an extended header has {size} bytes, more than {LONGEST_EXTENSION}")
    content = b"".join(stream.exactly(size))
    stream.skip(-size % BLOCK)
    return content


def _extend(extension: dict[bytes, bytes], kind: bytes, content: bytes) -> None:
    """Add what an extended header says of the next entry. Global ones say nothing that counts here."""
    if kind == b"L":
        extension[b"path"] = content.partition(b"\0")[0]
    elif kind == b"K":
        extension[b"linkpath"] = content.partition(b"\0")[0]
    elif kind == b"x":
        extension.update(_records(content))


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records of a pax header, "length key=value\\n" each."""
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        digits = content[at : max(space, at)]
        end = at + int(digits) if digits.isdigit() else 0
        # A record ends after it begins, or this would never end.
        if end <= space or content[end - 1 : end] != b"\n":
            raise Damaged("an extended header is damaged")
        key, _, value = content[space + 1 : end - 1].partition(b"=")
        yield key, value
        at = end


def _entry(header: bytes, size: int, extension: dict[bytes, bytes]) -> Entry:
    name, mode, _, flag, link, magic, prefix = _HEADER.unpack(header)
    name, _, _ = name.partition(b"\0")
    if magic == b"ustar\0" and prefix[0]:
        name = prefix.partition(b"\0")[0] + b"/" + name
    link = link.partition(b"\0")[0] if link[0] else b""
    sparse = flag == b"S"
    if extension:
        name = extension.get(b"GNU.sparse.name", extension.get(b"path", name))
        link = extension.get(b"linkpath", link)
        sparse = sparse or any(key.startswith(b"GNU.sparse.") for key in extension)
        size = _pax_size(extension, size) if header[156] not in _HEADER_ONLY else 0
    if len(name) > LONGEST_PATH or len(link) > LONGEST_PATH or b"\0" in name:
        raise Damaged(f"a name has {max(len(name), len(link))} bytes, more than {LONGEST_PATH}, or a zero")
    kind = _KINDS.get(flag, SPECIAL)
    if kind is REGULAR and name.endswith(b"/"):
        kind = FOLDER
    return Entry(name, kind, size, _mode(mode), link, sparse)


def _pax_size(extension: dict[bytes, bytes], size: int) -> int:
    digits = extension.get(b"size")
    if digits is None:
        return size
    if not digits.isdigit() or len(digits) > 19:
        raise Damaged("an extended header gives a size that is none")
    return _checked_size(int(digits))


def _skip_sparse_map(stream: Stream, header: bytes, budget: Budget) -> None:
    """Pass over what continues an old GNU sparse map; a byte of each block says whether another follows."""
    more = header[482]
    while more:
        budget.spend_entry()
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise Damaged("ends in the middle of a header")
        more = block[504]
