"""Referrers: /v2/<name>/referrers/<digest>."""

from urllib.parse import urlencode

import orjson

from ecr_emu.core import referrers
from ecr_emu.core.referrers import Query
from ecr_emu.domain import manifests
from ecr_emu.registry.request import MAX_PAGE, Request
from ecr_emu.store.images import Referrer
from ecr_emu.upstream.problems import UpstreamProblem
from ecr_emu.wsgi import Response


def list_referrers(request: Request) -> Response:
    """An index of the images that have this digest as their subject; empty when there are none."""
    subject = request.digest()
    request.authorize(request.action)
    _refresh(request, subject)
    repository = request.repository()
    artifact_type = request.parameter("artifactType")
    query = Query(subject, [artifact_type] if artifact_type is not None else [])
    shown, has_more = referrers.page(request.call, repository, query, _position(request), MAX_PAGE)
    headers = [("Content-Type", manifests.OCI_INDEX)]
    if artifact_type is not None:
        headers.append(("OCI-Filters-Applied", "artifactType"))
    if has_more:
        filters = {"artifactType": artifact_type} if artifact_type is not None else {}
        parameters = urlencode({**filters, "after": shown[-1].id})
        url = request.url(f"{request.name}/referrers/{subject}")
        headers.append(("Link", f'<{url}?{parameters}>; rel="next"'))
    content = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_INDEX,
        "manifests": [_descriptor(row) for row in shown],
    }
    return Response(200, headers, orjson.dumps(content))


def _refresh(request: Request, subject: str) -> None:
    try:
        referrers.refresh(request.call, request.call.registry, request.name, subject)
    except UpstreamProblem as problem:
        from ecr_emu.core import upstreams

        raise upstreams.on_registry(problem) from None


def _position(request: Request) -> int:
    """Where the last page ended; anything that is not our own text begins anew."""
    after = request.parameter("after") or ""
    return int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0


def _descriptor(referrer: Referrer) -> dict[str, object]:
    descriptor: dict[str, object] = {
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": len(referrer.body),
    }
    if referrer.artifact_type is not None:
        descriptor["artifactType"] = referrer.artifact_type
    if found := referrers.annotations(referrer):
        descriptor["annotations"] = found
    return descriptor
