"""Times as people and the AWS CLI write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain import timestamps


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2027-01-01T00:00:00Z", 1_798_761_600.0),
        ("2027-01-01T01:00:00+01:00", 1_798_761_600.0),
        ("2027-01-01T00:00:00", 1_798_761_600.0),
        ("2027-01-01", 1_798_761_600.0),
        # As `aws --output json` writes it.
        ("2025-06-15T15:06:40.250000+00:00", 1_750_000_000.25),
        ("0001-01-01T00:00:00Z", timestamps.MIN_SECONDS),
        ("9999-12-31T23:59:59Z", timestamps.MAX_SECONDS),
    ],
)
def test_a_time_is_read(text: str, expected: float) -> None:
    assert timestamps.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "now", "45d", "2027-13-01", "1798761600.5", "2027-01-01T25:00:00Z", "\0"]
)
def test_what_is_no_time_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write it as 2027-01-01T00:00:00Z"):
        timestamps.parse(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-01:00"])
def test_a_time_before_or_after_all_others_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="outside of the years 1 to 9999"):
        timestamps.parse(text)


@given(st.floats(timestamps.MIN_SECONDS, timestamps.MAX_SECONDS))
def test_what_is_written_can_be_read(seconds: float) -> None:
    text = timestamps.text(seconds)
    assert len(text) == len("2027-01-01T00:00:00Z")
    assert timestamps.parse(text) == seconds // 1


def test_what_comes_after_all_times_is_the_last_of_them() -> None:
    """A user's clock may be there, and a session that begins then ends later."""
    assert timestamps.text(timestamps.MAX_SECONDS + 3600) == "9999-12-31T23:59:59Z"
