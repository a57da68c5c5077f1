"""Listing what has an image as its subject: the registry's referrers on the JSON API."""

from collections.abc import Mapping
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control import paging
from ecr_emu.control.operations import Answer, operation
from ecr_emu.core import referrers
from ecr_emu.core.referrers import Query
from ecr_emu.store import repositories
from ecr_emu.store.images import Referrer
from ecr_emu.upstream.problems import UpstreamProblem

DEFAULT_PAGE = 20


@operation
def list_image_referrers(call: Call, request: Mapping[str, Any]) -> Answer:
    # Another operation's permission (reference, control plane 4.6).
    registry = call.target(request.get("registryId"))
    name, subject = request["repositoryName"], request["subjectId"]["imageDigest"]
    given = request.get("filter", {})
    call.authorize("ecr:BatchGetImage", registry, name)
    try:
        referrers.refresh(call, registry, name, subject)
    except UpstreamProblem as problem:
        raise errors.unable_to_list_upstream_referrers(problem.reason) from None
    with call.store.read() as connection:
        repository = repositories.get(connection, registry, name)
    query = Query(subject, given.get("artifactTypes", ()), given.get("artifactStatus", "ACTIVE"))
    listing = ("ListImageReferrers", repository.id, subject, request.get("filter"))
    page = paging.open_page(call, request, 0, *listing, default=DEFAULT_PAGE)
    shown, has_more = referrers.page(call, repository, query, page.after, page.limit)
    return {
        "referrers": [_describe(referrer) for referrer in shown],
        "nextToken": page.token(shown[-1].id) if has_more else None,
    }


def _describe(referrer: Referrer) -> Answer:
    """The ImageReferrer shape."""
    return {
        "digest": referrer.digest,
        "mediaType": referrer.media_type,
        "artifactType": referrer.artifact_type,
        "size": len(referrer.body),
        "annotations": referrers.annotations(referrer) or None,
        "artifactStatus": referrer.status,
    }
