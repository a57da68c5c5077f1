"""Which operating system it is: os-release(5)."""

import shlex
from collections.abc import Iterator
from typing import BinaryIO

from ecr_emu.domain.inventory import System
from ecr_emu.scanner.layers import Budget
from ecr_emu.scanner.packages.item import Broken

# Characters of a value. What says which system it is is compared, stored and shown.
_LONGEST_VALUE = 256


def read_os_release(file: BinaryIO, budget: Budget) -> Iterator[System]:
    """The system, if the file says which; its `id` is "linux" where only a version is given.

    Raises Broken where a value is no word that a system would have.
    """
    values = dict(_assignments(file.read().decode("utf-8", "replace")))
    budget.check_time()
    if values.get("ID") or values.get("VERSION_ID"):
        name = values.get("PRETTY_NAME") or values.get("NAME", "")
        system = System(values.get("ID") or "linux", values.get("VERSION_ID", ""), name)
        if max(map(len, (system.id, system.version, system.name))) > _LONGEST_VALUE:
            raise Broken(f"has a value of more than {_LONGEST_VALUE} characters")
        yield system


def _assignments(content: str) -> Iterator[tuple[str, str]]:
    for line in content.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            yield key, _unquoted(value)


def _unquoted(value: str) -> str:
    """A value as a shell takes it; as it stands where a shell would not."""
    try:
        return "".join(shlex.split(value)[:1])
    except ValueError:
        return value
