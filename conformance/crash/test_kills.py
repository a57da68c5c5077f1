"""A short story of kills; `python -m conformance.crash --kills 500` is the long one."""

from pathlib import Path

import pytest

from conformance.crash.story import Story

KILLS, CLIENTS, SEED = 20, 8, 8


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    figures = Story(tmp_path, CLIENTS, SEED).play(KILLS)
    # A story in which nothing happens would prove nothing.
    assert figures.kills == KILLS
    assert sum(figures.acknowledged.values()) > 20 * KILLS
    assert sum(figures.uncertain.values()) > KILLS
    assert figures.facts > 20 * KILLS
