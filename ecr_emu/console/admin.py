"""What the pages may do: the emulator, and its background work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from flask import abort, request

from ecr_emu.context import Emulator


class Jobs(Protocol):
    """The background work of an emulator (jobs/runner.py)."""

    @property
    def is_working(self) -> bool:
        """Whether jobs are being done now."""

    def arrange(self) -> None:
        """Look again at when jobs are due."""

    def run_due(self) -> list[dict[str, object]]:
        """Do all that is due now, before returning; what was done, in order."""


@dataclass(frozen=True, slots=True)
class Admin:
    """What a page needs. Of the `total` operations of the AWS API some are implemented.

    `read_findings` reads an object in the shape of the API's ImageScanFindings; it raises ValueError.
    """

    emulator: Emulator
    jobs: Jobs
    implemented: int
    total: int
    read_findings: Callable[[Mapping[str, Any]], Mapping[str, Any]]


def body() -> dict[str, Any]:
    """The JSON object that came with the request; no body means an empty one."""
    if not request.get_data():
        return {}
    content = request.get_json(force=True, silent=True)
    if not isinstance(content, dict):
        refuse("the body must be a JSON object")
    return content


def refuse(message: str) -> NoReturn:
    """Answer 400."""
    abort(400, message)
