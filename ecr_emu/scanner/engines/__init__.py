"""Other programs that know vulnerabilities, behind one small interface: trivy and grype.

They are told what is installed, as it was read here (bills.py), and compare it with a database of their own.
So a hostile layer is opened by nobody but us, and all of them speak of the same packages.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from ecr_emu.domain.inventory import Inventory
from ecr_emu.scanner.engines import grype, trivy
from ecr_emu.scanner.engines.answers import Answer, Data, EngineError, UnsupportedSystem

__all__ = ["ENGINES", "Answer", "Data", "Engine", "EngineError", "UnsupportedSystem"]


class Engine(Protocol):
    """A program. Both raise EngineError, with one sentence that says what to do."""

    def data(self) -> Data:
        """Which vulnerabilities it knows."""

    def examine(self, inventory: Inventory, *, languages: bool) -> Answer:
        """What it finds in an image that has packages; with `languages` in those of languages too."""


# By the name of the program, in the order in which --scanner auto tries them.
ENGINES: Mapping[str, Callable[[], Engine]] = {"trivy": trivy.Trivy, "grype": grype.Grype}
