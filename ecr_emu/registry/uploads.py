"""Uploads: /v2/<name>/blobs/uploads/."""

from collections.abc import Callable
from contextlib import suppress

from ecr_emu import errors
from ecr_emu.core import upload
from ecr_emu.domain import names, ranges
from ecr_emu.errors import EcrError
from ecr_emu.registry.request import Request
from ecr_emu.store.repositories import Repository
from ecr_emu.store.uploads import Upload
from ecr_emu.wsgi import Response


def start(request: Request) -> Response:
    """Begin an upload, or do all of it: `?digest=` with the bytes, `?mount=` with another repository's."""
    repository = request.repository_for_push()
    mount, digest = request.parameter("mount"), request.parameter("digest")
    if mount is not None:
        if not names.is_digest(mount):
            raise errors.digest_invalid(mount)
        # A mount that cannot be done is an ordinary upload (OCI distribution-spec).
        if upload.mount(request.call, repository, mount, request.parameter("from")):
            return _stored(request, mount)
    _check_algorithm(request.parameter("digest-algorithm"))
    if digest is not None and mount is None:
        _check_digest(digest)
        for action in ("ecr:UploadLayerPart", "ecr:CompleteLayerUpload"):
            request.authorize(action)
        upload_id = upload.start(request.call, repository)
        try:
            return _complete(request, repository, upload_id, digest)
        except EcrError:
            # The client knows no upload id, so nobody could ever finish this one.
            with suppress(EcrError):
                upload.cancel(request.call, repository, upload_id)
            raise
        except BaseException:
            # Disk or database are in trouble: the row can wait for the sweep, the room of the bytes cannot.
            request.call.blobs.discard(upload_id)
            raise
    return _location(request, 202, Upload(upload.start(request.call, repository)))


def append(request: Request) -> Response:
    """Write more bytes: a chunk with a Content-Range, or one stream without."""
    repository = request.repository()
    try:
        state = upload.append(request.call, repository, request.reference, _chunk(request))
    except EcrError as error:
        raise _with_location(request, repository, error) from None
    return _location(request, 202, state)


def complete(request: Request) -> Response:
    """Finish an upload; the last bytes may come along."""
    repository = request.repository()
    digest = request.parameter("digest")
    _check_digest(digest or "")
    if request.length != 0:
        request.authorize("ecr:UploadLayerPart")
    try:
        return _complete(request, repository, request.reference, digest or "")
    except EcrError as error:
        raise _with_location(request, repository, error) from None


def status(request: Request) -> Response:
    """How far an upload has come."""
    repository = request.repository()
    return _location(request, 204, upload.status(request.call, repository, request.reference))


def cancel(request: Request) -> Response:
    repository = request.repository()
    upload.cancel(request.call, repository, request.reference)
    return Response(204)


def _complete(request: Request, repository: Repository, upload_id: str, digest: str) -> Response:

    def choose(compute: Callable[[str], str]) -> str:
        if compute(digest.partition(":")[0]) != digest:
            raise errors.invalid_layer()
        return digest

    upload.complete(request.call, repository, upload_id, choose, _chunk(request))
    return _stored(request, digest)


def _chunk(request: Request) -> upload.Chunk:
    """The body; with a Content-Range it must follow what is there and be as long as it says."""
    header = request.header("Content-Range")
    length = request.length
    source = None if length == 0 else request.body
    if header is None:
        return upload.Chunk(source, length)
    span = ranges.parse_content_range(header)
    if span is None or (length is not None and length != span[1] - span[0] + 1):
        raise errors.content_range_invalid(header)
    first = span[0]

    def check(state: Upload) -> None:
        if state.received_bytes != first:
            raise errors.layer_part_out_of_order(first, state.received_bytes)

    return upload.Chunk(source, span[1] - span[0] + 1, check)


def _check_digest(digest: str) -> None:
    if not names.is_digest(digest):
        raise errors.digest_invalid(digest)


def _check_algorithm(algorithm: str | None) -> None:
    """The hash is chosen when the upload ends; this only refuses what cannot be stored then."""
    if algorithm not in (None, "sha256", "sha512"):
        raise errors.digest_invalid(f"{algorithm}:")


def _location(request: Request, http_status: int, state: Upload) -> Response:
    return Response(http_status, _whereabouts(request, state))


def _whereabouts(request: Request, state: Upload) -> list[tuple[str, str]]:
    return [
        ("Location", request.url(f"{request.name}/blobs/uploads/{state.id}")),
        # Nothing received yet is 0-0 as well: the header has no way to say none.
        ("Range", f"0-{max(state.received_bytes - 1, 0)}"),
        ("Docker-Upload-UUID", state.id),
    ]


def _with_location(request: Request, repository: Repository, error: EcrError) -> EcrError:
    """Tell a client whose chunk is out of order where to go on."""
    if error.code == "InvalidLayerPartException":
        state = upload.status(request.call, repository, request.reference)
        error.headers = _whereabouts(request, state)
    return error


def _stored(request: Request, digest: str) -> Response:
    headers = [
        ("Location", request.url(f"{request.name}/blobs/{digest}")),
        ("Docker-Content-Digest", digest),
    ]
    return Response(201, headers)
