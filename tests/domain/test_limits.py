"""What a user can say about limits."""

import re

import pytest

from ecr_emu.domain import limits
from ecr_emu.domain.limits import LIMITS, Limits

KNOWN = ", ".join(limit.name for limit in LIMITS)


def test_names_are_words_with_hyphens_and_said_once() -> None:
    names = [limit.name for limit in LIMITS]
    assert [name for name in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []
    assert len(set(names)) == len(names)


def test_every_default_is_a_value_that_could_be_set() -> None:
    text = ",".join(f"{limit.name}={limit.default}" for limit in LIMITS)
    assert Limits(limits.parse(text)) == Limits()


def test_defaults_are_those_of_aws() -> None:
    in_force = Limits()
    assert len(in_force) == len(LIMITS)
    assert (in_force["repositories"], in_force["images-per-repository"]) == (100_000, 100_000)
    assert in_force["maximum-layer-bytes"] == 54_525_952_000
    assert {limit.name: limit.code for limit in LIMITS if limit.code} == {
        "repositories": "L-CFEB8E8D",
        "images-per-repository": "L-03A36CE1",
    }


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        (",", {}),
        ("repositories=1", {"repositories": 1}),
        (" repositories = 2 ,, layer-parts=3,", {"repositories": 2, "layer-parts": 3}),
        ("repositories=1,repositories=5", {"repositories": 5}),
        ("replication-rules=25", {"replication-rules": 25}),
        ("repositories=999999999999999999", {"repositories": 999_999_999_999_999_999}),
    ],
)
def test_what_is_said_is_changed_and_nothing_else(text: str, changed: dict[str, int]) -> None:
    assert dict(limits.parse(text)) == changed
    assert Limits(limits.parse(text)) == {**Limits(), **changed}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("repositories", "must be NAME=VALUE, and is 'repositories'"),
        ("repositories:5", "must be NAME=VALUE, and is 'repositories:5'"),
        ("=5", f"knows no ''; there are {KNOWN}"),
        ("repositories=1,images=5", f"knows no 'images'; there are {KNOWN}"),
        ("Repositories=5", f"knows no 'Repositories'; there are {KNOWN}"),
        *(
            (f"repositories={value}", f"repositories must be a whole number from 1 on, and is '{value}'")
            for value in ("", "0", "-1", "+1", "1.5", "1e3", "1_000", "x", "\u0661", "9" * 19, "=1")
        ),
        (
            "replication-rules=26",
            "replication-rules can be 25 at most, by AWS's service model, and is 26",
        ),
        (
            "maximum-layer-part-bytes=20971521",
            "maximum-layer-part-bytes can be 20971520 at most, by AWS's service model, and is 20971521",
        ),
    ],
)
def test_what_is_no_limit_is_one_line_that_helps(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        limits.parse(text)
    assert str(refused.value) == message
