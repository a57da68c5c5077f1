"""Layers on their way in: what the upload calls of both planes do.

The row says how many bytes count; the file may hold more after a crash, and they are cut off. Bytes move
outside of any transaction.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from ecr_emu import errors
from ecr_emu.blobs.filesystem import FileUpload, Readable, UploadLost
from ecr_emu.context import Call
from ecr_emu.store import layers, repositories, uploads
from ecr_emu.store.layers import Blob
from ecr_emu.store.repositories import Repository
from ecr_emu.store.uploads import Upload

# Every part of the JSON API but the last (Amazon ECR service quotas).
MIN_PART_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a request brings to an upload.

    `length` is what the client announced; fewer bytes are refused. `check` looks at the upload before any
    byte is read, and raises to refuse the chunk. `is_part` counts it as a part of the JSON API.
    """

    source: Readable | None = None
    length: int | None = None
    check: Callable[[Upload], None] = lambda upload: None
    is_part: bool = False


def start(call: Call, repository: Repository) -> str:
    """Begin an upload and return its id, a UUID that both planes understand."""
    upload_id = str(uuid.uuid4())
    with call.store.write() as transaction:
        repositories.confirm(transaction, repository)
        uploads.insert(transaction, repository, upload_id, call.now)
    return upload_id


def status(call: Call, repository: Repository, upload_id: str) -> Upload:
    """How far an upload has come, or UploadNotFoundException."""
    with call.store.read() as connection:
        upload = uploads.find(connection, repository, upload_id)
    if upload is None:
        raise _not_found(repository, upload_id)
    return upload


def append(call: Call, repository: Repository, upload_id: str, chunk: Chunk) -> Upload:
    """Write more bytes, all of them or none, and return how far the upload has come."""
    status(call, repository, upload_id)
    with call.blobs.upload(upload_id) as file:
        upload = status(call, repository, upload_id)
        chunk.check(upload)
        try:
            upload = _write(upload, file, chunk)
        except UploadLost:
            raise _not_found(repository, upload_id) from None
        with call.store.write() as transaction:
            if not uploads.update(transaction, upload, call.now):
                raise _not_found(repository, upload_id)
    return upload


def complete(
    call: Call,
    repository: Repository,
    upload_id: str,
    choose: Callable[[Callable[[str], str]], str],
    chunk: Chunk,
) -> tuple[str, bool]:
    """Finish an upload: its digest, and whether the repository had that layer before.

    `choose` gets a function from algorithm to computed digest and returns the digest to store under, or
    raises; then the upload is as it was. The last bytes may come with the request.
    """
    status(call, repository, upload_id)
    with call.blobs.upload(upload_id) as file:
        upload = status(call, repository, upload_id)
        chunk.check(upload)
        try:
            upload = _write(upload, file, chunk)
            digest = choose(lambda algorithm: file.digest(algorithm, upload.received_bytes))
            return digest, _store(call, repository, upload, digest)
        except UploadLost:
            raise _not_found(repository, upload_id) from None


def cancel(call: Call, repository: Repository, upload_id: str) -> None:
    """Forget an upload and its bytes, or UploadNotFoundException."""
    status(call, repository, upload_id)
    with call.blobs.upload(upload_id):
        with call.store.write() as transaction:
            if not uploads.delete(transaction, upload_id):
                raise _not_found(repository, upload_id)
        call.blobs.discard(upload_id)


def mount(call: Call, repository: Repository, digest: str, source: str | None) -> bool:
    """Let the repository serve a blob that another one of its registry holds. False when none does."""
    with call.store.write() as transaction:
        repositories.confirm(transaction, repository)
        if not layers.held_by(transaction, repository.registry, digest, source):
            return False
        layers.add(transaction, repository, digest, call.now)
    return True


def _write(upload: Upload, file: FileUpload, chunk: Chunk) -> Upload:
    """Append to the file. The row is written by the caller; until then the bytes do not count."""
    if chunk.source is None:
        return upload
    copied = file.append(chunk.source, upload.received_bytes, chunk.length)
    if chunk.length is not None and copied < chunk.length:
        raise errors.layer_part_truncated(chunk.length, copied)
    # Only a body without a Content-Length can be longer than its Content-Range.
    if chunk.length is not None and chunk.source.read(1):
        raise errors.layer_part_too_long(chunk.length)
    upload = replace(upload, received_bytes=upload.received_bytes + copied)
    if not chunk.is_part:
        return upload
    # The part before this one turns out not to be the last.
    was_short = upload.part_count > 0 and upload.last_part_bytes < MIN_PART_BYTES
    return replace(
        upload,
        part_count=upload.part_count + 1,
        last_part_bytes=copied,
        short_part_count=upload.short_part_count + was_short,
    )


def _store(call: Call, repository: Repository, upload: Upload, digest: str) -> bool:
    """Put the bytes in place, then write the rows. True when the repository had the layer before."""
    file = call.blobs.place(upload.id, digest)
    blob = Blob(digest, file, upload.received_bytes)
    try:
        with call.store.write() as transaction:
            if not uploads.delete(transaction, upload.id):
                raise _not_found(repository, upload.id)
            had_layer = layers.find(transaction, repository, digest) is not None
            is_first = layers.put_blob(transaction, blob)
            layers.add(transaction, repository, digest, call.now)
    except BaseException:
        call.blobs.delete(file)
        raise
    if not is_first:
        call.blobs.delete(file)
    return had_layer


def _not_found(repository: Repository, upload_id: str) -> errors.EcrError:
    return errors.upload_not_found(repository.name, repository.registry.account, upload_id)
