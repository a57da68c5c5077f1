"""An image to scan: a Debian system of 500 packages in several layers, the same bytes on every machine."""

import functools
import itertools
import random
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.scanner import images

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKAGES = 500
LAYERS = 5
# What Go's archive writers use, and with it docker: gzip 6, zstd 3.
GZIP_LEVEL, ZSTD_LEVEL = 6, 3
MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+"
STATUS = "var/lib/dpkg/status"
OS_RELEASE = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
POOL_BYTES = 16 << 20
BLOCK = tarfile.BLOCKSIZE
# Of a hundred files: libraries and data, texts, programs with a table of sections. Mean bytes of each.
KINDS = ((72, 20_000), (25, 6_000), (3, 160_000))


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


COMPRESSORS: dict[str, Callable[[], _Compressor]] = {
    "gzip": lambda: zlib.compressobj(GZIP_LEVEL, wbits=31),
    "zstd": lambda: zstd.ZstdCompressor(ZSTD_LEVEL),
}


@dataclass(frozen=True, slots=True)
class Image:
    """Files with the layers, from the bottom to the top; bytes packed and unpacked, and entries of all."""

    compression: str
    layers: tuple[Path, ...]
    packed_bytes: int
    unpacked_bytes: int
    entries: int


def package_name(number: int) -> str:
    """Every fifth package is one of several of its source."""
    return f"lib{_WORDS[number % len(_WORDS)]}{number}"


def make(folder: Path, compression: str, size_bytes: int) -> Image:
    """Write the layers of an image of this size unpacked."""
    chance = random.Random("image")  # noqa: S311 - not a secret
    paths, unpacked, entries = [], 0, 0
    for number in range(LAYERS):
        path = folder / f"{compression}-{number}"
        packer = COMPRESSORS[compression]()
        with path.open("wb") as file:
            for piece in _layer(chance, number, size_bytes // LAYERS):
                file.write(packer.compress(piece))
                unpacked += len(piece)
                entries += 1
            file.write(packer.compress(bytes(2 * BLOCK)) + packer.flush())
        paths.append(path)
    packed = sum(path.stat().st_size for path in paths)
    return Image(compression, tuple(paths), packed, unpacked, entries)


def status(count: int) -> bytes:
    """dpkg's database of the first `count` packages, with the fields that Debian's have."""
    return "\n".join(map(_stanza, range(count))).encode()


def _stanza(number: int) -> str:
    name = package_name(number)
    source = f"Source: {package_name(number - number % 5)}\n" if number % 5 else ""
    depends = ", ".join(f"{package_name(other)} (>= 1.{other})" for other in range(number % 7))
    text = "\n ".join(" ".join(_WORDS[(number + line) % len(_WORDS)] for _ in range(12)) for line in range(6))
    return (
        f"Package: {name}\nStatus: install ok installed\nPriority: optional\nSection: libs\n"
        f"Installed-Size: {number * 37}\nMaintainer: Someone <someone@example.com>\nArchitecture: amd64\n"
        f"Multi-Arch: same\n{source}Version: 1.{number}.{number % 9}-{number % 4 + 1}+deb12u1\n"
        f"Depends: {depends or 'libc6'}\nDescription: {name}\n {text}\nHomepage: https://example.com/{name}\n"
    )


def _layer(chance: random.Random, number: int, size_bytes: int) -> Iterator[bytes]:
    """The files of a fifth of the packages, and what dpkg writes of all so far; each with its header."""
    if number == 0:
        yield _file("usr/lib/os-release", OS_RELEASE)
    left = size_bytes
    share = PACKAGES // LAYERS
    for index in itertools.count():
        if left <= 0:
            break
        package = package_name(number * share + index % share)
        piece = _any_file(chance, package, index)
        left -= len(piece)
        yield piece
    for first in range(number * share, (number + 1) * share):
        yield _file(f"var/lib/dpkg/info/{package_name(first)}.list", _texts()[:3000])
    yield _file(STATUS, status((number + 1) * share))


def _any_file(chance: random.Random, package: str, index: int) -> bytes:
    kind = chance.choices(range(len(KINDS)), [weight for weight, _ in KINDS])[0]
    # Most are small and a few large.
    size = min(int(chance.expovariate(1) ** 2 / 2 * KINDS[kind][1]) + 50, POOL_BYTES // 2)
    if kind == 1:
        return _file(f"usr/share/doc/{package}/{index}.txt", _slice(chance, _texts(), size))
    content = _slice(chance, _codes(), size)
    if kind == 0:
        return _file(f"usr/lib/x86_64-linux-gnu/{package}/{package}.so.{index}", content)
    return _file(
        f"usr/bin/{package}-{index}", images.elf({".text": content, ".rodata": content[:100]}), 0o755
    )


def _slice(chance: random.Random, pool: bytes, size: int) -> bytes:
    at = chance.randrange(len(pool) - size)
    return pool[at : at + size]


def _file(name: str, content: bytes, mode: int = 0o644) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, 1_700_000_000
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % BLOCK)


def _pool(name: str, words: list[bytes]) -> bytes:
    """Words at random, the first ones far more often than the last, as in a language and in code."""
    chance = random.Random(name)  # noqa: S311 - not a secret
    weights = list(itertools.accumulate(1 / (place + 2) for place in range(len(words))))
    parts: list[bytes] = []
    size = 0
    while size < POOL_BYTES:
        more = b"".join(chance.choices(words, cum_weights=weights, k=50_000))
        parts.append(more)
        size += len(more)
    return b"".join(parts)[:POOL_BYTES]


@functools.cache
def _codes() -> bytes:
    chance = random.Random("codes")  # noqa: S311 - not a secret
    return _pool("code", [chance.randbytes(chance.randrange(1, 8)) for _ in range(6000)])


@functools.cache
def _texts() -> bytes:
    chance = random.Random("texts")  # noqa: S311 - not a secret
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(chance.choices(letters, k=chance.randrange(2, 11))) for _ in range(4000)]
    return _pool("text", [word.encode() + b" " for word in words])


_WORDS = ("amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heron", "iris", "jade", "kelp")
