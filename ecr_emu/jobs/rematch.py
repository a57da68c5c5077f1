"""New advisories: images that are scanned continuously are compared with them; nothing is read again."""

import time
from dataclasses import dataclass
from pathlib import Path

from ecr_emu.context import Emulator
from ecr_emu.jobs import comparison
from ecr_emu.store import scans

# How often an engine is asked about its database: that starts a program.
ENGINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The advisories as they were last: when their file was changed and its size; when engines were asked."""

    file: tuple[int, int] | None
    asked_at: float


def notice(emulator: Emulator, last: Seen | None) -> Seen | None:
    """Let scans be due if the advisories are not those that they were made with. `last` is what was seen."""
    with emulator.store.read() as connection:
        if not scans.have_continuous(connection):
            # Whoever comes later is compared with what is there then.
            return last
    from ecr_emu.scanner.advisories import FILE_NAME

    folder, scanner = emulator.store.path.parent, emulator.settings.scanner
    file, now = _sign(folder / FILE_NAME), time.monotonic()
    has_engine = scanner != comparison.BUILTIN
    if last is not None and file == last.file and not (has_engine and now >= last.asked_at + ENGINE_SECONDS):
        return last
    revision = comparison.revision(scanner, folder)
    # Data that is gone teaches nothing.
    if revision:
        with emulator.store.write() as transaction:
            scans.make_due(transaction, emulator.clock(), revision)
    return Seen(file, now)


def _sign(file: Path) -> tuple[int, int] | None:
    """Of the file and of the log beside it, in which changes are first."""
    found = [path.stat() for path in (file, file.with_name(file.name + "-wal")) if path.exists()]
    return (max(one.st_mtime_ns for one in found), sum(one.st_size for one in found)) if found else None
