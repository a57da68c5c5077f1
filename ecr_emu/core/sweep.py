"""Freeing bytes: abandoned uploads, layers that no image came for, blobs that no repository holds."""

from collections.abc import Callable
from dataclasses import dataclass

from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core import pieces
from ecr_emu.store import layers, uploads
from ecr_emu.store.database import Database

UPLOAD_SECONDS = 24 * 3600
GRACE_SECONDS = 3600
# A file is in place a moment before its row is written; no grace may be shorter than that moment.
PLACING_SECONDS = 300
# Rows that go in one transaction: few enough that other writers hardly wait. What goes is looked for before,
# without a lock, and looked at again.
BATCH = 500


@dataclass(slots=True)
class Swept:
    """What a sweep freed."""

    uploads: int = 0
    layers: int = 0
    blobs: int = 0
    files: int = 0
    freed_bytes: int = 0


def sweep(
    store: Database,
    blobs: FileBlobs,
    now: float,
    *,
    grace_seconds: float | None = None,
    progress: Callable[[Swept], None] = lambda swept: None,
) -> Swept:
    """Free what nobody can reach any more.

    `now` is the emulator's clock. What a push under way may still ask for is left alone for `grace_seconds`:
    by default an hour for layers without an image and files without a row, a day for uploads.
    """
    swept = Swept()
    upload_seconds = UPLOAD_SECONDS if grace_seconds is None else grace_seconds
    grace_seconds = GRACE_SECONDS if grace_seconds is None else grace_seconds
    with store.write() as transaction:
        abandoned = uploads.delete_untouched(transaction, now - upload_seconds)
    for upload_id in abandoned:
        blobs.discard(upload_id)
    swept.uploads = len(abandoned)
    _remove_never_used(store, now - grace_seconds, swept)
    _drop_unheld(store, blobs, swept, progress)
    _drop_forgotten(store, blobs, swept, max(grace_seconds, PLACING_SECONDS))
    progress(swept)
    return swept


def _remove_never_used(store: Database, added_before: float, swept: Swept) -> None:
    after = (0, "")
    while True:
        with store.read() as connection:
            found = layers.never_used(connection, added_before, after, BATCH)
        if not found:
            return
        with store.write() as transaction:
            swept.layers += layers.remove_never_used(transaction, added_before, found)
        after = found[-1]
        pieces.pause()


def _drop_unheld(store: Database, blobs: FileBlobs, swept: Swept, progress: Callable[[Swept], None]) -> None:
    after = ""
    while True:
        with store.read() as connection:
            found = layers.unheld(connection, after, BATCH)
        if not found:
            return
        with store.write() as transaction:
            dropped = layers.drop_unheld(transaction, found)
        for blob in dropped:
            # Rows first: a crash here leaves files that the next sweep finds.
            blobs.delete(blob.file)
            swept.blobs += 1
            swept.freed_bytes += blob.size_bytes
        progress(swept)
        after = found[-1]


def _drop_forgotten(store: Database, blobs: FileBlobs, swept: Swept, grace_seconds: float) -> None:
    with store.read() as connection:
        known_blob = lambda file, digest: layers.is_known_file(connection, file, digest)  # noqa: E731
        known_upload = lambda upload_id: uploads.exists(connection, upload_id)  # noqa: E731
        forgotten = [
            *blobs.forgotten_files(grace_seconds, known_blob),
            *blobs.forgotten_uploads(grace_seconds, known_upload),
        ]
    for file, size_bytes in forgotten:
        # No folder there is ours; `ecr-emu fsck` names it.
        if file.is_dir():
            continue
        file.unlink(missing_ok=True)
        swept.files += 1
        swept.freed_bytes += size_bytes
