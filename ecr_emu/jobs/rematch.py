"""New advisories: images that are scanned continuously are compared with them, and those that could not be
compared with any; nothing is read again.
"""

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from ecr_emu.context import Emulator
from ecr_emu.store import scans

log = logging.getLogger(__name__)

# When a file was changed, and its size.
Sign = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """The advisories as they were last seen; `revision` is None while they cannot be read."""

    sign: Sign
    revision: str | None


def notice(emulator: Emulator, last: Seen | None) -> Seen | None:
    """Let scans be due that were made with other advisories than those that are there now.

    `last` is what this gave the last time.
    """
    with emulator.store.read() as connection:
        if not scans.depend_on_advisories(connection):
            # Whoever comes later is compared with what is there then.
            return last
    from ecr_emu.scanner.advisories import FILE_NAME

    file = emulator.store.path.parent / FILE_NAME
    # Before the file is read: what is added meanwhile is another sign.
    sign = _sign(file)
    if sign is None:
        return None
    seen = last if last is not None and last.sign == sign else Seen(sign, _revision(file))
    if seen.revision is None:
        return seen
    # Also when nothing has changed: a scan may have begun before a change and ended after it was noticed.
    with emulator.store.read() as connection:
        is_outdated = scans.are_outdated(connection, seen.revision)
    if is_outdated:
        with emulator.store.write() as transaction:
            scans.make_due(transaction, emulator.clock(), seen.revision)
    return seen


def _revision(file: Path) -> str | None:
    from ecr_emu.scanner.advisories import AdvisoryError, Database

    advisories = Database(file)
    try:
        return advisories.revision
    except AdvisoryError as reason:
        # Told once for each change; scans say it too.
        log.warning("no scan is repeated: %s", reason)
        return None
    finally:
        advisories.close()


def _sign(file: Path) -> Sign | None:
    """Of the file and of the log beside it, in which changes are first."""
    found = []
    for path in (file, file.with_name(file.name + "-wal")):
        # Whoever closes the file last takes the log away.
        with contextlib.suppress(FileNotFoundError):
            found.append(path.stat())
    return (max(one.st_mtime_ns for one in found), sum(one.st_size for one in found)) if found else None
