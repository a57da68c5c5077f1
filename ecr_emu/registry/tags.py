"""Listings: /v2/<name>/tags/list and /v2/_catalog."""

from collections.abc import Sequence
from urllib.parse import urlencode

import orjson

from ecr_emu.registry.request import Request
from ecr_emu.store import image_listings, repositories
from ecr_emu.wsgi import Response


def list_tags(request: Request) -> Response:
    """Tags in lexical order, but for those of archived images."""
    repository = request.repository()
    with request.call.store.read() as connection:
        rows = image_listings.page_of_tags(
            connection,
            repository,
            request.call.now,
            request.parameter("last") or "",
            request.page_size() + 1,
        )
    return _page(request, f"{request.name}/tags/list", {"name": request.name}, "tags", rows)


def catalog(request: Request) -> Response:
    """Names of the registry's repositories in lexical order."""
    registry = request.call.registry
    request.call.authorize(request.action, registry, "*")
    with request.call.store.read() as connection:
        rows = repositories.page(
            connection, registry, request.parameter("last") or "", request.page_size() + 1
        )
    return _page(request, "_catalog", {}, "repositories", [row.name for row in rows])


def _page(
    request: Request, path: str, content: dict[str, object], member: str, rows: Sequence[str]
) -> Response:
    """One page; `rows` has one too many when more follow. `n=0` asks for none, and nothing follows."""
    size = request.page_size()
    headers = [("Content-Type", "application/json")]
    shown = rows[:size]
    if shown and len(rows) > size:
        query = urlencode({"last": shown[-1], "n": size})
        headers.append(("Link", f'<{request.url(path)}?{query}>; rel="next"'))
    return Response(200, headers, orjson.dumps({**content, member: shown}))
