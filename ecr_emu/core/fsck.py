"""Checking a data folder: every row against every byte, and every file against the rows.

What is found is named, one problem after the other. `repair` mends what can be mended without guessing. A
blob whose file is damaged gets another file with the right bytes, if one is there; else its bytes are put
aside and the row goes, so that the next push brings them again. An upload that lost bytes goes; its client
starts anew.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection, DatabaseError

import orjson

from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core import keys
from ecr_emu.domain import manifests
from ecr_emu.store import fsck as rows
from ecr_emu.store import layers, uploads
from ecr_emu.store.database import Database
from ecr_emu.store.fsck import HeldManifest
from ecr_emu.store.layers import Blob

# Where the bytes go that are not what their name says.
DAMAGED = "damaged"
# Kinds of problems.
FORGOTTEN, FOREIGN = "forgotten file", "foreign file"
# What a data folder has beside blobs and uploads (app.py, core/keys.py, scanner/advisories.py).
_FILES = ("metadata.db", "metadata.opening", "advisories.db", "advisories.opening", "key", "key.new", "lock")
_OF_SQLITE = ("-wal", "-shm", "-journal")
_FOLDERS = ("blobs", "uploads", DAMAGED)
# Digits of the random number in a blob's file name.
_NUMBER_DIGITS = 8
_ALGORITHMS, _HEX = ("sha256", "sha512"), set("0123456789abcdef")

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `mended` says what was done about it; "" when nothing was."""

    kind: str
    what: str
    problem: str
    mended: str = ""

    @property
    def is_open(self) -> bool:
        """Whether anybody has to do something. What nobody names is left from a crash, and swept some day."""
        return not self.mended and self.kind != FORGOTTEN


@dataclass(frozen=True, slots=True)
class Checker:
    """A data folder, and how it is checked. `quick` compares sizes and not bytes."""

    store: Database
    blobs: FileBlobs
    folder: Path
    repair: bool = False
    quick: bool = False

    def problems(self, progress: Progress = lambda size_bytes: None) -> Iterator[Problem]:
        """All that is wrong. `progress` is told of the bytes of blobs as they are checked."""
        try:
            with self.store.read() as connection:
                found = rows.integrity(connection)
            yield from (Problem("database", "metadata.db", line) for line in found)
            yield from self._blobs(progress)
            yield from self._manifests()
            yield from self._uploads()
            yield from self._files()
        except DatabaseError as error:
            yield Problem("database", "metadata.db", f"it cannot be read any further: {error}")

    def size_bytes(self) -> int:
        """How much there is to check; 0 when the database cannot say."""
        with suppress(DatabaseError), self.store.read() as connection:
            return rows.size_of_blobs(connection)
        return 0

    # --- Blobs -----------------------------------------------------------------------------------------

    def _blobs(self, progress: Progress) -> Iterator[Problem]:
        with self.store.read() as connection:
            for blob in rows.blobs(connection):
                problem = self._wrong_with(self.blobs.path(blob.file), blob)
                # A server that works on the folder may have swept it a moment ago.
                if problem and rows.is_same(connection, blob):
                    yield self._damaged(connection, blob, problem)
                progress(blob.size_bytes)

    def _wrong_with(self, path: Path, blob: Blob) -> str:
        """What is wrong with a file that should have the blob's bytes, or ""."""
        try:
            size_bytes = path.stat().st_size
        except OSError:
            return "its file is missing"
        if size_bytes != blob.size_bytes:
            return f"its file has {size_bytes:,} bytes, not {blob.size_bytes:,}"
        if self.quick or _digest(path, blob.digest) == blob.digest:
            return ""
        return "its file has other bytes"

    def _damaged(self, connection: Connection, blob: Blob, problem: str) -> Problem:
        held_by = ", ".join(rows.holders(connection, blob.digest)) or "no repository"
        said = f"{problem}; held by {held_by}"
        return Problem("blob", blob.digest, said, self._mend_blob(blob) if self.repair else "")

    def _mend_blob(self, blob: Blob) -> str:
        path = self.blobs.path(blob.file)
        for file in (blob.file, *self.blobs.copies(blob.digest)):
            found = self.blobs.path(file)
            if _digest(found, blob.digest) != blob.digest:
                continue
            with self.store.write() as transaction:
                rows.repoint(transaction, blob, file, found.stat().st_size)
            if file == blob.file:
                return "its bytes are right, and the row has their number now"
            self._put_aside(path)
            return "another file has the right bytes, and is used now"
        with self.store.write() as transaction:
            rows.forget_blob(transaction, blob)
        self._put_aside(path)
        return "forgotten: push the image again, and the bytes are stored anew"

    def _put_aside(self, path: Path) -> None:
        aside = self.folder / DAMAGED
        aside.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            path.rename(aside / path.name)

    # --- Manifests -------------------------------------------------------------------------------------

    def _manifests(self) -> Iterator[Problem]:
        with self.store.read() as connection:
            for manifest in rows.manifests(connection):
                # Of an image that was imported without its manifest nobody knows the bytes.
                if manifest.body:
                    yield from _wrong_with_manifest(connection, manifest)

    # --- Uploads ---------------------------------------------------------------------------------------

    def _uploads(self) -> Iterator[Problem]:
        with self.store.read() as connection:
            found = rows.uploads(connection)
        for upload_id, received_bytes in found:
            size_bytes = self.blobs.upload_size_bytes(upload_id)
            if size_bytes >= received_bytes or not self._is_there(upload_id):
                continue
            problem = f"{size_bytes:,} bytes are there, and {received_bytes:,} were acknowledged"
            yield Problem("upload", upload_id, problem, self._mend_upload(upload_id) if self.repair else "")

    def _is_there(self, upload_id: str) -> bool:
        with self.store.read() as connection:
            return uploads.exists(connection, upload_id)

    def _mend_upload(self, upload_id: str) -> str:
        with self.store.write() as transaction:
            uploads.delete(transaction, upload_id)
        self.blobs.discard(upload_id)
        return "deleted: its client has to begin again"

    # --- Files -----------------------------------------------------------------------------------------

    def _files(self) -> Iterator[Problem]:
        for path in sorted(self.folder.iterdir()):
            if path.name not in _FOLDERS and not _is_ours(path.name):
                yield Problem(FOREIGN, path.name, "no part of a data folder")
        for path in _strangers(self.folder / "blobs"):
            yield Problem(FOREIGN, str(path.relative_to(self.folder)), "no part of a data folder")
        yield from self._key()
        with self.store.read() as connection:
            is_blob = lambda file, digest: layers.is_known_file(connection, file, digest)  # noqa: E731
            is_upload = lambda name: uploads.exists(connection, name)  # noqa: E731
            for path, size_bytes in self.blobs.forgotten_files(0, is_blob):
                yield self._unnamed(path, size_bytes, _is_blob_name(path))
            for path, size_bytes in self.blobs.forgotten_uploads(0, is_upload):
                yield self._unnamed(path, size_bytes, _is_uuid(path.name))

    def _key(self) -> Iterator[Problem]:
        path = self.folder / "key"
        size_bytes = path.stat().st_size if path.exists() else keys.KEY_BYTES
        if size_bytes != keys.KEY_BYTES:
            mended = ""
            if self.repair:
                path.unlink()
                mended = "deleted: the next start makes another"
            yield Problem("key", "key", f"it has {size_bytes} bytes, not {keys.KEY_BYTES}", mended)

    def _unnamed(self, path: Path, size_bytes: int, is_ours: bool) -> Problem:
        name = str(path.relative_to(self.folder))
        if is_ours:
            return Problem(
                FORGOTTEN, name, f"{size_bytes:,} bytes that no row names; `ecr-emu gc` frees them"
            )
        return Problem(FOREIGN, name, "no file of ecr-emu's is called so")


def before_opening(folder: Path) -> list[Problem]:
    """What can be seen only as long as nobody has opened the database."""
    log, index = folder / "metadata.db-wal", folder / "metadata.db-shm"
    # SQLite takes the index away first. A server may end just now, so the index is looked for twice.
    if index.exists() and not log.exists() and index.exists():
        return [Problem("database", log.name, "it is gone, and with it what was written last")]
    return []


def _strangers(blobs: Path) -> Iterator[Path]:
    """What lies above the shelves of blobs and is none."""
    for algorithm in sorted(blobs.iterdir()):
        if algorithm.name not in _ALGORITHMS or not algorithm.is_dir():
            yield algorithm
        else:
            yield from (path for path in sorted(algorithm.iterdir()) if not _is_shelf(path))


def _is_shelf(path: Path) -> bool:
    return len(path.name) == 2 and set(path.name) <= _HEX and path.is_dir()


def _wrong_with_manifest(connection: Connection, manifest: HeldManifest) -> Iterator[Problem]:
    algorithm = manifest.digest.partition(":")[0]
    computed = hashlib.new(algorithm, manifest.body, usedforsecurity=False).hexdigest()
    if f"{algorithm}:{computed}" != manifest.digest:
        yield Problem(
            "manifest", manifest.digest, "its row has other bytes; delete the image and push it again"
        )
        return
    try:
        document = manifests.parse(manifest.body, None, orjson.loads)
    except (manifests.InvalidManifest, manifests.UnknownMediaType):
        # Its media type was in a header of the push only; then nothing more can be said.
        return
    for repository_id, name in rows.places(connection, manifest.digest):
        for layer in document.layers:
            if layer.required and not rows.holds(connection, repository_id, layer.digest):
                yield Problem(
                    "image",
                    f"{name}@{manifest.digest}",
                    f"its layer {layer.digest} is missing; push it again",
                )
        for child in document.children:
            if not rows.has_image(connection, repository_id, child):
                yield Problem(
                    "image", f"{name}@{manifest.digest}", f"its image {child} is missing; push it again"
                )


def _digest(path: Path, like: str) -> str:
    """The digest of a file by the algorithm of another digest; "" when it cannot be read."""
    algorithm = like.partition(":")[0]
    try:
        with path.open("rb") as file:
            computed = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    except OSError:
        return ""
    return f"{algorithm}:{computed.hexdigest()}"


def _is_ours(name: str) -> bool:
    return name in _FILES or any(
        name.endswith(end) and name.removesuffix(end) in _FILES for end in _OF_SQLITE
    )


def _is_blob_name(path: Path) -> bool:
    hex_digits, dash, number = path.name.partition("-")
    digits = hex_digits + number
    return (
        bool(dash)
        and set(digits) <= _HEX
        and len(number) == _NUMBER_DIGITS
        and path.parent.name == hex_digits[:2]
    )


def _is_uuid(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
