"""Rehearsing a lifecycle policy."""

import pytest

from ecr_emu.domain import rehearsal
from ecr_emu.domain.lifecycle import Decision, Image
from ecr_emu.domain.rehearsal import Summary


def decision(digest: str, action: str | None, *tags: str, size_bytes: int = 10) -> Decision:
    return Decision(Image(digest, tags, size_bytes=size_bytes), action, None, "code", "why")


GOING = [
    decision("a", "EXPIRE", "release-1", "v1"),
    decision("b", "EXPIRE", size_bytes=5),
    decision("c", "TRANSITION", "release-2", size_bytes=3),
    decision("d", None, "release-3", size_bytes=1),
]


def test_a_summary_counts_and_adds_up() -> None:
    found = rehearsal.summary(GOING)
    assert found == Summary(2, 15, 1, 3, 1, 1)
    assert found.images == 4
    assert rehearsal.summary([]) == Summary()


def test_a_change_is_another_fate() -> None:
    old = [decision("a", None), decision("b", "EXPIRE"), decision("c", "EXPIRE"), decision("d", None)]
    changed = rehearsal.changes(old, GOING)
    assert [(change.new.image.digest, change.old.action, change.new.action) for change in changed] == [
        ("a", None, "EXPIRE"),
        ("c", "EXPIRE", "TRANSITION"),
    ]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), []),
        (("release-*",), ["a", "c"]),
        (("release-3",), []),
        (("release",), []),
        (("nothing", "v1"), ["a"]),
        (("*",), ["a", "c"]),
    ],
)
def test_a_promise_is_broken_by_what_goes(patterns: tuple[str, ...], expected: list[str]) -> None:
    assert [d.image.digest for d in rehearsal.broken_promises(GOING, patterns)] == expected
