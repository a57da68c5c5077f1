"""Severities: CVSS first, then the source's word, else UNDEFINED."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.findings import SEVERITIES, Score
from ecr_emu.scanner import severity

V2 = "AV:N/AC:L/Au:N/C:C/I:C/A:C"
V30 = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V31_HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
V31_NONE = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:N/A:N"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:H/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N"


@pytest.mark.parametrize(
    ("vector", "version", "score", "word"),
    [
        # The examples of the OSV schema, and of first.org's guides (Heartbleed, CVE-2014-0160: 5.0 and 7.5).
        ("AV:L/AC:M/Au:N/C:N/I:P/A:C", "2.0", 5.4, "MEDIUM"),
        ("AV:N/AC:L/Au:N/C:P/I:N/A:N", "2.0", 5.0, "MEDIUM"),
        (V2, "2.0", 10.0, "HIGH"),
        # Version 2.0 has no word for nothing.
        ("AV:N/AC:L/Au:N/C:N/I:N/A:N", "2.0", 0.0, "LOW"),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:H/I:N/A:N", "3.1", 6.8, "MEDIUM"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "3.0", 7.5, "HIGH"),
        (V30, "3.0", 9.8, "CRITICAL"),
        (V31_HIGH, "3.1", 7.5, "HIGH"),
        (V31_NONE, "3.1", 0.0, "INFORMATIONAL"),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N", "3.1", 3.3, "LOW"),
        (V4, "4.0", 5.1, "MEDIUM"),
        # Of time and place only the base counts.
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O", "3.1", 9.8, "CRITICAL"),
    ],
)
def test_score_and_severity_of_a_vector(vector: str, version: str, score: float, word: str) -> None:
    assert severity.rating(vector) == (version, score, word)
    assert severity.score(vector, "GHSA") == Score(version, vector, score, "GHSA")


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "9.8",
        "HIGH",
        "CVSS:3.1/AV:N",
        "CVSS:9.9/AV:N/AC:L",
        f"{V30}/",
        f"{V30}/AV:N",
        "CVSS:4.0/AV:N",
        "/",
    ],
)
def test_a_vector_that_makes_no_sense_is_nothing(vector: str) -> None:
    assert severity.rating(vector) is None
    assert severity.score(vector) is None


def scores(*vectors: str) -> list[Score]:
    return [score for vector in vectors if (score := severity.score(vector))]


@pytest.mark.parametrize(
    ("vectors", "words", "expected"),
    [
        ([V2, V31_HIGH], [], "HIGH"),
        # The newest version counts, also if it is milder.
        ([V30, V4], [], "MEDIUM"),
        ([V30, V31_HIGH], [], "HIGH"),
        # Of one version, the worst.
        ([V31_NONE, V31_HIGH], [], "HIGH"),
        # A vector before a word.
        ([V31_NONE], ["CRITICAL"], "INFORMATIONAL"),
        (["nonsense"], ["MODERATE"], "MEDIUM"),
        ([], ["LOW", "important"], "HIGH"),
        ([], ["not yet assigned"], "UNDEFINED"),
        ([], [], "UNDEFINED"),
    ],
)
def test_which_of_them_counts(vectors: list[str], words: list[str], expected: str) -> None:
    assert severity.severity(scores(*vectors), words)[0] == expected


def test_the_word_of_the_source_is_kept_beside_a_vector() -> None:
    assert severity.severity(scores(V4), ["low", "HIGH"]) == ("MEDIUM", "HIGH")
    assert severity.severity([], []) == ("UNDEFINED", "")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("CRITICAL", "CRITICAL"),
        ("critical", "CRITICAL"),
        ("High", "HIGH"),
        ("Important", "HIGH"),
        ("MODERATE", "MEDIUM"),
        ("medium", "MEDIUM"),
        ("low", "LOW"),
        ("negligible", "INFORMATIONAL"),
        ("unimportant", "INFORMATIONAL"),
        ("None", "INFORMATIONAL"),
        ("not yet assigned", "UNDEFINED"),
        ("untriaged", "UNDEFINED"),
        ("end-of-life", "UNDEFINED"),
        ("", "UNDEFINED"),
    ],
)
def test_words_of_sources(word: str, expected: str) -> None:
    assert severity.of_word(word) == expected


PIECES = st.sampled_from(
    ["CVSS:3.1", "CVSS:4.0", "CVSS:3.0", "AV:N", "AC:L", "PR:N", "UI:N", "S:U", "C:H", "I:H"]
)
PIECES |= st.sampled_from(["A:H", "Au:N", "C:P", "AT:N", "VC:H", "E:X", ":", "", "AV:", "X:Y", "A:H:L"])


@given(st.lists(PIECES, max_size=12).map("/".join) | st.text(max_size=40))
def test_no_text_is_an_error(vector: str) -> None:
    rated = severity.rating(vector)
    assert rated is None or (rated[2] in SEVERITIES and 0 <= rated[1] <= 10)
