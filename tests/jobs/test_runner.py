"""Background work that comes due."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ecr_emu.jobs import runner as jobs
from ecr_emu.jobs.runner import Runner
from tests.clients import Running, digest_of

SOON = 0.01


class Heard(logging.Handler):
    """Waits for a line of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.any = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")
        self.any.set()


def first_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a runner on this folder says first."""
    heard = Heard()
    monkeypatch.setattr(jobs.log, "level", logging.INFO)
    jobs.log.addHandler(heard)
    runner = Runner(folder, SOON)
    runner.start()
    try:
        assert heard.any.wait(60)
    finally:
        runner.stop()
        jobs.log.removeHandler(heard)
    return heard.lines[0]


def test_the_sweeper_runs_when_it_is_due(
    start: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test's clock is long ago, so the layer that no image came for is old to the sweeper."""
    emulator = start(data_dir=tmp_path / "data")
    emulator.ecr().create_repository(repositoryName="team/app")
    registry = emulator.registry()
    registry.push_image("team/app", "v1", b"in use")
    registry.push_blob("team/app", b"useless")
    assert first_line(tmp_path / "data", monkeypatch).startswith("INFO uploads")
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(b'useless')}").status == 404
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(b'in use')}").body == b"in use"


def test_a_sweeper_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = first_line(tmp_path, monkeypatch)
    assert line.startswith(f"ERROR the sweeper failed: Error: {tmp_path} is no data folder")


@pytest.mark.parametrize("interval", [0, 3600])
def test_stopping_does_not_wait_for_the_next_time(tmp_path: Path, interval: int) -> None:
    before = threading.active_count()
    runner = Runner(tmp_path, interval)
    runner.start()
    assert threading.active_count() - before == (1 if interval else 0)
    runner.stop()
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
