"""Runs of lifecycle policies in several pieces: crashes between them, and others who write meanwhile."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.core import expire, pieces
from ecr_emu.domain.lifecycle import Decision, Image, evaluate
from ecr_emu.domain.manifests import OCI_INDEX
from ecr_emu.store import jobs
from tests.clients import Registry, image_index
from tests.consistency import check_consistency
from tests.domain import lifecycle_worlds
from tests.policies import keep_newest, policy

NAME = "team/app"
TAGS = [f"v{number}" for number in range(6)]


@pytest.fixture(autouse=True)
def pieces_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each family is a piece, and nobody waits."""
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0)
    monkeypatch.setattr(pieces, "PAUSE_SECONDS", 0)


@pytest.fixture
def pushed(ecr: Any, registry: Registry) -> dict[str, str]:
    """Digests by tag, in a repository whose policy keeps the last two."""
    ecr.create_repository(repositoryName=NAME)
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(keep_newest(2)))
    return {tag: registry.push_image(NAME, tag, tag.encode()) for tag in TAGS}


def tags(ecr: Any) -> list[str]:
    images = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    return sorted(tag for image in images for tag in image.get("imageTags", ["-"]))


def run(application: Application) -> Any:
    """What the run of the policy reports; the sweep behind it is left out."""
    with application.emulator.store.write() as transaction:
        jobs.put_lifecycle(transaction, application.emulator.clock())
    return next((one for one in application.runner.run_due() if one["kind"] == jobs.LIFECYCLE), None)


def meanwhile(monkeypatch: pytest.MonkeyPatch, at: int, do: Callable[[], object]) -> None:
    """Do something in the pause behind the piece with this number, counted from 1."""
    pauses = iter(range(1, 100))
    monkeypatch.setattr(pieces, "pause", lambda: do() if next(pauses) == at else None)


def last_run(ecr: Any) -> float:
    seconds: float = ecr.get_lifecycle_policy(repositoryName=NAME)["lastEvaluatedAt"].timestamp()
    return seconds


@pytest.mark.usefixtures("pushed")
def test_all_pieces_are_one_run(application: Application, ecr: Any) -> None:
    report = run(application)
    assert (report["expired"], report["failures"]) == (4, ())
    assert tags(ecr) == ["v4", "v5"]
    assert last_run(ecr) > 0


@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize("at", [1, 2, 3])
def test_after_a_crash_the_rest_is_still_due(
    application: Application, ecr: Any, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    def crash() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        meanwhile(patch, at, crash)
        with pytest.raises(KeyboardInterrupt):
            run(application)
    # The oldest went first.
    assert tags(ecr) == TAGS[at:]
    assert last_run(ecr) == 0
    check_consistency(application.emulator.settings.data_dir)
    reports = [one for one in application.runner.run_due() if one["kind"] == jobs.LIFECYCLE]
    assert [one["expired"] for one in reports] == [4 - at]
    assert tags(ecr) == ["v4", "v5"]
    assert last_run(ecr) > 0


def test_an_image_that_is_tagged_during_a_run_is_decided_about_anew(
    application: Application,
    ecr: Any,
    registry: Registry,
    pushed: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By what it is then: the youngest but two goes all the same, with its new tag."""
    body = registry.request("GET", f"/v2/{NAME}/manifests/{pushed['v2']}").body
    meanwhile(monkeypatch, 1, lambda: registry.put_manifest(NAME, "stable", body))
    assert run(application)["expired"] == 4
    assert tags(ecr) == ["v4", "v5"]


def test_an_image_that_changes_all_the_time_is_left_for_the_next_run(
    application: Application, ecr: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch, pushed: Any
) -> None:
    body = registry.request("GET", f"/v2/{NAME}/manifests/{pushed['v0']}").body
    carry_out, turns = expire.carry_out, iter(range(100))

    def too_late(transaction: Any, repository: Any, family: Any, now: float) -> Any:
        stale = [
            replace(one, image=replace(one.image, tags=(f"t{next(turns)}",)))
            if one.image.digest == pushed["v0"]
            else one
            for one in family
        ]
        return carry_out(transaction, repository, stale, now)

    monkeypatch.setattr(expire, "carry_out", too_late)
    assert run(application)["expired"] == 3
    assert tags(ecr) == ["v0", "v4", "v5"]
    assert last_run(ecr) > 0
    assert registry.put_manifest(NAME, "v0", body).status == 201


@pytest.mark.usefixtures("pushed")
def test_a_policy_that_is_replaced_during_a_run_decides_about_the_rest(
    application: Application, ecr: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = policy(keep_newest(4))
    meanwhile(
        monkeypatch, 1, lambda: ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=other)
    )
    assert run(application)["expired"] == 2
    assert tags(ecr) == ["v2", "v3", "v4", "v5"]


@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize("gone", ["policy", "repository"])
def test_what_is_deleted_during_a_run_ends_it(
    application: Application, ecr: Any, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    def delete() -> None:
        if gone == "policy":
            ecr.delete_lifecycle_policy(repositoryName=NAME)
        else:
            ecr.delete_repository(repositoryName=NAME, force=True)

    meanwhile(monkeypatch, 2, delete)
    assert run(application)["expired"] == 2
    if gone == "policy":
        assert tags(ecr) == TAGS[2:]


@pytest.mark.usefixtures("pushed")
def test_others_write_between_two_pieces(
    application: Application, ecr: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, 2, lambda: registry.push_image(NAME, "meanwhile", b"meanwhile"))
    assert run(application)["expired"] == 4
    assert tags(ecr) == ["meanwhile", "v4", "v5"]


def test_what_belongs_together_goes_in_one_piece(
    application: Application, ecr: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index, its image and a signature: none of them, if one is pulled meanwhile."""
    ecr.create_repository(repositoryName=NAME)
    registry.push_image(NAME, "old", b"old")
    child = registry.push_image(NAME, None, b"child")
    body = registry.request("GET", f"/v2/{NAME}/manifests/{child}").body
    assert registry.put_manifest(NAME, "all", image_index(body), OCI_INDEX).status == 201
    registry.push_image(NAME, None, b"signature", subject={"digest": child, "size": len(body)})
    for tag in ("new", "newer"):
        registry.push_image(NAME, tag, tag.encode())
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(keep_newest(1)))
    seen = []
    meanwhile(monkeypatch, 2, lambda: seen.append(tags(ecr)))
    assert run(application)["expired"] == 5
    assert (seen, tags(ecr)) == ([["new", "newer"]], ["newer"])


@pytest.mark.parametrize("seed", range(300))
def test_what_is_left_is_decided_as_before(seed: int) -> None:
    """For images that have nothing to do with each other but by their number."""
    world = lifecycle_worlds.world(random.Random(seed))  # noqa: S311 - a test, to be repeated
    images = [replace(image, children=(), subject_digest=None) for image in world.images]
    now = lifecycle_worlds.NOW
    going = expire.going(evaluate(images, world.rules, now))
    for count in range(len(going)):
        done = [one for family in expire.families(going)[:count] for one in family]
        again = evaluate(_after(images, done, now), world.rules, now)
        assert _actions(expire.going(again)) == _actions(going) - _actions(done)


def _after(images: list[Image], done: list[Decision], now: float) -> list[Image]:
    actions = {decision.image.digest: decision.action for decision in done}
    return [
        replace(image, status="ARCHIVED", archived_at=now) if image.digest in actions else image
        for image in images
        if actions.get(image.digest) != "EXPIRE"
    ]


def _actions(decisions: list[Decision]) -> set[tuple[str, str | None]]:
    return {(decision.image.digest, decision.action) for decision in decisions}
