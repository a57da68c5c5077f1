"""How bad a vulnerability is: CVSS vectors first, then the source's own word, else UNDEFINED.

The rating is that of the newest CVSS version that has a readable vector (4.0 before 3.1, 3.0 and 2.0), and
of the highest score within it. That AWS does the same is an inference: it names one severity and does not say
how it is chosen. A vector that the `cvss` library does not take is passed over, and counted by the caller.
"""

from collections.abc import Iterable
from functools import lru_cache

from ecr_emu.domain.findings import SEVERITIES, Score

# first.org/cvss/v3.1/specification-document, section 5; version 2.0 has neither CRITICAL nor a word for 0.
_OF_RATING = {
    "critical": "CRITICAL",
    "high": "HIGH",
    "medium": "MEDIUM",
    "low": "LOW",
    "none": "INFORMATIONAL",
}

# Words of the sources: GitHub (moderate), Red Hat and SUSE (important), Debian's urgencies (unimportant, and
# "not yet assigned", which is none of these), Ubuntu's priorities (negligible).
_OF_WORD = {
    **_OF_RATING,
    "moderate": "MEDIUM",
    "important": "HIGH",
    "negligible": "INFORMATIONAL",
    "unimportant": "INFORMATIONAL",
    "informational": "INFORMATIONAL",
}


def rating(vector: str) -> tuple[str, float, str] | None:
    """CVSS version, score and severity of a vector; None for one that cannot be read."""
    read = _read(vector)
    return None if read is None else (read[0].version, read[0].score, read[1])


def score(vector: str, source: str = "") -> Score | None:
    """The vector as a Score that `source` gave; None for a vector that cannot be read."""
    read = _read(vector)
    return None if read is None else Score(read[0].version, read[0].vector, read[0].score, source)


def severity(scores: Iterable[Score], words: Iterable[str]) -> tuple[str, str]:
    """The severity, and the word of the source that says most ("" if there is none)."""
    word = min(words, key=_place, default="")
    best = max(scores, key=lambda one: (one.version, one.score), default=None)
    read = _read(best.vector) if best else None
    return (read[1] if read else of_word(word)), word


def of_word(word: str) -> str:
    """What a source's own word means; a word that nobody knows is UNDEFINED."""
    return _OF_WORD.get(word.strip().lower(), "UNDEFINED")


def _place(word: str) -> tuple[int, str]:
    return SEVERITIES.index(of_word(word)), word


@lru_cache(maxsize=16_384)
def _read(vector: str) -> tuple[Score, str] | None:
    from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
    from cvss.exceptions import CVSSError  # type: ignore[import-untyped]

    prefix = vector[: len("CVSS:3.1")]
    kind = {"CVSS:4.0": CVSS4, "CVSS:3.1": CVSS3, "CVSS:3.0": CVSS3}.get(prefix, CVSS2)
    try:
        read = kind(vector)
    except CVSSError:
        return None
    version = "2.0" if kind is CVSS2 else prefix.removeprefix("CVSS:")
    # The base score: what a source adds of time and place is not the image's.
    number = float(read.base_score)
    word = read.severity if kind is CVSS4 else read.severities()[0]
    return Score(version, vector, number), _OF_RATING[word.lower()]
