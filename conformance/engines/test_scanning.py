"""Images that docker pushes have the findings that real advisories say, and no others.

What is installed is told by dpkg and pip, what that means by a slow matcher that shares nothing with the
scanner: every record is compared with every package, Debian's versions by dpkg itself.
"""

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from conformance import advisories
from engines import roots
from engines.dockerd import Docker
from engines.repositories import Repository
from engines.roots import Installed
from engines.server import Emulator, login_password
from tests.scanner import slow_matcher

# The first test waits for debootstrap.
pytestmark = pytest.mark.timeout(900)

ALPINE = "3.11.6"
# Releases of 2018, before pip install was told otherwise.
REQUIREMENTS = (
    *("requests==2.19.1", "urllib3==1.24", "jinja2==2.10", "werkzeug==0.14.1", "flask==0.12.2"),
    *("idna==2.6", "certifi==2018.4.16", "six==1.11.0"),
)
SCAN_SECONDS = 60
ADD_SECONDS = 60
# CVSS 3.1, section 5: the lowest score of each rating.
RATINGS = ((9.0, "CRITICAL"), (7.0, "HIGH"), (4.0, "MEDIUM"), (0.1, "LOW"))

# A vulnerability in a package of a version, with the advisories that say so, and with what they call a fix.
Found = dict[tuple[str, str, str], tuple[set[str], set[str | None]]]


@dataclass(frozen=True)
class Content:
    """What is in an image: packages of its system, and of Python."""

    kind: str
    ecosystem: str
    zip_name: str
    packages: list[Installed]
    python: list[Installed]


@dataclass(frozen=True)
class Image:
    """An image of docker's, by its name there."""

    name: str
    content: Content


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("scanning")
    server = Emulator(folder / "log", "--data-dir", str(folder / "data"))
    command = (sys.executable, "-m", "ecr_emu", "advisories", "add", str(advisories.folder()))
    subprocess.run([*command, "--data-dir", str(folder / "data")], check=True, timeout=ADD_SECONDS)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ecr(server: Emulator) -> BaseClient:
    return server.client()


@pytest.fixture(scope="module")
def docker(docker_engine: Docker, server: Emulator, ecr: BaseClient) -> Docker:
    docker_engine.empty()
    docker_engine.login(server.host, login_password(ecr))
    return docker_engine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for whole file systems; pytest would keep those of its last runs."""
    folder = tmp_path_factory.mktemp("roots")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def debian_root(folder: Path) -> Path:
    """A Debian as it is today, in which dpkg has installed old versions of other packages."""
    root = roots.make_debian(folder / "debian")
    there = {name for one in roots.debian_packages(root) for name in (one.name, one.source)}
    named = advisories.named_packages(advisories.records("Debian"), "Debian:11", 80)
    others = [one for one in named if one[0] not in there]
    # A fixed version, and for every second package the last one before it.
    old = [(name, version + "~" * (number % 2)) for number, (name, version) in enumerate(others)]
    roots.install(root, folder / "packages", old)
    return root


@pytest.fixture(scope="module")
def debian(docker: Docker, debian_root: Path, folder: Path) -> Image:
    archive = roots.pack(debian_root, folder / "debian.tar")
    docker.run("import", str(archive), "debian:old")
    archive.unlink()
    return Image("debian:old", Content("deb", "Debian:11", "Debian", roots.debian_packages(debian_root), []))


@pytest.fixture(scope="module")
def python(docker: Docker, debian: Image, folder: Path) -> Image:
    """The Debian with a layer of what pip installed."""
    context = folder / "python"
    packages = roots.python_packages(roots.pip_install(context / "site", *REQUIREMENTS))
    build(docker, "python:old", context, f"FROM {debian.name}", "COPY site /usr/lib/python3/dist-packages")
    before = debian.content
    return Image("python:old", Content("deb", "Debian:11", "Debian", before.packages, packages))


@pytest.fixture(scope="module")
def alpine(docker: Docker, folder: Path) -> Image:
    named = advisories.named_packages(advisories.records("Alpine"), "Alpine:v3.11", 80)
    roots.write_alpine(folder / "alpine/root", ALPINE, named)
    build(docker, "alpine:old", folder / "alpine", "FROM scratch", "COPY root /")
    packages = [Installed(name, version, name, version) for name, version in named]
    return Image("alpine:old", Content("apk", "Alpine:v3.11", "Alpine", packages, []))


@pytest.fixture(scope="module")
def distroless(docker: Docker, debian_root: Path, folder: Path) -> Image:
    roots.write_distroless(debian_root, folder / "distroless/root")
    build(docker, "distroless:old", folder / "distroless", "FROM scratch", "COPY root /")
    packages = roots.debian_packages(debian_root)
    return Image("distroless:old", Content("deb", "Debian:11", "Debian", packages, []))


@pytest.fixture(params=["debian", "python", "alpine", "distroless"])
def image(request: pytest.FixtureRequest) -> Image:
    found: Image = request.getfixturevalue(request.param)
    return found


def build(docker: Docker, name: str, context: Path, *lines: str) -> None:
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    docker.build(name, context)


def configure(ecr: BaseClient, scan_type: str) -> None:
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ecr.put_registry_scanning_configuration(scanType=scan_type, rules=[rule])


@pytest.fixture
def scan(docker: Docker, ecr: BaseClient) -> Callable[[str, str], Any]:
    """Pushes an image of docker's, which is scanned for it, and gives the whole answer when it is over."""

    def push_and_wait(image: str, scan_type: str) -> Any:
        configure(ecr, scan_type)
        repository = Repository(ecr, f"{scan_type.lower()}/{uuid.uuid4().hex[:12]}")
        docker.run("tag", image, f"{repository.uri}:1")
        docker.run("push", f"{repository.uri}:1")
        return wait(ecr, repository.name)

    return push_and_wait


def wait(ecr: BaseClient, name: str) -> Any:
    asked = {"repositoryName": name, "imageId": {"imageTag": "1"}}
    deadline = time.monotonic() + SCAN_SECONDS
    while (answer := ecr.describe_image_scan_findings(**asked))["imageScanStatus"]["status"] == "IN_PROGRESS":
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    # boto3's paginator puts the pages together.
    whole = ecr.get_paginator("describe_image_scan_findings").paginate(
        **asked, PaginationConfig={"PageSize": 50}
    )
    found = whole.build_full_result().get("imageScanFindings", {})
    if "imageScanFindings" in answer:
        answer["imageScanFindings"] = {**answer["imageScanFindings"], **found}
    return answer


def said_by_basic(answer: Any) -> Found:
    found: Found = {}
    for finding in answer["imageScanFindings"]["findings"]:
        about = {one["key"]: one["value"] for one in finding["attributes"]}
        key = finding["name"], about["package_name"], about["package_version"]
        assert key not in found, "one finding for each vulnerability and package"
        found[key] = set(), {about.get("fixed_in_version")}
    return found


def said_by_enhanced(answer: Any) -> Found:
    found: Found = {}
    for finding in answer["imageScanFindings"]["enhancedFindings"]:
        details = finding["packageVulnerabilityDetails"]
        name = details["vulnerabilityId"]
        for one in details["vulnerablePackages"]:
            epoch, release = f"{one['epoch']}:" * bool(one["epoch"]), one.get("release")
            version = f"{epoch}{one['version']}{f'-{release}' if release else ''}"
            key = name, one["name"], version
            # A package may be there twice, at two places.
            found[key] = set(details["relatedVulnerabilities"]), {one.get("fixedInVersion")}
    return found


def expected(content: Content, *, by_source: bool) -> Found:
    """What the advisories say of the system's packages, by the names that the kind of scan has."""
    sources = {(one.source, one.source_version) for one in content.packages}
    asked = [(content.kind, content.ecosystem, *one) for one in sorted(sources)]
    told = slow_matcher.find(advisories.records(content.zip_name), asked)
    if by_source:
        return told
    return {
        (cve, one.name, one.version): said
        for (cve, source, version), said in told.items()
        for one in content.packages
        if (one.source, one.source_version) == (source, version)
    }


def expected_of_python(packages: list[Installed]) -> Found:
    # PyPI's advisories, and ours, spell names in small letters (PEP 503).
    asked = [("pypi", "PyPI", one.name.lower(), one.version) for one in packages]
    return slow_matcher.find(advisories.records("PyPI"), asked)


def assert_same(found: Found, told: Found) -> None:
    assert found.keys() == told.keys()
    for key, (ids, fixes) in found.items():
        others, known = told[key]
        assert fixes <= known, key
        # A basic finding has no place for the advisories.
        assert not ids or ids >= others - {key[0]}, key


def test_a_basic_scan_finds_what_the_advisories_say(image: Image, scan: Callable[[str, str], Any]) -> None:
    answer = scan(image.name, "BASIC")
    assert answer["imageScanStatus"] == {
        "status": "COMPLETE",
        "description": "The scan was completed successfully.",
    }
    told = expected(image.content, by_source=True)
    # Of some packages more than one thing is said, and of some nothing: those are fixed.
    affected = {name for _, name, _ in told}
    assert 20 < len(affected) < min(len(told), len(image.content.packages))
    assert_same(said_by_basic(answer), told)
    # Debian's and Alpine's advisories have no severities, and nobody makes them up.
    assert answer["imageScanFindings"]["findingSeverityCounts"] == {"UNDEFINED": len(told)}


def test_an_enhanced_scan_finds_what_the_advisories_say(
    image: Image, scan: Callable[[str, str], Any]
) -> None:
    answer = scan(image.name, "ENHANCED")
    assert answer["imageScanStatus"]["status"] == "ACTIVE"
    told = expected(image.content, by_source=False)
    of_python = expected_of_python(image.content.python)
    assert bool(of_python) == bool(image.content.python)
    assert told.keys().isdisjoint(of_python)
    assert_same(said_by_enhanced(answer), {**told, **of_python})
    for finding in answer["imageScanFindings"]["enhancedFindings"]:
        assert finding["severity"] == next(
            (word for least, word in RATINGS if finding.get("score", 0) >= least), "UNTRIAGED"
        )


def test_a_release_without_advisories_is_not_called_clean(
    docker: Docker, debian: Image, folder: Path, scan: Callable[[str, str], Any]
) -> None:
    """The upper layer says that it is Debian 12, of which the advisories do not speak."""
    context = folder / "twelve"
    context.mkdir()
    (context / "os-release").write_text('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n')
    build(docker, "debian:12", context, f"FROM {debian.name}", "COPY os-release /usr/lib/os-release")
    answer = scan("debian:12", "BASIC")
    assert answer["imageScanStatus"]["status"] == "FAILED"
    assert "no advisories for Debian:12" in answer["imageScanStatus"]["description"]
    assert "ecr-emu advisories fetch Debian" in answer["imageScanStatus"]["description"]
    assert "imageScanFindings" not in answer
