"""What * and ? and ${variables} stand for, and that nobody can make a match take long."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.iam import patterns
from tests.domain.iam.samples import request

PATTERNS = st.text("ab*?", max_size=8)
TEXTS = st.text("ab", max_size=10)
CONTEXT = {"aws:principaltag/team": ("red",), "aws:tagkeys": ("a", "b"), "k:star": ("*",), "k:none": ()}


def matches(pattern: str, text: str, variables: bool = True) -> bool | None:
    return patterns.pattern(pattern, variables=variables).matches(text, request(context=CONTEXT))


def fits(pattern: str, text: str) -> bool:
    """A matcher that tries everything."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and fits(pattern[1:], text[1:])


@given(PATTERNS, TEXTS)
def test_a_pattern_matches_as_trying_everything_does(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fits(pattern, text)


@given(st.lists(st.sampled_from(["a", "b", "*", "?", "${k:star}", "${?}"]), max_size=6), TEXTS)
def test_a_pattern_with_variables_matches_as_one_without(pieces: list[str], text: str) -> None:
    """Text and pattern have an x wherever a value is a star or a question mark."""
    plain = "".join(pieces).replace("${k:star}", "x").replace("${?}", "y")
    for candidate in (text, plain.replace("*", text).replace("?", "a")):
        asked = candidate.replace("x", "*").replace("y", "?")
        assert matches("".join(pieces), asked) == fits(plain, candidate)


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("?", "", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("*?", "", False),
        ("*?*", "a", True),
        ("a*??b", "ab", False),
        ("ab*ba", "aba", False),
        ("*a?b*", "xaab", True),
        ("*a?b*c", "xazaxbc", True),
        ("line*", "line\nbreak", True),
        # A value's characters are no wildcards, and ${*} is a star (Variables and tags, Special characters).
        ("${*}", "*", True),
        ("${*}", "x", False),
        ("a${?}", "a?", True),
        ("${$}{x}", "${x}", True),
        ("${k:star}", "x", False),
        ("${k:star}", "*", True),
        ("team-${aws:PrincipalTag/team}-*", "team-red-1", True),
        ("team-${aws:PrincipalTag/team}-*", "team-blue-1", False),
        ("${aws:PrincipalTag/none, 'blue'}", "blue", True),
        ("${ AWS:principaltag/TEAM , 'blue'}", "red", True),
        # No value, several values (Variables and tags: only single-valued keys), a default without quotes.
        ("${aws:PrincipalTag/none}", "", None),
        ("${k:none}", "", None),
        ("${aws:TagKeys}", "a", None),
        ("${aws:TagKeys, 'c'}", "c", True),
        ("${aws:PrincipalTag/none, blue}", "blue", None),
        ("${}", "", None),
        ("${unclosed", "${unclosed", True),
        ("${a${aws:PrincipalTag/team}", "${ared", True),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, text: str, is_match: bool | None) -> None:
    assert matches(pattern, text) is is_match


def test_the_older_language_has_no_variables() -> None:
    """IAM user guide, Variables and tags: variables came with version 2012-10-17."""
    assert matches("${aws:PrincipalTag/team}", "${aws:PrincipalTag/team}", variables=False)
    assert matches("${*}", "${anything}", variables=False)


class Counted(str):
    """Text that counts how often somebody looks at it."""

    steps = 0

    def __getitem__(self, place: Any) -> str:
        self.steps += 1
        return super().__getitem__(place)

    def find(self, *arguments: Any) -> int:
        self.steps += 1
        return super().find(*arguments)

    def startswith(self, *arguments: Any) -> bool:
        self.steps += 1
        return super().startswith(*arguments)


HOSTILE = [
    "a*" * 60 + "c",
    "*a?" * 60 + "c",
    "?*" * 60 + "c",
    "*" * 200 + "c*",
    "*" + "a" * 90 + "?c*",
    "*" + "a?" * 500 + "c*",
    "*a?a?a?c*",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_hostile_pattern_takes_no_more_steps_than_the_text_has_characters(pattern: str) -> None:
    for length in (200, 2000, 20000):
        text = Counted("a" * length)
        assert not matches(pattern, text)
        assert text.steps <= length + pattern.count("*") + pattern.count("?")


def test_a_pattern_of_many_variables_is_read_once() -> None:
    assert not matches("${" * 5000, "x")
    assert matches("${" + " " * 5000, "x") is False
    assert matches("${" + " " * 5000 + "}", "x") is None
