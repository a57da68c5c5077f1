"""Layers, made in the tests: archives, packages' files and programs."""

import gzip
import io
import sqlite3
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecr_emu.domain.inventory import Inventory
from ecr_emu.scanner import image
from ecr_emu.scanner.layers import Layer, Limits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = "application/vnd.oci.image.layer.v1.tar"
GZIP = PLAIN + "+gzip"
ZSTD = PLAIN + "+zstd"


@dataclass(frozen=True)
class File:
    """A file with its permissions."""

    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Symlink:
    target: str


@dataclass(frozen=True)
class Hardlink:
    target: str


@dataclass(frozen=True)
class Folder:
    mode: int = 0o755


Thing = bytes | File | Symlink | Hardlink | Folder


def tar(things: Mapping[str, Thing], style: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of files and links by path."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=style) as writer:
        for name, thing in things.items():
            info, content = header(name, thing)
            writer.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def header(name: str, thing: Thing) -> tuple[tarfile.TarInfo, bytes]:
    info, content = tarfile.TarInfo(name), b""
    if isinstance(thing, Symlink | Hardlink):
        info.type = tarfile.SYMTYPE if isinstance(thing, Symlink) else tarfile.LNKTYPE
        info.linkname = thing.target
    elif isinstance(thing, Folder):
        info.type, info.mode = tarfile.DIRTYPE, thing.mode
    else:
        content = thing.content if isinstance(thing, File) else thing
        info.mode = thing.mode if isinstance(thing, File) else 0o644
        info.size = len(content)
    return info, content


def layer(content: bytes, media_type: str = PLAIN, digest: str = "sha256:0") -> Layer:
    return Layer(digest, media_type, lambda: io.BytesIO(content))


def layers(*each: Mapping[str, Thing]) -> list[Layer]:
    """Layers from the bottom to the top, with digests sha256:1, sha256:2 and so on."""
    return [layer(tar(things), digest=f"sha256:{number}") for number, things in enumerate(each, 1)]


def read(*each: Mapping[str, Thing], languages: bool = True, limits: Limits | None = None) -> Inventory:
    return image.read(layers(*each), languages=languages, limits=limits)


def names(inventory: Inventory) -> list[str]:
    """The packages as "name version"."""
    return [f"{package.name} {package.version}" for package in inventory.packages]


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def zstandard(content: bytes) -> bytes:
    return bytes(zstd.compress(content))


def dpkg(*packages: tuple[str, str]) -> bytes:
    """A dpkg status file."""
    stanza = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n"
    return "\n".join(stanza.format(name, version) for name, version in packages).encode()


def jar(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            writer.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def pom(group: str, artifact: str, version: str) -> dict[str, bytes]:
    text = f"#Generated\ngroupId={group}\nartifactId={artifact}\nversion={version}\n"
    return {f"META-INF/maven/{group}/{artifact}/pom.properties": text.encode()}


def rpm_header(name: str, version: str, release: str, *, epoch: int | None = None, source: str = "") -> bytes:
    """A header as rpm stores it in its databases (rpm.org, "RPM V4 package format")."""
    values: list[tuple[int, int, bytes]] = [
        (1000, 6, name.encode() + b"\0"),
        (1001, 6, version.encode() + b"\0"),
        (1002, 6, release.encode() + b"\0"),
        (1004, 9, b"a summary\0"),
        (1022, 6, b"x86_64\0"),
    ]
    if source:
        values.append((1044, 6, source.encode() + b"\0"))
    if epoch is not None:
        values.insert(0, (1003, 4, struct.pack(">I", epoch)))
    index, data = b"", b""
    for tag, kind, value in values:
        index += struct.pack(">IIII", tag, kind, len(data), 1)
        data += value
    return struct.pack(">II", len(values), len(data)) + index + data


def rpm_sqlite(*headers: bytes) -> bytes:
    """rpmdb.sqlite, with the table that rpm has its headers in (rpm: lib/backend/sqlite.c)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rpmdb.sqlite")
        connection = sqlite3.connect(path)
        connection.execute(
            "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"
        )
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
        connection.commit()
        connection.close()
        return path.read_bytes()


def rpm_ndb(*headers: bytes) -> bytes:
    """Packages.db (rpm: lib/backend/ndb/rpmpkg.c)."""
    slots, blobs, block = b"", b"", 256
    for index, header in enumerate(headers, 1):
        tail = struct.pack("<II4s", zlib.adler32(header), len(header), b"BlbE")
        padding = bytes(-(len(header) + 28) % 16)
        blob = struct.pack("<4sIII", b"BlbS", index, 0, len(header)) + header + padding + tail
        slots += struct.pack("<4sIII", b"Slot", index, block, len(blob) // 16)
        blobs += blob
        block += len(blob) // 16
    slots += b"".join(struct.pack("<4sIII", b"Slot", 0, 0, 0) for _ in range(254 - len(headers)))
    return struct.pack("<4sIIII12x", b"RpmP", 0, 1, 1, len(headers) + 1) + slots + blobs


def rpm_bdb(*headers: bytes, order: str = "<") -> bytes:
    """Packages, a hash database with one page of pairs and overflow pages (Berkeley DB: dbinc/db_page.h)."""
    size, overflow, items, pages = 4096, 2, [], b""
    for number, header in enumerate(headers, 1):
        parts = [header[at : at + size - 26] for at in range(0, len(header), size - 26)]
        items += [b"\1" + struct.pack(order + "I", number)]
        items += [struct.pack(order + "B3xII", 3, overflow, len(header))]
        for index, part in enumerate(parts):
            following = overflow + index + 1 if index + 1 < len(parts) else 0
            pages += _bdb_page(order, overflow + index, following, 1, len(part), 7) + part.ljust(
                size - 26, b"\0"
            )
        overflow += len(parts)
    offsets, body, end = [], b"", size
    for item in items:
        end -= len(item)
        offsets.append(end)
        body = item + body
    head = _bdb_page(order, 1, 0, len(items), end, 13) + struct.pack(f"{order}{len(items)}H", *offsets)
    page = head.ljust(end, b"\0") + body
    meta = struct.pack(order + "8xIIIIBBBBII", 0, 0x061561, 9, size, 0, 8, 0, 0, 0, overflow - 1)
    return meta.ljust(size, b"\0") + page + pages


def _bdb_page(order: str, number: int, following: int, entries: int, offset: int, kind: int) -> bytes:
    return struct.pack(order + "8xIIIHHBB", number, 0, following, entries, offset, 0, kind)


def elf(sections: Mapping[str, bytes], address: int = 0x400000) -> bytes:
    """A 64-bit program with these sections, all of the file in one segment at `address` (elf(5))."""
    table, strings, body = [bytes(64)], b"\0", b""
    start = 64 + 56
    for name, content in (*sections.items(), (".shstrtab", b"")):
        at = start + len(body)
        label = len(strings)
        strings += name.encode() + b"\0"
        content = content or strings
        body += content
        kind = 3 if name == ".shstrtab" else 1
        table.append(struct.pack("<IIQQQQIIQQ", label, kind, 0, address + at, at, len(content), 0, 0, 1, 0))
    size = start + len(body)
    head = b"\x7fELF\2\1\1".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, size, 0, 64, 56, 1, 64, len(table), len(table) - 1)
    segment = struct.pack("<IIQQQQQQ", 1, 4, 0, address, address, size, size, 1)
    return head + segment + body + b"".join(table)


def go_program(version: str, modules: str) -> bytes:
    """What cmd/link writes since Go 1.18, with the sentinels of 16 bytes around the modules."""
    listed = (
        b"0w\xaf\x0c\x92t\x08\x02A\xe1\xc1\x07\xe6\xd6\x18\xe6"
        + modules.encode()
        + b"\xf92C1\x86\x18 r\0\x82B\x10A\x16\xd8\xf2"
    )
    info = b"\xff Go buildinf:\x08\x02".ljust(32, b"\0")
    for text in (version.encode(), listed):
        info += varint(len(text)) + text
    return elf({".go.buildinfo": info})


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def rust_program(audit: bytes) -> bytes:
    return elf({".text": b"code", ".dep-v0": zlib.compress(audit)})
