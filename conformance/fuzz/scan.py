"""What the scan job does with an image, from its layers to the findings in the shape of the API."""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from ecr_emu.domain import scan_findings
from ecr_emu.domain.inventory import Inventory
from ecr_emu.scanner import image, matching, sbom
from ecr_emu.scanner.advisories import FILE_NAME
from ecr_emu.scanner.advisories import Database as Advisories
from ecr_emu.scanner.layers import Layer, Limits, Unreadable
from tests.scanner import osv_files

# Small, so that an input that passes one shows it at once.
LIMITS = Limits(seconds=30, unpacked_bytes=64 << 20, entries=20_000, file_bytes=8 << 20, packages=5_000)
MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar"
NAME = "012345678901.dkr.ecr.us-east-1.amazonaws.com/fuzz"
DIGEST = "sha256:" + "0" * 64
# Inventories that were carried through already; most mutations change nothing that is kept.
MOST_SEEN = 50_000


class Scan:
    """Scans images, one after the other, with advisories about the packages that the seeds have."""

    def __init__(self, folder: Path) -> None:
        zipped = osv_files.zipped(folder / "Debian.zip", *osv_files.DEBIAN, *_advisories())
        self._advisories = Advisories(folder / FILE_NAME)
        self._advisories.add(zipped, now=osv_files.NOW)
        self._seen: set[int] = set()

    def close(self) -> None:
        self._advisories.close()

    def run(self, layers: Sequence[bytes]) -> bool:
        """Whether the image could be read. Any exception is a bug."""
        told = [Layer(f"sha256:{number}", MEDIA_TYPE, _opener(each)) for number, each in enumerate(layers)]
        try:
            inventory = image.read(told, languages=True, limits=LIMITS)
        except Unreadable as reason:
            message = str(reason)
            assert message.startswith("layer sha256:"), message
            assert len(message) < 5_000, "a reason of many pages"
            assert "\n" not in message, message
            message.encode()
            return False
        key = hash((inventory.system, inventory.packages, tuple(inventory.unread.items())))
        if key not in self._seen:
            self._seen.add(key)
            if len(self._seen) > MOST_SEEN:
                self._seen.clear()
            self._carry_through(inventory)
        return True

    def _carry_through(self, inventory: Inventory) -> None:
        written = sbom.write(inventory, name=NAME, digest=DIGEST, at=osv_files.NOW)
        assert sbom.read(written) == inventory, "the SBOM does not give back what it was made of"
        found = matching.examine(self._advisories, inventory, languages=True, now=osv_files.NOW)
        orjson.dumps(scan_findings.basic(found.findings))


def _advisories() -> Iterator[osv_files.Json]:
    """One about each package of the seeds, and the version before it."""
    debian = {"openssl": "3.0.14-2", "bash": "5.3"}
    for name, fixed in debian.items():
        yield osv_files.record(f"DSA-{name}", osv_files.until("Debian:11", name, fixed))
    languages = {
        "PyPI": ("flask-login", "0.7"),
        "npm": ("@a/b", "1.0.1"),
        "Go": ("example.com/x", "1.1.0"),
        "crates.io": ("a", "1.1.0"),
        "Maven": ("org.a:b", "1.1"),
        "RubyGems": ("rack", "2.2.4"),
    }
    for ecosystem, (name, fixed) in languages.items():
        yield osv_files.record(f"X-{ecosystem}", osv_files.until(ecosystem, name, fixed))


def _opener(content: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(content)
