"""Lengths of time as people write them."""

import pytest

from ecr_emu.domain import durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", 7_776_000),
        ("12h", 43_200),
        ("30m", 1_800),
        ("45s", 45),
        ("2w", 1_209_600),
        ("1d12h", 129_600),
        ("1w2d3h4m5s", 788_645),
        ("1.5d", 129_600),
        ("0s", 0),
        (" 1h\n", 3_600),
    ],
)
def test_a_duration_is_read(text: str, expected: float) -> None:
    assert durations.seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "d", "5", "1x", "12h1d", "1d1d", "-1d", "1 d", "1D", "٣d", "1e3s", "1.d"]
)
def test_what_is_no_duration_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"is no duration; write it as 90d, 12h, 30m, 45s or 1d12h$"
    ) as caught:
        durations.seconds(text)
    assert str(caught.value).startswith(f"'{text}'")


def test_a_duration_has_an_end() -> None:
    assert durations.seconds("365000d") == durations.MAX_SECONDS
    with pytest.raises(ValueError, match="longer than 1000 years"):
        durations.seconds("365001d")
