"""Root file systems with packages in them: a Debian, what pip installs, an Alpine's database.

What is installed is told by dpkg and by Python's own metadata, never by the scanner that is tested.
"""

import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from engines.tools import find_tool

SUITE = "bullseye"
# A mirror may be slow.
INSTALL_SECONDS = 600
# What an image does not need: downloaded archives and lists.
_LEFT_OUT = ("var/cache/apt/archives", "var/lib/apt/lists", "dev")


class Installed(NamedTuple):
    """A package with the name and version that advisories have for it."""

    name: str
    version: str
    source: str
    source_version: str


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def make_debian(root: Path) -> Path:
    """A minimal Debian of the suite, from Debian's own mirror. Takes about a minute."""
    program = find_tool("debootstrap", "install the Debian package debootstrap")
    _run(program, "--variant=minbase", SUITE, str(root))
    return root


def install(root: Path, folder: Path, packages: list[tuple[str, str]]) -> None:
    """Let dpkg install packages of these names and versions, which hold nothing, in a root."""
    files = [_package(folder / name, name, version) for name, version in packages]
    _run("dpkg", "--root", str(root), "--force-depends", "--install", *files)


def _package(folder: Path, name: str, version: str) -> str:
    control = {
        "Package": name,
        "Version": version,
        "Architecture": "all",
        "Maintainer": "Nobody <nobody@example.org>",
        "Description": "holds nothing",
    }
    (folder / "DEBIAN").mkdir(parents=True)
    text = "".join(f"{member}: {value}\n" for member, value in control.items())
    (folder / "DEBIAN/control").write_text(text)
    file = f"{folder}.deb"
    _run("dpkg-deb", "--root-owner-group", "--build", str(folder), file)
    return file


def debian_packages(root: Path) -> list[Installed]:
    """What dpkg says is installed in a root."""
    fields = ("Package", "Version", "source:Package", "source:Version")
    shown = "\\t".join(f"${{{field}}}" for field in fields) + "\\n"
    lines = _run("dpkg-query", "--admindir", str(root / "var/lib/dpkg"), "--show", "--showformat", shown)
    return [Installed(*line.split("\t")) for line in lines.splitlines()]


def pack(root: Path, archive: Path) -> Path:
    """A root as the archive that `docker import` takes."""

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if member.name.startswith(_LEFT_OUT) else member

    with tarfile.open(archive, "w") as writer:
        for entry in sorted(root.iterdir()):
            writer.add(entry, entry.name, filter=kept)
    return archive


def write_distroless(root: Path, target: Path) -> Path:
    """The packages of a Debian as distroless images have them: a file each, and no status file."""
    folder = target / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    status = (root / "var/lib/dpkg/status").read_text()
    for stanza in status.strip().split("\n\n"):
        kept = [line for line in stanza.splitlines() if not line.startswith("Status:")]
        name = kept[0].removeprefix("Package: ")
        (folder / name).write_text("\n".join(kept) + "\n")
        (folder / f"{name}.md5sums").write_text(f"d41d8cd98f00b204e9800998ecf8427e  usr/share/doc/{name}\n")
    release = target / "etc/os-release"
    release.parent.mkdir()
    release.write_bytes((root / "usr/lib/os-release").read_bytes())
    return target


def write_alpine(target: Path, version: str, packages: list[tuple[str, str]]) -> Path:
    """The database that apk keeps of these packages, in a root with nothing else (apk-tools: apk(5))."""
    stanzas = [
        f"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:{name}\nV:{release}\nA:x86_64\nS:1000\nI:4096\nT:a package\n"
        f"U:https://example.org/\nL:MIT\no:{name}\nt:1585000000\nF:usr\nF:usr/bin\nR:{name}\na:0:0:755\n"
        for name, release in packages
    ]
    database = target / "lib/apk/db/installed"
    database.parent.mkdir(parents=True)
    database.write_text("\n".join(stanzas))
    (target / "etc").mkdir()
    about = f'NAME="Alpine Linux"\nID=alpine\nVERSION_ID={version}\nPRETTY_NAME="Alpine Linux"\n'
    (target / "etc/os-release").write_text(about)
    return target


def pip_install(target: Path, *requirements: str) -> Path:
    """What pip installs of these requirements, and nothing that they need."""
    options = (
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--no-compile",
    )
    _run(sys.executable, "-m", "pip", "install", *options, "--target", str(target), *requirements)
    return target


def python_packages(target: Path) -> list[Installed]:
    """What Python says is installed in a folder."""
    found = [(one.name, one.version) for one in metadata.distributions(path=[str(target)])]
    return [Installed(name, version, name, version) for name, version in sorted(found)]
