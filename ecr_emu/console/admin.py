"""What the pages may do: the emulator, and its background work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import orjson
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
    """The JSON object that came with the request; no body means an empty one.

    Flask's own reader fails on arrays that are nested thousands deep, and takes halves of surrogate pairs,
    which no answer can be written with.
    """
    content = request.get_data()
    if not content:
        return {}
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        refuse("the body must be a JSON object")
    if not isinstance(found, dict):
        refuse("the body must be a JSON object")
    return found


def refuse(message: str) -> NoReturn:
    """Answer 400."""
    abort(400, message)
