"""Which tags may be moved."""

import pytest

from ecr_emu.domain.mutability import MODES, check_filters, is_immutable


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
