"""When a lifecycle policy does something next, and what the images are then."""

from dataclasses import replace

import pytest

from ecr_emu.domain.lifecycle import DAY_SECONDS, Image, Rule, after, evaluate, timeline
from tests.domain.lifecycle_images import (
    ARCHIVE_OLD,
    ARCHIVED,
    NOW,
    OLD,
    archived,
    at,
    count,
    image,
    index,
    referrer,
)


@pytest.mark.parametrize(
    ("images", "rules", "days_from_now"),
    [
        ([], [OLD], None),
        ([image("a", 40)], [OLD], None),
        ([image("a", 29)], [count(1, 5)], None),
        ([image("a", 29), image("b", 28), image("c", 31)], [OLD], 1),
        ([image("a", 30)], [OLD], 0),
        ([image("a", 29, "x")], [count(0, 5, "x"), OLD], None),
        ([image("a", 29), archived("b", 89.5)], [OLD, ARCHIVED], 0.5),
        ([image("a", 29.5), archived("b", 89)], [OLD, ARCHIVED], 0.5),
        ([image("a", 29.5, status="ACTIVATING")], [OLD], None),
        ([image("a", 3), referrer("b", "a", 29)], [OLD], 27),
    ],
)
def test_the_next_change_is_when_the_first_image_is_as_old_as_it_may_be(
    images: list[Image], rules: list[Rule], days_from_now: float | None
) -> None:
    expected = None if days_from_now is None else at(-days_from_now)
    assert evaluate(images, rules, NOW).next_change_at == expected


def test_what_goes_is_gone_afterwards_and_what_is_archived_is_dated() -> None:
    images = [image("b", 50, "x"), image("a", 40), image("c", 1)]
    rules = [replace(OLD, tag_status="untagged"), replace(ARCHIVE_OLD, priority=2)]
    left = after(images, evaluate(images, rules, NOW), NOW)
    assert left == [image("b", 50, "x", status="ARCHIVED", archived_at=NOW), image("c", 1)]


def events(images: list[Image], *rules: Rule, days: float) -> list[tuple[float, str, str | None]]:
    """What goes in the days from now: days and seconds from now, digest and action."""
    happening = timeline(images, rules, NOW, NOW + days * DAY_SECONDS)
    return [(at - NOW, decision.image.digest, decision.action) for at, decision in happening]


def test_the_timeline_archives_first_and_expires_ninety_days_later() -> None:
    images = [image("a", 31), image("b", 29), image("c", 0)]
    day = DAY_SECONDS
    expected = [
        (0, "a", "TRANSITION"),
        (1 * day + 1, "b", "TRANSITION"),
        (30 * day + 1, "c", "TRANSITION"),
        (90 * day + 1, "a", "EXPIRE"),
        (91 * day + 2, "b", "EXPIRE"),
        (120 * day + 2, "c", "EXPIRE"),
    ]
    assert events(images, ARCHIVE_OLD, ARCHIVED, days=200) == expected
    assert events(images, ARCHIVE_OLD, ARCHIVED, days=91) == expected[:4]
    assert events([], OLD, days=1) == []
    assert events(images, OLD, days=-1) == []


def test_the_timeline_looks_again_at_once_when_something_goes() -> None:
    images = [image("a", 9), index("b", 8, "a"), image("c", 1)]
    happening = timeline(images, [count(1, 1)], NOW, NOW, counts_children=False)
    assert [(at, decision.image.digest) for at, decision in happening] == [(NOW, "b"), (NOW, "a")]
    assert events(images, count(1, 1), days=0) == [(0, "a", "EXPIRE"), (0, "b", "EXPIRE")]
