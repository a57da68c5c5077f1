"""Files of lines in groups: a field on each line, an empty line between groups (deb-control(5), apk)."""

from collections.abc import Collection, Iterator
from typing import BinaryIO

from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.item import text

# Bytes of a line that are looked at together, so that a line without an end fits in memory.
LONGEST_LINE = 1 << 16


def stanzas(file: BinaryIO, fields: Collection[bytes], budget: Budget) -> Iterator[dict[bytes, str]]:
    """The groups of a file, each with those of its `fields` that it has. The last line with a name counts."""
    found: dict[bytes, str] = {}
    for line in _lines(file, budget):
        if not line.strip():
            if found:
                yield found
            found = {}
            continue
        name, colon, value = line.partition(b":")
        if colon and name in fields:
            found[name] = text(value.strip())
    if found:
        yield found


def _lines(file: BinaryIO, budget: Budget) -> Iterator[bytes]:
    """The lines; of one that is too long, the beginning."""
    within = False
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b"")):
        if number % 4096 == 0:
            budget.check_time()
        if not within:
            yield line
        within = not line.endswith(b"\n")
