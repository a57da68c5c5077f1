"""Operations on layers: what the registry's blob calls are on the JSON API."""

import io
from collections.abc import Callable
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.core import layer_urls, pull_through, quotas, upload
from ecr_emu.domain import names
from ecr_emu.domain.limits import Limits
from ecr_emu.store import images, layers
from ecr_emu.store.repositories import Repository
from ecr_emu.store.uploads import Upload

if TYPE_CHECKING:
    from types_boto3_ecr import type_defs as types

PART_SIZE_BYTES = 10 * 1024 * 1024
_DIGEST_RULE = f"layer digest should satisfy the regex '{names.DIGEST_PATTERN}'"


@operation
def batch_check_layer_availability(
    call: Call, request: "types.BatchCheckLayerAvailabilityRequestTypeDef"
) -> Answer:
    repository = _repository(call, "ecr:BatchCheckLayerAvailability", request)
    found, failures = [], []
    with call.store.snapshot() as connection:
        for digest in dict.fromkeys(request["layerDigests"]):
            if not names.looks_like_digest(digest):
                failures.append(_failure(digest))
            else:
                found.append(_availability(connection, repository, digest, call.now))
    return {"layers": found, "failures": failures}


@operation
def initiate_layer_upload(call: Call, request: "types.InitiateLayerUploadRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:InitiateLayerUpload", request)
    part_size = min(PART_SIZE_BYTES, quotas.of(call)["maximum-layer-part-bytes"])
    return {"uploadId": upload.start(call, repository), "partSize": part_size}


@operation
def upload_layer_part(call: Call, request: "types.UploadLayerPartRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:UploadLayerPart", request)
    first, last = request["partFirstByte"], request["partLastByte"]
    blob = request["layerPartBlob"]
    assert isinstance(blob, bytes)  # noqa: S101 - the codec has decoded it

    def check(state: Upload) -> None:
        _check_part(repository, state, (first, last), len(blob), quotas.of(call))

    chunk = upload.Chunk(io.BytesIO(blob), check=check, is_part=True)
    state = upload.append(call, repository, request["uploadId"], chunk)
    return {
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "uploadId": state.id,
        "lastByteReceived": state.received_bytes - 1,
    }


@operation
def complete_layer_upload(call: Call, request: "types.CompleteLayerUploadRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:CompleteLayerUpload", request)
    digests = request["layerDigests"]

    def check(state: Upload) -> None:
        if state.received_bytes == 0:
            raise errors.empty_upload(repository.name, repository.registry.account, state.id)
        if state.short_part_count:
            raise errors.layer_part_too_small(quotas.of(call)["minimum-layer-part-bytes"])

    def choose(compute: Callable[[str], str]) -> str:
        # Digests of other algorithms are not validated (reference, control plane 5.4).
        computed = compute("sha256")
        if any(digest.startswith("sha256:") and digest != computed for digest in digests):
            raise errors.invalid_layer()
        return computed

    chunk = upload.Chunk(check=check)
    digest, had_layer = upload.complete(call, repository, request["uploadId"], choose, chunk)
    if had_layer:
        raise errors.layer_already_exists(repository.name, repository.registry.account, digest)
    return {
        "registryId": repository.registry.account,
        "repositoryName": repository.name,
        "uploadId": request["uploadId"],
        "layerDigest": digest,
    }


@operation
def get_download_url_for_layer(call: Call, request: "types.GetDownloadUrlForLayerRequestTypeDef") -> Answer:
    repository = _repository(call, "ecr:GetDownloadUrlForLayer", request)
    account, digest = repository.registry.account, request["layerDigest"]
    with call.store.read() as connection:
        is_there = layers.find(connection, repository, digest) is not None
    is_cache = pull_through.find_rule(call, repository.registry, repository.name) is not None
    if is_cache and not is_there and names.is_digest(digest):
        _begin_to_fetch(call, repository, digest)
        return {"downloadUrl": layer_urls.make(call, repository, digest), "layerDigest": digest}
    with call.store.snapshot() as connection:
        if layers.find(connection, repository, digest) is None:
            raise errors.layer_not_found(repository.name, account, digest)
        # In a cache a layer may be there before its image is.
        if layers.media_type(connection, repository, digest) is None and not is_cache:
            raise errors.layer_inaccessible(repository.name, account, digest)
        if images.only_archived_need(connection, repository, digest, call.now):
            raise errors.layer_archived(repository.name, account, digest)
    return {"downloadUrl": layer_urls.make(call, repository, digest), "layerDigest": digest}


def _begin_to_fetch(call: Call, repository: Repository, digest: str) -> None:
    """Return when the layer comes from the upstream, or UnableToGetUpstreamLayerException."""
    from ecr_emu.core import upstream_blobs
    from ecr_emu.upstream.problems import NOT_FOUND, UpstreamProblem

    flight = upstream_blobs.find(call, repository.registry, repository.name, digest)
    if flight is None:
        raise errors.layer_not_found(repository.name, repository.registry.account, digest)
    try:
        flight.wait_begun()
    except UpstreamProblem as problem:
        if problem.code == NOT_FOUND:
            raise errors.layer_not_found(repository.name, repository.registry.account, digest) from None
        raise errors.unable_to_get_upstream_layer(problem.reason) from None


def _repository(call: Call, action: str, request: Any) -> Repository:
    return call.repository(action, call.target(request.get("registryId")), request["repositoryName"])


def _availability(connection: Connection, repository: Repository, digest: str, now: float) -> Answer:
    """A layer that is not there is UNAVAILABLE, not a failure (reference, control plane 5.1)."""
    blob = layers.find(connection, repository, digest)
    if blob is None:
        return {"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
    is_archived = images.only_archived_need(connection, repository, digest, now)
    return {
        "layerDigest": digest,
        "layerAvailability": "ARCHIVED" if is_archived else "AVAILABLE",
        "layerSize": blob.size_bytes,
        # A descriptor may name no type.
        "mediaType": layers.media_type(connection, repository, digest) or None,
    }


def _failure(digest: str) -> Answer:
    """Reasons by analogy with BatchGetImage's (unverified)."""
    if not digest:
        code, reason = "MissingLayerDigest", "layer digest cannot be null"
    else:
        code, reason = "InvalidLayerDigest", _DIGEST_RULE
    return {
        "layerDigest": digest,
        "failureCode": code,
        "failureReason": f"Invalid request parameters: {reason}",
    }


def _check_part(
    repository: Repository, state: Upload, span: tuple[int, int], size_bytes: int, limits: Limits
) -> None:
    """Parts are strictly in order, and as long as they say (reference, control plane 5.3)."""
    first, last = span
    most, most_bytes = limits["layer-parts"], limits["maximum-layer-part-bytes"]
    if state.part_count >= most:
        raise errors.layer_part_limit(state.id, most)
    if first != state.received_bytes:
        message = f"First byte of the layer part is {first} instead of {state.received_bytes}"
    elif size_bytes == 0 or last - first + 1 != size_bytes:
        message = f"Layer part from byte {first} to byte {last} has {size_bytes} bytes"
    elif size_bytes > most_bytes:
        message = f"Layer part has {size_bytes} bytes, and the maximum is {most_bytes}"
    else:
        return
    raise errors.invalid_layer_part(
        message,
        {
            "registryId": repository.registry.account,
            "repositoryName": repository.name,
            "uploadId": state.id,
            # Nothing received yet has no last byte; the model's minimum is 0 (unverified).
            "lastValidByteReceived": max(state.received_bytes - 1, 0),
        },
    )
