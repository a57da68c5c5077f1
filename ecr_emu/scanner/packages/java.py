"""Java archives: pom.properties that Maven puts in, else the manifest; archives in archives too.

(maven.apache.org, "Maven Archiver"; Oracle, "JAR File Specification".)
"""

import io
import re
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.item import MIB, Broken, Problem, text

ARCHIVES = (".jar", ".war", ".ear")
# Archives in archives: a war in an ear has jars.
_DEEPEST = 3
# Bytes of a file with properties.
_LONGEST_PROPERTIES = 1 << 18
# Bytes of the lists of files that zipfile has in memory at a time, ten times as large there: of an archive,
# of those around it.
_LONGEST_DIRECTORY = 10 * MIB
_IN_MEMORY = 16 * MIB
_POM = re.compile(r"(?:.*/)?META-INF/maven/[^/]+/[^/]+/pom\.properties")
_MANIFEST = "META-INF/MANIFEST.MF"
# What a group or an artifact is called; a title for people is no artifact.
_COORDINATE = re.compile(r"[A-Za-z0-9_][\w.-]*", re.ASCII)
_ENCRYPTED = 1
ERRORS = (zipfile.BadZipFile, ValueError, EOFError, OSError, RuntimeError, struct.error, IndexError)


@dataclass(slots=True)
class _Allowance:
    """Bytes that archives in archives may still have, all together.

    `directory` are the bytes that the lists of files may still have that are in memory at a time.
    """

    left: int
    budget: Budget
    directory: int


def read_archive(file: BinaryIO, budget: Budget) -> Iterator[Package | Problem]:
    """The packages of a jar, war or ear, and a Problem for each archive in it that cannot be read."""
    yield from _read(file, _Allowance(budget.limits.file_bytes, budget, _LONGEST_DIRECTORY), 0)


def _read(file: BinaryIO, allowance: _Allowance, depth: int) -> Iterator[Package | Problem]:
    with _directory(file, allowance), zipfile.ZipFile(file) as archive:
        found = False
        manifest = None
        for member in archive.infolist():
            allowance.budget.check_time()
            if _POM.fullmatch(member.filename):
                for package in _from_pom(_properties(archive, member, allowance)):
                    found = True
                    yield package
            elif member.filename == _MANIFEST:
                manifest = member
            elif member.filename.lower().endswith(ARCHIVES):
                yield from _inner(archive, member, allowance, depth)
        if not found and manifest is not None:
            yield from _from_manifest(_properties(archive, manifest, allowance))


def _inner(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, allowance: _Allowance, depth: int
) -> Iterator[Package | Problem]:
    place = "!/" + member.filename
    try:
        if depth + 1 >= _DEEPEST:
            raise Broken(f"is more than {_DEEPEST} archives deep")
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
            for piece in _content(archive, member, allowance):
                copy.write(piece)
            for item in _read(cast(BinaryIO, copy), allowance, depth + 1):
                yield replace(item, path=place + item.path)
    except ERRORS as error:
        yield Problem(place, str(error) or type(error).__name__)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, allowance: _Allowance) -> Iterator[bytes]:
    """A file of an archive in pieces. Other methods than these two would give a bomb in one piece."""
    if member.flag_bits & _ENCRYPTED:
        raise Broken("is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Broken(f"is compressed with method {member.compress_type}, which is not read")
    with archive.open(member) as file:
        while piece := file.read(1 << 18):
            allowance.budget.check_time()
            allowance.left -= len(piece)
            if allowance.left < 0:
                raise Broken(
                    f"has more than {allowance.budget.limits.file_bytes} bytes in it (limit file_bytes)"
                )
            yield piece


def _properties(archive: zipfile.ZipFile, member: zipfile.ZipInfo, allowance: _Allowance) -> dict[str, str]:
    """Keys and values of "key=value" and "key: value" lines; the first of a key counts."""
    if member.file_size > _LONGEST_PROPERTIES:
        raise Broken(f"{member.filename} has {member.file_size} bytes, more than {_LONGEST_PROPERTIES}")
    content = b"".join(_content(archive, member, allowance))
    values: dict[str, str] = {}
    for line in text(content).replace("\r\n ", "").replace("\n ", "").splitlines():
        key, separator, value = _split(line)
        if separator and not key.startswith(("#", "!")):
            values.setdefault(key.strip(), value.strip())
    return values


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":" if ":" in line.partition("=")[0] else "=")


def _from_pom(values: dict[str, str]) -> Iterator[Package]:
    group, artifact, version = (values.get(key, "") for key in ("groupId", "artifactId", "version"))
    if _COORDINATE.fullmatch(group) and _COORDINATE.fullmatch(artifact) and version:
        yield Package("maven", f"{group}:{artifact}", version)


def _from_manifest(values: dict[str, str]) -> Iterator[Package]:
    """The package, where the manifest has what Maven writes: vendor's id as group, title as artifact."""
    group = values.get("Implementation-Vendor-Id", "")
    artifact = values.get("Implementation-Title", "")
    version = values.get("Implementation-Version", "")
    if _COORDINATE.fullmatch(group) and _COORDINATE.fullmatch(artifact) and version:
        yield Package("maven", f"{group}:{artifact}", version)


@contextmanager
def _directory(file: BinaryIO, allowance: _Allowance) -> Iterator[None]:
    """Refuse a list of files that takes much memory, before zipfile reads it. Inside, others have less."""
    length = _directory_bytes(file)
    if length > allowance.directory:
        raise Broken(f"has a list of files of {length} bytes, more than {allowance.directory}")
    allowance.directory -= length
    try:
        yield
    finally:
        allowance.directory += length


def _directory_bytes(file: BinaryIO) -> int:
    """How long an archive says that its list of files is (APPNOTE 4.3.14, 4.3.16)."""
    size = file.seek(0, io.SEEK_END)
    start = max(0, size - (1 << 16) - 22 - 76)
    file.seek(start)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise Broken("is not a zip archive, or is cut off")
    length: int = struct.unpack_from("<I", tail, end + 12)[0]
    if tail[max(0, end - 20) :].startswith(b"PK\x06\x07") and end >= 76:
        length = struct.unpack_from("<Q", tail, end - 36)[0]
    file.seek(0)
    return length
