"""Alpine packages: the database of installed packages (Alpine wiki, "Apk spec", installed database)."""

from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.stanzas import stanzas

_NAME, _VERSION, _ARCH, _ORIGIN = b"P", b"V", b"A", b"o"


def read_installed(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The packages of lib/apk/db/installed. The origin's version is the package's own."""
    for stanza in stanzas(file, (_NAME, _VERSION, _ARCH, _ORIGIN), budget):
        name, version = stanza.get(_NAME), stanza.get(_VERSION)
        if name and version:
            origin = stanza.get(_ORIGIN) or name
            yield Package("apk", name, version, stanza.get(_ARCH, ""), origin, version)
