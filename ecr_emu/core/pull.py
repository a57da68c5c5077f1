"""Finding what a pull needs: one look-up each, and a second only to say what is missing."""

import logging
import sqlite3
from collections.abc import Iterable

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.core import pull_through
from ecr_emu.domain import pull_times
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, images, layers, repositories
from ecr_emu.store.images import Content
from ecr_emu.store.layers import Blob
from ecr_emu.upstream.flights import Flight

# Documents of a registry: the principals whose pulls leave lastRecordedPullTime alone.
EXCLUSION = "pull-time-exclusion"
# How long a pull waits to write down its time.
PATIENCE_SECONDS = 1.0

log = logging.getLogger(__name__)


def manifest(call: Call, registry: Registry, name: str, reference: str, *, is_pull: bool) -> Content:
    """The manifest behind a tag or digest, or RepositoryNotFoundException or ImageNotFound.

    ImageNotFound too when only a record of the image is known. Behind a pull through cache rule it may come
    from the upstream, or Upstream… says why it does not.

    `is_pull` is False for a look at it: HEAD is no pull.
    """
    call.authorize("ecr:BatchGetImage", registry, name)
    if pull_through.find_rule(call, registry, name) is not None:
        fetched = _from_upstream(call, registry, name, reference, is_pull=is_pull)
        if fetched is not None:
            return fetched
    with call.store.read() as connection:
        found = images.pullable(connection, registry, name, reference, call.now)
        if found is None:
            repositories.get(connection, registry, name)
            raise errors.requested_image_not_found()
    if not found.content.body:
        raise errors.image_without_manifest()
    if is_pull and pull_times.is_due(found.pulled_at, call.now):
        record(call, registry, [found.image_id])
    return found.content


def _from_upstream(
    call: Call, registry: Registry, name: str, reference: str, *, is_pull: bool
) -> Content | None:
    # Most servers have no rules.
    from ecr_emu.core import imports, upstreams
    from ecr_emu.upstream.problems import UpstreamProblem

    try:
        return imports.manifest(call, registry, name, reference, is_pull=is_pull)
    except UpstreamProblem as problem:
        raise upstreams.on_registry(problem) from None


def layer(call: Call, registry: Registry, name: str, digest: str, action: str) -> Blob | Flight:
    """The same as `blob`, but that a blob behind a pull through cache rule may be on its way."""
    call.authorize(action, registry, name)
    with call.store.read() as connection:
        found = layers.locate(connection, registry, name, digest)
    if found is None and pull_through.find_rule(call, registry, name) is not None:
        from ecr_emu.core import upstream_blobs

        flight = upstream_blobs.find(call, registry, name, digest)
        if flight is not None:
            return flight
    return found or blob(call, registry, name, digest, action)


def record(call: Call, registry: Registry, image_ids: Iterable[int]) -> None:
    """Write down that these images were pulled now, unless pulls by the caller are not recorded.

    The caller has looked which times are due, so that most pulls write nothing. A full disk or a locked
    database stops no pull.
    """
    with call.store.read() as connection:
        exclusions = documents.page(connection, registry, EXCLUSION, "", documents.ALL)
    if pull_times.is_excluded(call.principal.arn, [exclusion.key for exclusion in exclusions]):
        return
    try:
        with call.store.write(PATIENCE_SECONDS) as transaction:
            images.record_pulls(transaction, image_ids, call.now)
    except sqlite3.OperationalError as problem:
        # The next pull will write it down; this one has all that it needs.
        if not errors.is_passing(problem):
            raise
        log.warning("request %s: the time of a pull is not written down (%s)", call.request_id, problem)


def blob(call: Call, registry: Registry, name: str, digest: str, action: str) -> Blob:
    """The blob, if the repository holds it, or RepositoryNotFoundException or BlobUnknown."""
    call.authorize(action, registry, name)
    with call.store.read() as connection:
        found = layers.locate(connection, registry, name, digest)
        if found is None:
            repositories.get(connection, registry, name)
            raise errors.blob_unknown(digest)
    return found
