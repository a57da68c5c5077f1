"""New advisories: images that are scanned continuously are compared with them, and those that could not be
compared with any; nothing is read again.
"""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from ecr_emu.context import Emulator
from ecr_emu.jobs import comparison
from ecr_emu.store import scans

# How often an engine is asked about its database: that starts a program.
ENGINE_SECONDS = 120.0

# When a file was changed, and its size.
Sign = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """The advisories as they were last seen, and when; `revision` is "" while they cannot be read."""

    sign: Sign | None
    revision: str
    asked_at: float


def notice(emulator: Emulator, last: Seen | None) -> Seen | None:
    """Let scans be due that were made with other advisories than those that are there now.

    `last` is what this gave the last time.
    """
    with emulator.store.read() as connection:
        if not scans.depend_on_advisories(connection):
            # Whoever comes later is compared with what is there then.
            return last
    seen = _look(emulator, last)
    # Data that is gone, or that cannot be read, teaches nothing.
    if not seen.revision:
        return seen
    # Also when nothing has changed: a scan may have begun before a change and ended after it was noticed.
    with emulator.store.read() as connection:
        is_outdated = scans.are_outdated(connection, seen.revision)
    if is_outdated:
        with emulator.store.write() as transaction:
            scans.make_due(transaction, emulator.clock(), seen.revision)
    return seen


def _look(emulator: Emulator, last: Seen | None) -> Seen:
    from ecr_emu.scanner.advisories import FILE_NAME

    folder, scanner = emulator.store.path.parent, emulator.settings.scanner
    # Before the file is read: what is added meanwhile is another sign.
    sign, now = _sign(folder / FILE_NAME), time.monotonic()
    has_engine = scanner != comparison.BUILTIN
    if last is not None and sign == last.sign and not (has_engine and now >= last.asked_at + ENGINE_SECONDS):
        return last
    return Seen(sign, comparison.revision(scanner, folder), now)


def _sign(file: Path) -> Sign | None:
    """Of the file and of the log beside it, in which changes are first."""
    found = []
    for path in (file, file.with_name(file.name + "-wal")):
        # Whoever closes the file last takes the log away.
        with contextlib.suppress(FileNotFoundError):
            found.append(path.stat())
    return (max(one.st_mtime_ns for one in found), sum(one.st_size for one in found)) if found else None
