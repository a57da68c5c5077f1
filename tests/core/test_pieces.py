"""Deeds on many rows, done in pieces: others write meanwhile, and a crash leaves what can be gone on with."""

import threading
import time
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.core import delete, pieces
from ecr_emu.store import repositories
from tests.clients import Registry
from tests.consistency import check_consistency, rows
from tests.policies import keep_newest, policy

NAME = {"repositoryName": "team/app"}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few images are many, and each call is a piece of its own."""
    monkeypatch.setattr(delete, "MANY_IMAGES", 3)
    monkeypatch.setattr(delete, "_IMAGES", 1)
    monkeypatch.setattr(delete, "_ROWS", 1)
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0)
    monkeypatch.setattr(pieces, "PAUSE_SECONDS", 0)


@pytest.fixture
def pushed(ecr: Any, registry: Registry) -> list[str]:
    ecr.create_repository(**NAME)
    return [registry.push_image("team/app", f"v{number}", b"%d" % number) for number in range(6)]


class Crashed(BaseException):
    """A server that was killed."""


def crash_at(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    pauses = iter(range(1, 100))

    def pause() -> None:
        if next(pauses) == at:
            raise Crashed

    monkeypatch.setattr(pieces, "pause", pause)


@pytest.mark.usefixtures("pushed")
def test_a_large_repository_goes_with_all_that_it_has(application: Application, ecr: Any) -> None:
    assert ecr.delete_repository(**NAME, force=True)["repository"]["repositoryName"] == "team/app"
    left = {name: count for name, count in rows(application.emulator.store).items() if count}
    assert set(left) == {"events", "blobs", "totals"}
    ecr.create_repository(**NAME)
    assert ecr.list_images(**NAME)["imageIds"] == []


@pytest.mark.parametrize("at", [1, 4, 7, 9])
def test_a_crash_leaves_whole_images_and_it_can_be_said_again(
    application: Application, ecr: Any, pushed: list[str], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    emulator = application.emulator
    with emulator.store.read() as connection:
        repository = repositories.get(connection, emulator.hosts.default, "team/app")
    with monkeypatch.context() as patch:
        crash_at(patch, at)
        with pytest.raises(Crashed):
            delete.empty(emulator.store, repository)
    check_consistency(emulator.settings.data_dir)
    left = {image["imageDigest"] for image in ecr.list_images(**NAME)["imageIds"]}
    # The youngest go first.
    assert left == set(pushed[: max(0, len(pushed) - at)])
    ecr.delete_repository(**NAME, force=True)
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.list_images(**NAME)


@pytest.mark.usefixtures("pushed")
def test_one_that_was_made_anew_meanwhile_is_left_alone(ecr: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_anew() -> None:
        monkeypatch.setattr(pieces, "pause", lambda: None)
        ecr.delete_repository(**NAME, force=True)
        ecr.create_repository(**NAME)

    monkeypatch.setattr(pieces, "pause", make_anew)
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.delete_repository(**NAME, force=True)
    assert ecr.list_images(**NAME)["imageIds"] == []


@pytest.mark.usefixtures("pushed")
def test_a_preview_replaces_one_with_other_results(application: Application, ecr: Any) -> None:
    for kept in (1, 4):
        ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=policy(keep_newest(kept)))
        # Of the one before nothing is seen meanwhile.
        answer = ecr.get_lifecycle_policy_preview(**NAME)
        assert (answer["status"], answer["previewResults"]) == ("IN_PROGRESS", [])
        application.runner.run_due()
        answer = ecr.get_lifecycle_policy_preview(**NAME)
        assert answer["status"] == "COMPLETE"
        assert len(answer["previewResults"]) == answer["summary"]["expiringImageTotalCount"] == 6 - kept


@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_preview_that_a_crash_interrupts_is_made_again(
    application: Application, ecr: Any, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr("ecr_emu.jobs.preview._ROWS", 2)
    ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=policy(keep_newest(1)))
    with monkeypatch.context() as patch:
        crash_at(patch, at)
        with pytest.raises(Crashed):
            application.runner.run_due()
    assert ecr.get_lifecycle_policy_preview(**NAME)["status"] == "IN_PROGRESS"
    application.runner.run_due()
    assert len(ecr.get_lifecycle_policy_preview(**NAME)["previewResults"]) == 5


def test_a_piece_ends_when_its_time_is_over(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.02)
    lengths: list[float] = []
    began = time.monotonic()

    def pause() -> None:
        lengths.append(time.monotonic() - began)

    monkeypatch.setattr(pieces, "pause", pause)
    turns = iter([True] * 10 + [False])

    def work(_: object) -> bool:
        time.sleep(0.01)
        return next(turns)

    pieces.until_done(application.emulator.store, work)
    # Eleven turns of 0.01 s: two or three in a piece, on a busy machine one.
    assert 3 <= len(lengths) <= 10


def test_another_writer_has_its_turn_between_two_pieces(application: Application) -> None:
    store = application.emulator.store
    order: list[str] = []
    is_waiting = threading.Event()

    def write() -> None:
        is_waiting.set()
        with store.write():
            order.append("other")

    writer = threading.Thread(target=write)

    def work(_: object) -> bool:
        if not order:
            writer.start()
            is_waiting.wait()
        order.append("piece")
        return "other" not in order

    pieces.until_done(store, work)
    writer.join()
    assert order.index("other") < len(order) - 1
