"""What a * in a filter stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.wildcards import matches

PATTERNS = st.text("ab*", max_size=8)
TAGS = st.text("ab", max_size=10)


def fits(pattern: str, tag: str) -> bool:
    """A matcher that tries everything."""
    if not pattern:
        return not tag
    if pattern[0] == "*":
        return any(fits(pattern[1:], tag[start:]) for start in range(len(tag) + 1))
    return tag[:1] == pattern[0] and fits(pattern[1:], tag[1:])


@given(PATTERNS, TAGS)
def test_a_filter_matches_as_trying_everything_does(pattern: str, tag: str) -> None:
    assert matches(pattern, tag) == fits(pattern, tag)


@given(st.lists(TAGS, min_size=1, max_size=4), st.lists(TAGS, max_size=3))
def test_a_tag_built_from_a_filter_matches_it(parts: list[str], fillings: list[str]) -> None:
    runs = [*fillings, "", "", ""]
    tag = "".join(part + run for part, run in zip(parts, [*runs[: len(parts) - 1], ""], strict=True))
    assert matches("*".join(parts), tag)


@pytest.mark.parametrize(
    ("pattern", "tag", "is_match"),
    [
        ("latest", "latest", True),
        ("latest", "latest-2", False),
        ("dev-*", "dev-x", True),
        ("dev-*", "dev-", True),
        ("dev-*", "a-dev-x", False),
        ("*", "anything", True),
        ("v1.0", "v1x0", False),
        ("ab*ba", "aba", False),
    ],
)
def test_a_filter_matches_the_whole_tag(pattern: str, tag: str, is_match: bool) -> None:
    assert matches(pattern, tag) == is_match


def test_a_filter_of_many_stars_is_quick() -> None:
    assert not matches("a*" * 63 + "b", "a" * 300)
