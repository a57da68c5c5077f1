"""Background work that comes due, in the server's thread and in a process of its own."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.jobs import runner as jobs
from ecr_emu.jobs import sweep, work
from tests.clients import Clock, Running, digest_of
from tests.consistency import check_consistency
from tests.policies import keep_newest, policy

NAME = "team/app"
TIMEOUT_SECONDS = 60


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def running(emulator: Running) -> Any:
    """An emulator whose runner runs."""
    emulator.application.runner.start()
    yield emulator
    emulator.application.runner.stop()


def preview(emulator: Running) -> str:
    answer = emulator.ecr().get_lifecycle_policy_preview(repositoryName=NAME)
    status: str = answer["status"]
    return status


def test_a_job_that_is_due_at_once_wakes_the_runner(running: Running) -> None:
    ecr = running.ecr()
    ecr.create_repository(repositoryName=NAME)
    ecr.start_lifecycle_policy_preview(repositoryName=NAME, lifecyclePolicyText=policy(keep_newest(1)))
    until(lambda: preview(running) == "COMPLETE")


def test_a_job_that_falls_due_is_done(
    start: Callable[..., Running], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's clock goes on, and nobody calls."""
    emulator = start(sweep_interval=60)
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository(repositoryName=NAME)
    registry.push_blob(NAME, b"useless")
    registry.push_image(NAME, "v1", b"in use")
    monkeypatch.setattr(jobs, "MAX_SLEEP_SECONDS", 0.05)
    emulator.application.runner.start()
    clock.advance(2 * 3600)
    try:
        path = f"/v2/{NAME}/blobs/{digest_of(b'useless')}"
        until(lambda: registry.request("GET", path).status == 404)
        assert registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(b'in use')}").body == b"in use"
    finally:
        emulator.application.runner.stop()


def test_a_frozen_clock_keeps_the_runner_asleep(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start()
    emulator.application.runner.arrange()
    assert 0 < emulator.application.runner.seconds_to_sleep() <= 3600
    emulator.post("/_emu/clock", freeze=True, advance="59m")
    monkeypatch.setattr(jobs, "MAX_SLEEP_SECONDS", 10_000.0)
    assert emulator.application.runner.seconds_to_sleep() == 10_000
    emulator.post("/_emu/clock", release=True)
    assert emulator.application.runner.seconds_to_sleep() == pytest.approx(60, abs=1e-3)


def test_much_work_is_done_by_another_process(emulator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository(repositoryName=NAME)
    emulator.application.runner.arrange()
    for number in range(3):
        registry.push_image(NAME, f"v{number}", b"%d" % number)
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(keep_newest(1)))
    ecr.start_lifecycle_policy_preview(repositoryName=NAME)
    monkeypatch.setattr(jobs, "MANY_IMAGES", 3)
    monkeypatch.setattr(work, "run_pending", None)
    found, ran, swept = emulator.post("/_emu/clock", advance="25h")["jobs"]
    assert (found["kind"], found["images"]) == ("preview", 2)
    assert (ran["kind"], ran["expired"]) == ("lifecycle", 2)
    assert (swept["kind"], swept["blobs"]) == ("sweep", 2)
    assert [image["imageTags"] for image in ecr.describe_images(repositoryName=NAME)["imageDetails"]] == [
        ["v2"]
    ]
    check_consistency(emulator.application.emulator.settings.data_dir)


def test_a_process_that_fails_is_reported(
    emulator: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jobs, "MANY_IMAGES", 0)
    emulator.application.runner.arrange()
    folder = emulator.application.emulator.settings.data_dir
    (folder / "metadata.db").rename(folder / "elsewhere")
    with caplog.at_level(logging.ERROR):
        (report,) = emulator.post("/_emu/clock", advance="2h")["jobs"]
    (folder / "elsewhere").rename(folder / "metadata.db")
    assert report["error"].startswith(f"Error: {folder} is no data folder of ecr-emu")
    assert "background work failed" in caplog.text


def test_a_job_that_breaks_is_tried_again_and_holds_up_no_other(
    emulator: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName=NAME)
    emulator.application.runner.arrange()

    def break_down(*arguments: Any) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(sweep, "sweep", break_down)
        (report,) = emulator.post("/_emu/clock", advance="3601s")["jobs"]
        assert report["error"] == "OSError: the disk is gone"
        ecr.start_lifecycle_policy_preview(repositoryName=NAME, lifecyclePolicyText=policy(keep_newest(1)))
        assert [report["kind"] for report in emulator.application.runner.run_due()] == ["preview"]
    emulator.registry().push_blob(NAME, b"useless")
    (swept,) = emulator.post("/_emu/clock", advance="2h")["jobs"]
    assert (swept["kind"], swept["layers"]) == ("sweep", 1)


def test_stopping_ends_a_child_that_takes_long(
    emulator: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    endless = tmp_path / "python"
    endless.write_text("#!/bin/sh\nexec sleep 300\n")
    endless.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(endless))
    monkeypatch.setattr(jobs, "MANY_IMAGES", 0)
    monkeypatch.setattr(jobs, "CHILD_SECONDS", 0.1)
    runner = emulator.application.runner
    runner.start()
    clock.advance(2 * 3600)
    emulator.application.emulator.wake.set()
    until(lambda: runner.is_working)
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < 30
    assert not runner.is_working
    # What it did not do is due again.
    assert runner.seconds_to_sleep() < 0


@pytest.mark.parametrize("interval", [0, 3600])
def test_stopping_does_not_wait_for_the_next_time(start: Callable[..., Running], interval: int) -> None:
    emulator = start(sweep_interval=interval)
    before = threading.active_count()
    emulator.application.runner.start()
    assert threading.active_count() == before + 1
    emulator.application.runner.stop()
    assert threading.active_count() == before


def test_an_interval_of_never_forgets_the_job_that_waits(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    first = start(data_dir=tmp_path / "data")
    first.application.runner.arrange()
    first.stop()
    second = start(data_dir=tmp_path / "data", sweep_interval=0, lifecycle_interval=0)
    second.application.runner.arrange()
    assert second.application.runner.seconds_to_sleep() == jobs.MAX_SLEEP_SECONDS
