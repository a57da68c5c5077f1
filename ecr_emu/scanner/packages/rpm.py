"""RPM packages: the databases rpmdb.sqlite, Packages.db (ndb) and Packages (Berkeley DB), and their headers.

All three hold one header for each package (rpm.org, "RPM V4 package format", header structure): an index of
tags with types and offsets, then the values.
"""

import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages import rpm_bdb, rpm_ndb
from ecr_emu.scanner.packages.item import LONGEST_HEADER, Broken, text

# Tags and types of rpm.org, "RPM tags".
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCE = 1000, 1001, 1002, 1003, 1022, 1044
_STRINGS = frozenset((6, 8, 9))
_INT32 = 4
# Entries in a header's index (rpm: hdrchkTags).
_MOST_TAGS = 0xFFFF
# A public key that rpm keeps as if it were a package.
_KEY = "gpg-pubkey"


def read_sqlite(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The packages of rpmdb.sqlite. Raises Broken; the file is copied, as SQLite opens files by name."""
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        try:
            yield from _packages(_sqlite_headers(copy.name, budget), budget)
        except sqlite3.Error as error:
            budget.check_time()
            raise Broken(f"is not an SQLite database that can be read: {error}") from None


def read_journal(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """No package: rpm empties the journal of rpmdb.sqlite when it ends. Raises Broken where it did not."""
    if file.read(1):
        raise Broken("has changes that may not be in the database, and is not read")
    yield from ()


def read_ndb(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The packages of Packages.db. Raises Broken."""
    return _packages(rpm_ndb.headers(file), budget)


def read_bdb(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The packages of Packages. Raises Broken."""
    return _packages(rpm_bdb.headers(file), budget)


def _sqlite_headers(path: str, budget: Budget) -> Iterator[bytes]:
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_HEADER)
        connection.set_progress_handler(lambda: _late(budget), 10_000)
        connection.execute("PRAGMA trusted_schema = off")
        kind = connection.execute("SELECT type FROM sqlite_master WHERE name = 'Packages'").fetchone()
        if kind != ("table",):
            raise Broken("has no table Packages")
        for (blob,) in connection.execute("SELECT blob FROM Packages"):
            if not isinstance(blob, bytes):
                raise Broken("has a header that is no blob")
            yield blob
    finally:
        connection.close()


def _late(budget: Budget) -> bool:
    """Whether SQLite is to stop; what it calls cannot raise."""
    return budget.late


def _packages(headers: Iterator[bytes], budget: Budget) -> Iterator[Package]:
    for header in headers:
        budget.check_time()
        package = _package(_tags(header))
        if package.name != _KEY:
            yield package


def _package(tags: dict[int, str]) -> Package:
    try:
        name, version = tags[_NAME], f"{tags[_VERSION]}-{tags[_RELEASE]}"
    except KeyError:
        raise Broken("has a header without name, version or release") from None
    if tags.get(_EPOCH, "0") != "0":
        version = f"{tags[_EPOCH]}:{version}"
    source, source_version = _source(tags.get(_SOURCE, ""))
    return Package("rpm", name, version, tags.get(_ARCH, ""), source or name, source_version or version)


def _source(file_name: str) -> tuple[str, str]:
    """Name and version of a source package, from "bash-5.1.8-6.el9.src.rpm"; its epoch is not in there."""
    stem = file_name.removesuffix(".rpm").rpartition(".")[0]
    name, version, release = ([*stem.rsplit("-", 2), "", ""])[:3]
    return (name, f"{version}-{release}") if release else ("", "")


def _tags(header: bytes) -> dict[int, str]:
    """The values of the tags that are wanted here, as text."""
    if len(header) < 8:
        raise Broken("has a header that is too short")
    count, length = struct.unpack_from(">II", header)
    start = 8 + 16 * count
    if count > _MOST_TAGS or start + length > len(header):
        raise Broken("has a header that is longer than its place")
    wanted = {_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCE}
    found = {}
    for tag, kind, offset, _ in struct.iter_unpack(">IIII", header[8:start]):
        if tag in wanted:
            found[tag] = _value(header, kind, start + offset)
    return found


def _value(header: bytes, kind: int, at: int) -> str:
    if kind in _STRINGS:
        end = header.find(b"\0", at)
        if at < len(header) and end >= 0:
            return text(header[at:end])
    elif kind == _INT32 and at + 4 <= len(header):
        return str(int.from_bytes(header[at : at + 4], "big"))
    raise Broken("has a header with a value outside of it, or of another type")
