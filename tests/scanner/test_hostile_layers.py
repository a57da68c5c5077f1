"""Layers made to do harm: each is refused with a reason, in little time and memory, whatever it claims.

ECR_EMU_FUZZ sets how many mutated inputs are read; a few hundred without it.
"""

import contextlib
import json
import os
import random
import sqlite3
import struct
import sys
import tarfile
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecr_emu.scanner import image
from ecr_emu.scanner.layers import Budget, Exceeded, Limits, Unreadable
from ecr_emu.scanner.packages.rpm import read_sqlite
from tests.scanner import images
from tests.scanner.images import File, Hardlink, Symlink, Thing, dpkg, gzipped, names, read, tar, zstandard

STATUS = "var/lib/dpkg/status"
MIB = 1 << 20
SMALL = Limits(seconds=20, unpacked_bytes=8 * MIB, entries=200, file_bytes=MIB, packages=300)
FUZZED = int(os.environ.get("ECR_EMU_FUZZ", "300"))


def refusal(blob: bytes, limits: Limits = SMALL) -> str:
    with pytest.raises(Unreadable) as refused:
        image.read([images.layer(blob)], languages=True, limits=limits)
    message = str(refused.value)
    assert message.startswith("layer sha256:0: ")
    assert "\n" not in message
    return message.removeprefix("layer sha256:0: ")


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Bombs.


@pytest.mark.parametrize("compress", [gzipped, zstandard])
def test_a_bomb_is_stopped_at_the_limit_and_takes_no_memory(compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(tar({"zeros": bytes(200 * MIB)}))
    assert len(bomb) < MIB
    peak = peak_bytes(lambda: refusal(bomb))
    assert refusal(bomb) == "more than 8388608 bytes unpacked (limit unpacked_bytes)"
    assert peak < 4 * MIB


def test_the_limit_of_bytes_is_one_for_all_layers() -> None:
    each = [images.layer(tar({"zeros": bytes(3 * MIB)})) for _ in range(3)]
    image.read(each[:2], languages=True, limits=SMALL)
    with pytest.raises(Unreadable, match="limit unpacked_bytes"):
        image.read(each, languages=True, limits=SMALL)


def test_bytes_after_the_archive_count_too() -> None:
    assert "limit unpacked_bytes" in refusal(gzipped(tar({"a": b"x"}) + bytes(20 * MIB)))


def test_many_entries_are_stopped_at_the_limit() -> None:
    assert (
        refusal(tar({f"f{number}": b"" for number in range(201)})) == "more than 200 entries (limit entries)"
    )
    read({f"f{number}": b"" for number in range(200)}, limits=SMALL)


def test_extended_headers_count_as_entries() -> None:
    header = pax(b"11 path=ab\n")
    assert refusal(header * 300) == "more than 200 entries (limit entries)"


def test_time_runs_out() -> None:
    started = time.monotonic()
    assert refusal(gzipped(tar({"a": bytes(MIB)})), Limits(seconds=0)) == (
        "takes longer than 0 seconds (limit seconds)"
    )
    assert time.monotonic() - started < 5


def test_endless_empty_gzip_members_are_no_hang() -> None:
    blob = gzipped(b"") * 50_000
    started = time.monotonic()
    image.read([images.layer(blob)], languages=True, limits=SMALL)
    assert time.monotonic() - started < 20


def test_a_status_of_a_gigabyte_is_refused_unread() -> None:
    def write() -> bytes:
        info = tarfile.TarInfo(STATUS)
        info.size = 1 << 30
        return info.tobuf(tarfile.GNU_FORMAT)

    limits = Limits(seconds=60, file_bytes=512 * MIB)
    zeros = zlib.compressobj(1, wbits=31)
    blob = zeros.compress(write())
    blob += b"".join(zeros.compress(bytes(MIB)) for _ in range(1024)) + zeros.flush()
    expected = f"{STATUS} has 1073741824 bytes, more than 536870912 (limit file_bytes)"
    assert peak_bytes(lambda: refusal(blob, limits)) < 8 * MIB
    assert refusal(blob, limits) == expected


def test_a_large_file_of_a_language_is_told_and_the_rest_read() -> None:
    program = File(b"\x7fELF" + bytes(2 * MIB), 0o755)
    inventory = read({"a.jar": bytes(2 * MIB), "app": program, STATUS: dpkg(("one", "1"))}, limits=SMALL)
    assert names(inventory) == ["one 1"]
    assert inventory.unread == {
        "a.jar": "has 2097152 bytes, more than 1048576 (limit file_bytes)",
        "app": "has 2097156 bytes, more than 1048576 (limit file_bytes)",
    }


def test_many_packages_are_stopped_at_the_limit() -> None:
    many = dpkg(*((f"p{number}", "1") for number in range(301)))
    assert refusal(tar({STATUS: many})) == "more than 300 packages (limit packages)"
    modules: dict[str, Thing] = {f"node_modules/m{number}/package.json": b"{" for number in range(160)}
    more = Limits(entries=200, packages=150)
    assert refusal(tar(modules), more) == "more than 150 packages (limit packages)"


def test_many_links_to_files_that_are_not_there_are_stopped_at_the_limit() -> None:
    links: dict[str, Thing] = {f"a{number}.jar": Hardlink(f"x{number}") for number in range(160)}
    more = Limits(entries=200, packages=150)
    assert refusal(tar(links), more) == "more than 150 packages (limit packages)"


def test_a_package_with_a_name_of_megabytes_is_not_kept() -> None:
    status = b"Package: " + b"x" * 5000 + b"\nStatus: install ok installed\nVersion: 1\n"
    assert refusal(tar({STATUS: status})) == (
        f"{STATUS} has a package with names of more than 1024 characters"
    )


@pytest.mark.parametrize("member", ["name", "version"])
def test_a_name_that_is_no_text_is_told(member: str) -> None:
    """Half a pair of surrogates can be in JSON, and in no SBOM or answer."""
    package = {"name": "a", "version": "1", member: "\ud800"}
    path = "node_modules/a/package.json"
    inventory = read({path: json.dumps(package).encode()})
    assert inventory.unread == {path: "has a package with a name that is no text"}
    assert inventory.packages == ()


def test_a_system_with_a_version_of_thousands_of_digits_is_refused() -> None:
    release = b"ID=ubuntu\nVERSION_ID=" + b"9" * 6000 + b".04\n"
    assert refusal(tar({"etc/os-release": release})) == (
        "etc/os-release has a value of more than 256 characters"
    )


def large_rpm_databases() -> Iterator[tuple[str, bytes, str]]:
    header = images.rpm_header("a", "1", "1")
    claimed = images.rpm_bdb(header).replace(
        struct.pack("<II", 2, len(header)), struct.pack("<II", 2, 33 * MIB)
    )
    yield "Packages", claimed, "has a value of 34603008 bytes, more than 33554432"
    header += bytes(33 * MIB)
    yield "Packages.db", images.rpm_ndb(header), "has a package of 34603152 bytes, more than 33554432"
    reason = "is not an SQLite database that can be read: string or blob too big"
    yield "rpmdb.sqlite", images.rpm_sqlite(header), reason


@pytest.mark.parametrize(
    ("name", "content", "reason"), list(large_rpm_databases()), ids=["bdb", "ndb", "sqlite"]
)
def test_a_package_of_rpm_that_takes_much_memory_is_refused(name: str, content: bytes, reason: str) -> None:
    path = "var/lib/rpm/" + name
    archive = tar({path: content})
    assert refusal(archive, Limits(seconds=60)) == f"{path} {reason}"
    assert peak_bytes(lambda: refusal(archive, Limits(seconds=60))) < 24 * MIB


def elf(kind: int, sections: int, segments: int, content: bytes) -> bytes:
    """A program of sections of one type that all have the same content, and of segments of another."""
    table = 64 + 56 * segments
    at = table + 64 * (sections + 1)
    names = b"\0.go.buildinfo\0"
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, table, 0, 64, 56, segments, 64, sections + 1, sections
    )
    segment = struct.pack("<IIQQQQQQ", 2, 4, at, 0, 0, 1, 1, 1)
    section = struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, at, len(content), 0, 0, 1, 8)
    last = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, at + len(content), len(names), 0, 0, 1, 0)
    return head + segment * segments + section * sections + last + content + names


@pytest.mark.parametrize("kind", [2, 4, 5, 6, 11, 0x6FFFFFF6, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF])
def test_a_program_of_many_tables_costs_little(kind: int) -> None:
    """Tables of symbols, hashes and versions that claim a million entries, in sixty thousand sections."""
    content = struct.pack("<IIII", 1 << 20, 0, 1 << 20, 0) + bytes(MIB)
    program = File(elf(kind, 60_000, 2_000, content), 0o755)
    archive = tar({"bin/app": program})
    limits = Limits(seconds=20)
    started = time.monotonic()
    assert peak_bytes(lambda: image.read([images.layer(archive)], languages=True, limits=limits)) < 48 * MIB
    assert time.monotonic() - started < 10


def test_archives_in_an_archive_share_their_limit() -> None:
    inner = images.jar({"zeros.txt": bytes(900_000), **images.pom("org.a", "b", "1")})
    stored = images.jar({f"{number}.jar": inner + bytes(400_000) for number in range(4)})
    inventory = read({"a.jar": stored}, limits=SMALL)
    assert inventory.unread != {}
    assert set(inventory.unread.values()) <= {
        "is not a zip archive, or is cut off",
        "has more than 1048576 bytes in it (limit file_bytes)",
    }
    assert "has more than 1048576 bytes in it (limit file_bytes)" in inventory.unread.values()


def test_an_sqlite_view_that_never_ends_is_stopped() -> None:
    def database(*statements: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            connection = sqlite3.connect(Path(folder, "db"))
            for statement in statements:
                connection.execute(statement)
            connection.commit()
            connection.close()
            return Path(folder, "db").read_bytes()

    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS blob FROM n"
    path = "var/lib/rpm/rpmdb.sqlite"
    assert (
        refusal(tar({path: database(f"CREATE VIEW Packages AS {endless}")}))
        == f"{path} has no table Packages"
    )
    hidden = database(
        "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB AS (x'00' || (hnum)))",
        "INSERT INTO Packages (hnum) VALUES (1)",
    )
    assert refusal(tar({path: hidden})).startswith(f"{path} has a header")


def test_a_database_that_takes_long_to_look_through_is_stopped(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db")
    for number in range(3000):
        connection.execute(f"CREATE TABLE t{number} (x)")
    connection.commit()
    connection.close()
    with (tmp_path / "db").open("rb") as file, pytest.raises(Exceeded, match="limit seconds"):
        list(read_sqlite(file, Budget(Limits(seconds=0))))


# Paths and links.


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x", "..", "./../x", "a/b/../../../x"])
def test_a_path_out_of_the_image_is_refused(name: str) -> None:
    expected = "has a path that leads out of the image: "
    assert refusal(tar({"a/b": b"", name: b"x"})).startswith(expected)
    assert refusal(tar({"b": Hardlink(name), "node_modules/a/package.json": Hardlink(name)})).startswith(
        expected
    )


def test_a_reason_is_one_line_whatever_a_name_holds() -> None:
    assert refusal(tar({"../a\nb\r\x1b[2J\u2028": b""})) == (
        "has a path that leads out of the image: ../a\\nb\\r\\x1b[2J\\u2028"
    )


@pytest.mark.parametrize(
    "name", ["./" + STATUS, "/" + STATUS, "//var//lib/./dpkg/x/../status", "././" + STATUS]
)
def test_other_ways_to_write_a_path_are_one_path(name: str) -> None:
    assert names(read({STATUS: dpkg(("one", "1"))}, {name: dpkg(("two", "2"))})) == ["two 2"]


@pytest.mark.parametrize(
    "links",
    [
        {"var": "var"},
        {"var": "lib", "lib": "var"},
        {"var/lib": "../var/lib"},
        {"var": "./var/./"},
        {"etc": "etc/etc/etc", "usr": "/usr/usr"},
        {"var": "/".join(["usr"] * 1000), "usr": "/".join(["var"] * 1000)},
        {"var": "../" * 1000},
        {"var": ""},
    ],
)
def test_links_in_a_circle_lead_nowhere(links: dict[str, str]) -> None:
    things: dict[str, Thing] = {name: Symlink(target) for name, target in links.items()}
    archive = tar({**things, "etc/x": b"", "var/lib/y": b""}, tarfile.GNU_FORMAT)
    started = time.monotonic()
    assert image.read([images.layer(archive)], languages=True, limits=SMALL).packages == ()
    assert time.monotonic() - started < 5


def test_links_out_of_the_image_stay_in_it() -> None:
    things: dict[str, Thing] = {
        "etc/os-release": Symlink("../../../../etc/hostname"),
        "etc/hostname": b"ID=inside\n",
    }
    system = read(things).system
    assert system is not None
    assert system.id == "inside"
    assert read({"etc/os-release": Symlink("/proc/self/environ")}).system is None


@pytest.mark.parametrize("name", [".wh.", "a/.wh.", "a/.wh...", ".wh..."])
def test_a_whiteout_of_no_file_is_refused(name: str) -> None:
    assert refusal(tar({name: b""})) == "has a whiteout of no file"


def test_devices_and_pipes_are_no_files() -> None:
    archive = b""
    for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        info = tarfile.TarInfo(STATUS)
        info.type, info.size = kind, 1 << 30
        archive += info.tobuf(tarfile.GNU_FORMAT)
    archive += tar({"etc/os-release": b"ID=after\n"})
    inventory = image.read([images.layer(archive)], languages=True, limits=SMALL)
    assert inventory.packages == ()
    assert inventory.system is not None


def test_names_that_are_not_utf_8_are_told_apart() -> None:
    modules = b"{"
    archive = b""
    for byte in (b"\xff", b"\xfe"):
        plain = tar({"node_modules/x/package.json": modules})[:1024]
        archive += with_checksum(plain[:512].replace(b"/x/", b"/" + byte + b"/")) + plain[512:]
    inventory = image.read([images.layer(archive)], languages=True, limits=SMALL)
    assert list(inventory.unread) == ["node_modules/\\xfe/package.json", "node_modules/\\xff/package.json"]


# Headers that lie.


def with_checksum(header: bytes) -> bytes:
    total = sum(header) - sum(header[148:156]) + 8 * 32
    return header[:148] + b"%06o\0 " % total + header[156:]


def with_size(field: bytes) -> bytes:
    header = tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT)
    return with_checksum(header[:124] + field.ljust(12, b"\0") + header[136:])


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    header = bytearray(with_size(b"%011o" % len(records)))
    header[156:157] = kind
    return with_checksum(bytes(header)) + records.ljust(len(records) + -len(records) % 512, b"\0")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (with_size(b"-0000000010"), "a header gives a size of -8 bytes"),
        (with_size(b"\xff" * 12), "a header gives a size of -1 bytes"),
        (
            with_size(b"\x80" + b"\x3f" + b"\xff" * 10),
            "a header gives a size of 77371252455336267181195263 bytes",
        ),
        (with_size(b"\x80\0\0\0\x7f" + b"\xff" * 7), "ends in the middle of a file"),
        (with_size(b"77777777777"), "ends in the middle of a file"),
        (with_size(b"9"), "a header has a number that is none"),
        (with_size(b"0x10"), "a header has a number that is none"),
        (pax(b"x" * (MIB + 1)), "an extended header has 1048577 bytes, more than 1048576"),
        (pax(b"x" * (MIB + 1), b"L"), "an extended header has 1048577 bytes, more than 1048576"),
        (pax(b"9" * 5000 + b" path=x\n"), "an extended header is damaged"),
        (pax(b"5 path=x\n"), "an extended header is damaged"),
        (pax(b"0 \n"), "an extended header is damaged"),
        (pax(b"-1 path=x\n"), "an extended header is damaged"),
        (pax(b"11 path=ab\n0 \n"), "an extended header is damaged"),
        (pax(b"11 path=ab\n1 \n"), "an extended header is damaged"),
        (pax(b"99 path=x\n"), "an extended header is damaged"),
        (pax(b"path=x\n"), "an extended header is damaged"),
        (pax(b"10 size=-1\n"[:10] + b"\n"), "an extended header is damaged"),
        (pax(b"11 size=-1\n") + with_size(b"0"), "an extended header gives a size that is none"),
        (pax(b"18 size=999999999\n") + with_size(b"0"), "ends in the middle of a file"),
        (pax(b"a/" * 3000, b"L") + with_size(b"0"), "a name has 6000 bytes, more than 4096, or a zero"),
        (pax(b"12 path=a\0b\n") + with_size(b"0"), "a name has 3 bytes, more than 4096, or a zero"),
    ],
)
def test_a_header_that_lies_is_refused(header: bytes, reason: str) -> None:
    assert refusal(header) == reason


def test_sparse_files_are_passed_over_or_told() -> None:
    plain = bytearray(images.header("a", b"")[0].tobuf(tarfile.GNU_FORMAT))
    plain[156:157] = b"S"
    plain[482] = 1
    extension = bytes(504) + b"\1" + bytes(7) + bytes(512)
    archive = with_checksum(bytes(plain)) + extension + tar({STATUS: dpkg(("one", "1"))})
    assert names(image.read([images.layer(archive)], languages=True, limits=SMALL)) == ["one 1"]
    named = with_checksum(bytes(plain).replace(b"a\0\0\0\0\0", b"a.jar\0")) + extension
    inventory = image.read([images.layer(named)], languages=True, limits=SMALL)
    assert inventory.unread == {"a.jar": "is stored as a sparse file, which is not read"}
    endless = with_checksum(bytes(plain)) + (bytes(504) + b"\1" + bytes(7)) * 300
    assert refusal(endless) == "more than 200 entries (limit entries)"
    modern = pax(b"22 GNU.sparse.major=1\n" + b"25 GNU.sparse.name=b.jar\n") + with_size(b"0")
    inventory = image.read([images.layer(modern)], languages=True, limits=SMALL)
    assert inventory.unread == {"b.jar": "is stored as a sparse file, which is not read"}


# Layers cut off anywhere, and changed at random.


def everything() -> dict[str, Thing]:
    """One of each kind of file that is read."""
    bash = images.rpm_header("bash", "5.1", "1", epoch=1, source="bash-5.1-1.src.rpm")
    go = images.go_program("go1.22.1", "path\tx\nmod\texample.com/x\tv1.0.0\t\n")
    return {
        "etc/os-release": Symlink("../usr/lib/os-release"),
        "usr/lib/os-release": b'ID=debian\nVERSION_ID="12"\n',
        STATUS: dpkg(("one", "1"), ("two", "2")),
        STATUS + ".d/three": b"Package: three\nVersion: 3\n",
        "lib/apk/db/installed": b"P:musl\nV:1.2.5-r0\no:musl\n\n",
        "var/lib/rpm/rpmdb.sqlite": images.rpm_sqlite(bash),
        "usr/lib/sysimage/rpm/Packages.db": images.rpm_ndb(bash),
        "var/lib/rpm/Packages": images.rpm_bdb(bash),
        "x.dist-info/METADATA": b"Name: x\nVersion: 1\n",
        "node_modules/@a/b/package.json": b'{"name": "@a/b", "version": "1.0.0"}',
        "a.jar": images.jar(
            {**images.pom("org.a", "b", "1"), "b.jar": images.jar(images.pom("org.c", "d", "2"))}
        ),
        "specifications/a.gemspec": b'  s.name = "a"\n  s.version = "1"\n',
        "bin/go": File(go, 0o755),
        "bin/rust": File(images.rust_program(b'{"packages": [{"name": "a", "version": "1"}]}'), 0o755),
        "bin/link": Hardlink("bin/go"),
        "var/lib/.wh.other": b"",
    }


def test_a_layer_cut_off_anywhere_is_refused_or_ends_between_files() -> None:
    whole = tar({STATUS: dpkg(("one", "1")), "etc/os-release": b"ID=a\n"}, tarfile.GNU_FORMAT)
    whole = whole[: 4 * 512 + 1024]
    for packed in (gzipped(whole), zstandard(whole)):
        for end in range(1, len(packed)):
            refusal(packed[:end])
    for end in range(len(whole) - 1024):
        if end % 1024:
            refusal(whole[:end])
        else:
            image.read([images.layer(whole[:end])], languages=True, limits=SMALL)


def test_a_package_database_cut_off_anywhere_does_no_harm() -> None:
    for path, thing in everything().items():
        content = thing.content if isinstance(thing, File) else thing
        if isinstance(content, bytes):
            for end in range(0, len(content), max(1, len(content) // 40)):
                survive({path: File(content[:end], 0o755)})


def survive(*each: dict[str, Thing]) -> None:
    """Read an image: it may be refused, but nothing else, and in time."""
    started = time.monotonic()
    with contextlib.suppress(Unreadable):
        read(*each, limits=SMALL)
    assert time.monotonic() - started < 15


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with some bytes changed, cut out or doubled."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(len(changed) + 1)
        way = chance.randrange(5)
        if way == 0:
            changed[at : at + 1] = bytes([chance.randrange(256)])
        elif way == 1:
            changed[at : at + 4] = chance.choice(
                (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", struct.pack("<I", len(changed)))
            )
        elif way == 2:
            del changed[at : at + chance.randrange(1, 600)]
        elif way == 3:
            changed[at:at] = changed[at : at + chance.randrange(1, 600)]
        else:
            changed[at:at] = chance.randbytes(chance.randrange(1, 20))
    return bytes(changed)


def fuzzed_layers(chance: random.Random) -> Iterator[bytes]:
    """Endless archives, compressed or not, changed before or after; and archives of changed files."""
    things = everything()
    archive = tar(things, tarfile.GNU_FORMAT)
    packed = (archive, gzipped(archive), zstandard(archive), tar(things))
    names_of_files = [name for name, thing in things.items() if isinstance(thing, bytes | File)]
    while True:
        yield mutated(chance.choice(packed), chance)
        yield gzipped(mutated(archive, chance)) if chance.random() < 0.2 else mutated(archive, chance)
        name = chance.choice(names_of_files)
        thing = things[name]
        content = thing.content if isinstance(thing, File) else thing
        assert isinstance(content, bytes)
        yield tar({name: File(mutated(content, chance), 0o755)}, tarfile.GNU_FORMAT)


def test_mutated_layers_are_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(os.environ.get("ECR_EMU_FUZZ_SEED", "layers"))  # noqa: S311 - not a secret
    slowest, open_before = 0.0, open_files()
    for _, blob in zip(range(FUZZED), fuzzed_layers(chance), strict=False):
        started = time.monotonic()
        with contextlib.suppress(Unreadable):
            image.read([images.layer(blob)], languages=True, limits=SMALL)
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 15
    assert open_files() == open_before


def open_files() -> int:
    """Open files of this process, where the system tells."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) if sys.platform == "linux" else 0
