"""What GetLifecyclePolicyPreview says once the job has made the preview."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from ecr_emu.core import expire
from tests.clients import Clock, Running
from tests.control.calls import Repo
from tests.policies import keep_newest, policy, rule

NAME = {"repositoryName": "team/app"}
DAY = 86_400


@pytest.fixture
def preview(app: Repo, emulator: Running) -> Callable[..., Any]:
    """Makes a preview of rules, to its end, and returns what a Get with these members answers."""

    def make(*rules: Any, **members: Any) -> Any:
        app.ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=policy(*rules))
        emulator.application.runner.run_due()
        return app.ecr.get_lifecycle_policy_preview(**NAME, **members)

    return make


def test_a_preview_names_what_would_go_and_touches_nothing(
    app: Repo, preview: Callable[..., Any], clock: Clock
) -> None:
    old = app.push(b"old", "v1", "stable")
    pushed_at = clock.now
    clock.advance(DAY)
    app.push(b"new", "v2")
    answer = preview(keep_newest(1))
    assert answer["status"] == "COMPLETE"
    assert answer["summary"] == {"expiringImageTotalCount": 1}
    (result,) = answer["previewResults"]
    assert result.pop("imagePushedAt").timestamp() == pushed_at
    assert result == {
        "imageDigest": old,
        "imageTags": ["stable", "v1"],
        "action": {"type": "EXPIRE"},
        "appliedRulePriority": 1,
        "storageClass": "STANDARD",
    }
    assert len(app.ecr.describe_images(**NAME)["imageDetails"]) == 2


def test_nothing_that_goes_is_a_count_of_zero(app: Repo, preview: Callable[..., Any]) -> None:
    app.push(b"only", "v1")
    answer = preview(keep_newest(1))
    assert (answer["previewResults"], answer["summary"]) == ([], {"expiringImageTotalCount": 0})


def test_transitions_are_counted_by_themselves(
    app: Repo, preview: Callable[..., Any], clock: Clock, emulator: Running
) -> None:
    app.push(b"1", "release-1")
    archived = app.push(b"2", "old")
    app.ecr.update_image_storage_class(**NAME, imageId={"imageTag": "old"}, targetStorageClass="ARCHIVE")
    clock.advance(100 * DAY)
    answer = preview(
        rule(1, action="transition", countType="sinceImagePulled", countNumber=30),
        rule(2, countType="sinceImageTransitioned", countNumber=90, storageClass="archive"),
    )
    assert answer["summary"] == {
        "expiringImageTotalCount": 1,
        "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 1}],
    }
    moved, expired = answer["previewResults"]
    assert (moved["action"], moved["storageClass"], moved["appliedRulePriority"]) == (
        {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"},
        "STANDARD",
        1,
    )
    assert (expired["action"], expired["storageClass"], expired["imageDigest"]) == (
        {"type": "EXPIRE"},
        "ARCHIVE",
        archived,
    )


def test_results_come_in_pages_oldest_first(app: Repo, preview: Callable[..., Any], clock: Clock) -> None:
    digests = []
    for number in range(7):
        digests.append(app.push(b"%d" % number, f"v{number}"))
        clock.advance(1)
    first = preview(keep_newest(1), maxResults=4)
    assert [result["imageDigest"] for result in first["previewResults"]] == digests[:4]
    second = app.ecr.get_lifecycle_policy_preview(**NAME, maxResults=4, nextToken=first["nextToken"])
    assert [result["imageDigest"] for result in second["previewResults"]] == digests[4:6]
    assert "nextToken" not in second
    assert first["summary"] == second["summary"] == {"expiringImageTotalCount": 6}
    pages = app.ecr.get_paginator("get_lifecycle_policy_preview").paginate(
        **NAME, PaginationConfig={"PageSize": 2}
    )
    assert [result["imageDigest"] for page in pages for result in page["previewResults"]] == digests[:6]


def test_results_are_chosen_by_tag_status_and_by_name(
    app: Repo, preview: Callable[..., Any], clock: Clock
) -> None:
    tagged = app.push(b"1", "v1", "v1.0")
    clock.advance(1)
    untagged = app.push(b"2")
    clock.advance(1)
    app.push(b"3", "v3")
    preview(keep_newest(1))

    def chosen(**members: Any) -> list[str]:
        answer = app.ecr.get_lifecycle_policy_preview(**NAME, **members)
        return [result["imageDigest"] for result in answer["previewResults"]]

    assert chosen(filter={"tagStatus": "ANY"}) == [tagged, untagged]
    assert chosen(filter={"tagStatus": "TAGGED"}) == [tagged]
    assert chosen(filter={"tagStatus": "UNTAGGED"}) == [untagged]
    assert chosen(imageIds=[{"imageTag": "v1"}]) == [tagged]
    assert chosen(imageIds=[{"imageTag": "v"}, {"imageTag": "v3"}]) == []
    assert chosen(imageIds=[{"imageDigest": untagged}, {"imageTag": "v1.0"}]) == [tagged, untagged]
    assert chosen(imageIds=[{"imageDigest": untagged, "imageTag": "v1"}]) == []
    assert chosen(imageIds=[{"imageDigest": untagged}], filter={"tagStatus": "TAGGED"}) == []


def test_a_preview_shows_what_was_when_it_was_made(app: Repo, preview: Callable[..., Any]) -> None:
    old = app.push(b"old", "v1")
    app.push(b"new", "v2")
    preview(keep_newest(1))
    app.ecr.batch_delete_image(**NAME, imageIds=[{"imageDigest": old}])
    (result,) = app.ecr.get_lifecycle_policy_preview(**NAME)["previewResults"]
    assert (result["imageDigest"], result["imageTags"]) == (old, ["v1"])


def test_a_preview_expires_after_a_day_and_can_be_made_again(
    app: Repo, preview: Callable[..., Any], clock: Clock
) -> None:
    app.push(b"old", "v1")
    app.push(b"new", "v2")
    preview(keep_newest(1))
    clock.advance(DAY)
    assert app.ecr.get_lifecycle_policy_preview(**NAME)["status"] == "COMPLETE"
    clock.advance(1)
    expired = app.ecr.get_lifecycle_policy_preview(**NAME)
    assert (expired["status"], expired["previewResults"], "summary" in expired) == ("EXPIRED", [], False)
    assert preview(keep_newest(5))["summary"] == {"expiringImageTotalCount": 0}


def test_a_preview_that_broke_has_failed(
    app: Repo, preview: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*given: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(expire, "evaluation", break_down)
        answer = preview(keep_newest(1))
    assert (answer["status"], answer["previewResults"], "summary" in answer) == ("FAILED", [], False)
    waiter = app.ecr.get_waiter("lifecycle_policy_preview_complete")
    with pytest.raises(WaiterError, match="terminal failure"):
        waiter.wait(**NAME)
    assert preview(keep_newest(1))["status"] == "COMPLETE"


def test_a_preview_goes_with_its_repository(app: Repo, emulator: Running) -> None:
    app.ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=policy(keep_newest(1)))
    app.ecr.delete_repository(**NAME)
    assert emulator.application.runner.run_due() == []


def test_the_waiter_of_the_sdk_waits_for_the_runner(app: Repo, emulator: Running) -> None:
    app.push(b"old", "v1")
    emulator.application.runner.start()
    try:
        app.ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=policy(keep_newest(1)))
        waiter = app.ecr.get_waiter("lifecycle_policy_preview_complete")
        waiter.wait(**NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    finally:
        emulator.application.runner.stop()
    assert app.ecr.get_lifecycle_policy_preview(**NAME)["status"] == "COMPLETE"
