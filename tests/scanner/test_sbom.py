"""The software bill of materials: CycloneDX that others can read, and that reads back as it was."""

import json
import subprocess
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_emu.domain.inventory import LANGUAGE_KINDS, SYSTEM_KINDS, Inventory, Package, System
from ecr_emu.scanner import sbom

DEBIAN = System("debian", "12", "Debian GNU/Linux 12 (bookworm)")
LAYER = "sha256:" + "a" * 64
SSL = Package("deb", "libssl3", "3.0.9-1", "amd64", "openssl", "3.0.9-1", "var/lib/dpkg/status", LAYER)
ANGULAR = Package("npm", "@angular/core", "17.0.1", path="app/node_modules/@angular/core/package.json")
SAMPLE = Inventory(
    DEBIAN,
    (SSL, ANGULAR, Package("maven", "org.slf4j:slf4j-api", "2.0.9"), Package("gem", "rack", "3.0")),
    {"opt/a.jar": "is damaged: BadZipFile"},
)

TEXT = st.text(max_size=30)
PACKAGES = st.builds(
    Package,
    kind=st.sampled_from(SYSTEM_KINDS + LANGUAGE_KINDS),
    name=st.one_of(TEXT, st.from_regex(r"@?[a-z]*[/:][a-z/:@]*", fullmatch=True)),
    version=TEXT,
    arch=TEXT,
    source=TEXT,
    source_version=TEXT,
    path=TEXT,
    layer=TEXT,
)
INVENTORIES = st.builds(
    Inventory,
    system=st.none() | st.builds(System, TEXT, TEXT, TEXT),
    packages=st.lists(PACKAGES, max_size=12).map(tuple),
    unread=st.dictionaries(TEXT, TEXT, max_size=4),
)


def write(inventory: Inventory) -> bytes:
    return sbom.write(inventory, name="team/app", digest="sha256:" + "b" * 64, at=1_700_000_000.5)


def valid(content: bytes) -> bool:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None


@given(inventory=INVENTORIES)
@settings(max_examples=100, deadline=None)
def test_what_was_written_reads_back_the_same(inventory: Inventory) -> None:
    content = write(inventory)
    assert sbom.read(content) == inventory
    assert content == write(inventory)


def test_it_follows_the_official_schema() -> None:
    assert valid(write(SAMPLE))
    assert valid(write(Inventory(None, ())))
    assert not valid(write(SAMPLE).replace(b'"components"', b'"parts"'))


def test_it_names_the_image_the_time_and_the_system() -> None:
    content = json.loads(write(SAMPLE))
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    assert content["metadata"]["timestamp"] == "2023-11-14T22:13:20.500000+00:00"
    image = content["metadata"]["component"]
    assert (image["type"], image["name"], image["version"]) == ("container", "team/app", "sha256:" + "b" * 64)
    system = next(one for one in content["components"] if one["type"] == "operating-system")
    assert (system["name"], system["version"], system["description"]) == ("debian", "12", DEBIAN.name)
    parts = ["package-0", "package-1", "package-2", "package-3", "system"]
    assert {"ref": "image", "dependsOn": parts} in content["dependencies"]


@pytest.mark.parametrize(
    ("package", "url"),
    [
        (SSL, "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12"),
        (ANGULAR, "pkg:npm/%40angular/core@17.0.1"),
        (Package("npm", "left-pad", "1.3.0"), "pkg:npm/left-pad@1.3.0"),
        (Package("maven", "org.slf4j:slf4j-api", "2.0.9"), "pkg:maven/org.slf4j/slf4j-api@2.0.9"),
        (
            Package("rpm", "bash", "2:5.1-1", "x86_64"),
            "pkg:rpm/debian/bash@5.1-1?arch=x86_64&distro=debian-12&epoch=2",
        ),
        (Package("apk", "musl", "1.2.5-r0"), "pkg:apk/debian/musl@1.2.5-r0?distro=debian-12"),
        (Package("golang", "github.com/gorilla/mux", "v1.8.0"), "pkg:golang/github.com/gorilla/mux@v1.8.0"),
        (Package("golang", "stdlib", "1.22.1"), "pkg:golang/stdlib@1.22.1"),
        (Package("pypi", "zope-interface", "5.0"), "pkg:pypi/zope-interface@5.0"),
        (Package("gem", "rack", "3.0"), "pkg:gem/rack@3.0"),
        (Package("cargo", "serde", "1.0.1"), "pkg:cargo/serde@1.0.1"),
        (Package("gem", "", "3.0"), None),
    ],
)
def test_a_package_has_its_url(package: Package, url: str | None) -> None:
    content = json.loads(write(Inventory(DEBIAN, (package,))))
    found = next(one for one in content["components"] if one["bom-ref"] != "system")
    assert found.get("purl") == url


def test_where_a_package_comes_from_is_in_properties() -> None:
    content = json.loads(write(SAMPLE))
    found = next(one for one in content["components"] if one["name"] == "libssl3")
    properties = {one["name"]: one["value"] for one in found["properties"]}
    assert properties == {
        "ecr-emu:kind": "deb",
        "ecr-emu:arch": "amd64",
        "ecr-emu:source": "openssl",
        "ecr-emu:source-version": "3.0.9-1",
        "ecr-emu:path": "var/lib/dpkg/status",
        "ecr-emu:layer": LAYER,
    }
    unread = content["metadata"]["component"]["properties"]
    assert unread == [{"name": "ecr-emu:unread:opt/a.jar", "value": "is damaged: BadZipFile"}]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"metadata": {}}', b'{"components": [{}]}', b"\xff", b"1"]
)
def test_anything_else_is_no_sbom(content: bytes) -> None:
    with pytest.raises(ValueError, match="is no SBOM"):
        sbom.read(content)


def test_libraries_are_loaded_when_they_are_needed() -> None:
    heavy = ("cyclonedx", "packageurl", "backports.zstd", "email.parser")
    code = "import sys, ecr_emu.scanner.image, ecr_emu.scanner.sbom; "
    code += f"print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
