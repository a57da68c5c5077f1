"""Blobs: /v2/<name>/blobs/<digest>."""

from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from ecr_emu import errors
from ecr_emu.blobs.filesystem import CHUNK_BYTES, FileBlobs
from ecr_emu.core import pull
from ecr_emu.domain import ranges
from ecr_emu.registry.request import Request
from ecr_emu.store import layers
from ecr_emu.store.layers import Blob
from ecr_emu.wsgi import Response

# A blob up to this size is read at once: one piece costs the server less than an iterator.
SMALL_BYTES = 128 * 1024


def get(request: Request) -> Response:
    """The bytes, whole or a range of them. HEAD opens no file."""
    is_head = request.method == "HEAD"
    digest = request.digest()
    blob = pull.blob(request.call, request.call.registry, request.name, digest, request.action)
    if is_head:
        return describe(blob)
    return serve(request.call.blobs, blob, request.header("Range"))


def delete(request: Request) -> Response:
    """Take the blob from the repository; refused while an image of it needs the blob."""
    repository = request.repository()
    digest = request.digest()
    with request.call.store.write() as transaction:
        if layers.media_type(transaction, repository, digest) is not None:
            raise errors.blob_in_use(digest)
        if not layers.remove(transaction, repository, digest):
            raise errors.blob_unknown(digest)
    return Response(202)


def describe(blob: Blob) -> Response:
    """What HEAD says of a blob; opens no file."""
    return Response(200, [*_headers(blob), ("Content-Length", str(blob.size_bytes))])


def serve(blobs: FileBlobs, blob: Blob, wanted: str | None) -> Response:
    """The blob's bytes as a response, streamed; `wanted` is the Range header."""
    first, last, status = 0, blob.size_bytes - 1, 200
    headers = _headers(blob)
    if wanted is not None:
        try:
            span = ranges.parse_range(wanted, blob.size_bytes)
        except ranges.Unsatisfiable:
            return Response(416, [("Content-Range", f"bytes */{blob.size_bytes}"), *headers])
        if span is not None:
            first, last, status = *span, 206
            headers.append(("Content-Range", f"bytes {first}-{last}/{blob.size_bytes}"))
    length = last - first + 1
    headers.append(("Content-Length", str(length)))
    try:
        file = blobs.path(blob.file).open("rb", buffering=0)
    except FileNotFoundError:
        # The sweeper was quicker: the repository gave the layer up a moment ago.
        raise errors.blob_unknown(blob.digest) from None
    file.seek(first)
    if length <= SMALL_BYTES:
        with file:
            return Response(status, headers, file.read(length))
    return Response(status, headers, _Stream(file, length))


class _Stream:
    """The next `length` bytes of a file, in pieces; closes the file at the end or when the client leaves."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._file.read(min(CHUNK_BYTES, self._left)) if self._left else b""
        if not chunk:
            self.close()
            raise StopIteration
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()


def _headers(blob: Blob) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/octet-stream"),
        ("Docker-Content-Digest", blob.digest),
        ("ETag", f'"{blob.digest}"'),
        ("Accept-Ranges", "bytes"),
    ]
