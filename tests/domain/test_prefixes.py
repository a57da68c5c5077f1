"""Which prefixes mean a repository."""

import pytest

from ecr_emu.domain import prefixes


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("app", ["ROOT"]),
        ("prod/app", ["prod", "ROOT"]),
        ("prod/team/x", ["prod/team", "prod", "ROOT"]),
        ("production/x", ["production", "ROOT"]),
    ],
)
def test_longest_prefix_comes_first_and_root_last(name: str, keys: list[str]) -> None:
    assert list(prefixes.of_name(name)) == keys


@pytest.mark.parametrize("prefix", ["prod", "prod/"])
def test_slash_at_the_end_is_implied(prefix: str) -> None:
    assert prefixes.key(prefix) == "prod"
