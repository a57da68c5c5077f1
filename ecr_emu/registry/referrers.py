"""Referrers: /v2/<name>/referrers/<digest>."""

from urllib.parse import urlencode

import orjson

from ecr_emu.domain import manifests
from ecr_emu.registry.request import MAX_PAGE, Request
from ecr_emu.store import images
from ecr_emu.store.images import Referrer
from ecr_emu.wsgi import Response


def list_referrers(request: Request) -> Response:
    """An index of the images that have this digest as their subject; empty when there are none."""
    subject = request.digest()
    repository = request.repository("ecr:BatchGetImage")
    artifact_type = request.parameter("artifactType")
    after = request.parameter("after") or "0"
    position = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0
    with request.call.store.read() as connection:
        rows = images.referrers(connection, repository, subject, artifact_type, position, MAX_PAGE + 1)
    headers = [("Content-Type", manifests.OCI_INDEX)]
    if artifact_type is not None:
        headers.append(("OCI-Filters-Applied", "artifactType"))
    if len(rows) > MAX_PAGE:
        filters = {"artifactType": artifact_type} if artifact_type is not None else {}
        query = urlencode({**filters, "after": rows[MAX_PAGE - 1].id})
        headers.append(
            ("Link", f'<{request.url(f"{request.name}/referrers/{subject}")}?{query}>; rel="next"')
        )
    content = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_INDEX,
        "manifests": [_descriptor(row) for row in rows[:MAX_PAGE]],
    }
    return Response(200, headers, orjson.dumps(content))


def _descriptor(referrer: Referrer) -> dict[str, object]:
    descriptor: dict[str, object] = {
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": len(referrer.body),
    }
    if referrer.artifact_type is not None:
        descriptor["artifactType"] = referrer.artifact_type
    if found := manifests.annotations(referrer.body):
        descriptor["annotations"] = found
    return descriptor
