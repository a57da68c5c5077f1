"""Which resource tags are legal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.resource_tags import are_valid

LEGAL = st.text("aZ0 +-=._:/@éж中", max_size=20)


@given(st.dictionaries(LEGAL.map(lambda key: "k" + key), LEGAL))
def test_letters_digits_spaces_and_some_signs_are_legal(tags: dict[str, str]) -> None:
    assert are_valid(tags.items())


@pytest.mark.parametrize(
    ("key", "value"),
    [("k" * 128, ""), ("k", "v" * 256), ("awsome", "x"), ("my:aws:tag", "x"), ("k", "aws:x"), ("_", "é")],
)
def test_a_tag_at_its_limits_is_legal(key: str, value: str) -> None:
    assert are_valid([(key, value)])


@pytest.mark.parametrize(
    "tags",
    [
        [("", "value")],
        [("k" * 129, "value")],
        [("key", "v" * 257)],
        [("key~", "value")],
        [("key", "$value")],
        [("key", "a\0b")],
        [("aws:x", "value")],
        [("AWS:x", "value")],
        [("key", "1"), ("key", "2")],
        [("good", "1"), ("b,d", "2")],
    ],
)
def test_one_bad_tag_makes_all_invalid(tags: list[tuple[str, str]]) -> None:
    assert not are_valid(tags)


def test_keys_that_differ_in_case_are_different() -> None:
    assert are_valid([("key", "1"), ("Key", "1")])


@given(st.sampled_from("~$!#%&*(){}[]|\\;'\"<>,?`^"), st.booleans())
def test_any_other_sign_is_refused(sign: str, in_key: bool) -> None:
    assert not are_valid([(f"k{sign}", "v") if in_key else ("k", f"v{sign}")])
