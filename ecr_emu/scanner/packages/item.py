"""What a reader of one kind of file gives, and how it gets the file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ecr_emu.domain.inventory import Package, System
from ecr_emu.scanner.layers import Budget

MIB = 1 << 20
# Bytes of rpm's header of one package, which is in memory at once. rpm allows 256 MiB (hdrchkData); one with
# the names and sums of 100,000 files has 20.
LONGEST_HEADER = 32 * MIB


class Broken(ValueError):
    """A file cannot be read as what it claims to be; the reason, for people."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a file that cannot be read: where in it, and why."""

    path: str
    reason: str


Item = Package | System | Problem


@dataclass(frozen=True, slots=True)
class Reader:
    """How to read one kind of file.

    `parse` gets the file at its start and gives packages, whose `path` is empty or a place within it. It
    raises Broken, or whatever Python raises at data that makes no sense. `system` is for what the operating
    system consists of. More than `longest` bytes are not read (0: Limits.file_bytes). `magic` is what
    a file starts with; others are left alone.
    """

    parse: Callable[[BinaryIO, Budget], Iterator[Item]]
    system: bool = False
    longest: int = 0
    magic: bytes = b""


def text(content: bytes) -> str:
    """Text as the formats have it, UTF-8; bytes that are not stay visible."""
    return content.decode("utf-8", "backslashreplace")
