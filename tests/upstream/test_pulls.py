"""A pull of something that is not cached, from another emulator that plays the upstream."""

from collections.abc import Callable

import pytest

from tests.clients import Clock, Registry, Running, digest_of, image_manifest
from tests.upstream.waiting import images_of, wait_for

CONFIG = b'{"architecture":"amd64","os":"linux"}'
LAYER = b"layer" * 50_000
IMAGE = image_manifest(CONFIG, LAYER)


@pytest.fixture
def upstream(start: Callable[..., Running]) -> Running:
    """An emulator that asks nobody for a login, with team/app:v1."""
    running = start(auth="open")
    running.ecr().create_repository(repositoryName="team/app")
    client = Registry(running.port, None)
    client.push_image("team/app", "v1", LAYER)
    return running


@pytest.fixture
def cache(start: Callable[..., Running], upstream: Running) -> Running:
    """An emulator with a rule for the upstream under the prefix quay."""
    running = start(upstream=(("quay", upstream.url),))
    running.ecr().create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    return running


def test_pull_by_tag_brings_the_image_in(cache: Running) -> None:
    client, ecr = cache.registry(), cache.ecr()
    reply = client.request("GET", "/v2/quay/team/app/manifests/v1")
    assert (reply.status, reply.body) == (200, IMAGE)
    assert reply.headers["docker-content-digest"] == digest_of(IMAGE)
    for blob in (CONFIG, LAYER):
        reply = client.request("GET", f"/v2/quay/team/app/blobs/{digest_of(blob)}")
        assert (reply.status, reply.body) == (200, blob)
        assert reply.headers["docker-content-digest"] == digest_of(blob)
    wait_for(lambda: images_of(ecr, "quay/team/app") == {digest_of(IMAGE): ("v1",)})
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["repositoryName"] == "quay/team/app"
    assert repository["imageTagMutability"] == "MUTABLE"


def test_what_is_cached_needs_no_upstream(cache: Running, upstream: Running, clock: Clock) -> None:
    client, ecr = cache.registry(), cache.ecr()
    client.request("GET", "/v2/quay/team/app/manifests/v1")
    wait_for(lambda: images_of(ecr, "quay/team/app"))
    upstream.stop()
    clock.advance(25 * 3600)
    client = cache.registry()
    for reference in ("v1", digest_of(IMAGE)):
        assert client.request("GET", f"/v2/quay/team/app/manifests/{reference}").body == IMAGE
    assert client.request("GET", f"/v2/quay/team/app/blobs/{digest_of(LAYER)}").body == LAYER
