"""Which resource a path under /v2/ means.

Repository names hold slashes and may hold any of the words of the API, so a path is read from the right:
`team/tags/api/manifests/latest` is the manifest `latest` of `team/tags/api`.
"""

from dataclasses import dataclass

from ecr_emu import errors
from ecr_emu.domain import names

PREFIX = "/v2/"


@dataclass(frozen=True, slots=True)
class Route:
    """A resource: its kind, the repository, and the tag, digest or upload id."""

    kind: str
    name: str = ""
    reference: str = ""


def find(path: str) -> Route:
    """The resource behind a path, or NAME_INVALID, or a 404 for a path that means nothing."""
    if path in ("/v2", "/v2/"):
        return Route("ping")
    rest = path.removeprefix(PREFIX)
    if rest in ("_catalog", "_catalog/"):
        return Route("catalog")
    head, _, last = rest.rpartition("/")
    name, _, word = head.rpartition("/")
    route = _by_words(name, word, last)
    if route is None:
        raise errors.path_unknown(path[:200])
    if not names.is_repository_name(route.name):
        raise errors.invalid_name(route.name[:300])
    return route


def _by_words(name: str, word: str, last: str) -> Route | None:
    if word == "blobs" and last == "uploads":
        return Route("uploads", name)
    if word == "uploads" and name.endswith("/blobs"):
        return Route("upload" if last else "uploads", name.removesuffix("/blobs"), last)
    if word == "tags" and last == "list":
        return Route("tags", name)
    if word in ("manifests", "blobs", "referrers") and last:
        return Route({"manifests": "manifest", "blobs": "blob"}.get(word, word), name, last)
    return None
