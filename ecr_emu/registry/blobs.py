"""Blobs: /v2/<name>/blobs/<digest>."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ecr_emu import errors
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.context import Emulator
from ecr_emu.core import pull
from ecr_emu.domain import ranges
from ecr_emu.domain.registries import Registry
from ecr_emu.registry.request import Request
from ecr_emu.store import layers
from ecr_emu.store.layers import Blob
from ecr_emu.upstream.flights import Flight
from ecr_emu.wsgi import FileRange, Response

# Registry, repository and digest.
Which = tuple[Registry, str, str]

# A blob up to this size is read at once: that costs less than having its file sent.
SMALL_BYTES = 128 * 1024


def get(request: Request) -> Response:
    """The bytes, whole or a range of them. HEAD opens no file, and looks for nothing upstream."""
    call, digest = request.call, request.digest()
    if request.method == "HEAD":
        return describe(pull.blob(call, call.registry, request.name, digest, request.action))
    found = pull.layer(call, call.registry, request.name, digest, request.action)
    return answer(call.emulator, found, (call.registry, request.name, digest), request.header("Range"))


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


def answer(emulator: Emulator, found: Blob | Flight, which: Which, wanted: str | None) -> Response:
    """The bytes of a blob, or of one that is on its way from an upstream."""
    if isinstance(found, Blob):
        return serve(emulator.blobs, found, wanted)
    with _problems(which[2]):
        length = found.wait_begun()
        # Without its length the end could not be told from a connection that broke.
        if length and wanted is None:
            with suppress(FileNotFoundError):
                follower = found.follow()
                return Response(200, [*_headers(which[2]), ("Content-Length", str(length))], follower)
    return serve(emulator.blobs, _stored(emulator, found, which), wanted)


def head(emulator: Emulator, found: Blob | Flight, which: Which) -> Response:
    """What HEAD says of the same."""
    return describe(found if isinstance(found, Blob) else _stored(emulator, found, which))


def _stored(emulator: Emulator, flight: Flight, which: Which) -> Blob:
    """The blob, once it is here."""
    with _problems(which[2]):
        flight.wait_done()
    with emulator.store.read() as connection:
        blob = layers.locate(connection, *which)
    if blob is None:
        raise errors.blob_unknown(which[2])
    return blob


@contextmanager
def _problems(digest: str) -> Iterator[None]:
    """What the upstream did not give, as the registry answers it."""
    from ecr_emu.core import upstreams
    from ecr_emu.upstream.problems import NOT_FOUND, UpstreamProblem

    try:
        yield
    except UpstreamProblem as problem:
        if problem.code == NOT_FOUND:
            raise errors.blob_unknown(digest) from None
        raise upstreams.on_registry(problem) from None


def describe(blob: Blob) -> Response:
    """What HEAD says of a blob; opens no file."""
    return Response(200, [*_headers(blob.digest), ("Content-Length", str(blob.size_bytes))])


def serve(blobs: FileBlobs, blob: Blob, wanted: str | None) -> Response:
    """The blob's bytes as a response, streamed; `wanted` is the Range header."""
    first, last, status = 0, blob.size_bytes - 1, 200
    headers = _headers(blob.digest)
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
    path = blobs.path(blob.file)
    if length <= SMALL_BYTES:
        return Response(status, headers, _read(path, first, length, blob.digest))
    # That it can be opened is to be known before the answer begins.
    _read(path, first, 0, blob.digest)
    return Response(status, headers, FileRange(path, first, length))


def _read(path: Path, first: int, length: int, digest: str) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(first)
            return file.read(length)
    except FileNotFoundError:
        # The sweeper was quicker: the repository gave the layer up a moment ago.
        raise errors.blob_unknown(digest) from None


def _headers(digest: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/octet-stream"),
        ("Docker-Content-Digest", digest),
        ("ETag", f'"{digest}"'),
        ("Accept-Ranges", "bytes"),
    ]
