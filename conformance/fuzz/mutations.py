"""Inputs by number: the same number and seed make the same image, whatever was made before."""

import random
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from conformance.fuzz import seeds
from tests.scanner import images
from tests.scanner.images import File, Folder, Hardlink, Symlink, Thing

BLOCK = tarfile.BLOCKSIZE
# What parsers trip over: numbers at the ends of their ranges, separators, texts that other parsers take.
ODD = (
    b"\0",
    b"\0" * 4,
    b"\0" * 8,
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80" + b"\0" * 7,
    b"\1" + b"\0" * 7,
    b"-1",
    b"99999999999999999999",
    b"1e400",
    b"NaN",
    b"..",
    b"../../",
    b"/",
    b".wh.",
    b"\n",
    b"\n\n",
    b"\r\n",
    b":",
    b'"',
    b"'",
    b"\\",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"\xff\xfe",
    b"=?utf-8?b?gg==?=",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"PK\x05\x06",
    b"\x7fELF",
)


@dataclass(frozen=True, slots=True)
class Input:
    """An image: its layers from the bottom to the top, and what was done to make it."""

    kind: str
    layers: tuple[bytes, ...]


def make(seed: str, number: int) -> Input:
    """The input with this number."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - not a secret
    return chance.choices(*_WAYS)[0](chance)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with some bytes changed, put in, cut out, moved or doubled; or cut off."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8, 30))):
        chance.choice(_CHANGES)(changed, chance, chance.randrange(len(changed) + 1))
    return bytes(changed)


def _flip(changed: bytearray, chance: random.Random, at: int) -> None:
    changed[at : at + 1] = bytes([chance.randrange(256)])


def _bit(changed: bytearray, chance: random.Random, at: int) -> None:
    if at < len(changed):
        changed[at] ^= 1 << chance.randrange(8)


def _write_odd(changed: bytearray, chance: random.Random, at: int) -> None:
    odd = chance.choice(ODD)
    changed[at : at + len(odd)] = odd


def _insert_odd(changed: bytearray, chance: random.Random, at: int) -> None:
    changed[at:at] = chance.choice(ODD)


def _write_number(changed: bytearray, chance: random.Random, at: int) -> None:
    """A number that may be a place in the file, or a little beside its end."""
    number = chance.choice((chance.randrange(len(changed) + 2), len(changed), len(changed) - 1, 1 << 16))
    form = chance.choice(["<I", ">I", "<H", ">H", "<Q", ">Q"])
    part = struct.pack(form, number & (1 << 8 * struct.calcsize(form)) - 1)
    changed[at : at + len(part)] = part


def _remove(changed: bytearray, chance: random.Random, at: int) -> None:
    del changed[at : at + chance.choice((1, 4, 16, 512, chance.randrange(1, 5000)))]


def _double(changed: bytearray, chance: random.Random, at: int) -> None:
    part = changed[at : at + chance.choice((1, 8, 64, 512, 4096))]
    changed[at:at] = part * chance.choice((1, 1, 2, 20))


def _move(changed: bytearray, chance: random.Random, at: int) -> None:
    other = chance.randrange(len(changed) + 1)
    part = changed[other : other + chance.choice((4, 16, 512))]
    changed[at : at + len(part)] = part


def _noise(changed: bytearray, chance: random.Random, at: int) -> None:
    changed[at:at] = chance.randbytes(chance.randrange(1, 40))


def _cut_off(changed: bytearray, chance: random.Random, at: int) -> None:
    if chance.random() < 0.3:
        del changed[at:]


_CHANGES: tuple[Callable[[bytearray, random.Random, int], None], ...] = (
    _flip,
    _bit,
    _write_odd,
    _insert_odd,
    _write_number,
    _remove,
    _double,
    _move,
    _noise,
    _cut_off,
)


def _file(chance: random.Random) -> Input:
    """A good archive with one damaged file, beside the os-release of a system that has advisories."""
    seed = chance.choice(seeds.files())
    changes = 0

    def mutate(part: bytes) -> bytes:
        nonlocal changes
        changes += 1
        return mutated(part, chance) if changes == 1 or chance.random() < 0.5 else part

    things: dict[str, Thing] = {"usr/lib/os-release": b"ID=debian\nVERSION_ID=11\n"}
    things[seed.path] = File(seed.build(mutate), seed.mode)
    return Input(seed.kind, (images.tar(things, tarfile.GNU_FORMAT),))


def _archive(chance: random.Random) -> Input:
    """Damaged headers and contents, the checksums left as they were."""
    flavour, content = chance.choice(list(seeds.archives().items()))
    return Input(f"tar, {flavour}", (mutated(content, chance),))


def _headers(chance: random.Random) -> Input:
    """Damaged headers with right checksums, so that what they say is believed."""
    flavour, content = chance.choice(list(seeds.archives().items()))
    blocks = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
    headers = [number for number, block in enumerate(blocks) if b"ustar" in block[257:262]]
    for number in chance.sample(headers, min(len(headers), chance.choice((1, 1, 2, 5)))):
        blocks[number] = _damaged_header(blocks[number], chance)
    return Input(f"tar, {flavour}, right sums", (b"".join(blocks),))


# Where the fields of a header are: name, mode, size, type, link, magic, prefix, and GNU's sparse map.
_FIELDS = ((0, 100), (100, 108), (124, 136), (156, 157), (157, 257), (257, 265), (345, 500), (386, 483))


def _damaged_header(header: bytes, chance: random.Random) -> bytes:
    start, end = chance.choice(_FIELDS)
    field = mutated(header[start:end], chance)
    if (start, end) == (156, 157):
        field = chance.choice(
            (b"0", b"1", b"2", b"3", b"5", b"7", b"S", b"x", b"g", b"L", b"K", b"V", b"\xff")
        )
    if (start, end) == (124, 136) and chance.random() < 0.5:
        field = b"%011o\0" % chance.choice((0, 1, 511, 512, 513, 1 << 20, (1 << 20) + 1, (1 << 33) - 1))
    field = field[: end - start].ljust(end - start, b"\0")
    return seeds.with_checksum(header[:start] + field + header[end:])


def _compressed(chance: random.Random) -> Input:
    """Damaged after it was compressed, or before."""
    content = chance.choice(list(seeds.archives().values()))
    if chance.random() < 0.3:
        name, packed = seeds.compressed(mutated(content, chance), chance)
        return Input(f"{name}, of a damaged tar", (packed,))
    name, packed = seeds.compressed(content, chance)
    return Input(f"{name}, damaged", (mutated(packed, chance),))


_NAMES = (
    "var",
    "lib",
    "dpkg",
    "status",
    "status.d",
    "etc",
    "os-release",
    "usr",
    "rpm",
    "a.jar",
    "..",
    ".",
    "",
)


def _path(chance: random.Random) -> str:
    """A path of names that matter, which leads anywhere."""
    if chance.random() < 0.4:
        return chance.choice(seeds.files()).path
    parts = [chance.choice(_NAMES) for _ in range(chance.randrange(1, 6))]
    if chance.random() < 0.2:
        parts[-1] = ".wh." + chance.choice((".wh..opq", ".wh.x", *_NAMES))
    return "/".join(parts) or "."


def _thing(chance: random.Random) -> Thing:
    way = chance.randrange(5)
    if way == 0:
        return Symlink(("/" if chance.random() < 0.3 else "") + _path(chance) * chance.choice((1, 1, 1, 40)))
    if way == 1:
        return Hardlink(_path(chance))
    if way == 2:
        return Folder()
    seed = chance.choice(seeds.files())
    return File(seed.build(lambda part: part), seed.mode)


def _layers(chance: random.Random) -> Input:
    """Good archives of links, folders, whiteouts and files in each other's places."""
    layers = []
    for _ in range(chance.randrange(1, 5)):
        things = {_path(chance): _thing(chance) for _ in range(chance.randrange(1, 12))}
        layers.append(images.tar(things, chance.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))))
    return Input("layers of links and whiteouts", tuple(layers))


def _extended(chance: random.Random) -> Input:
    """Extended headers with damaged records."""
    records = [b"30 mtime=1700000000.000000000\n", b"20 path=var/lib/x/y\n", b"25 linkpath=../../etc/x\n"]
    records += [b"11 size=12\n", b"22 GNU.sparse.major=1\n", b"26 GNU.sparse.name=b/a.jar\n"]
    content = mutated(b"".join(chance.sample(records, chance.randrange(1, 6))), chance)
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = chance.choice((b"x", b"g", b"L", b"K"))
    header[124:136] = b"%011o\0" % len(content)
    padded = content + bytes(-len(content) % BLOCK)
    layer = seeds.with_checksum(bytes(header)) + padded + seeds.archives()["gnu"]
    return Input("tar, extended headers", (layer,))


_WAYS: tuple[tuple[Callable[[random.Random], Input], ...], tuple[int, ...]] = (
    (_file, _archive, _headers, _compressed, _layers, _extended),
    (55, 5, 15, 8, 12, 5),
)
