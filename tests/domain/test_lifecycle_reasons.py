"""In which words the lifecycle engine says why an image goes or stays."""

from dataclasses import replace
from typing import Any

import pytest

from ecr_emu.domain.lifecycle import (
    ACTIVATING,
    ALREADY_ARCHIVED,
    FOLLOWS_SUBJECT,
    LISTED_BY_INDEX,
    MORE_THAN,
    NOT_COUNTED,
    NOT_SELECTED,
    OLDER,
    OUTRANKED,
    SUBJECT_STAYS,
    WITHIN_COUNT,
    YOUNG_ENOUGH,
    Image,
    Rule,
)
from tests.domain.lifecycle_images import (
    ARCHIVE_OLD,
    ARCHIVED,
    OLD,
    PULLED,
    archived,
    at,
    count,
    decide,
    image,
    index,
    referrer,
)

DIGEST = "sha256:0123456789abcdef"
SHORT = "sha256:0123456789ab…"
RESTORED = {"archived_at": at(400), "activated_at": at(50)}


@pytest.mark.parametrize(
    ("image", "rule", "code", "why"),
    [
        (image("a", 45.2), replace(OLD, priority=2), OLDER, "rule 2: pushed 45.2 days ago, limit 30"),
        (image("a", 500, **RESTORED), OLD, OLDER, "rule 1: restored 50.0 days ago, limit 30"),
        (image("a", 60, pulled_at=at(31)), PULLED, OLDER, "rule 1: pulled 31.0 days ago, limit 30"),
        (image("a", 60), PULLED, OLDER, "rule 1: pushed 60.0 days ago, limit 30"),
        (
            image("a", 60, pulled_at=at(51), **RESTORED),
            PULLED,
            OLDER,
            "rule 1: restored 50.0 days ago, limit 30",
        ),
        (archived("a", 91), ARCHIVED, OLDER, "rule 2: archived 91.0 days ago, limit 90"),
        (
            replace(archived("a", 91), archived_at=None),
            ARCHIVED,
            OLDER,
            "rule 2: pushed 500.0 days ago, limit 90",
        ),
        (image("a", 30), OLD, YOUNG_ENOUGH, "stays: pushed 30.0 days ago, limit of rule 1 30"),
        (archived("a", 90), ARCHIVED, YOUNG_ENOUGH, "stays: archived 90.0 days ago, limit of rule 2 90"),
        (image("a", 40), count(1, 5, "v*"), NOT_SELECTED, "stays: no rule selects it"),
        (archived("a", 91), OLD, NOT_SELECTED, "stays: no rule selects it"),
        (image("a", 40, status="ACTIVATING"), OLD, ACTIVATING, "stays: it is being restored"),
    ],
)
def test_an_image_by_itself_goes_or_stays_for_a_reason(image: Image, rule: Rule, code: str, why: str) -> None:
    decision = decide([image], rule)["a"]
    assert (decision.code, decision.why) == (code, why)


def reason(images: list[Image], *rules: Rule, digest: str = "a", **options: Any) -> tuple[str, str]:
    decision = decide(images, *rules, **options)[digest]
    return decision.code, decision.why


def test_the_reason_of_a_count_names_the_rank() -> None:
    images = [image(digest, days_ago) for days_ago, digest in enumerate("gfedcba")]
    assert reason(images, count(1, 5)) == (MORE_THAN, "rule 1: number 7 by push time, keeps 5")
    assert reason(images, count(1, 5), digest="e") == (
        WITHIN_COUNT,
        "stays: number 3 of the 5 that rule 1 keeps",
    )


def test_the_reason_of_what_is_not_counted_says_so() -> None:
    assert reason([image("a", 9), index("b", 8, "a")], count(4, 1), counts_children=False) == (
        NOT_COUNTED,
        "stays: an index lists it, and rule 4 does not count such images",
    )


@pytest.mark.parametrize(
    ("lower", "would"),
    [(OLD, "rule 3 would expire it"), (ARCHIVE_OLD, "rule 3 would archive it"), (count(0, 1), None)],
)
def test_the_reason_names_the_lower_rule_that_would_have_acted(lower: Rule, would: str | None) -> None:
    rules = [count(1, 5, "*"), replace(lower, priority=3), replace(OLD, priority=4)]
    expected = f"stays: {would or 'rule 4 would expire it'}, but rule 1 has a higher priority and claims it"
    assert reason([image("a", 40, "x")], *rules) == (OUTRANKED, expected)
    young = [count(1, 5, "*"), replace(lower, priority=3, count_number=50)]
    assert reason([image("a", 40, "x")], *young)[0] == WITHIN_COUNT


def test_the_reason_of_a_child_names_its_oldest_index_that_stays() -> None:
    going, staying = index("b", 49, "a"), [index(DIGEST, 2, "a"), index("d", 1, "a")]
    assert reason([image("a", 50), going, *staying], OLD) == (
        LISTED_BY_INDEX,
        f"stays: the index {SHORT} that lists it stays",
    )


def test_the_reason_of_a_child_says_when_its_index_is_only_archived() -> None:
    rules = [replace(OLD, tag_status="untagged"), replace(ARCHIVE_OLD, priority=2)]
    assert reason([image("a", 50), replace(index(DIGEST, 49, "a"), tags=("x",))], *rules) == (
        LISTED_BY_INDEX,
        f"stays: the index {SHORT} that lists it is only archived",
    )


def test_the_reason_of_a_referrer_names_its_subject() -> None:
    signature = referrer("a", DIGEST)
    old, young = image(DIGEST, 40), image(DIGEST, 3)
    assert reason([signature, old], OLD) == (FOLLOWS_SUBJECT, f"rule 1: goes with its subject {SHORT}")
    assert reason([signature, young], OLD) == (SUBJECT_STAYS, f"stays: its subject {SHORT} stays")
    assert reason([replace(signature, status="ARCHIVED"), old], ARCHIVE_OLD) == (
        ALREADY_ARCHIVED,
        "stays: it is archived already, as its subject is now",
    )
    assert reason([replace(signature, status="ACTIVATING"), old], ARCHIVE_OLD)[0] == ACTIVATING
    assert reason([signature, image(DIGEST, 40), index("b", 1, "a")], OLD) == (
        LISTED_BY_INDEX,
        "stays: the index b… that lists it stays",
    )
