"""What the mutations start from: one good file of each kind that is read, and archives of each flavour."""

import functools
import io
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.scanner import images
from tests.scanner.images import File, Folder, Hardlink, Symlink, Thing

Mutate = Callable[[bytes], bytes]
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"


@dataclass(frozen=True, slots=True)
class Seed:
    """A file that is read: where it is, and what makes it of its parts.

    `build` puts each part through a mutation before it goes into what has checksums or is compressed, so
    that what is inside is reached.
    """

    kind: str
    path: str
    build: Callable[[Mutate], bytes]
    mode: int = 0o644


def _plain(kind: str, path: str, content: bytes, mode: int = 0o644) -> Seed:
    return Seed(kind, path, lambda mutate: mutate(content), mode)


def _packed(kind: str, path: str, build: Callable[[Mutate], bytes], mode: int = 0o644) -> list[Seed]:
    """A container: changed as a whole, and with its parts changed."""
    whole = build(lambda part: part)
    return [_plain(kind, path, whole, mode), Seed(f"{kind}, inside", path, build, mode)]


_STATUS = (
    b"Package: libssl3\nStatus: install ok installed\nPriority: optional\nSource: openssl (3.0.14-1)\n"
    b"Architecture: amd64\nVersion: 3.0.14-1~deb12u1\nDescription: library\n of lines\n .\n more\n\n"
    b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1:2-3\n\n"
    b"Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2.15-2+b7\n"
)
_APK = b"C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\n\nC:Q1x=\nP:libssl3\nV:3.3.1-r0\no:openssl\n\n"
_OS_RELEASE = b'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nID=debian\nVERSION_ID="11"\n# comment\n'
_MODULES = (
    "path\texample.com/x\nmod\texample.com/x\tv1.0.0\t\ndep\tgithub.com/a/b\tv0.1.2\th1:x=\n"
    "dep\tgithub.com/c/d\tv2.0.0\n=>\tgithub.com/e/f\tv2.0.1\th1:y=\nbuild\t-compiler=gc\n"
)
_AUDIT = (
    b'{"packages":[{"name":"a","version":"1.0.0","source":"crates.io","kind":"runtime"},'
    b'{"name":"b","version":"2.0.0","kind":"build","dependencies":[0]}]}'
)
_METADATA = (
    b"Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6.3\nSummary: =?utf-8?q?caf=C3=A9?=\n"
    b"Classifier: one\nClassifier: two\nDescription: x\n  y\n\nText\n"
)
_PACKAGE_JSON = (
    b'{"name": "@a/b", "version": "=1.0.0", "dependencies": {"c": "^1.2"}, "x": [1, 2.5, null, "\\u00e9"]}'
)
_GEMSPEC = b'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "2.2.3"\nend\n'
_MANIFEST = (
    b"Manifest-Version: 1.0\r\nImplementation-Title: lib\r\nImplementation-Vendor-Id: org.e\r\n"
    b"Implementation-Version: 1.0\r\nX: a\r\n b\r\n"
)


def _headers(mutate: Mutate) -> tuple[bytes, ...]:
    bash = images.rpm_header("bash", "5.1.8", "6.el9", epoch=1, source="bash-5.1.8-6.el9.src.rpm")
    large = images.rpm_header("kernel", "5.14.0", "427.el9") + bytes(9000)
    key = images.rpm_header("gpg-pubkey", "fd431d51", "4ae0493b")
    return mutate(bash), large, mutate(key)


def _jar(mutate: Mutate) -> bytes:
    pom = {name: mutate(content) for name, content in images.pom("org.a", "b", "1.0").items()}
    inner = images.jar({"META-INF/MANIFEST.MF": mutate(_MANIFEST)})
    return images.jar({**pom, "META-INF/MANIFEST.MF": mutate(_MANIFEST), "lib/c.jar": mutate(inner)})


def _ear(mutate: Mutate) -> bytes:
    war = images.jar({"WEB-INF/lib/a.jar": _jar(mutate)})
    return images.jar({"web.war": war, "lib/stored.jar": mutate(_jar(lambda part: part))})


def _go(mutate: Mutate) -> bytes:
    program = images.go_program("go1.22.1", _MODULES)
    at = program.index(b"\xff Go buildinf:")
    end = program.index(b"\0.go.buildinfo")
    # Of the same length, so that the sections stay where the table says.
    changed = mutate(program[at:end])[: end - at].ljust(end - at, b"\0")
    return program[:at] + changed + program[end:]


def _old_go(mutate: Mutate) -> bytes:
    """Before Go 1.18: addresses of the texts, which are elsewhere in the program."""
    text = b"s" * 16 + _MODULES.encode() + b"e" * 16
    base, at = 0x400000, 64 + 56
    strings = at + 32
    version = b"go1.17.3"
    heads = struct.pack(
        "<QQQQ", base + strings + 32, len(version), base + strings + 32 + len(version), len(text)
    )
    info = b"\xff Go buildinf:\x08\x00" + struct.pack("<QQ", base + strings, base + strings + 16)
    return images.elf({".go.buildinfo": mutate(info), ".data": mutate(heads) + version + text})


def _rust(mutate: Mutate) -> bytes:
    return images.elf({".text": b"code", ".dep-v0": zlib.compress(mutate(_AUDIT))})


@functools.cache
def files() -> tuple[Seed, ...]:
    """One of each kind, more of those that have several forms."""
    found = [
        _plain("dpkg", "var/lib/dpkg/status", _STATUS),
        _plain("dpkg, distroless", "var/lib/dpkg/status.d/bash", _STATUS[-90:]),
        _plain("apk", "lib/apk/db/installed", _APK),
        _plain("os-release", "etc/os-release", _OS_RELEASE),
        _plain("python", "usr/lib/a.dist-info/METADATA", _METADATA),
        _plain("python", "usr/lib/a.egg-info", _METADATA),
        _plain("node", "app/node_modules/@a/b/package.json", _PACKAGE_JSON),
        _plain("ruby", "gems/specifications/rack.gemspec", _GEMSPEC),
        _plain("rpm journal", "var/lib/rpm/rpmdb.sqlite-wal", b""),
    ]
    rpm = "usr/lib/sysimage/rpm/"
    found += _packed("rpm, sqlite", rpm + "rpmdb.sqlite", lambda m: images.rpm_sqlite(*_headers(m)))
    found += _packed("rpm, ndb", rpm + "Packages.db", lambda m: images.rpm_ndb(*_headers(m)))
    found += _packed("rpm, bdb", rpm + "Packages", lambda m: images.rpm_bdb(*_headers(m)))
    found += _packed("rpm, bdb", rpm + "Packages", lambda m: images.rpm_bdb(*_headers(m), order=">"))
    found += _packed("java", "app/a.jar", _jar)
    found += _packed("java", "app/a.ear", _ear)
    found += _packed("go", "bin/go", _go, 0o755)
    found += _packed("go", "bin/go", _old_go, 0o755)
    found += _packed("rust", "bin/rust", _rust, 0o755)
    return tuple(found)


def things() -> dict[str, Thing]:
    """An image with a file of each kind, links, folders and a whiteout."""
    found: dict[str, Thing] = {
        "usr/": Folder(),
        "usr/lib/os-release": _OS_RELEASE,
        "bin/link": Hardlink("bin/go"),
        "etc/mtab": Symlink("../proc/self/mounts"),
        "var/lib/.wh.other": b"",
        "opt/.wh..wh..opq": b"",
        "x" * 120 + "/" + "y" * 120: b"a long name",
    }
    found |= {seed.path: File(seed.build(lambda part: part), seed.mode) for seed in files()}
    return found


@functools.cache
def archives() -> dict[str, bytes]:
    """The same image in each flavour of tar."""
    flavours = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    found = {name: images.tar(things(), style) for name, style in flavours.items()}
    short = {name: thing for name, thing in things().items() if len(name) < 100}
    found["ustar"] = images.tar(short, tarfile.USTAR_FORMAT)
    found["sparse"] = _sparse() + found["gnu"]
    return found


def _sparse() -> bytes:
    """An old GNU sparse file whose map goes on, and one of pax."""
    info = tarfile.TarInfo("app/sparse.jar")
    old = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    old[156:157], old[482] = b"S", 1
    archive = io.BytesIO()
    records = {"GNU.sparse.major": "1", "GNU.sparse.name": "app/b.jar", "GNU.sparse.realsize": "9"}
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as writer:
        info.pax_headers = records
        writer.addfile(info)
    modern = archive.getvalue()[: 3 * tarfile.BLOCKSIZE]
    return with_checksum(bytes(old)) + bytes(tarfile.BLOCKSIZE) + modern


def with_checksum(header: bytes) -> bytes:
    """A header of tar whose checksum is right."""
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    return header[:148] + b"%06o\0 " % total + header[156:]


def compressed(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """The name of a compression, and the content with it."""
    half = len(content) // 2
    ways: dict[str, Callable[[], bytes]] = {
        "gzip": lambda: images.gzipped(content),
        "zstd": lambda: images.zstandard(content),
        "gzip, members": lambda: images.gzipped(content[:half]) + bytes(7) + images.gzipped(content[half:]),
        "zstd, frames": lambda: (
            SKIPPABLE_FRAME + images.zstandard(content[:half]) + images.zstandard(content[half:])
        ),
    }
    name = chance.choice(list(ways))
    return name, ways[name]()
