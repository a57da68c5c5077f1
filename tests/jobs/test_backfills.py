"""Backfills that copy: what they take, their progress and results, how they end."""

from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.core import backfill as backfilling
from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from ecr_emu.jobs import courier
from ecr_emu.jobs.courier import Courier
from ecr_emu.jobs.peers import Peer
from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running, digest_of, image_index, image_manifest
from tests.consistency import check_consistency
from tests.console.test_images import Records
from tests.jobs.test_replication import (
    CONFIG,
    NAME,
    OTHER,
    THERE,
    allow,
    configure,
    names,
    place,
    rule,
    run,
    statuses,
    tags,
)
from tests.jobs.test_runner import until


def start_backfill(ecr: Any, region: str = THERE, account: str = DEFAULT_ACCOUNT) -> str:
    answer = ecr.start_replication_backfill(destination=place(region, account))
    assert answer["status"] == "PREPARING"
    return str(answer["replicationBackfillId"])


def describe(ecr: Any, backfill_id: str, **members: Any) -> Any:
    return ecr.describe_replication_backfill_results(replicationBackfillId=backfill_id, **members)


def progress(total: int, completed: int, failed: int = 0, *codes: str) -> dict[str, Any]:
    return {
        "totalReplicationCount": total,
        "completedReplicationCount": completed,
        "failedReplicationCount": failed,
        "failureCodes": list(codes),
    }


def push_many(registry: Registry, name: str, number: int) -> list[str]:
    """Images without tags, of which only the config differs."""
    digests = []
    for index in range(number):
        config = b'{"number":%d}' % index
        registry.push_blob(name, config)
        body = image_manifest(config)
        assert registry.put_manifest(name, digest_of(body), body).status == 201
        digests.append(digest_of(body))
    return digests


@pytest.fixture
def app(ecr: Any) -> str:
    ecr.create_repository(repositoryName=NAME)
    return NAME


def test_every_image_with_every_tag_is_a_replication(
    emulator: Running, ecr: Any, registry: Registry, app: str
) -> None:
    child = image_manifest(CONFIG, b"child")
    registry.push_image(app, None, b"child")
    index = image_index(child)
    assert registry.put_manifest(app, "all", index, OCI_INDEX).status == 201
    subject = {"mediaType": OCI_INDEX, "digest": digest_of(index), "size": len(index)}
    signature = registry.push_image(app, None, b"signature", subject=subject)
    image = registry.push_image(app, "v1", b"layer")
    registry.push_image(app, "v2", b"layer")
    ecr.create_repository(repositoryName="other/app")
    registry.push_image("other/app", "v1", b"layer")
    configure(ecr, rule(place(), prefixes=["team"]), rule(place("us-west-2")))
    backfill_id = start_backfill(ecr)
    assert "progress" not in describe(ecr, backfill_id)
    run(emulator)
    there = emulator.ecr(region=THERE)
    assert names(there) == [app]
    assert (
        tags(there)
        == tags(ecr)
        == {
            digest_of(child): [],
            digest_of(index): ["all"],
            signature: [],
            image: ["v1", "v2"],
        }
    )
    found = describe(ecr, backfill_id)
    assert (found["status"], found["progress"]) == ("COMPLETE", progress(5, 5))
    assert found["endedAt"] >= found["startedAt"]
    assert "failureCode" not in found
    # What others refer to comes before them.
    ids = [(entry["imageId"]["imageDigest"], entry["imageId"].get("imageTag")) for entry in found["results"]]
    expected = [(digest_of(child), None), (digest_of(index), "all"), (image, "v1"), (image, "v2")]
    assert ids == [*expected, (signature, None)]
    assert {entry["repositoryName"] for entry in found["results"]} == {app}
    assert [entry.get("subImageFailureCodes") for entry in found["results"]] == [None, [], None, None, None]
    assert statuses(ecr, image) == {(THERE, DEFAULT_ACCOUNT): ("COMPLETE", None)}
    (listed,) = ecr.list_replication_backfills()["backfills"]
    assert (listed["status"], listed["progress"]) == ("COMPLETE", progress(5, 5))
    check_consistency(emulator.application.emulator.settings.data_dir)


def test_nothing_to_copy_is_complete(emulator: Running, ecr: Any) -> None:
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    run(emulator)
    found = describe(ecr, backfill_id)
    assert (found["status"], found["progress"], found["results"]) == ("COMPLETE", progress(0, 0), [])


def test_archived_images_stay_where_they_are(
    emulator: Running, ecr: Any, registry: Registry, app: str
) -> None:
    digest = registry.push_image(app, "v1", b"layer")
    ecr.update_image_storage_class(
        repositoryName=app, imageId={"imageDigest": digest}, targetStorageClass="ARCHIVE"
    )
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    run(emulator)
    assert describe(ecr, backfill_id)["progress"] == progress(0, 0)


def test_failures_are_told_for_each_image(emulator: Running, ecr: Any, registry: Registry, app: str) -> None:
    child = image_manifest(CONFIG, b"nobody has this")
    Records(emulator).put({"imageDigest": digest_of(child), "imageManifestMediaType": OCI_MANIFEST})
    index = image_index(child)
    assert registry.put_manifest(app, "all", index, OCI_INDEX).status == 201
    good = registry.push_image(app, "v1", b"layer")
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    run(emulator)
    found = describe(ecr, backfill_id)
    assert found["progress"] == progress(3, 1, 2, "ImageNotFound", "ReferencedImagesNotFound")
    # Fewer than a hundred were tried, so it has not failed as a whole.
    assert found["status"] == "COMPLETE"
    failed = describe(ecr, backfill_id, resultStatusFilter="FAILED")["results"]
    assert [(entry["failureCode"], entry.get("subImageFailureCodes")) for entry in failed] == [
        ("ImageNotFound", None),
        ("ReferencedImagesNotFound", ["ImageNotFound"]),
    ]
    (complete,) = describe(ecr, backfill_id, resultStatusFilter="COMPLETE")["results"]
    assert complete["imageId"] == {"imageDigest": good, "imageTag": "v1"}
    assert tags(emulator.ecr(region=THERE)) == {good: ["v1"]}


def test_half_of_a_hundred_is_too_many(emulator: Running, ecr: Any, registry: Registry, app: str) -> None:
    push_many(registry, app, 103)
    configure(ecr, rule(place("us-east-1", OTHER)))
    backfill_id = start_backfill(ecr, "us-east-1", OTHER)
    run(emulator)
    found = describe(ecr, backfill_id)
    assert (found["status"], found["failureCode"]) == ("FAILED", backfilling.TOO_MANY_FAILURES)
    assert found["progress"] == progress(103, 0, 100, "AccessDenied")
    assert len(found["results"]) == 100
    # Afterwards another one may begin, and does better.
    allow(emulator.ecr(OTHER), "ecr:*")
    again = start_backfill(ecr, "us-east-1", OTHER)
    run(emulator)
    assert describe(ecr, again)["progress"] == progress(103, 103)


def test_results_come_in_pages(emulator: Running, ecr: Any, registry: Registry, app: str) -> None:
    digests = push_many(registry, app, 7)
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    run(emulator)
    found, request = [], {"maxResults": 3}
    while True:
        answer = describe(ecr, backfill_id, **request)
        assert len(answer["results"]) <= 3
        found += [entry["imageId"]["imageDigest"] for entry in answer["results"]]
        if "nextToken" not in answer:
            break
        request["nextToken"] = answer["nextToken"]
    assert found == digests


def test_a_backfill_that_is_stopped_leaves_the_rest(
    emulator: Running, ecr: Any, registry: Registry, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = push_many(registry, app, 5)
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    fetch, number = Courier._fetch, 0

    def fetch_three(*arguments: Any) -> None:
        nonlocal number
        number += 1
        if number == 4:
            during = describe(ecr, backfill_id)
            assert (during["status"], during["progress"]) == ("IN_PROGRESS", progress(5, 3))
            # Results are there when it has ended.
            assert during["results"] == []
            stopped = ecr.stop_replication_backfill(replicationBackfillId=backfill_id)
            assert stopped["status"] == "STOPPED"
        fetch(*arguments)

    monkeypatch.setattr(Courier, "_fetch", fetch_three)
    run(emulator)
    found = describe(ecr, backfill_id)
    assert (found["status"], found["progress"]) == ("STOPPED", progress(5, 3))
    assert [entry["imageId"]["imageDigest"] for entry in found["results"]] == digests[:3]
    assert set(tags(emulator.ecr(region=THERE))) == set(digests[:3])


def test_what_went_meanwhile_has_failed(
    emulator: Running, ecr: Any, registry: Registry, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECR user guide, Replication backfill: images whose repository was deleted are FAILED."""
    ecr.create_repository(repositoryName="zz")
    first, second = push_many(registry, app, 2)
    push_many(registry, "zz", 1)
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    prepare = backfilling.prepare

    def prepare_and_delete(*arguments: Any) -> None:
        prepare(*arguments)
        ecr.delete_repository(repositoryName="zz", force=True)
        ecr.batch_delete_image(repositoryName=app, imageIds=[{"imageDigest": first}])

    monkeypatch.setattr(backfilling, "prepare", prepare_and_delete)
    run(emulator)
    results = describe(ecr, backfill_id)["results"]
    assert [(entry["status"], entry.get("failureCode")) for entry in results] == [
        ("FAILED", "ImageNotFound"),
        ("COMPLETE", None),
        ("FAILED", "RepositoryNotFound"),
    ]
    assert tags(emulator.ecr(region=THERE)) == {second: []}


def test_results_go_after_90_days(
    emulator: Running, ecr: Any, registry: Registry, app: str, clock: Clock
) -> None:
    push_many(registry, app, 2)
    configure(ecr, rule(place()))
    start_backfill(ecr)
    run(emulator)
    clock.advance(90 * 24 * 3600)
    assert ecr.list_replication_backfills()["backfills"] == []
    start_backfill(ecr)
    with emulator.application.emulator.store.read() as connection:
        (left,) = connection.execute("SELECT count(*) FROM replication_backfill_results").fetchone()
    assert left == 0


# --- To another emulator ---------------------------------------------------------------------------------


def test_a_backfill_goes_to_another_emulator(start: Callable[..., Running]) -> None:
    peer = start(region=THERE)
    emulator = start(region_endpoint=((THERE, peer.url),))
    ecr, registry, there = emulator.ecr(), emulator.registry(), peer.ecr(region=THERE)
    ecr.create_repository(repositoryName=NAME)
    digests = push_many(registry, NAME, 5)
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    emulator.application.runner.start()
    try:
        until(lambda: describe(ecr, backfill_id)["status"] == "COMPLETE")
    finally:
        emulator.application.runner.stop()
    assert describe(ecr, backfill_id)["progress"] == progress(5, 5)
    assert set(tags(there)) == set(digests)


def test_one_that_is_stopped_lets_the_copy_on_its_way_arrive(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = start(region=THERE)
    emulator = start(region_endpoint=((THERE, peer.url),))
    ecr, registry, there = emulator.ecr(), emulator.registry(), peer.ecr(region=THERE)
    ecr.create_repository(repositoryName=NAME)
    digests = push_many(registry, NAME, 5)
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    put, answers = Peer._put, []

    def put_and_stop(*arguments: Any) -> None:
        if not answers:
            answers.append(ecr.stop_replication_backfill(replicationBackfillId=backfill_id)["status"])
        put(*arguments)

    monkeypatch.setattr(Peer, "_put", put_and_stop)
    emulator.application.runner.start()
    try:
        until(lambda: describe(ecr, backfill_id)["status"] == "STOPPED")
    finally:
        emulator.application.runner.stop()
    assert answers == ["STOPPING"]
    assert describe(ecr, backfill_id)["progress"] == progress(5, 1)
    assert list(tags(there)) == digests[:1]


def test_nobody_there_fails_every_replication(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(courier, "MAX_ATTEMPTS", 3)
    emulator = start(region_endpoint=((THERE, "http://127.0.0.1:9"),))
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository(repositoryName=NAME)
    push_many(registry, NAME, 3)
    configure(ecr, rule(place()))
    backfill_id = start_backfill(ecr)
    emulator.application.runner.start()
    try:
        until(lambda: "endedAt" in describe(ecr, backfill_id))
    finally:
        emulator.application.runner.stop()
    found = describe(ecr, backfill_id)
    assert found["progress"] == progress(3, 0, 3, "DestinationUnreachable")
