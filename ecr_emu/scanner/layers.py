"""The bytes of a layer, unpacked as they are read, within limits.

A layer is a tar archive, plain or compressed with gzip or zstd (OCI image specification, layer.md). As
docker does, the first bytes decide how it is compressed, not the media type. Several gzip members or zstd
frames after each other are one archive (RFC 1952 2.2, RFC 8878 3.1), and zeros after the last are padding.
"""

import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

# Bytes read from a blob at once, and bytes that a decompressor may give at once: a bomb gets no further.
BLOCK_BYTES = 1 << 16
CHUNK_BYTES = 1 << 18

# What a compressed file starts with, and who wrote it.
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_ZSTD = b"\x2a\x4d\x18"
_FOREIGN = ((b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))


class Unreadable(ValueError):
    """An image cannot be read. One line for people: which layer, and what is wrong with it."""


class Damaged(Exception):
    """A layer is not what it claims to be; the reason, for people."""


class Exceeded(Exception):
    """A limit was passed; which, for people."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer to read: the digest and media type of its descriptor, and how to get its bytes.

    `open` gives a stream at the first byte of the blob. It is called again where a link leads to a file that
    was not kept the first time.
    """

    digest: str
    media_type: str
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an image may cost. Passing any but `file_bytes` makes the image unreadable."""

    # Seconds for the whole image.
    seconds: float = 600
    # Bytes of all layers together, unpacked; read again for a link, they count again from zero.
    unpacked_bytes: int = 40 << 30
    # Headers in the archives of all layers together: files, folders, links and extended headers.
    entries: int = 5_000_000
    # Bytes of one package database, archive or program. One that is larger is not read: a database of the
    # system makes the image unreadable, another file is named in Inventory.unread.
    file_bytes: int = 512 << 20
    # Packages, and files that cannot be read, that are kept at once.
    packages: int = 200_000


class Budget:
    """What is left of the limits while an image is read. Raises Exceeded."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._deadline = time.monotonic() + limits.seconds
        self.restart()

    def restart(self) -> None:
        """Count bytes and entries from zero, as for another reading of all layers. The time runs on."""
        self._bytes = self.limits.unpacked_bytes
        self._entries = self.limits.entries

    @property
    def late(self) -> bool:
        return time.monotonic() > self._deadline

    def check_time(self) -> None:
        if self.late:
            raise Exceeded(f"takes longer than {self.limits.seconds:g} seconds (limit seconds)")

    def spend_bytes(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise Exceeded(f"more than {self.limits.unpacked_bytes} bytes unpacked (limit unpacked_bytes)")

    def spend_entry(self) -> None:
        self._entries -= 1
        if self._entries % 64 == 0:
            self.check_time()
        if self._entries < 0:
            raise Exceeded(f"more than {self.limits.entries} entries (limit entries)")


class Stream:
    """Bytes in order, from chunks as they come. What is skipped is not copied."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self._before = 0

    @property
    def position(self) -> int:
        """Bytes read or skipped so far."""
        return self._before + self._at

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        end = self._at + size
        if end > len(self._chunk):
            return b"".join(self._pieces(size))
        piece = self._chunk[self._at : end]
        self._at = end
        return piece

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, which stay to be read; fewer only at the end."""
        if len(self._chunk) - self._at < size:
            start = self.read(size)
            self._chunk = start + self._chunk[self._at :]
            self._before += self._at - len(start)
            self._at = 0
        return self._chunk[self._at : self._at + size]

    def exactly(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces of at most a chunk. Raises Damaged where they end before."""
        left = size
        for piece in self._pieces(size):
            left -= len(piece)
            yield piece
        if left:
            raise Damaged("ends in the middle of a file")

    def skip(self, size: int) -> None:
        """Pass over `size` bytes. Raises Damaged where they end before."""
        end = self._at + size
        while end > len(self._chunk):
            end -= len(self._chunk)
            self._at = len(self._chunk)
            if not self._next():
                raise Damaged("ends in the middle of a file")
        self._at = end

    def drain(self) -> None:
        """Read to the end, which is where a decompressor finds the checksum."""
        while self._next():
            pass

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            if self._at == len(self._chunk) and not self._next():
                return
            piece = self._chunk[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def _next(self) -> bool:
        self._before += len(self._chunk)
        self._chunk, self._at = b"", 0
        for chunk in self._chunks:
            if chunk:
                self._chunk = chunk
                return True
        return False


def unpack(layer: Layer, blob: BinaryIO, budget: Budget) -> Stream:
    """The archive in a layer's blob. Raises Damaged and Exceeded, also from the Stream while it is read."""
    if layer.media_type.endswith("+encrypted"):
        raise Damaged("is encrypted")
    blocks = _blocks(blob, budget)
    first = next(blocks, b"")
    for magic, name in _FOREIGN:
        if first.startswith(magic):
            raise Damaged(f"is compressed with {name}, neither with gzip nor with zstd")
    if not first and layer.media_type.endswith(("gzip", "zstd")):
        raise Damaged("is empty")
    return Stream(_counted(_decompressor(first)(_after(first, blocks)), budget))


def _blocks(blob: BinaryIO, budget: Budget) -> Iterator[bytes]:
    while block := blob.read(BLOCK_BYTES):
        budget.check_time()
        yield block


def _after(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks


def _counted(chunks: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    for chunk in chunks:
        budget.spend_bytes(len(chunk))
        budget.check_time()
        yield chunk


def _decompressor(first: bytes) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    if first.startswith(_GZIP):
        return _gunzip
    if first.startswith(_ZSTD) or (first[1:4] == _SKIPPABLE_ZSTD and first[0] >> 4 == 5):
        return _unzstd
    return iter


def _gunzip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    try:
        for block in blocks:
            pending = block.lstrip(b"\0") if member.eof else block
            while pending:
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(pending, CHUNK_BYTES)
                pending = member.unused_data.lstrip(b"\0") if member.eof else member.unconsumed_tail
    except zlib.error as error:
        raise Damaged(f"is not valid gzip: {error}") from None
    if not member.eof:
        raise Damaged("ends in the middle of its gzip data")


def _unzstd(blocks: Iterator[bytes]) -> Iterator[bytes]:
    # A frame may ask for a window of 128 MiB at most, the default of the library.
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    frame = zstd.ZstdDecompressor()
    try:
        for block in blocks:
            pending = block.lstrip(b"\0") if frame.eof else block
            while pending or not (frame.eof or frame.needs_input):
                if frame.eof:
                    frame = zstd.ZstdDecompressor()
                yield frame.decompress(pending, CHUNK_BYTES)
                pending = frame.unused_data.lstrip(b"\0") if frame.eof else b""
    except zstd.ZstdError as error:
        raise Damaged(f"is not valid zstd: {error}") from None
    if not frame.eof:
        raise Damaged("ends in the middle of its zstd data")
