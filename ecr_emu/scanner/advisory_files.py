"""Files with OSV records: the zips that osv.dev exports, single `<ID>.json` files, and folders of both."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

# The longest records of osv.dev (kernels, with all their versions) have a few megabytes.
MAX_RECORD_BYTES = 64 << 20
# JSON packs to a tenth. What promises more than this many times its size, and is large, is a bomb.
MAX_RATIO = 100
SMALL_BYTES = 1 << 30
MAX_ENTRIES = 3_000_000
_ENCRYPTED = 0x1

# The name of a record's file, and its text; None for one that cannot be read.
Texts = Iterator[tuple[str, bytes | None]]


class AdvisoryError(Exception):
    """Advisories cannot be read or stored; the message is one line for the user."""


def sources(path: Path, origin: str = "") -> Iterator[tuple[str, int, Texts]]:
    """What is in a file or folder: for each source its name, how many records to expect, and the records.

    The name is `origin`, else the file's. Raises AdvisoryError.
    """
    try:
        if path.is_dir():
            yield from _folder(path)
        elif path.suffix == ".json":
            yield origin or path.name, 1, _files([path])
        else:
            yield from _zip(path, origin)
    except OSError as reason:
        raise AdvisoryError(f"cannot read {path}: {reason.strerror or reason}") from reason


def _folder(path: Path) -> Iterator[tuple[str, int, Texts]]:
    found = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    singles = sorted(file for file in found if file.suffix == ".json")
    zips = sorted(file for file in found if file.suffix == ".zip")
    if not (singles or zips):
        raise AdvisoryError(f"{path} has no OSV zip and no <ID>.json")
    for file in zips:
        yield from _zip(file, "")
    if singles:
        yield path.resolve().name, len(singles), _files(singles)


def _files(files: list[Path]) -> Texts:
    for file in files:
        is_small = file.stat().st_size <= MAX_RECORD_BYTES
        yield file.name, file.read_bytes() if is_small else None


def _zip(path: Path, origin: str) -> Iterator[tuple[str, int, Texts]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".json")]
            _refuse_odd(path, entries)
            yield origin or path.name, len(entries), _records(path, archive, entries)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as reason:
        raise AdvisoryError(f"{path} is no zip that can be read: {reason}") from reason


def _refuse_odd(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if not entries:
        raise AdvisoryError(f"{path} has no OSV record in it: no <ID>.json")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise AdvisoryError(f"{path} is encrypted; unpack it, and add the folder")
    whole = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or whole > max(SMALL_BYTES, MAX_RATIO * path.stat().st_size):
        raise AdvisoryError(f"{path} would unpack to {whole:,} bytes in {len(entries):,} files: refused")


def _records(path: Path, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Texts:
    # Backwards, so that what was read can be forgotten.
    entries.reverse()
    while entries:
        entry = entries.pop()
        if entry.file_size > MAX_RECORD_BYTES:
            yield entry.filename, None
            continue
        try:
            text = archive.read(entry)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            yield entry.filename, None
            continue
        except NotImplementedError as reason:
            raise AdvisoryError(f"{path} is packed in a way that cannot be read: {reason}") from reason
        yield entry.filename, text
