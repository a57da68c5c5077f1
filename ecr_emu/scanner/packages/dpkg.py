"""Debian packages: dpkg's status file, and the pieces of it that distroless images have in status.d.

Fields as in deb-control(5) and dpkg-query(1): Source may carry the source's version in parentheses, and a
package is there when the third word of Status is "installed".
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.stanzas import stanzas

_FIELDS = frozenset((b"Package", b"Status", b"Version", b"Architecture", b"Source"))
_SOURCE = re.compile(r"(\S+)(?:\s+\(([^)]*)\))?")


def read_status(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The installed packages of var/lib/dpkg/status, where a package without a Status is none."""
    for stanza in stanzas(file, _FIELDS, budget):
        if b"Status" in stanza:
            yield from _package(stanza)


def read_control(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The packages of a file in var/lib/dpkg/status.d, which may leave out Status."""
    for stanza in stanzas(file, _FIELDS, budget):
        yield from _package(stanza)


def _package(stanza: dict[bytes, str]) -> Iterator[Package]:
    name, version = stanza.get(b"Package", ""), stanza.get(b"Version", "")
    if not name or not version or stanza.get(b"Status", "installed").split()[-1:] != ["installed"]:
        return
    source = _SOURCE.match(stanza.get(b"Source", ""))
    yield Package(
        "deb",
        name,
        version,
        arch=stanza.get(b"Architecture", ""),
        source=source[1] if source else name,
        source_version=(source[2] if source else None) or version,
    )
