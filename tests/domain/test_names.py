"""What counts as a repository name, a tag and a digest."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain import names

WORD = st.text("abz09", min_size=1, max_size=5)
SEPARATOR = st.sampled_from([".", "_", "__", "-", "--", "---", "/"])


@pytest.mark.parametrize(
    "name",
    ["team/app", "a__b", "a--b", "a---b", "a/b__c", "a.b", "00", "a" * 256, "a/b/c/d", "a-----" + "b"],
)
def test_these_are_repository_names(name: str) -> None:
    assert names.is_repository_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", "a" * 257, "Bad_Name!", "Team/App", "a___b", "a_-b", "a._b", "a..b", "_a", "a_", "/a"),
        *("a/", "a//b", "a/-b", "ab\n", "\nab", "ä" * 3, "a b", "a\0b", "-" * 256, "a-" * 127 + "!"),
    ],
)
def test_these_are_no_repository_names(name: str) -> None:
    assert not names.is_repository_name(name)


@given(WORD, st.lists(st.tuples(SEPARATOR, WORD), max_size=20))
def test_words_between_separators_are_a_repository_name(first: str, others: list[tuple[str, str]]) -> None:
    name = first + "".join(separator + word for separator, word in others)
    assert names.is_repository_name(name) == (2 <= len(name) <= 256)


@given(st.text("ab0._-/", max_size=12))
def test_a_repository_name_never_has_a_wrong_separator(name: str) -> None:
    parts = name.split("/")
    ends = all(part and part[0] in "ab0" and part[-1] in "ab0" for part in parts)
    separators = re.findall(r"[._-]+", name)
    legal = all(run in (".", "_", "__") or set(run) == {"-"} for run in separators)
    assert names.is_repository_name(name) == (ends and legal and len(name) >= 2)


@pytest.mark.parametrize(
    ("tag", "in_api", "in_oci"),
    [
        ("v1", True, True),
        ("V1.0-rc_2", True, True),
        ("_x", True, True),
        ("a" * 128, True, True),
        ("a" * 129, True, False),
        ("a" * 300, True, False),
        ("a" * 301, False, False),
        (".x", True, False),
        ("-x", True, False),
        ("", False, False),
        ("a b", False, False),
        ("a:b", False, False),
        ("a/b", False, False),
        ("a,b", False, False),
        ("a\n", False, False),
        ("é", False, False),
    ],
)
def test_a_tag_is_legal_in_the_api_and_in_the_registry(tag: str, in_api: bool, in_oci: bool) -> None:
    assert (names.is_image_tag(tag), names.is_oci_tag(tag)) == (in_api, in_oci)


@given(st.text("aZ0_.-:é \n", max_size=8))
def test_every_tag_of_the_registry_is_one_of_the_api(tag: str) -> None:
    assert names.is_image_tag(tag) or not names.is_oci_tag(tag)


@pytest.mark.parametrize(
    ("text", "looks_like_one", "can_be_stored"),
    [
        ("sha256:" + "a" * 64, True, True),
        ("sha512:" + "0" * 128, True, True),
        ("sha256:" + "A" * 64, True, False),
        ("sha256:" + "a" * 63, True, False),
        ("sha256:" + "a" * 65, True, False),
        ("sha256:" + "a" * 128, True, False),
        ("sha512:" + "a" * 64, True, False),
        ("SHA256:" + "a" * 64, True, False),
        ("md5+x.y_z-1:ab", True, False),
        ("sha256:", False, False),
        (":abc", False, False),
        ("sha256", False, False),
        ("sha256:xyz", False, False),
        ("sha256:" + "a" * 64 + "\n", False, False),
        ("", False, False),
    ],
)
def test_a_digest_is_recognised(text: str, looks_like_one: bool, can_be_stored: bool) -> None:
    assert (names.looks_like_digest(text), names.is_digest(text)) == (looks_like_one, can_be_stored)
