"""What lifecycle rules do to images, and to images that are bound to each other."""

import json
from dataclasses import replace

import pytest

from ecr_emu.domain.lifecycle import Image, Rule, read
from tests.domain.lifecycle_images import (
    ARCHIVE_OLD,
    ARCHIVED,
    OLD,
    archived,
    at,
    count,
    decide,
    image,
    index,
    referrer,
)


def actions(images: list[Image], *rules: Rule) -> dict[str, str | None]:
    return {digest: decision.action for digest, decision in decide(images, *rules).items()}


def gone(images: list[Image], *rules: Rule) -> str:
    """The digests of what goes, oldest first."""
    return " ".join(digest for digest, action in actions(images, *rules).items() if action)


# Order, age and reference times.


def test_decisions_come_oldest_first_by_push_sequence_and_digest() -> None:
    images = [
        image("sha256:f", 1),
        image("sha256:e", 2, sequence=1),
        image("sha256:d", 2, sequence=2),
        image("sha256:c", 2, sequence=1),
        image("sha256:b", 9, activated_at=at(0)),
        image("sha256:a", 3),
    ]
    assert [digest[-1] for digest in decide(images)] == ["a", "c", "e", "d", "f", "b"]
    assert gone(images, count(1, 3)) == "sha256:a sha256:c sha256:e"


def test_an_image_of_exactly_the_age_stays() -> None:
    assert gone([image("a", 30), image("b", 30.00001)], OLD) == "b"


@pytest.mark.parametrize("status", ["ARCHIVED", "ACTIVATING"])
def test_rules_of_the_standard_class_do_not_see_what_is_not_active(status: str) -> None:
    images = [image("a", 40, status=status), image("b", 39), image("c", 38)]
    assert gone(images, count(1, 1)) == "b"


def test_archived_images_are_counted_from_the_push_where_nobody_noted_when_they_were_archived() -> None:
    assert gone([replace(archived("a", 0), archived_at=None)], ARCHIVED) == "a"


# Tags. What wildcards match is checked against `wildcards.matches` in test_lifecycle_properties.


@pytest.mark.parametrize(
    ("tags", "patterns", "is_selected"),
    [
        (["repo-production"], ["*prod*"], True),
        (["Prod"], ["prod*"], False),
        (["v1", "prod"], ["v*", "prod"], True),
        (["v1-prod"], ["v*", "*prod"], True),
        (["v1"], ["v*", "prod"], False),
        (["a", "b"], ["a*b"], False),
        (["a", "b"], ["*a*b*"], False),
        ([], ["*"], False),
        (["a", "b"], ["a\nb"], False),
        (["v1+2"], ["v?+2"], False),
        (["v.x"], ["v.*"], True),
        (["vyx"], ["v.*x"], False),
    ],
)
def test_each_pattern_needs_a_tag(tags: list[str], patterns: list[str], is_selected: bool) -> None:
    rule = Rule(1, "tagged", "sinceImagePushed", 30, tag_patterns=tuple(patterns))
    assert bool(gone([image("a", 40, *tags)], rule)) == is_selected


@pytest.mark.parametrize(("prefix", "is_selected"), [("", True), ("a", True), ("*", False), ("a\nb", False)])
def test_a_prefix_has_no_wildcards(prefix: str, is_selected: bool) -> None:
    rule = Rule(1, "tagged", "sinceImagePushed", 30, tag_prefixes=(prefix,))
    assert bool(gone([image("a", 40, "a", "b")], rule)) == is_selected


def test_a_pattern_that_almost_matches_everywhere_is_quick() -> None:
    images = [image("a", 40, "b", *(f"{number:02}" + "a" * 126 for number in range(100)))]
    assert decide(images, count(1, 1, "*a*a*a*a*a*a*a*b"))["a"].rule is None


def test_rules_with_an_entry_in_common_share_the_search_only() -> None:
    images = [
        image("a", 4, "dev-1", "x"),
        image("b", 3, "dev-2", "y"),
        image("c", 2, "dev-3", "x", "y"),
        image("d", 1, "x"),
        replace(archived("e", 200), tags=("dev-4",)),
    ]
    rules = [
        count(1, 1, "dev-*", "x"),
        count(2, 1, "y", "dev-*"),
        replace(ARCHIVED, priority=3, tag_status="tagged", tag_prefixes=("dev-",)),
    ]
    assert gone(images, *rules) == "e a b"


def test_more_images_than_are_searched_at_once_keep_their_order() -> None:
    images = [image(f"{number:05}", 50 - number / 1000, *["x"] * (number % 2)) for number in range(5_000)]
    tagged, untagged = count(1, 100, "x"), replace(OLD, priority=2, tag_status="untagged")
    oldest, rest = range(1, 5_000 - 200, 2), range(0, 5_000, 2)
    assert gone(images, tagged, untagged).split() == sorted(f"{number:05}" for number in (*oldest, *rest))


# Referrers.


def test_referrers_are_not_counted_and_go_with_their_subject() -> None:
    images = [image("a", 3), image("b", 2), referrer("c", "a"), referrer("d", "c"), referrer("e", "b")]
    decisions = decide(images, count(7, 1))
    assert [digest for digest, decision in decisions.items() if decision.action == "EXPIRE"] == [
        "a",
        "c",
        "d",
    ]
    assert {decisions[digest].rule for digest in "acd"} == {count(7, 1)}
    assert decisions["e"].rule is None


def test_a_referrer_without_its_subject_is_an_image_as_any() -> None:
    assert gone([referrer("a", "gone", 3), image("b", 2)], count(1, 1)) == "a"


@pytest.mark.parametrize(
    ("status", "action"), [("ACTIVE", "TRANSITION"), ("ARCHIVED", None), ("ACTIVATING", None)]
)
def test_only_an_active_referrer_is_archived_with_its_subject(status: str, action: str | None) -> None:
    images = [image("a", 40), referrer("b", "a", status=status), referrer("c", "b")]
    assert actions(images, ARCHIVE_OLD) == {"a": "TRANSITION", "b": action, "c": action}
    assert gone(images, OLD) == "a b c"


def test_referrers_in_a_circle_stay() -> None:
    assert gone([referrer("a", "b", 40), referrer("b", "a", 40), referrer("c", "c", 40)], OLD) == ""


# Indexes.


def test_a_child_waits_for_its_index() -> None:
    images = [image("a", 50), image("b", 49), index("c", 10, "a", "gone")]
    assert gone(images, OLD) == "b"
    assert gone([*images, index("d", 9)], count(1, 1)) == "a b c"


def test_a_child_waits_for_all_its_indexes() -> None:
    images = [image("a", 50), index("b", 49, "a"), index("c", 10, "a")]
    assert gone(images, OLD) == "b"


def test_children_of_an_index_that_goes_are_not_taken_along() -> None:
    assert gone([image("a", 5), index("b", 40, "a")], OLD) == "b"


def test_children_of_children_wait_too() -> None:
    images = [image("a", 50), index("b", 49, "a"), index("c", 48, "b"), index("d", 1, "c")]
    assert gone(images, OLD) == ""
    assert gone(images[:3], OLD) == "a b c"


def test_what_follows_a_child_that_waits_waits_too() -> None:
    images = [image("a", 50), referrer("b", "a"), index("c", 1, "a")]
    assert gone(images, OLD) == ""


def test_a_referrer_that_an_index_lists_waits_for_the_index() -> None:
    images = [image("a", 50), referrer("b", "a"), image("c", 50, subject_digest="b"), index("d", 1, "b")]
    assert gone(images, OLD) == "a"


def test_a_child_of_an_index_that_follows_goes_with_it() -> None:
    images = [image("a", 50), referrer("b", "a", children=("c",)), image("c", 50)]
    assert gone(images, OLD) == "a c b"


@pytest.mark.parametrize(
    ("child", "of_index", "index_status", "goes"),
    [
        ("EXPIRE", "EXPIRE", "ACTIVE", True),
        ("EXPIRE", "TRANSITION", "ACTIVE", False),
        ("EXPIRE", None, "ARCHIVED", False),
        ("TRANSITION", "EXPIRE", "ACTIVE", True),
        ("TRANSITION", "TRANSITION", "ACTIVE", True),
        ("TRANSITION", None, "ARCHIVED", True),
        ("TRANSITION", None, "ACTIVE", False),
        ("TRANSITION", None, "ACTIVATING", False),
    ],
)
def test_an_index_lets_its_children_do_what_it_does(
    child: str, of_index: str | None, index_status: str, goes: bool
) -> None:
    by_tag = Rule(0, "tagged", "sinceImagePushed", 30, tag_patterns=("child",))
    rules = [replace(by_tag, action=child)]
    if of_index:
        rules.append(replace(OLD, action=of_index))
    images = [image("a", 50, "child"), index("b", 49, "a", status=index_status, archived_at=at(1))]
    assert actions(images, *rules) == {"a": child if goes else None, "b": of_index}


def test_images_that_list_each_other_go_together() -> None:
    images = [index("a", 50, "b", "a"), index("b", 49, "a", "a")]
    assert gone(images, OLD) == "a b"
    assert gone([*images, index("c", 1, "b")], OLD) == ""


def test_a_long_chain_of_indexes_is_followed_to_its_end() -> None:
    chain = [index(f"{number:05}", 50, f"{number + 1:05}") for number in range(20_000)]
    assert gone([*chain, index("x", 1, "00000")], OLD) == ""
    assert len(gone(chain, OLD).split()) == 20_000


def test_children_are_counted_unless_that_is_switched_off() -> None:
    images = [index("a", 9, "b", "c"), image("b", 8), image("c", 8), image("d", 2)]
    assert gone(images, count(1, 3)) == "a"
    assert gone([*images, image("e", 1)], count(1, 3)) == "a b"
    decisions = decide(images, count(1, 3), counts_children=False)
    assert {decision.action for decision in decisions.values()} == {None}
    assert {decision.rule for decision in decisions.values()} == {count(1, 3)}


def test_a_child_that_is_not_counted_still_ages() -> None:
    images = [image("a", 50), index("b", 49, "a")]
    assert [d.action for d in decide(images, OLD, counts_children=False).values()] == ["EXPIRE", "EXPIRE"]


# Reading a policy.


def test_a_policy_is_read_by_priority() -> None:
    text = json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 20,
                    "description": "old ones",
                    "selection": {
                        "tagStatus": "tagged",
                        "tagPatternList": ["b*", "a*"],
                        "storageClass": "archive",
                        "countType": "sinceImageTransitioned",
                        "countUnit": "days",
                        "countNumber": 90,
                    },
                    "action": {"type": "expire"},
                },
                {
                    "rulePriority": 3,
                    "selection": {
                        "tagStatus": "tagged",
                        "tagPrefixList": ["v"],
                        "countType": "imageCountMoreThan",
                        "countNumber": 5,
                    },
                    "action": {"type": "transition", "targetStorageClass": "archive"},
                },
            ]
        }
    )
    assert read(text, json.loads) == (
        Rule(3, "tagged", "imageCountMoreThan", 5, "TRANSITION", "standard", (), ("v",)),
        Rule(
            20,
            "tagged",
            "sinceImageTransitioned",
            90,
            storage_class="archive",
            tag_patterns=("b*", "a*"),
            description="old ones",
        ),
    )
