"""What is installed in an image: its operating system and packages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Names of the kinds of packages are those of package URLs (github.com/package-url/purl-spec).
SYSTEM_KINDS = ("deb", "apk", "rpm")
LANGUAGE_KINDS = ("pypi", "npm", "golang", "maven", "gem", "cargo")


@dataclass(frozen=True, slots=True)
class System:
    """The operating system, as os-release calls it: `id` "debian", `version` "12", `name` for people."""

    id: str
    version: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package.

    `version` is whole, as the order of its kind takes it: with epoch and release ("1:2.3-4"). `name` has the
    namespace of its kind: "@angular/core", "org.slf4j:slf4j-api", "github.com/gorilla/mux". `source` and
    `source_version` are those of the source package (deb: Source; apk: origin; rpm: sourcerpm), else the own.
    `path` is the file that says so, without a leading slash; `layer` the digest of the layer it is in.
    """

    kind: str
    name: str
    version: str
    arch: str = ""
    source: str = ""
    source_version: str = ""
    path: str = ""
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that was read from an image. `system` is None when nothing says which it is."""

    system: System | None
    packages: tuple[Package, ...]
    # Files that look like a package's and cannot be read: path and reason. They do not fail the whole.
    unread: Mapping[str, str] = field(default_factory=dict)


def split_version(kind: str, version: str) -> tuple[int, str, str]:
    """Epoch, version and release, where the kind of package has them: 1:2.3-4."""
    if kind not in ("deb", "rpm"):
        return 0, version, ""
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isdecimal():
        epoch, rest = "0", version
    upstream, dash, release = rest.rpartition("-")
    return int(epoch[:9]), (upstream if dash else rest), (release if dash else "")
