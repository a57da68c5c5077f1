"""Blobs as files.

    uploads/<upload id>                    bytes on their way in
    blobs/<algorithm>/<2 hex>/<hex>-<n>    bytes in place, synced, never written again

A blob's file name is its digest and a random number, and no name is ever used twice. So a file belongs to
at most one row: the row is written after the file is synced and deleted before the file is, and neither a
crash nor a race between an upload and the sweeper can leave a row without bytes. What a crash can leave is a
file without a row, which the sweeper finds.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1 << 20
# What file systems answer that know no second names (link(2)).
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# A hash in progress is a few hundred bytes; one that was dropped costs reading the file again.
MAX_OPEN_UPLOADS = 4096


class Readable(Protocol):
    """Where an upload's bytes come from."""

    def read(self, size: int, /) -> bytes: ...


class UploadLost(Exception):
    """The file of an upload is shorter than what was acknowledged: the machine lost power, or a reset."""


@dataclass(slots=True, eq=False)
class _Progress:
    """The hash of the first `size_bytes` of an upload, and the lock that one writer at a time holds.

    `users` have the lock or wait for it.
    """

    users: int = 0
    size_bytes: int = 0
    sha256: "hashlib._Hash" = field(default_factory=lambda: hashlib.sha256(usedforsecurity=False))
    lock: threading.Lock = field(default_factory=threading.Lock)


class FileBlobs:
    """A folder of blobs and uploads. Several may live in one process, each with a folder of its own."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._uploads = folder / "uploads"
        self._blobs = folder / "blobs"
        self._durable = durable
        self._synced_shelves: set[Path] = set()
        self._progress: OrderedDict[str, _Progress] = OrderedDict()
        self._progress_lock = threading.Lock()
        self._uploads.mkdir(parents=True, exist_ok=True)
        self._blobs.mkdir(parents=True, exist_ok=True)

    # --- Uploads ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def upload(self, upload_id: str) -> Iterator["FileUpload"]:
        """The upload; nobody else can write it meanwhile."""
        with self._progress_lock:
            progress = self._progress.setdefault(upload_id, _Progress())
            progress.users += 1
            self._progress.move_to_end(upload_id)
            oldest_id, oldest = next(iter(self._progress.items()))
            # One that is in use must keep its lock.
            if len(self._progress) > MAX_OPEN_UPLOADS and not oldest.users:
                del self._progress[oldest_id]
        try:
            with progress.lock:
                yield FileUpload(self._uploads / upload_id, progress)
        finally:
            with self._progress_lock:
                progress.users -= 1

    def discard(self, upload_id: str) -> None:
        """Delete an upload's bytes, if there are any."""
        with self._progress_lock:
            self._progress.pop(upload_id, None)
        (self._uploads / upload_id).unlink(missing_ok=True)

    def open_upload(self, upload_id: str) -> BinaryIO:
        """The bytes of an upload, to read while they come and when they are placed, or FileNotFoundError."""
        return (self._uploads / upload_id).open("rb", buffering=0)

    def place(self, upload_id: str, digest: str) -> str:
        """Give an upload's bytes, synced, a name of their own under `digest`, and return that name.

        The upload is still there, for who is killed before the blob's row is written; discard it then. Raises
        UploadLost when it was discarded meanwhile.
        """
        algorithm, _, hex_digits = digest.partition(":")
        shelf = self._blobs / algorithm / hex_digits[:2]
        # One that is there may have been made a moment ago, by another thread or before a kill -9.
        if shelf not in self._synced_shelves:
            shelf.mkdir(parents=True, exist_ok=True)
            self._sync(shelf.parent)
            self._sync(self._blobs)
            self._synced_shelves.add(shelf)
        source = self._uploads / upload_id
        target = shelf / f"{hex_digits}-{secrets.token_hex(4)}"
        try:
            self._sync(source)
            _link(source, target)
        except FileNotFoundError:
            raise UploadLost(upload_id) from None
        self._sync(shelf)
        return str(target.relative_to(self._blobs))

    def take_back(self, file: str, upload_id: str) -> None:
        """Undo `place`: the bytes are the upload's alone again."""
        upload = self._uploads / upload_id
        if upload.exists():
            self.delete(file)
        else:
            # A file system without hard links: placing it has moved it.
            self.path(file).rename(upload)

    # --- Blobs -----------------------------------------------------------------------------------------

    def path(self, file: str) -> Path:
        return self._blobs / file

    def delete(self, file: str) -> None:
        self.path(file).unlink(missing_ok=True)

    def copies(self, digest: str) -> list[str]:
        """Names of all files that claim to have the bytes of a digest: rows name one of them at most."""
        algorithm, _, hex_digits = digest.partition(":")
        shelf = self._blobs / algorithm / hex_digits[:2]
        return sorted(str(path.relative_to(self._blobs)) for path in shelf.glob(f"{hex_digits}-*"))

    def upload_size_bytes(self, upload_id: str) -> int:
        """How many bytes of an upload are in its file, acknowledged or not."""
        try:
            return (self._uploads / upload_id).stat().st_size
        except FileNotFoundError:
            return 0

    # --- The whole folder ------------------------------------------------------------------------------

    def forgotten_files(
        self, older_than_seconds: float, is_known: Callable[[str, str], bool]
    ) -> Iterator[tuple[Path, int]]:
        """Blob files that nobody knows, with their sizes in bytes; `is_known` is asked (file, digest).

        Young files are left alone: their row may be about to be written. The age is the file system's own,
        not the emulator's clock.
        """
        for algorithm in self._blobs.iterdir():
            for file in algorithm.glob("*/*"):
                name = str(file.relative_to(self._blobs))
                digest = f"{algorithm.name}:{file.name.partition('-')[0]}"
                size = _size_if_older(file, older_than_seconds)
                if size is not None and not is_known(name, digest):
                    yield file, size

    def forgotten_uploads(
        self, older_than_seconds: float, is_known: Callable[[str], bool]
    ) -> Iterator[tuple[Path, int]]:
        """Upload files that nobody knows, with their sizes in bytes."""
        for file in self._uploads.iterdir():
            size = _size_if_older(file, older_than_seconds)
            if size is not None and not is_known(file.name):
                yield file, size

    def _sync(self, path: Path) -> None:
        if self._durable:
            sync(path)


class FileUpload:
    """One upload's file while one request works on it."""

    def __init__(self, path: Path, progress: _Progress) -> None:
        self._path = path
        self._progress = progress

    def append(self, source: Readable, start: int, limit: int | None = None) -> int:
        """Write the bytes of `source` behind the first `start`, and return how many there were.

        Reads at most `limit` bytes. Bytes that an interrupted request left behind `start` are cut off.
        Raises UploadLost when the first `start` bytes are not all there.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._rewind(descriptor, start)
            return self._copy(source, descriptor, limit)
        except BaseException:
            self._forget()
            raise
        finally:
            os.close(descriptor)

    def cut(self, size_bytes: int) -> None:
        """Give back the room of what an interrupted request left behind the first `size_bytes`."""
        with contextlib.suppress(OSError):
            # A file that is too short must not become longer: the bytes that it lacks would be zeros.
            if self._path.stat().st_size > size_bytes:
                os.truncate(self._path, size_bytes)

    def digest(self, algorithm: str, size_bytes: int) -> str:
        """The digest of the first `size_bytes` bytes; anything behind them is cut off.

        Raises UploadLost when they are not all there.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._rewind(descriptor, size_bytes)
            if algorithm == "sha256":
                return "sha256:" + self._progress.sha256.hexdigest()
            return f"{algorithm}:" + _hash_file(descriptor, hashlib.new(algorithm, usedforsecurity=False))
        finally:
            os.close(descriptor)

    def _copy(self, source: Readable, descriptor: int, limit: int | None) -> int:
        progress = self._progress
        copied = 0
        while limit is None or copied < limit:
            chunk = source.read(CHUNK_BYTES if limit is None else min(CHUNK_BYTES, limit - copied))
            if not chunk:
                break
            progress.sha256.update(chunk)
            _write_all(descriptor, chunk)
            copied += len(chunk)
            progress.size_bytes += len(chunk)
        return copied

    def _rewind(self, descriptor: int, size_bytes: int) -> None:
        """Make file and hash end after `size_bytes` bytes."""
        if os.fstat(descriptor).st_size < size_bytes:
            raise UploadLost(self._path.name)
        os.ftruncate(descriptor, size_bytes)
        os.lseek(descriptor, 0, os.SEEK_SET)
        if self._progress.size_bytes != size_bytes:
            self._forget()
            _hash_file(descriptor, self._progress.sha256)
            self._progress.size_bytes = size_bytes
        os.lseek(descriptor, size_bytes, os.SEEK_SET)

    def _forget(self) -> None:
        self._progress.sha256 = hashlib.sha256(usedforsecurity=False)
        self._progress.size_bytes = 0


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or a new one where no file can have two."""
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        source.rename(target)


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _hash_file(descriptor: int, into: "hashlib._Hash") -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    while chunk := os.read(descriptor, CHUNK_BYTES):
        into.update(chunk)
    return into.hexdigest()


def _size_if_older(file: Path, seconds: float) -> int | None:
    """The size of a file that has not changed for so long, or None when it is younger or gone."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    # A rename moves ctime and not mtime.
    age = time.time() - max(status.st_mtime, status.st_ctime)
    return status.st_size if age >= seconds else None
