"""Two emulators play two regions, and either is killed while the other gets its images."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import boto
from tests.clients import DEFAULT_ACCOUNT, Registry, digest_of, image_manifest
from tests.consistency import check_consistency
from tests.processes import Served, serving

HERE, THERE, NAME = "us-east-1", "eu-west-1", "team/app"
# So many that a look at what has arrived is quicker than all of them.
IMAGES = 300
LAYER = b"a layer of every image" * 5000
TIMEOUT_SECONDS = 120


@contextlib.contextmanager
def client(port: int, region: str) -> Iterator[Any]:
    with contextlib.closing(boto.client("ecr", f"http://127.0.0.1:{port}", region=region)) as ecr:
        yield ecr


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Regions:
    """The emulator HERE, which copies to the one that plays THERE. Each keeps its port and its folder."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.there = self._serve("there", "--region", THERE)
        self.here = self.start_here()

    def _serve(self, name: str, *options: object, port: int = 0) -> Served:
        places = ("--port", port, "--data-dir", self._folder / name, "--auth", "open")
        return self._stack.enter_context(serving(*places, *options))

    def start_here(self, port: int = 0) -> Served:
        endpoint = f"{THERE}=http://127.0.0.1:{self.there.port}"
        return self._serve("here", "--region-endpoint", endpoint, port=port)

    def kill(self, which: str) -> None:
        """Kill -9 one of the two, and start it again."""
        served: Served = getattr(self, which)
        served.kill()
        served.ended()
        if which == "here":
            self.here = self.start_here(served.port)
        else:
            self.there = self._serve("there", "--region", THERE, port=served.port)

    def arrived(self) -> dict[str, list[str]]:
        """What is THERE: the tags of each image."""
        with client(self.there.port, THERE) as ecr:
            try:
                pages = ecr.get_paginator("describe_images").paginate(repositoryName=NAME)
                images = [image for page in pages for image in page["imageDetails"]]
            except ecr.exceptions.RepositoryNotFoundException:
                return {}
        return {image["imageDigest"]: image.get("imageTags", []) for image in images}

    def statuses(self, digests: list[str]) -> set[str]:
        with client(self.here.port, HERE) as ecr:
            answers = [
                ecr.describe_image_replication_status(repositoryName=NAME, imageId={"imageDigest": digest})
                for digest in digests
            ]
        return {entry["status"] for answer in answers for entry in answer["replicationStatuses"]}

    def kill_on_the_way(self, which: str) -> None:
        """Kill it twice before everything is there."""
        for some in (5, 30):
            until(lambda: len(self.arrived()) >= some)  # noqa: B023 - called at once
            assert len(self.arrived()) < IMAGES
            self.kill(which)

    def check(self, pushed: dict[str, list[str]]) -> None:
        assert self.arrived() == pushed
        for name in ("here", "there"):
            check_consistency(self._folder / name)


def configure(ecr: Any) -> None:
    destinations = [{"region": THERE, "registryId": DEFAULT_ACCOUNT}]
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": destinations}]})


def push(registry: Registry) -> dict[str, list[str]]:
    """Push the images, each with a config of its own, and return their tags."""
    pushed = {}
    registry.push_blob(NAME, LAYER)
    for number in range(IMAGES):
        config = b'{"number":%d}' % number
        registry.push_blob(NAME, config)
        body = image_manifest(config, LAYER)
        assert registry.put_manifest(NAME, f"v{number}", body).status == 201
        pushed[digest_of(body)] = [f"v{number}"]
    return pushed


@pytest.fixture
def regions(tmp_path: Path) -> Iterator[Regions]:
    with contextlib.ExitStack() as stack:
        yield Regions(tmp_path, stack)


@pytest.mark.parametrize("victim", ["here", "there"])
def test_a_killed_region_gets_or_gives_every_image(regions: Regions, victim: str) -> None:
    with client(regions.here.port, HERE) as ecr:
        ecr.create_repository(repositoryName=NAME)
        configure(ecr)
    pushed = push(regions.here.registry)
    regions.kill_on_the_way(victim)
    until(lambda: regions.statuses(list(pushed)) == {"COMPLETE"})
    regions.check(pushed)


@pytest.mark.parametrize("victim", ["here", "there"])
def test_a_backfill_goes_on_after_a_kill(regions: Regions, victim: str) -> None:
    with client(regions.here.port, HERE) as ecr:
        ecr.create_repository(repositoryName=NAME)
        pushed = push(regions.here.registry)
        configure(ecr)
        destination = {"region": THERE, "registryId": DEFAULT_ACCOUNT}
        answer = ecr.start_replication_backfill(destination=destination)
    regions.kill_on_the_way(victim)

    def backfill() -> Any:
        with client(regions.here.port, HERE) as ecr:
            return ecr.describe_replication_backfill_results(
                replicationBackfillId=answer["replicationBackfillId"], maxResults=1000
            )

    until(lambda: "endedAt" in backfill())
    found = backfill()
    assert found["status"] == "COMPLETE"
    assert (
        found["progress"]["completedReplicationCount"] == found["progress"]["totalReplicationCount"] == IMAGES
    )
    assert {entry["status"] for entry in found["results"]} == {"COMPLETE"}
    assert {entry["imageId"]["imageDigest"] for entry in found["results"]} == set(pushed)
    regions.check(pushed)
