"""What is cached for how long: 24 hours by the emulator's clock, and whatever the upstream does."""

from collections.abc import Callable

import pytest

from tests.clients import Clock, Running, digest_of, image_manifest
from tests.upstream.hostile import CONFIG, IMAGE, LAYER, Hostile, says
from tests.upstream.waiting import images_of, wait_for

HOUR = 3600
NEWER = image_manifest(CONFIG, LAYER, annotations={"age": "new"})
MANIFEST = "/v2/team/app/manifests/v1"
NAME = "quay/team/app"


@pytest.fixture
def cache(cached: Callable[..., Running], bad: Hostile) -> Running:
    """With IMAGE in it; the upstream has NEWER by now."""
    bad.offer()
    running = cached()
    assert pull(running) == IMAGE
    wait_for(lambda: images_of(running.ecr(), NAME))
    wait_for(lambda: not running.application.emulator.flights._pending)
    bad.offer(image=NEWER)
    return running


def pull(cache: Running, reference: str = "v1") -> bytes:
    reply = cache.registry().request("GET", f"/v2/{NAME}/manifests/{reference}")
    assert reply.status == 200, reply.body
    return reply.body


def test_for_a_day_the_upstream_is_not_asked(cache: Running, bad: Hostile, clock: Clock) -> None:
    asked = len(bad.asked)
    clock.advance(23.9 * HOUR)
    assert pull(cache) == IMAGE
    assert len(bad.asked) == asked


def test_after_a_day_the_newer_image_is_answered_and_brought_in(cache: Running, clock: Clock) -> None:
    clock.advance(24.1 * HOUR)
    assert pull(cache) == NEWER
    tags = wait_for(lambda: len(found := images_of(cache.ecr(), NAME)) == 2 and found)
    assert tags == {digest_of(IMAGE): (), digest_of(NEWER): ("v1",)}
    # The digest that somebody has pinned is there for ever.
    assert pull(cache, digest_of(IMAGE)) == IMAGE


def test_an_unchanged_image_costs_one_head_a_day(cache: Running, bad: Hostile, clock: Clock) -> None:
    bad.offer()
    before = len(bad.asked)
    clock.advance(25 * HOUR)
    for _ in range(3):
        assert pull(cache) == IMAGE
    assert [(one.method, one.path) for one in bad.asked[before:]] == [("HEAD", MANIFEST)]


def test_immutable_tags_are_not_refreshed(cache: Running, bad: Hostile, clock: Clock) -> None:
    cache.ecr().put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    before = len(bad.asked)
    clock.advance(48 * HOUR)
    assert pull(cache) == IMAGE
    assert len(bad.asked) == before


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_upstream_that_fails_leaves_what_is_cached(
    cache: Running, bad: Hostile, clock: Clock, status: int
) -> None:
    clock.advance(25 * HOUR)
    bad.answers[MANIFEST] = says(status)
    assert pull(cache) == IMAGE
    before = len(bad.asked)
    # It is left alone for a minute, and then asked again.
    assert pull(cache) == IMAGE
    assert len(bad.asked) == before
    bad.offer(image=NEWER)
    clock.advance(61)
    assert pull(cache) == NEWER


def test_newer_image_that_cannot_be_stored_leaves_the_old_one(
    cache: Running, bad: Hostile, clock: Clock
) -> None:
    other = image_manifest(CONFIG, b"never there")
    bad.offer(image=other)
    clock.advance(25 * HOUR)
    # The answer is the upstream's; what is stored stays as it was.
    assert pull(cache) == other
    wait_for(lambda: not cache.application.emulator.flights._pending)
    assert images_of(cache.ecr(), NAME) == {digest_of(IMAGE): ("v1",)}


def test_a_tag_that_was_moved_here_stays(cache: Running, bad: Hostile, clock: Clock) -> None:
    own = cache.registry().push_image(NAME, "v1", b"own layer")
    before = len(bad.asked)
    clock.advance(25 * HOUR)
    assert digest_of(pull(cache)) == own
    assert len(bad.asked) == before


def test_a_pull_is_recorded(cache: Running) -> None:
    (detail,) = cache.ecr().describe_images(repositoryName=NAME)["imageDetails"]
    assert "lastRecordedPullTime" in detail


def test_a_deleted_rule_leaves_what_is_cached(cache: Running, bad: Hostile, clock: Clock) -> None:
    cache.ecr().delete_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    before = len(bad.asked)
    clock.advance(25 * HOUR)
    assert pull(cache) == IMAGE
    reply = cache.registry().request("GET", f"/v2/{NAME}/manifests/v2")
    assert (reply.status, reply.error[0]) == (404, "MANIFEST_UNKNOWN")
    assert len(bad.asked) == before
