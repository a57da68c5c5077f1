"""Requests to the registry as the API calls that they stand for, written down as CloudTrail does.

CloudTrail shows a docker push as InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload and PutImage, and
a pull as BatchGetImage and GetDownloadUrlForLayer (ECR user guide, Logging Amazon ECR actions with AWS
CloudTrail). What it shows of other requests is inferred from the action that they need.
"""

from collections.abc import Callable
from typing import Any

from ecr_emu.core import trail
from ecr_emu.domain.trail import Outcome
from ecr_emu.domain.trail import Request as Recorded
from ecr_emu.errors import EcrError
from ecr_emu.registry.request import Request
from ecr_emu.store import images, repositories
from ecr_emu.waiting import may_wait
from ecr_emu.wsgi import Response

# Members of requests and answers that stand for what is behind the name in a path, by action.
_REFERENCES = {
    "GetDownloadUrlForLayer": "layerDigest",
    "UploadLayerPart": "uploadId",
    "CompleteLayerUpload": "uploadId",
}


def answer(request: Request, handler: Callable[[Request], Response]) -> Response:
    """The handler's response, or its error; either is written down if wanted."""
    name = _operation(request)
    if not name or not trail.is_wanted(request.call.emulator, name):
        return handler(request)
    # Writing it down waits: better before it is done than after.
    may_wait()
    call = request.call
    recorded = Recorded(name, _parameters(request, name), call.request_id)
    try:
        response = handler(request)
    except EcrError as error:
        trail.write(call, recorded, Outcome(error=(error.code, error.message)))
        raise
    if name == "PutImage":
        recorded = Recorded(name, {**recorded.members, **_manifest(request, response)}, call.request_id)
    trail.write(call, recorded, Outcome(_elements(request, name, response, recorded.members)))
    return response


def _operation(request: Request) -> str:
    """The operation that a request stands for; empty for what the API has not."""
    is_blob = request.environ["PATH_INFO"].rpartition("/")[0].endswith("/blobs")
    is_only_here = request.method == "DELETE" and (is_blob or request.action == "ecr:UploadLayerPart")
    is_status = request.method == "GET" and request.action == "ecr:UploadLayerPart"
    return "" if is_only_here or is_status else request.action.removeprefix("ecr:")


def _parameters(request: Request, name: str) -> dict[str, Any]:
    """requestParameters, as far as the request says them."""
    members: dict[str, Any] = {"registryId": request.call.registry.account}
    if request.name:
        members["repositoryName"] = request.name
    by_digest = ":" in request.reference
    if name in ("BatchGetImage", "BatchDeleteImage"):
        members["imageIds"] = [{"imageDigest" if by_digest else "imageTag": request.reference}]
        if name == "BatchGetImage" and (accepted := request.header("Accept")):
            members["acceptedMediaTypes"] = [part.strip() for part in accepted.split(",")]
    elif name == "PutImage":
        members["imageDigest" if by_digest else "imageTag"] = request.reference
    elif name == "BatchCheckLayerAvailability":
        members["layerDigests"] = [request.reference]
    elif name in _REFERENCES:
        members[_REFERENCES[name]] = request.reference
    if name == "CompleteLayerUpload":
        members["layerDigests"] = [request.parameter("digest") or ""]
    return members


def _manifest(request: Request, response: Response) -> dict[str, str]:
    """The manifest that a push has stored, by the digest in its answer."""
    digest = dict(response.headers)["Docker-Content-Digest"]
    with request.call.store.read() as connection:
        repository = repositories.find(connection, request.call.registry, request.name)
        # Somebody may have been quick to delete it.
        stored = repository and images.find(connection, repository, digest)
        return {"imageManifest": images.body(connection, digest).decode()} if stored else {}


def _elements(
    request: Request, name: str, response: Response, members: dict[str, Any] | Any
) -> dict[str, Any]:
    """responseElements: what the API would have answered."""
    headers = dict(response.headers)
    about = {"registryId": request.call.registry.account, "repositoryName": request.name}
    digest = headers.get("Docker-Content-Digest")
    if name == "PutImage":
        image_id = {"imageDigest": digest, "imageTag": members.get("imageTag")}
        image = {**about, "imageId": image_id, "imageManifest": members.get("imageManifest")}
        return {"image": image}
    if name == "BatchDeleteImage":
        return {"imageIds": members["imageIds"], "failures": []}
    if name == "CompleteLayerUpload" or digest:
        return {**about, "layerDigest": digest}
    uploaded = {**about, "uploadId": headers.get("Docker-Upload-UUID")}
    if name == "UploadLayerPart":
        return {**uploaded, "lastByteReceived": int(headers.get("Range", "0-0").partition("-")[2])}
    return uploaded
