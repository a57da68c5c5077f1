"""What is true of lifecycle policies whatever the images and the rules."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_emu.domain.lifecycle import (
    DAY_SECONDS,
    LISTED_BY_INDEX,
    OLDER,
    Decision,
    Image,
    Rule,
    after,
    evaluate,
    timeline,
)
from ecr_emu.domain.wildcards import matches
from tests.domain import lifecycle_worlds, naive_lifecycle
from tests.domain.lifecycle_worlds import NOW, World

WORLDS = st.randoms(use_true_random=False).map(lifecycle_worlds.world)
Fate = tuple[str | None, Rule | None]


def decide(images: Sequence[Image], rules: Sequence[Rule], now: float = NOW) -> dict[str, Decision]:
    return {decision.image.digest: decision for decision in evaluate(images, rules, now).decisions}


def fates(images: Sequence[Image], rules: Sequence[Rule], now: float = NOW) -> dict[str, Fate]:
    return {digest: (d.action, d.rule) for digest, d in decide(images, rules, now).items()}


def without_indexes(images: Sequence[Image]) -> list[Image]:
    return [replace(image, children=()) for image in images]


@given(WORLDS)
def test_every_image_gets_one_decision_and_goes_by_one_rule_or_none(world: World) -> None:
    decisions = evaluate(world.images, world.rules, NOW).decisions
    assert sorted(d.image.digest for d in decisions) == sorted(image.digest for image in world.images)
    for decision in decisions:
        assert decision.action is None or (decision.rule and decision.action == decision.rule.action)
        assert decision.why.startswith("stays: ") == (decision.action is None)


@given(WORLDS)
def test_the_first_rule_that_selects_an_image_has_it(world: World) -> None:
    for image, decision in ((d.image, d) for d in decide(world.images, world.rules).values()):
        if not naive_lifecycle.is_referrer(image, world.images):
            selecting = [rule for rule in world.rules if naive_lifecycle.selects(rule, image)]
            assert decision.rule == min(selecting, key=lambda rule: rule.priority, default=None)


@given(WORLDS)
def test_a_lower_rule_changes_nothing_for_images_of_a_higher_one_where_there_are_no_indexes(
    world: World,
) -> None:
    images, lowest = without_indexes(world.images), world.rules[-1]
    before = fates(images, world.rules[:-1])
    for digest, (action, rule) in fates(images, world.rules).items():
        assert rule == lowest or (action, rule) == before[digest]


@given(WORLDS)
def test_with_indexes_a_lower_rule_saves_nobody_and_lets_go_only_who_waited_for_an_index(
    world: World,
) -> None:
    """It may take the index that an image of a higher rule waited for, and the referrers with the image."""
    lowest, before = world.rules[-1], decide(world.images, world.rules[:-1])
    for digest, decision in decide(world.images, world.rules).items():
        earlier = before[digest]
        if earlier.action:
            assert (decision.action, decision.rule) == (earlier.action, earlier.rule)
        elif decision.action and decision.rule != lowest:
            referrer = naive_lifecycle.is_referrer(decision.image, world.images)
            assert earlier.code == LISTED_BY_INDEX or referrer


@given(WORLDS, st.randoms(use_true_random=False))
def test_the_order_of_images_and_rules_does_not_matter(world: World, random: Random) -> None:
    images, rules = world.images[:], list(world.rules)
    random.shuffle(images)
    random.shuffle(rules)
    assert evaluate(images, rules, NOW) == evaluate(world.images, world.rules, NOW)


@given(WORLDS)
def test_a_child_of_an_index_that_is_kept_never_goes(world: World) -> None:
    decisions = decide(world.images, world.rules)
    for index in decisions.values():
        for child in (decisions[digest] for digest in index.image.children if digest in decisions):
            if index.action is None:
                assert child.action is None or (child.action, index.image.status) == (
                    "TRANSITION",
                    "ARCHIVED",
                )
            else:
                assert child.action != "EXPIRE" or index.action == "EXPIRE"


@given(WORLDS)
def test_a_referrer_goes_as_its_subject_or_stays(world: World) -> None:
    said = fates(world.images, world.rules)
    for image in world.images:
        if image.subject_digest in said:
            assert said[image.digest] in (said[image.subject_digest], (None, None))


@given(WORLDS, st.floats(0, 1))
def test_nothing_changes_until_the_next_change(world: World, part: float) -> None:
    evaluation = evaluate(world.images, world.rules, NOW)
    due, actions = evaluation.next_change_at, fates(world.images, world.rules)
    last = NOW + 500 * DAY_SECONDS if due is None else due
    assert last >= NOW
    assert fates(world.images, world.rules, last) == actions
    assert fates(world.images, world.rules, NOW + part * (last - NOW)) == actions


@given(WORLDS)
def test_an_image_gets_too_old_just_after_the_next_change(world: World) -> None:
    due = evaluate(world.images, world.rules, NOW).next_change_at
    if due is not None:
        before, then = decide(world.images, world.rules), decide(world.images, world.rules, due + 0.001)
        aged = [digest for digest, d in then.items() if d.code != before[digest].code]
        assert {then[digest].code for digest in aged} & {OLDER, LISTED_BY_INDEX}


@given(WORLDS)
def test_what_was_carried_out_is_not_done_again(world: World) -> None:
    images: Sequence[Image] = world.images
    for _ in range(len(images) + 1):
        evaluation = evaluate(images, world.rules, NOW)
        left = after(images, evaluation, NOW)
        assert len(left) == sum(decision.action != "EXPIRE" for decision in evaluation.decisions)
        images = left
    assert all(decision.action is None for decision in evaluate(images, world.rules, NOW).decisions)


# A week from now, and a week ninety days later, when what was archived may expire.
QUARTERS = [*range(7 * 4), *range(88 * 4, 95 * 4)]


@settings(max_examples=30)
@given(WORLDS)
def test_the_timeline_is_what_looking_every_quarter_of_a_day_finds(world: World) -> None:
    """All ages are quarters of days; what was archived a second behind one expires two seconds behind one."""
    images, found = world.images, []
    for now in (NOW + quarter * DAY_SECONDS / 4 + second for quarter in QUARTERS for second in range(3)):
        while goers := [d for d in evaluate(images, world.rules, now).decisions if d.action]:
            found += [(now, d.image.digest, d.action) for d in goers]
            images = after(images, evaluate(images, world.rules, now), now)
    told = timeline(world.images, world.rules, NOW, NOW + 94.9 * DAY_SECONDS)
    assert [(at, d.image.digest, d.action) for at, d in told] == found


TAGS = st.text("ab.-", min_size=1, max_size=6)


@given(st.lists(TAGS, max_size=4), st.text("ab.-*", max_size=8))
def test_a_pattern_selects_what_it_matches(tags: list[str], pattern: str) -> None:
    rule = Rule(1, "tagged", "imageCountMoreThan", 1, tag_patterns=(pattern,))
    decision = decide([Image("a", tuple(tags))], [rule])["a"]
    assert (decision.rule is not None) == any(matches(pattern, tag) for tag in tags)


@given(st.lists(TAGS, max_size=4), st.text("ab.-*", max_size=3))
def test_a_prefix_selects_what_begins_with_it(tags: list[str], prefix: str) -> None:
    rule = Rule(1, "tagged", "imageCountMoreThan", 1, tag_prefixes=(prefix,))
    decision = decide([Image("a", tuple(tags))], [rule])["a"]
    assert (decision.rule is not None) == any(tag.startswith(prefix) for tag in tags)
