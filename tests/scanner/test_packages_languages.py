"""Packages of languages: Python, Node, Go, Java, Ruby, Rust."""

import json
import struct
import zipfile

import pytest

from ecr_emu.scanner.packages import java
from tests.scanner import images
from tests.scanner.images import File, Thing, jar, names, pom, read

METADATA = b"Metadata-Version: 2.1\nName: Zope.Interface__x\nVersion: 5.0\n\nName: not-this\nVersion: 9\n"


def found(path: str, content: bytes, mode: int = 0o644) -> list[str]:
    inventory = read({path: File(content, mode)})
    assert inventory.unread == {}
    return [f"{package.kind} {package.name} {package.version}" for package in inventory.packages]


def unread(path: str, content: bytes, mode: int = 0o644) -> str:
    inventory = read({path: File(content, mode)})
    assert inventory.packages == ()
    assert list(inventory.unread) == [path]
    return inventory.unread[path]


def test_basic_scanning_does_not_look_for_languages() -> None:
    things: dict[str, Thing] = {"x.dist-info/METADATA": METADATA, "a.jar": b"no archive"}
    inventory = read(things, languages=False)
    assert (inventory.packages, inventory.unread) == ((), {})


@pytest.mark.parametrize(
    "path",
    [
        "usr/lib/python3/site-packages/zope.interface-5.0.dist-info/METADATA",
        "usr/lib/python3/dist-packages/zope.interface-5.0.egg-info/PKG-INFO",
        "usr/lib/python3/dist-packages/zope.interface-5.0.egg-info",
        "opt/zope.egg/EGG-INFO/PKG-INFO",
    ],
)
def test_python_distributions(path: str) -> None:
    assert found(path, METADATA) == ["pypi zope-interface-x 5.0"]
    assert found(path, METADATA.replace(b"\n", b"\r\n")) == ["pypi zope-interface-x 5.0"]


def test_other_files_called_metadata_are_left_alone() -> None:
    assert found("src/PKG-INFO", METADATA) == []
    assert found("x.dist-info/licenses/METADATA", METADATA) == []


def test_python_metadata_without_a_name_is_told() -> None:
    assert unread("x.dist-info/METADATA", b"Version: 1\n\nName: x\n") == "has no name or no version"
    assert unread("x.dist-info/METADATA", b"\xff\0") == "has no name or no version"
    assert found("x.dist-info/METADATA", b"Name: \xc3\xa9\nVersion: 1\n") != []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/node_modules/left-pad/package.json", True),
        ("node_modules/left-pad/package.json", True),
        ("app/node_modules/@scope/left-pad/package.json", True),
        ("app/node_modules/a/node_modules/left-pad/package.json", True),
        ("app/node_modules/.pnpm/left-pad@1.3.0/node_modules/left-pad/package.json", True),
        ("app/node_modules/left-pad/test/package.json", False),
        ("app/node_modules/@scope/package.json", False),
        ("app/node_modules/package.json", False),
        ("app/package.json", False),
        ("package.json", False),
    ],
)
def test_node_modules(path: str, expected: bool) -> None:
    package = b'{"name": "left-pad", "version": "1.3.0"}'
    assert found(path, package) == (["npm left-pad 1.3.0"] if expected else [])


def test_node_modules_that_are_none() -> None:
    path = "node_modules/x/package.json"
    assert found(path, b'{"type": "module"}') == []
    assert found(path, b'\xef\xbb\xbf{"name": "x", "version": "1"}') == ["npm x 1"]
    assert found(path, b'{"name": 1, "version": null}') == []
    assert unread(path, b"[]") == "is no JSON object"
    assert unread(path, b"{").startswith("is damaged: JSONDecodeError")
    assert unread(path, b"[" * 100_000).startswith("is damaged: RecursionError")
    assert unread(path, b" " * 5_000_000) == "has 5000000 bytes, more than 4194304"


GO_MODULES = (
    "path\texample.com/app/cmd\n"
    "mod\texample.com/app\tv1.2.0\th1:x=\n"
    "dep\tgithub.com/gorilla/mux\tv1.8.0\th1:x=\n"
    "dep\tgithub.com/old/fork\tv1.0.0\n"
    "=>\tgithub.com/new/fork\tv1.0.1\th1:x=\n"
    "dep\tgithub.com/local/change\tv1.5.0\n"
    "=>\t./change\t(devel)\t\n"
    "build\t-compiler=gc\n"
)
GO_PACKAGES = [
    "golang example.com/app v1.2.0",
    "golang github.com/gorilla/mux v1.8.0",
    "golang github.com/local/change v1.5.0",
    "golang github.com/new/fork v1.0.1",
    "golang stdlib 1.22.1",
]


def test_go_programs() -> None:
    program = images.go_program("go1.22.1 X:boringcrypto", GO_MODULES)
    assert found("usr/bin/app", program, 0o755) == GO_PACKAGES
    assert found("usr/bin/app", program, 0o654) == GO_PACKAGES
    assert found("usr/bin/app", program, 0o644) == []
    assert found("usr/bin/app", images.go_program("devel go1.23-f00", ""), 0o755) == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_go_programs_of_old_have_addresses(order: str) -> None:
    """Before Go 1.18, two pointers to string headers (debug/buildinfo)."""
    strings = b"go1.16.1" + b"S" * 16 + GO_MODULES.encode() + b"E" * 16
    address = 0x400000 + 64 + 56
    headers = struct.pack(order + "QQQQ", address + 32, 8, address + 40, len(strings) - 8)
    info = b"\xff Go buildinf:\x08" + (b"\1" if order == ">" else b"\0")
    info += struct.pack(order + "QQ", address, address + 16)
    program = images.elf({".data": headers + strings, ".go.buildinfo": info})
    assert found("app", program, 0o755) == [*GO_PACKAGES[:-1], "golang stdlib 1.16.1"]


# A string header of Go, in the place where the program says it is, of a string with no end.
GO_LONG = b"\xff Go buildinf:\x08\0" + struct.pack("<QQQQ", 0x400000 + 120 + 32, 0, 0x400000, (1 << 64) - 1)


def test_rust_programs() -> None:
    packages = [
        {"name": "serde", "version": "1.0.1", "source": "crates.io"},
        {"name": "cc", "version": "1.0.83", "source": "crates.io", "kind": "build"},
        {"name": "app", "version": "0.1.0", "source": "local", "root": True, "dependencies": [0]},
    ]
    program = images.rust_program(json.dumps({"packages": packages}).encode())
    assert found("usr/bin/app", program, 0o755) == ["cargo app 0.1.0", "cargo serde 1.0.1"]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (images.elf({".go.buildinfo": b"short"}), "has Go build information of an unknown form"),
        (
            images.elf({".go.buildinfo": b"\xff Go buildinf:\x08\x02".ljust(32, b"\0") + b"\xff"}),
            "is damaged: IndexError",
        ),
        (
            images.elf({".go.buildinfo": b"\xff Go buildinf:\x09\0".ljust(40, b"\1")}),
            "has Go build information",
        ),
        (
            images.elf({".go.buildinfo": bytes(17 << 20)}),
            "has 17825792 bytes in .go.buildinfo, more than 4194304",
        ),
        (images.elf({".go.buildinfo": GO_LONG}), "has Go build information of 18446744073709551615 bytes"),
        (images.elf({".dep-v0": b"not zlib"}), "is damaged: error: Error -3"),
        (images.rust_program(b"{}"), "has audit data of an unknown form"),
        (images.rust_program(b'{"packages": [{"name": 1}]}'), "is damaged: KeyError"),
        (images.rust_program(b" " * (17 << 20)), "is damaged: JSONDecodeError"),
    ],
)
def test_programs_with_damaged_information_are_told(program: bytes, reason: str) -> None:
    assert unread("usr/bin/app", program, 0o755).startswith(reason)


@pytest.mark.parametrize(
    "content", [b"#!/bin/sh\n", b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 100, images.elf({".text": b"x"})]
)
def test_other_programs_say_nothing(content: bytes) -> None:
    assert found("usr/bin/app", content, 0o755) == []


def test_java_archives() -> None:
    assert found("app.jar", jar(pom("org.slf4j", "slf4j-api", "2.0.9"))) == [
        "maven org.slf4j:slf4j-api 2.0.9"
    ]
    shaded = jar({**pom("org.a", "b", "1"), **pom("org.c", "d", "2")})
    assert found("app.war", shaded) == ["maven org.a:b 1", "maven org.c:d 2"]


def test_java_archives_in_archives_name_their_place() -> None:
    inner = jar(pom("org.a", "b", "1"))
    ear = jar({"web.war": jar({"WEB-INF/lib/b.jar": inner}), "lib/b.jar": inner})
    inventory = read({"opt/app.ear": ear})
    assert [package.path for package in inventory.packages] == [
        "opt/app.ear!/lib/b.jar",
        "opt/app.ear!/web.war!/WEB-INF/lib/b.jar",
    ]
    deep = jar({"a.jar": jar({"b.jar": jar({"c.jar": inner})})})
    assert read({"x.jar": deep}).unread == {"x.jar!/a.jar!/b.jar!/c.jar": "is more than 3 archives deep"}


def test_a_manifest_counts_where_it_names_group_and_artifact() -> None:
    manifest = (
        b"Manifest: 1\r\nImplementation-Title: commons-io\r\nImplementation-Version: 2.11\r\n .0\r\n"
        b"Implementation-Vendor-Id: org.apache.commons\r\n"
    )
    assert found("a.jar", jar({"META-INF/MANIFEST.MF": manifest})) == [
        "maven org.apache.commons:commons-io 2.11.0"
    ]
    both = {**pom("org.a", "b", "1"), "META-INF/MANIFEST.MF": manifest}
    assert found("a.jar", jar(both)) == ["maven org.a:b 1"]
    unclear = manifest.replace(b"commons-io", b"Apache Commons IO")
    assert found("a.jar", jar({"META-INF/MANIFEST.MF": unclear})) == []


def test_damaged_java_archives_are_told() -> None:
    assert unread("a.jar", b"PK\3\4 no archive") == "is not a zip archive, or is cut off"
    whole = jar(pom("org.a", "b", "1"))
    assert unread("a.jar", whole[:-30]) == "is not a zip archive, or is cut off"
    huge = bytearray(whole)
    huge[-10:-6] = struct.pack("<I", 1 << 30)
    assert unread("a.jar", bytes(huge)) == "has a list of files of 1073741824 bytes, more than 10485760"
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\1\2") + 8] |= 1
    assert unread("a.jar", bytes(encrypted)) == "is encrypted"
    inner = read({"a.jar": jar({"b.jar": b"x", **pom("org.a", "b", "1")})})
    assert names(inner) == ["org.a:b 1"]
    assert inner.unread == {"a.jar!/b.jar": "is not a zip archive, or is cut off"}


def test_java_archives_of_more_than_four_gigabytes_say_so_elsewhere() -> None:
    """The list's length is in another record then (APPNOTE 4.3.14), which counts as well."""
    whole = jar(pom("org.a", "b", "1"))
    record = b"PK\6\6" + bytes(36) + struct.pack("<Q", 1 << 40) + bytes(8)
    locator = b"PK\6\7" + bytes(16)
    large = whole[:-22] + record + locator + whole[-22:]
    assert unread("a.jar", large) == "has a list of files of 1099511627776 bytes, more than 10485760"


def test_java_properties_of_megabytes_are_told() -> None:
    large = jar({"META-INF/maven/a/b/pom.properties": bytes(1 << 20)})
    expected = "META-INF/maven/a/b/pom.properties has 1048576 bytes, more than 262144"
    assert unread("a.jar", large) == expected


def test_java_archives_with_a_method_that_would_unpack_in_one_piece_are_told() -> None:
    archive = bytearray(jar(pom("org.a", "b", "1")))
    archive[archive.index(b"PK\1\2") + 10] = zipfile.ZIP_LZMA
    assert unread("a.jar", bytes(archive)) == "is compressed with method 14, which is not read"


GEMSPEC = b"""# -*- encoding: utf-8 -*-
# stub: nokogiri 1.15.4 x86_64-linux lib

Gem::Specification.new do |s|
  s.name = "nokogiri".freeze
  s.version = "1.15.4"
  s.platform = "x86_64-linux".freeze
  s.add_runtime_dependency(%q<racc>.freeze, ["~> 1.4"])
end
"""


@pytest.mark.parametrize(
    "path",
    [
        "usr/lib/ruby/gems/3.1.0/specifications/nokogiri-1.15.4.gemspec",
        "usr/lib/ruby/gems/3.1.0/specifications/default/nokogiri-1.15.4.gemspec",
    ],
)
def test_ruby_gems(path: str) -> None:
    assert found(path, GEMSPEC) == ["gem nokogiri 1.15.4"]


def test_ruby_gems_that_are_not_installed_or_are_programs() -> None:
    assert found("app/my.gemspec", GEMSPEC) == []
    assert unread("specifications/a.gemspec", b's.name = File.read("x")\n').startswith(
        "has no name or no version"
    )


def test_lists_of_files_of_java_archives_in_each_other_share_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """zipfile has all of them in memory at a time, each ten times as large."""
    inner = jar(pom("org.a", "b", "1"))
    whole = jar({"b.jar": inner, "c.jar": inner})
    sizes = [struct.unpack("<I", content[-10:-6])[0] for content in (whole, inner)]
    monkeypatch.setattr(java, "_LONGEST_DIRECTORY", sum(sizes))
    one_after_the_other = read({"a.jar": whole})
    assert (names(one_after_the_other), one_after_the_other.unread) == (["org.a:b 1"] * 2, {})
    monkeypatch.setattr(java, "_LONGEST_DIRECTORY", sum(sizes) - 1)
    refused = read({"a.jar": whole})
    problem = f"has a list of files of {sizes[1]} bytes, more than {sizes[1] - 1}"
    assert refused.unread == {f"a.jar!/{name}.jar": problem for name in "bc"}
