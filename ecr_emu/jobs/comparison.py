"""Comparing what is installed with what is known to be vulnerable: by our own advisories, or by an engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecr_emu.domain.inventory import Inventory

if TYPE_CHECKING:
    from ecr_emu.domain.findings import Finding
    from ecr_emu.scanner.matching import Doubt

UNSUPPORTED = "UnsupportedImageError: The operating system and/or package manager are not supported"
NO_ADVISORIES = "{reason}; the scan is then done again"
BUILTIN = "builtin"
# The order of --scanner auto.
AUTO = (BUILTIN, "trivy", "grype")
# Names of so many packages are told when versions cannot be compared.
SHOWN_DOUBTS = 3


class Refused(Exception):
    """Why there are no findings: a status of the API and its description."""

    def __init__(self, status: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


@dataclass(frozen=True, slots=True)
class Compared:
    """The findings, who found them, with which data; `notes` are sentences about what could not be told."""

    findings: "list[Finding]"
    engine: str
    revision: str
    updated_at: float | None
    notes: tuple[str, ...] = ()


def compare(scanner: str, folder: Path, inventory: Inventory, *, languages: bool, at: float) -> Compared:
    """What the setting `scanner` finds. Raises Refused: nobody who may look knows the image's system.

    `folder` has the advisories; `at` is now, for advisories that are withdrawn.
    """
    from ecr_emu.scanner import matching

    if not matching.kinds(inventory, languages=languages):
        raise Refused("UNSUPPORTED_IMAGE", f"{UNSUPPORTED}: {_nothing(inventory)}.")
    refusals: list[Refused] = []
    for name in AUTO if scanner == "auto" else (scanner,):
        try:
            if name == BUILTIN:
                return _builtin(folder, inventory, languages=languages, at=at)
            return _by_engine(name, inventory, languages=languages)
        except Refused as refusal:
            refusals.append(refusal)
    raise refusals[0] if len(refusals) == 1 else _together(refusals)


def revision(scanner: str, folder: Path) -> str:
    """What changes when the data does that the setting `scanner` compares with; of engines that answer."""
    from ecr_emu.scanner.advisories import FILE_NAME, AdvisoryError, Database
    from ecr_emu.scanner.engines import ENGINES, EngineError

    told = []
    for name in AUTO if scanner == "auto" else (scanner,):
        try:
            if name == BUILTIN:
                advisories = Database(folder / FILE_NAME)
                try:
                    told.append(advisories.revision)
                finally:
                    advisories.close()
            else:
                told.append(ENGINES[name]().data().revision)
        except (AdvisoryError, EngineError):
            continue
    return ", ".join(told)


def _nothing(inventory: Inventory) -> str:
    if inventory.system is None:
        return "nothing says which operating system this is, and no package was found"
    return "no package was found"


def _together(refusals: Sequence[Refused]) -> Refused:
    """The built-in scanner's, and what the engines say."""
    told = dict.fromkeys(refusal.description.rstrip(".") for refusal in refusals)
    return Refused(refusals[0].status, "; ".join(told) + ".")


def _builtin(folder: Path, inventory: Inventory, *, languages: bool, at: float) -> Compared:
    from ecr_emu.scanner import matching
    from ecr_emu.scanner.advisories import FILE_NAME, AdvisoryError, Database

    advisories = Database(folder / FILE_NAME)
    try:
        coverage = advisories.covers(inventory.system, matching.kinds(inventory, languages=languages))
        if coverage.unsupported:
            raise Refused("UNSUPPORTED_IMAGE", f"{UNSUPPORTED}: {coverage.unsupported}.")
        if coverage.missing:
            raise Refused("FAILED", NO_ADVISORIES.format(reason=coverage.description))
        found = matching.examine(advisories, inventory, languages=languages, now=at)
        notes = _doubts(found.doubts)
        return Compared(found.findings, BUILTIN, advisories.revision, advisories.updated_at, notes)
    except AdvisoryError as reason:
        raise Refused("FAILED", str(reason)) from None
    finally:
        advisories.close()


def _doubts(doubts: "list[Doubt]") -> tuple[str, ...]:
    if not doubts:
        return ()
    names = list(dict.fromkeys(f"{doubt.package.name} {doubt.package.version}" for doubt in doubts))
    shown = ", ".join(names[:SHOWN_DOUBTS])
    return (f"Versions that could not be compared with an advisory: {len(names)} ({shown}).",)


def _by_engine(name: str, inventory: Inventory, *, languages: bool) -> Compared:
    from ecr_emu.scanner.engines import ENGINES, EngineError, UnsupportedSystem

    engine = ENGINES[name]()
    try:
        data = engine.data()
        answer = engine.examine(inventory, languages=languages)
    except UnsupportedSystem as reason:
        raise Refused("UNSUPPORTED_IMAGE", f"{UNSUPPORTED}: {reason}.") from None
    except EngineError as reason:
        raise Refused("FAILED", f"{reason}.") from None
    return Compared(answer.findings, name, data.revision, data.updated_at, answer.notes)
