"""How long a courier waits for what it tries again."""

import time

import pytest

from ecr_emu.jobs import courier
from ecr_emu.jobs.courier import Waits


def test_pauses_grow_up_to_a_minute() -> None:
    pauses = [courier._pause(number) for number in range(courier.MAX_ATTEMPTS)]
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert max(pauses) == 60
    assert 120 < sum(pauses[:-1]) < 240


def test_nothing_waits_at_first() -> None:
    waits = Waits({})
    assert waits.seconds() is None
    assert not waits.has("a")


def test_what_is_due_between_two_runs_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fell due after it was looked at: the next run is at once, and the one after that need not be."""
    monkeypatch.setattr(courier, "FIRST_RETRY_SECONDS", 0.01)
    waits = Waits({})
    waits.put("a", 0)
    waits.put_everything()
    assert waits.has("a")
    time.sleep(0.03)
    assert waits.seconds() == 0
    waits.begin()
    assert not waits.has("a")
    assert waits.seconds() is None


def test_the_next_try_is_that_of_whatever_waits_least() -> None:
    waits = Waits({})
    waits.put("a", 5)
    waits.put("b", 0)
    seconds = waits.seconds()
    assert seconds is not None
    assert 0 < seconds <= 0.5
    waits.put_everything()
    waits.put_everything()
    assert waits.everything_until - time.monotonic() > 0.5
    waits.end_outage()
    waits.put_everything()
    assert waits.everything_until - time.monotonic() <= 0.5
