"""Listing what has an image as its subject: GET /v2/<name>/referrers/<digest> and ListImageReferrers."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ecr_emu.context import Call
from ecr_emu.core import pull_through
from ecr_emu.domain import manifests
from ecr_emu.domain.registries import Registry
from ecr_emu.store import images
from ecr_emu.store.images import Filter, Referrer
from ecr_emu.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Query:
    """Which referrers are wanted: of which subject, of which types (none means any), of which status."""

    subject: str
    artifact_types: Sequence[str] = ()
    status: str = "ACTIVE"


def refresh(call: Call, registry: Registry, name: str, subject: str) -> None:
    """Behind a pull through cache rule, bring in what the upstream lists. Raises UpstreamProblem."""
    if pull_through.find_rule(call, registry, name) is not None:
        # Most servers have no rules.
        from ecr_emu.core import upstream_referrers

        upstream_referrers.refresh(call, registry, name, subject)


def page(
    call: Call, repository: Repository, query: Query, after: int, limit: int
) -> tuple[list[Referrer], bool]:
    """Up to `limit` referrers behind the image with the id `after`, and whether more follow.

    Annotations are copied into the answer, so the manifests' bytes bound it too.
    """
    wanted = Filter(call.now, query.status)
    shown: list[Referrer] = []
    size_bytes = 0
    with call.store.read() as connection:
        # No name for the rows: an unfinished SELECT must not outlive its turn on the connection.
        for row in images.referrers(
            connection, repository, query.subject, query.artifact_types, wanted, after
        ):
            size_bytes += len(row.body)
            if shown and (len(shown) == limit or size_bytes > manifests.MAX_MANIFEST_BYTES):
                return shown, True
            shown.append(row)
    return shown, False


def annotations(referrer: Referrer) -> dict[str, str]:
    """Those of its manifest; none when only a record of it is known."""
    if not referrer.body:
        return {}
    return manifests.annotations(referrer.body, orjson.loads)
