"""New advisories: images that are scanned continuously are compared with them; nothing is read again."""

from pathlib import Path

from ecr_emu.context import Emulator
from ecr_emu.store import scans

# When a file was changed, and its size.
Sign = tuple[int, int]


def notice(emulator: Emulator, last: Sign | None) -> Sign | None:
    """Let scans be due if the advisories are not those that they were made with. `last` is what was seen."""
    with emulator.store.read() as connection:
        if not scans.have_continuous(connection):
            # Whoever comes later is compared with what is there then.
            return last
    from ecr_emu.scanner.advisories import FILE_NAME, Database

    file = emulator.store.path.parent / FILE_NAME
    sign = _sign(file)
    if sign is None or sign == last:
        return sign
    advisories = Database(file)
    try:
        revision = advisories.revision
    finally:
        advisories.close()
    with emulator.store.write() as transaction:
        scans.make_due(transaction, emulator.clock(), revision)
    return sign


def _sign(file: Path) -> Sign | None:
    """Of the file and of the log beside it, in which changes are first."""
    found = [path.stat() for path in (file, file.with_name(file.name + "-wal")) if path.exists()]
    return (max(one.st_mtime_ns for one in found), sum(one.st_size for one in found)) if found else None
