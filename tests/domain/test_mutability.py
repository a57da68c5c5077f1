"""Which tags may be moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.mutability import MODES, check_filters, is_immutable, matches

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


@pytest.mark.parametrize(
    ("mode", "of_a_match", "of_another"),
    [
        ("MUTABLE", False, False),
        ("IMMUTABLE", True, True),
        ("MUTABLE_WITH_EXCLUSION", True, False),
        ("IMMUTABLE_WITH_EXCLUSION", False, True),
    ],
)
def test_a_filter_turns_the_mode_over(mode: str, of_a_match: bool, of_another: bool) -> None:
    filters = ["none", "dev-*"]
    assert (is_immutable(mode, filters, "dev-1"), is_immutable(mode, filters, "v1")) == (
        of_a_match,
        of_another,
    )


@pytest.mark.parametrize("mode", MODES)
def test_filters_go_with_the_exclusion_modes_only(mode: str) -> None:
    needs_filters = mode.endswith("EXCLUSION")
    assert (check_filters(mode, ["v*"]) is None) == needs_filters
    assert (check_filters(mode, None) is None) != needs_filters
    assert (check_filters(mode, []) is None) != needs_filters


def test_the_refusal_is_in_the_words_of_aws() -> None:
    assert check_filters("IMMUTABLE", ["v*"]) == (
        "ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set as IMMUTABLE"
    )
    assert check_filters("MUTABLE_WITH_EXCLUSION", None) == (
        "ImageTagMutabilityExclusionFilters can't be null "
        "when imageTagMutability is set as MUTABLE_WITH_EXCLUSION"
    )
