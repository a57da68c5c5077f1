"""The operating system and its packages: os-release, dpkg, apk, rpm."""

import pytest

from ecr_emu.domain.inventory import Package, System
from ecr_emu.scanner.layers import Unreadable
from tests.scanner import images
from tests.scanner.images import Thing, names, read, rpm_header

STATUS = "var/lib/dpkg/status"
BASH = rpm_header("bash", "5.1.8", "6.el9", source="bash-5.1.8-6.el9.src.rpm")
SHADOW = rpm_header("shadow-utils", "4.9", "8.el9", epoch=2, source="shadow-utils-4.9-8.el9.src.rpm")
KEY = rpm_header("gpg-pubkey", "fd431d51", "4ae0493b")


# The first slot of an ndb database, and pages of a Berkeley DB that say what is not so.
SLOT = images.rpm_ndb(BASH)[32:48]


def changed_page(number: int, at: int, new: bytes) -> bytes:
    database = bytearray(images.rpm_bdb(BASH))
    database[number * 4096 + at : number * 4096 + at + len(new)] = new
    return bytes(database)


LONG = images.rpm_bdb(images.rpm_header("a" * 9000, "1", "1"))
# The page after the first of the long value is that page again, and the value claims to be long.
CIRCLE = bytearray(LONG)
CIRCLE[2 * 4096 + 16 : 2 * 4096 + 20] = b"\2\0\0\0"
CIRCLE[4096 * 2 - 17 + 8 : 4096 * 2 - 17 + 12] = b"\0\0\0\1"
HUGE = bytearray(LONG)
HUGE[4096 * 2 - 17 + 8 : 4096 * 2 - 17 + 12] = b"\xff\xff\xff\x7f"


def system_of(os_release: bytes) -> System | None:
    return read({"etc/os-release": os_release}).system


@pytest.mark.parametrize(
    ("os_release", "system"),
    [
        (
            b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian"\nVERSION_ID="12"\nID=debian\n',
            System("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
        ),
        (b'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.1\n', System("alpine", "3.20.1", "Alpine Linux")),
        (b"ID='amzn'\r\nVERSION_ID='2023'\r\n", System("amzn", "2023")),
        (b'# ID=no\n\nID="a\\"b"\nVERSION_ID=""\n', System('a"b', "")),
        (b'ID=debian\nPRETTY_NAME="no end\nVERSION_ID=\n', System("debian", "", '"no end')),
        (b"VERSION_ID=7\n", System("linux", "7")),
        (b"NAME=Nothing\n", None),
        (b"", None),
        (b"\xff\xfe=\xff\nID=\xffx\n", System("\ufffdx", "")),
    ],
)
def test_os_release_says_which_system_it_is(os_release: bytes, system: System | None) -> None:
    assert system_of(os_release) == system


def test_an_image_of_nothing_but_files_has_no_system() -> None:
    assert read({"bin/busybox": b"x", "etc/passwd": b"root"}).system is None


def test_an_os_release_of_megabytes_is_refused() -> None:
    with pytest.raises(Unreadable, match="etc/os-release has 300000 bytes, more than 262144"):
        system_of(b"#" * 300_000)


def test_dpkg_tells_what_is_installed_and_its_source() -> None:
    status = (
        b"Package: libssl3\nStatus: install ok installed\nPriority: optional\nArchitecture: amd64\n"
        b"Source: openssl (3.0.9-1)\nVersion: 3.0.9-1+b1\nDescription: a\n Package: not-this\n .\n more\n\n"
        b"Package: libc6\nStatus: hold ok installed\nVersion: 2.36-9\nArchitecture: amd64\nSource: glibc\n\n"
        b"Package: bash\nStatus: install ok installed\nVersion: 1:5.2-2\n\n"
        b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        b"Package: half\nStatus: install reinstreq half-installed\nVersion: 1\n\n"
        b"Package: never\nVersion: 1\n\n"
        b"Package: no-version\nStatus: install ok installed\n\n"
        b"Status: install ok installed\nVersion: 1"
    )
    assert read({STATUS: status}).packages == (
        Package("deb", "bash", "1:5.2-2", "", "bash", "1:5.2-2", STATUS, "sha256:1"),
        Package("deb", "libc6", "2.36-9", "amd64", "glibc", "2.36-9", STATUS, "sha256:1"),
        Package("deb", "libssl3", "3.0.9-1+b1", "amd64", "openssl", "3.0.9-1", STATUS, "sha256:1"),
    )


def test_distroless_has_a_file_for_each_package() -> None:
    folder = "var/lib/dpkg/status.d/"
    inventory = read(
        {
            folder + "base": b"Package: base-files\nVersion: 12.4\nArchitecture: amd64\n",
            folder + "base.md5sums": b"Package: wrong\nVersion: 1\n",
            folder + "tzdata": b"Package: tzdata\nStatus: install ok installed\nVersion: 2024a\n",
            folder + "gone": b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
            folder + "deeper/no": b"Package: no\nVersion: 1\n",
        },
        {folder + ".wh.tzdata": b"", folder + "libc6": b"Package: libc6\nVersion: 2.36\n"},
    )
    assert names(inventory) == ["base-files 12.4", "libc6 2.36"]
    assert [package.path for package in inventory.packages] == [folder + "base", folder + "libc6"]


@pytest.mark.parametrize("path", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_apk_tells_what_is_installed_and_its_origin(path: str) -> None:
    installed = (
        b"C:Q1checksum=\nP:libcrypto3\nV:3.3.1-r0\nA:x86_64\no:openssl\nF:usr/lib\nR:libcrypto.so.3\n\n"
        b"P:musl\nV:1.2.5-r0\nA:x86_64\n\nP:no-version\n\nV:1\n\n"
    )
    assert read({path: installed}).packages == (
        Package("apk", "libcrypto3", "3.3.1-r0", "x86_64", "openssl", "3.3.1-r0", path, "sha256:1"),
        Package("apk", "musl", "1.2.5-r0", "x86_64", "musl", "1.2.5-r0", path, "sha256:1"),
    )


def test_a_line_without_an_end_is_not_kept_and_its_middle_is_no_field() -> None:
    middle = b"x" * (65536 - len(b"Description: ")) + b"Version: 2\n"
    status = images.dpkg(("one", "1")) + b"Description: " + middle
    assert names(read({STATUS: status})) == ["one 1"]


RPM = [
    pytest.param("rpmdb.sqlite", images.rpm_sqlite, id="sqlite"),
    pytest.param("Packages.db", images.rpm_ndb, id="ndb"),
    pytest.param("Packages", images.rpm_bdb, id="bdb"),
    pytest.param("Packages", lambda *headers: images.rpm_bdb(*headers, order=">"), id="bdb, big-endian"),
]


@pytest.mark.parametrize("folder", ["var/lib/rpm/", "usr/lib/sysimage/rpm/"])
@pytest.mark.parametrize(("name", "database"), RPM)
def test_rpm_tells_what_is_installed_and_its_source(name: str, database, folder: str) -> None:  # type: ignore[no-untyped-def]
    path = folder + name
    zero = rpm_header("zero", "1", "2", epoch=0)
    assert read({path: database(BASH, SHADOW, KEY, zero)}).packages == (
        Package("rpm", "bash", "5.1.8-6.el9", "x86_64", "bash", "5.1.8-6.el9", path, "sha256:1"),
        Package(
            "rpm", "shadow-utils", "2:4.9-8.el9", "x86_64", "shadow-utils", "4.9-8.el9", path, "sha256:1"
        ),
        Package("rpm", "zero", "1-2", "x86_64", "zero", "1-2", path, "sha256:1"),
    )


@pytest.mark.parametrize(("name", "database"), RPM)
def test_rpm_headers_of_any_length_are_whole(name: str, database) -> None:  # type: ignore[no-untyped-def]
    headers = [rpm_header("p" * length, "1", "1") for length in (1, 100, 500)]
    long = rpm_header("long", "1", "1", source="x" * 20_000 + "-1-1.src.rpm")
    assert len(read({"var/lib/rpm/" + name: database(*headers)}).packages) == 3
    with pytest.raises(Unreadable, match="has a package with names of more than 1024 characters"):
        read({"var/lib/rpm/" + name: database(*headers, long)})


@pytest.mark.parametrize(("name", "database"), RPM)
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"\0\0\0\1\0\0", "has a header"),
        (b"\0\xff\xff\xff" * 2 + bytes(64), "has a header that is longer than its place"),
        (BASH[:-40], "has a header that is longer than its place"),
        (rpm_header("", "1", "1").replace(b"\0\0\3\xe8", b"\0\0\3\xff"), "has a header without name"),
        (BASH[:16] + b"\x7f\xff\xff\xff" + BASH[20:], "has a header with a value outside of it"),
        (BASH[:12] + b"\0\0\0\7" + BASH[16:], "has a header with a value outside of it, or of another type"),
    ],
)
def test_a_damaged_header_makes_the_image_unreadable(name: str, database, header: bytes, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Unreadable, match=f"layer sha256:1: var/lib/rpm/{name} {reason}"):
        read({"var/lib/rpm/" + name: database(header)})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("rpmdb.sqlite", b"", "has no table Packages"),
        (
            "rpmdb.sqlite",
            b"SQLite format 3\0" + b"x" * 5000,
            "is not an SQLite database that can be read: .*",
        ),
        ("Packages.db", b"RpmP", "is not an ndb database"),
        ("Packages.db", b"RpmP" + b"\1" * 8188, "is an ndb database of another version, or damaged"),
        ("Packages.db", images.rpm_ndb(BASH)[:4200], "ends in the middle of a package"),
        ("Packages.db", images.rpm_ndb(BASH).replace(b"BlbS", b"Blbs"), "has a damaged package"),
        ("Packages.db", images.rpm_ndb(BASH).replace(b"Slot", b"slot"), "has a damaged slot"),
        ("Packages", b"", "is not a Berkeley DB hash database, or is encrypted"),
        ("Packages", bytes(25) + b"\x08" + bytes(50), "is not a Berkeley DB hash database"),
        (
            "Packages.db",
            images.rpm_ndb(BASH).replace(SLOT, SLOT[:12] + b"\xff\xff\0\0"),
            "has slots that overlap",
        ),
        ("Packages", changed_page(1, 20, b"\xff\xff"), "has a page with more items than fit"),
        ("Packages", changed_page(1, 26, b"\xff\xff"), "has an item outside of its page"),
        ("Packages", changed_page(2, 25, b"\1"), "has a value with a page that is damaged"),
        ("Packages", CIRCLE, "has pages that follow each other in a circle"),
        ("Packages", HUGE, "has a value of 2147483647 bytes, more than 33554432"),
        ("Packages", images.rpm_bdb(BASH)[: 2 * 4096], "refers to a page that is not there"),
    ],
)
def test_a_damaged_rpm_database_makes_the_image_unreadable(name: str, content: bytes, reason: str) -> None:
    path = "usr/lib/sysimage/rpm/" + name
    with pytest.raises(Unreadable, match=f"^layer sha256:1: {path} {reason}$"):
        read({path: content})


def test_a_damaged_database_that_a_later_layer_replaces_does_not_matter() -> None:
    bottom: dict[str, Thing] = {"var/lib/rpm/rpmdb.sqlite": b"x"}
    assert names(read(bottom, {"var/lib/rpm/rpmdb.sqlite": images.rpm_sqlite(BASH)})) == ["bash 5.1.8-6.el9"]
    assert names(read(bottom, {"var/lib/rpm/.wh.rpmdb.sqlite": b""})) == []


def test_a_journal_that_is_not_empty_is_told() -> None:
    journal = "var/lib/rpm/rpmdb.sqlite-wal"
    database = {"var/lib/rpm/rpmdb.sqlite": images.rpm_sqlite(BASH)}
    assert read({**database, journal: b""}).unread == {}
    inventory = read({**database, journal: b"changes"})
    assert names(inventory) == ["bash 5.1.8-6.el9"]
    assert inventory.unread == {journal: "has changes that may not be in the database, and is not read"}
