"""Which OSV ecosystem answers for which system, and how packages are called in it.

Names of ecosystems: the list in the OSV schema (ossf.github.io/osv-schema, "Defined ecosystems"). `ID` and
`VERSION_ID` are those of os-release(5). Where the schema has no ecosystem for a system (Amazon Linux, Fedora,
CentOS, Oracle Linux), nothing here has either: the image is unsupported, and is not called clean.

Whose name advisories have: for Debian, Ubuntu and Alpine the source package's, as the schema says. For the
others the schema says "source package" or "package", while Red Hat's records name installed packages too:
both are looked for, each with its own version.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ecr_emu.domain.inventory import Package, System

# OSV's word for each kind of package of a programming language.
LANGUAGES = {
    "pypi": "PyPI",
    "npm": "npm",
    "golang": "Go",
    "maven": "Maven",
    "gem": "RubyGems",
    "cargo": "crates.io",
}


@dataclass(frozen=True, slots=True)
class Release:
    """The ecosystems of one release of a system.

    The first of `names` must be in the database for the release to be covered; the others are looked at if
    they are there. `by` says whose name an advisory has: that of the "source" package, or "either" that of
    the source or of the installed package.
    """

    kind: str
    names: tuple[str, ...]
    by: str = "either"

    def asked(self, package: Package) -> tuple[tuple[str, str], ...]:
        """Names and versions under which an advisory may mean this package."""
        source = (package.source or package.name, package.source_version or package.version)
        if self.by == "source":
            return (source,)
        return tuple(dict.fromkeys([(package.name, package.version), source]))


def release_of(system: System) -> Release | None:
    """The ecosystems of an image's system; None for one that OSV does not have."""
    find = _SYSTEMS.get(system.id.lower())
    return find(system) if find else None


def family(ecosystem: str) -> str:
    """The name without the release: "Debian" of "Debian:12". It is what one zip of OSV's is about."""
    return ecosystem.partition(":")[0]


def canonical(ecosystem: str) -> str:
    """The name under which records are kept. Maven's may name a repository, which no jar file does."""
    first = family(ecosystem)
    return first if first in LANGUAGES.values() else ecosystem


def package_name(ecosystem: str, name: str) -> str:
    """The name that packages are compared by. PyPI: PEP 503 makes Foo_Bar and foo-bar the same."""
    return re.sub(r"[-_.]+", "-", name).lower() if ecosystem == "PyPI" else name


def _numbers(system: System, count: int) -> str:
    """The first `count` numbers of the version, "" if it has not so many."""
    found = re.match(r"\.".join([r"\d+"] * count), system.version)
    return found[0] if found else ""


def _numbered(kind: str, name: str, count: int, *, by: str = "either") -> Callable[[System], Release | None]:
    def find(system: System) -> Release | None:
        version = _numbers(system, count)
        return Release(kind, (name + version,), by) if version else None

    return find


def _rolling(kind: str, name: str) -> Callable[[System], Release]:
    return lambda system: Release(kind, (name,))


def _alpine(system: System) -> Release | None:
    """ "3.19.1" is v3.19; "3.20.0_alpha20240329" is what edge calls itself."""
    if "_alpha" in system.version or system.version == "edge":
        return Release("apk", ("Alpine:edge",), "source")
    version = _numbers(system, 2)
    return Release("apk", ("Alpine:v" + version,), "source") if version else None


def _ubuntu(system: System) -> Release | None:
    """The April release of every second year is a long-term one, and OSV says so in the name."""
    version = _numbers(system, 2)
    if not version:
        return None
    year, _, month = version.partition(".")
    is_long_term = month == "04" and int(year) % 2 == 0
    return Release("deb", (f"Ubuntu:{version}{':LTS' * is_long_term}",), "source")


def _red_hat(system: System) -> Release | None:
    """Names are those of the product's CPE; the repositories that every image may use."""
    major = _numbers(system, 1)
    repositories = ("baseos", "appstream", "crb")
    names = tuple(f"Red Hat:enterprise_linux:{major}::{repository}" for repository in repositories)
    return Release("rpm", names) if major else None


def _leap(system: System) -> Release | None:
    version = _numbers(system, 2)
    return Release("rpm", (f"openSUSE:Leap {version}",)) if version else None


def _suse(system: System) -> Release | None:
    """The schema takes the name for people ("SUSE Linux Enterprise Server 15 SP5"); VERSION_ID is "15.5"."""
    major, _, pack = _numbers(system, 2).partition(".")
    major = major or _numbers(system, 1)
    if not major:
        return None
    version = f"{major} SP{pack}" if pack and pack != "0" else major
    parts = ("Linux Enterprise Server", "Linux Enterprise Module for Basesystem")
    return Release("rpm", tuple(f"SUSE:{part} {version}" for part in parts))


_SYSTEMS: dict[str, Callable[[System], Release | None]] = {
    "debian": _numbered("deb", "Debian:", 1, by="source"),
    "ubuntu": _ubuntu,
    "alpine": _alpine,
    "wolfi": _rolling("apk", "Wolfi"),
    "chainguard": _rolling("apk", "Chainguard"),
    "minimos": _rolling("apk", "MinimOS"),
    "almalinux": _numbered("rpm", "AlmaLinux:", 1),
    "rocky": _numbered("rpm", "Rocky Linux:", 1),
    "rhel": _red_hat,
    "azurelinux": _numbered("rpm", "Azure Linux:", 1),
    "mariner": _numbered("rpm", "Azure Linux:", 1),
    "photon": _numbered("rpm", "Photon OS:", 2),
    "mageia": _numbered("rpm", "Mageia:", 1),
    "opensuse-leap": _leap,
    "opensuse-tumbleweed": _rolling("rpm", "openSUSE:Tumbleweed"),
    "sles": _suse,
}
