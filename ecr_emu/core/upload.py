"""Layers on their way in: what the upload calls of both planes do.

The row says how many bytes count; the file may hold more after a crash, and they are cut off. Bytes move
outside of any transaction.
"""

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from ecr_emu import access, errors
from ecr_emu.blobs.filesystem import FileUpload, Readable, UploadLost
from ecr_emu.context import Call
from ecr_emu.core import quotas
from ecr_emu.domain.limits import Limits
from ecr_emu.store import layers, repositories, uploads
from ecr_emu.store.layers import Blob
from ecr_emu.store.repositories import Repository
from ecr_emu.store.uploads import Upload

# A mount that names no source looks at so many repositories that hold the blob.
MAX_SOURCES = 20


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
            upload = _write(upload, file, chunk, quotas.of(call))
        except UploadLost:
            raise _gone(call, repository, upload_id) from None
        with call.store.write() as transaction:
            is_known = uploads.update(transaction, upload, call.now)
        if not is_known:
            raise _gone(call, repository, upload_id)
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
            upload = _write(upload, file, chunk, quotas.of(call))
            digest = choose(lambda algorithm: file.digest(algorithm, upload.received_bytes))
            return digest, _store(call, repository, upload, digest)
        except UploadLost:
            raise _gone(call, repository, upload_id) from None


def cancel(call: Call, repository: Repository, upload_id: str) -> None:
    """Forget an upload and its bytes, or UploadNotFoundException."""
    status(call, repository, upload_id)
    with call.blobs.upload(upload_id):
        with call.store.write() as transaction:
            if not uploads.delete(transaction, upload_id):
                raise _not_found(repository, upload_id)
        call.blobs.discard(upload_id)


def mount(call: Call, repository: Repository, digest: str, source: str | None) -> bool:
    """Let the repository serve a blob that another one of its registry holds.

    False when none does that the caller may read (reference, data plane 2.7).
    """
    registry, sources = repository.registry, [source] if source else []
    if source is None:
        with call.store.read() as connection:
            sources = layers.holders(connection, registry, digest, MAX_SOURCES)
    readable = [name for name in sources if access.allows(call, "ecr:GetDownloadUrlForLayer", registry, name)]
    with call.store.write() as transaction:
        repositories.confirm(transaction, repository)
        if not any(layers.held_by(transaction, registry, digest, name) for name in readable):
            return False
        layers.add(transaction, repository, digest, call.now)
    return True


def _write(upload: Upload, file: FileUpload, chunk: Chunk, limits: Limits) -> Upload:
    """Append to the file. The row is written by the caller; until then the bytes do not count."""
    if chunk.source is None:
        return upload
    try:
        copied = _copy(upload, file, chunk.source, chunk.length, limits["maximum-layer-bytes"])
    except BaseException:
        # What did not come whole takes no room: the disk may be full of just these bytes.
        file.cut(upload.received_bytes)
        raise
    upload = replace(upload, received_bytes=upload.received_bytes + copied)
    if not chunk.is_part:
        return upload
    # The part before this one turns out not to be the last.
    was_short = upload.part_count > 0 and upload.last_part_bytes < limits["minimum-layer-part-bytes"]
    return replace(
        upload,
        part_count=upload.part_count + 1,
        last_part_bytes=copied,
        short_part_count=upload.short_part_count + was_short,
    )


def _copy(upload: Upload, file: FileUpload, source: Readable, length: int | None, most_bytes: int) -> int:
    """Append the bytes of a request, as many as announced, and return how many that were.

    LimitExceededException when the layer would become larger than `most_bytes`.
    """
    room = most_bytes - upload.received_bytes
    if length is not None and length > room:
        raise errors.layer_too_large(upload.id, most_bytes)
    copied = file.append(source, upload.received_bytes, room if length is None else length)
    if length is not None and copied < length:
        raise errors.layer_part_truncated(length, copied)
    if source.read(1):
        # Only a body without a Content-Length can be longer than its Content-Range.
        raise (
            errors.layer_too_large(upload.id, most_bytes)
            if length is None
            else errors.layer_part_too_long(length)
        )
    return copied


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
    except (errors.EcrError, sqlite3.Error) as problem:
        if isinstance(problem, errors.EcrError) or errors.is_undone(problem):
            call.blobs.take_back(file, upload.id)
        raise
    # A commit that failed on the disk may yet be found there; then its row needs the file.
    call.blobs.discard(upload.id)
    if not is_first:
        call.blobs.delete(file)
    return had_layer


def _gone(call: Call, repository: Repository, upload_id: str) -> errors.EcrError:
    """The same; what was written after a sweep or a reset had taken the row goes as well."""
    with call.store.read() as connection:
        is_known = uploads.exists(connection, upload_id)
    if not is_known:
        call.blobs.discard(upload_id)
    return _not_found(repository, upload_id)


def _not_found(repository: Repository, upload_id: str) -> errors.EcrError:
    return errors.upload_not_found(repository.name, repository.registry.account, upload_id)
