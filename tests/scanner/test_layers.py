"""Layers: how they are compressed, what an archive says, whiteouts and links."""

import io
import tarfile
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_emu.scanner import image, tar
from ecr_emu.scanner.layers import Budget, Damaged, Layer, Limits, Stream, Unreadable, unpack
from tests.scanner import images
from tests.scanner.images import File, Folder, Hardlink, Symlink, Thing, dpkg, names, read

STATUS = "var/lib/dpkg/status"
DEBIAN = b'ID=debian\nVERSION_ID="12"\n'
ALPINE = b"ID=alpine\nVERSION_ID=3.20.1\n"
ONE = images.tar({STATUS: dpkg(("one", "1"))})


def read_blob(blob: bytes, media_type: str = images.PLAIN) -> list[str]:
    return names(image.read([images.layer(blob, media_type)], languages=False))


@pytest.mark.parametrize("media_type", [images.PLAIN, images.GZIP, images.ZSTD])
@pytest.mark.parametrize(
    "blob",
    [
        pytest.param(ONE, id="plain"),
        pytest.param(images.gzipped(ONE), id="gzip"),
        pytest.param(images.zstandard(ONE), id="zstd"),
        pytest.param(images.gzipped(ONE[:700]) + images.gzipped(ONE[700:]), id="two gzip members"),
        pytest.param(images.zstandard(ONE[:700]) + images.zstandard(ONE[700:]), id="two zstd frames"),
        pytest.param(images.gzipped(ONE) + bytes(100_000), id="gzip and zeros"),
        pytest.param(images.zstandard(ONE) + bytes(100_000), id="zstd and zeros"),
        pytest.param(b"\x50\x2a\x4d\x18\x04\0\0\0skip" + images.zstandard(ONE), id="skippable zstd frame"),
    ],
)
def test_the_first_bytes_say_how_a_layer_is_compressed(blob: bytes, media_type: str) -> None:
    assert read_blob(blob, media_type) == ["one 1"]


def test_an_image_without_layers_or_with_empty_ones_has_nothing_in_it() -> None:
    assert image.read([], languages=True).packages == ()
    assert read_blob(b"") == []
    assert read_blob(images.gzipped(b"")) == []


@pytest.mark.parametrize(
    ("blob", "media_type", "reason"),
    [
        (ONE, images.GZIP + "+encrypted", "is encrypted"),
        (b"", images.GZIP, "is empty"),
        (b"BZh91AY", images.PLAIN, "is compressed with bzip2, neither with gzip nor with zstd"),
        (b"\xfd7zXZ\0", images.PLAIN, "is compressed with xz, neither with gzip nor with zstd"),
        (images.gzipped(ONE)[:-1], images.GZIP, "ends in the middle of its gzip data"),
        (images.zstandard(ONE)[:-1], images.ZSTD, "ends in the middle of its zstd data"),
        (images.gzipped(ONE) + b"xx", images.GZIP, "is not valid gzip: Error -3 .*"),
        (images.zstandard(ONE)[:9] + b"x" * 99, images.ZSTD, "is not valid zstd: .*"),
        (ONE[:511], images.PLAIN, "ends in the middle of a header"),
        (ONE[:512], images.PLAIN, "ends in the middle of a file"),
        (b"x" * 512, images.PLAIN, "is not a tar archive, or is damaged: a header's checksum is wrong"),
    ],
)
def test_a_damaged_layer_is_unreadable_and_says_why(blob: bytes, media_type: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=f"^layer sha256:0: {reason}$"):
        read_blob(blob, media_type)


def test_an_error_of_the_store_is_not_one_of_the_image() -> None:
    def fail() -> io.BytesIO:
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError):
        image.read([Layer("sha256:0", images.PLAIN, fail)], languages=False)


def test_a_blob_is_closed_after_it_is_read_and_when_it_is_damaged() -> None:
    opened = [io.BytesIO(ONE), io.BytesIO(b"x" * 600)]
    for blob in opened:
        try:
            image.read([Layer("sha256:0", images.PLAIN, lambda blob=blob: blob)], languages=False)
        except Unreadable:
            continue
    assert all(blob.closed for blob in opened)


# Archives as the standard library writes them, whose own reader says what is in them.

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=300).filter(
    lambda name: name.strip("/") not in ("", ".")
)
THINGS = st.one_of(
    st.binary(max_size=2000),
    st.builds(File, st.binary(max_size=600), st.integers(0, 0o7777)),
    st.builds(Symlink, NAMES),
    st.builds(Hardlink, NAMES),
    st.just(Folder()),
)
STYLES = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


@given(things=st.dictionaries(NAMES, THINGS, max_size=6), style=STYLES)
@settings(max_examples=200, deadline=None)
def test_an_archive_has_the_entries_that_were_written(things: dict[str, Thing], style: int) -> None:
    archive = images.tar(things, style)
    budget = Budget(Limits())
    stream = unpack(images.layer(archive), io.BytesIO(archive), budget)
    kinds = {tarfile.REGTYPE: tar.REGULAR, tarfile.LNKTYPE: tar.HARDLINK, tarfile.SYMTYPE: tar.SYMLINK}
    with tarfile.open(fileobj=io.BytesIO(archive)) as reader:
        for entry in tar.entries(stream, budget):
            expected = reader.next()
            assert expected is not None
            assert entry.name.decode().rstrip("/") == expected.name.rstrip("/")
            assert entry.link.decode() == expected.linkname
            assert entry.mode == expected.mode
            if not entry.name.endswith(b"/"):
                assert entry.kind == kinds.get(expected.type, tar.FOLDER)
            content = reader.extractfile(expected) if expected.isreg() else None
            if content is not None and entry.kind == tar.REGULAR:
                assert b"".join(stream.exactly(entry.size)) == content.read()
        assert reader.next() is None


def test_sizes_and_names_that_need_more_than_a_plain_header() -> None:
    info, _ = images.header("a/" + "b" * 150, b"")
    info.size = 3
    for style in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        if style == tarfile.USTAR_FORMAT:
            info.name = "p" * 120 + "/" + "b" * 90
        archive = info.tobuf(style) + b"abc".ljust(512, b"\0")
        budget = Budget(Limits())
        found = list(tar.entries(unpack(images.layer(archive), io.BytesIO(archive), budget), budget))
        assert [(entry.name.decode(), entry.size) for entry in found] == [(info.name, 3)]


def test_a_size_in_binary_is_read_and_passed_over() -> None:
    plain = bytearray(images.header("a", b"")[0].tobuf(tarfile.GNU_FORMAT))
    plain[124:136] = b"\x80" + (700).to_bytes(11, "big")
    plain[148:156] = b"%06o\0 " % (sum(plain) - sum(plain[148:156]) + 8 * 32)
    assert read_blob(bytes(plain) + bytes(1024) + ONE) == ["one 1"]


# Whiteouts: what a layer hides of those below.


@pytest.mark.parametrize(
    "whiteout",
    [
        "var/lib/dpkg/.wh.status",
        "var/lib/.wh.dpkg",
        ".wh.var",
        "./.wh.var",
        "/.wh.var",
        "var/lib/dpkg/.wh..wh..opq",
        "var/lib/.wh..wh..opq",
        ".wh..wh..opq",
    ],
)
def test_a_whiteout_hides_what_is_below_it(whiteout: str) -> None:
    assert names(read({STATUS: dpkg(("one", "1"))}, {whiteout: b""})) == []


@pytest.mark.parametrize(
    "whiteout",
    ["var/lib/dpkg/.wh.statu", "var/lib/dp/.wh..wh..opq", "var/.wh.li", ".wh..wh.plnk", "var/.wh..wh.aufs"],
)
def test_a_whiteout_hides_nothing_else(whiteout: str) -> None:
    assert names(read({STATUS: dpkg(("one", "1"))}, {whiteout: b""})) == ["one 1"]


@pytest.mark.parametrize("whiteout", ["var/lib/dpkg/.wh.status", ".wh.var", "var/.wh..wh..opq"])
@pytest.mark.parametrize("first", [True, False])
def test_a_whiteout_hides_nothing_of_its_own_layer(whiteout: str, first: bool) -> None:
    new: dict[str, Thing] = {STATUS: dpkg(("two", "2"))}
    hiding: dict[str, Thing] = {whiteout: b""}
    top = {**hiding, **new} if first else {**new, **hiding}
    assert names(read({STATUS: dpkg(("one", "1"))}, top)) == ["two 2"]


def test_a_file_may_come_back_after_a_whiteout() -> None:
    status: dict[str, Thing] = {STATUS: dpkg(("one", "1"))}
    assert names(read(status, {".wh.var": b""}, status, {"var/.wh.other": b""})) == ["one 1"]
    assert names(read(status, {".wh.var": b""}, status, {"var/.wh.lib": b""})) == []


def test_the_last_layer_with_a_file_counts_and_is_named() -> None:
    inventory = read({STATUS: dpkg(("one", "1"), ("two", "2"))}, {STATUS: dpkg(("one", "1.1"))})
    assert names(inventory) == ["one 1.1"]
    assert inventory.packages[0].layer == "sha256:2"
    assert inventory.packages[0].path == STATUS


@pytest.mark.parametrize("new", [b"not a folder", Symlink("/nowhere"), Hardlink("nowhere")])
def test_what_replaces_a_folder_replaces_all_in_it(new: Thing) -> None:
    assert names(read({STATUS: dpkg(("one", "1"))}, {"var/lib": new})) == []


def test_a_folder_replaces_a_link_and_a_file() -> None:
    inventory = read(
        {"var/lib/dpkg": Symlink("../../data"), "data/status": dpkg(("one", "1"))},
        {"var/lib/dpkg": Folder(), "data": Folder()},
    )
    assert names(inventory) == []
    assert names(read({STATUS: dpkg(("one", "1"))}, {STATUS: Folder()})) == []


def test_a_program_replaced_by_something_else_is_gone() -> None:
    program = File(images.go_program("go1.22.1", "path\tx\n"), 0o755)
    assert names(read({"bin/app": program})) == ["stdlib 1.22.1"]
    assert names(read({"bin/app": program}, {"bin/app": b"#!/bin/sh\n"})) == []


# Links: on the way to a file of the system, to the file itself, hard and symbolic.


@pytest.mark.parametrize(
    "things",
    [
        {"etc/os-release": Symlink("../usr/lib/os-release"), "usr/lib/os-release": DEBIAN},
        {"etc/os-release": Symlink("/usr/lib/os-release"), "usr/lib/os-release": DEBIAN},
        {"etc/os-release": Symlink("/etc/a"), "etc/a": Symlink("b/c"), "etc/b/c": DEBIAN},
        {"etc/b/c": DEBIAN, "etc/a": Symlink("b/c"), "etc/os-release": Symlink("a")},
        {"etc/os-release": Symlink("../../../../../usr/lib/../share/x"), "usr/share/x": DEBIAN},
        {"etc": Symlink("private"), "private/os-release": DEBIAN},
        {"etc/os-release": Symlink("missing"), "usr/lib/os-release": DEBIAN},
        {"etc/os-release": Symlink("os-release"), "usr/lib/os-release": DEBIAN},
        {
            "usr/lib": Symlink("/lib2"),
            "lib2/os-release": DEBIAN,
            "etc/os-release": Symlink("../usr/lib/os-release"),
        },
        {"some/file": DEBIAN, "etc/os-release": Hardlink("some/file")},
        {
            "some/file": DEBIAN,
            "some/other": Hardlink("some/file"),
            "etc/os-release": Hardlink("./some/other"),
        },
        {"usr/lib/os-release": DEBIAN, "etc/os-release": Hardlink("usr/lib/os-release")},
        {"etc/os-release": DEBIAN, "usr/lib/os-release": ALPINE},
        {"usr/lib/os-release": DEBIAN},
    ],
)
def test_the_system_is_found_behind_links(things: dict[str, Thing]) -> None:
    system = read(things, languages=False).system
    assert system is not None
    assert (system.id, system.version) == ("debian", "12")


def test_a_file_written_through_a_linked_folder_is_where_the_link_leads() -> None:
    bottom: dict[str, Thing] = {"lib": Symlink("usr/lib"), "usr/lib/apk/db/installed": b"P:one\nV:1\n"}
    assert names(read(bottom)) == ["one 1"]
    assert names(read(bottom, {"lib/apk/db/installed": b"P:two\nV:2\n"})) == ["two 2"]
    assert names(read(bottom, {"lib/apk/db/.wh.installed": b""})) == []


def test_a_package_database_behind_a_link_is_read_once() -> None:
    database = images.rpm_sqlite(images.rpm_header("bash", "5", "1"))
    inventory = read(
        {"var/lib/rpm": Symlink("../../usr/lib/sysimage/rpm"), "usr/lib/sysimage/rpm/rpmdb.sqlite": database}
    )
    assert names(inventory) == ["bash 5-1"]
    elsewhere = read({"var/lib/rpm": Symlink("/opt/rpm"), "opt/rpm/rpmdb.sqlite": database})
    assert names(elsewhere) == ["bash 5-1"]
    assert elsewhere.packages[0].path == "opt/rpm/rpmdb.sqlite"


def test_a_database_at_a_usual_place_that_no_path_leads_to_does_not_count() -> None:
    # The second layer makes lib a link; what is below usr/lib is what counts from then on.
    database: dict[str, Thing] = {"lib/apk/db/installed": b"P:old\nV:1\n"}
    link: dict[str, Thing] = {"lib": Symlink("usr/lib")}
    assert names(read(database, link)) == []
    assert names(read({**database, **link})) == []


def test_a_folder_of_packages_behind_a_link() -> None:
    things: dict[str, Thing] = {
        "var/lib/dpkg/status.d": Symlink("/opt/status"),
        "opt/status/one": b"Package: one\nVersion: 1\n",
        "opt/status/one.md5sums": b"Package: wrong\nVersion: 1\n",
    }
    assert names(read(things)) == ["one 1"]


def test_a_hard_link_shares_what_the_file_says() -> None:
    module = b'{"name": "left-pad", "version": "1.3.0"}'
    inventory = read(
        {"store/3f": module, "app/node_modules/left-pad/package.json": Hardlink("store/3f")},
        {".wh.store": b""},
    )
    assert names(inventory) == ["left-pad 1.3.0"]
    assert inventory.packages[0].path == "app/node_modules/left-pad/package.json"


def test_a_program_under_two_names_is_told_once_and_stays_when_one_goes() -> None:
    program = File(images.go_program("go1.22.1", "path\tx\n"), 0o755)
    both: dict[str, Thing] = {"bin/a": program, "bin/b": images.Hardlink("bin/a")}
    archive = images.tar(both).replace(b"0000644", b"0000755")
    # The hard link's own permissions are those of the file.
    fixed = _with_checksums(archive)
    layers = [images.layer(fixed), images.layer(images.tar({"bin/.wh.a": b""}))]
    assert names(image.read(layers[:1], languages=True)) == ["stdlib 1.22.1"]
    assert names(image.read(layers, languages=True)) == ["stdlib 1.22.1"]


def _with_checksums(archive: bytes) -> bytes:
    blocks = [bytearray(archive[at : at + 512]) for at in range(0, len(archive), 512)]
    for block in blocks:
        if block[257:262] == b"ustar":
            block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)
    return b"".join(blocks)


def test_a_hard_link_to_nothing_is_told() -> None:
    inventory = read({"app/x.jar": Hardlink("nowhere")})
    assert inventory.unread == {"app/x.jar": "is a hard link to nowhere, which is not there"}
    with pytest.raises(Unreadable, match="layer sha256:1: var/lib/dpkg/status is a hard link to nowhere"):
        read({STATUS: Hardlink("nowhere")})


def test_folders_behind_a_link_are_found_however_many_there_are() -> None:
    things: dict[str, Thing] = {"lib": Symlink("usr/lib")}
    things |= {f"lib/d{number}/x": b"" for number in range(5000)}
    things |= {"./": Folder(), "lib/apk/db/installed": b"P:one\nV:1\n"}
    assert names(read(things)) == ["one 1"]


@pytest.mark.parametrize("before", [0, 512 * 508, 512 * 509, 512 * 510, 512 * 511])
@pytest.mark.parametrize("pack", [bytes, images.gzipped, images.zstandard])
def test_a_program_is_found_wherever_the_chunks_end(before: int, pack: Callable[[bytes], bytes]) -> None:
    program = File(images.go_program("go1.22.1", "path\tx\n"), 0o755)
    for odd in (0, 1, 7):
        archive = images.tar({"zeros": bytes(before + odd), "bin/app": program}, tarfile.GNU_FORMAT)
        assert names(image.read([images.layer(pack(archive))], languages=True)) == ["stdlib 1.22.1"]


@given(
    content=st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    seed=st.integers(0, 2**32).map(Random),
)
def test_a_stream_gives_the_same_bytes_however_it_is_cut(
    content: bytes, cuts: list[int], seed: Random
) -> None:
    chunks, at = [], 0
    for cut in cuts:
        chunks.append(content[at : at + cut])
        at += cut
    stream = Stream(iter([*chunks, content[at:]]))
    position = 0
    while position < len(content):
        size = seed.randrange(0, len(content) - position + 1)
        assert stream.peek(size) == content[position : position + size]
        assert stream.position == position
        if seed.random() < 0.5:
            assert stream.read(size) == content[position : position + size]
        else:
            stream.skip(size)
        position += size
    assert stream.position == len(content)
    assert stream.read(5) == b""
    with pytest.raises(Damaged):
        stream.skip(1)
