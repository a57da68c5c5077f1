"""Python distributions: METADATA of dist-info folders, PKG-INFO of egg-info folders, egg-info files.

(packaging.python.org: "Core metadata specifications", "Recording installed projects", "Names and
normalization")
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import Package
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.item import Broken

# Bytes of the headers; the description, which may be long, comes after them or is not needed.
_LONGEST_HEADERS = 1 << 18


def read_metadata(file: BinaryIO, budget: Budget) -> Iterator[Package]:
    """The distribution, by its normalized name. Raises Broken where name or version are missing."""
    from email.parser import BytesHeaderParser

    budget.check_time()
    block = re.split(rb"\r?\n\r?\n", file.read(_LONGEST_HEADERS), maxsplit=1)[0]
    headers = BytesHeaderParser().parsebytes(block)
    name, version = str(headers["Name"] or "").strip(), str(headers["Version"] or "").strip()
    if not name or not version:
        raise Broken("has no name or no version")
    yield Package("pypi", re.sub(r"[-_.]+", "-", name).lower(), version)
