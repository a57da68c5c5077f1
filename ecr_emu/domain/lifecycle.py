"""What a lifecycle policy does to the images of a repository at some time, and why.

Pure: images, rules and a time in, a decision for every image out. The algorithm is the one of the Amazon ECR
user guide (Lifecycle policy evaluation rules): all rules see all images; a rule claims what its tags match,
whether it acts or not; an image goes by the rule of the highest priority that claims it, or stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecr_emu.domain.lifecycle_claims import GOING, Claims
from ecr_emu.domain.lifecycle_reasons import (
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
    sentence,
)
from ecr_emu.domain.lifecycle_relations import Leaving, Relations
from ecr_emu.domain.lifecycle_rules import ARCHIVED, DAY_SECONDS, EXPIRE, Image, Rule, pushed, read
from ecr_emu.domain.lifecycle_selection import select

__all__ = [
    "ACTIVATING",
    "ALREADY_ARCHIVED",
    "DAY_SECONDS",
    "FOLLOWS_SUBJECT",
    "LISTED_BY_INDEX",
    "MORE_THAN",
    "NOT_COUNTED",
    "NOT_SELECTED",
    "OLDER",
    "OUTRANKED",
    "SUBJECT_STAYS",
    "WITHIN_COUNT",
    "YOUNG_ENOUGH",
    "Decision",
    "Evaluation",
    "Image",
    "Rule",
    "after",
    "evaluate",
    "read",
    "timeline",
]

# What rules of a storage class see. An image that is being restored is seen by none (inferred).
_CLASSES = {"ACTIVE": "standard", "ARCHIVED": "archive"}
# How much later than the last second of an image the time line looks again.
_JUST_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an image. `action` is EXPIRE, TRANSITION or None: it stays.

    `rule` is the one that the image goes by, or that claimed it, or None. `code` says why in a word for
    programs, `why` in a sentence for people.
    """

    image: Image
    action: str | None
    rule: Rule | None
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A decision for every image, oldest first by pushed time, sequence and digest.

    `next_change_at`: until then (that second included) the same images and rules give the same actions, but
    for what carrying them out changes; None when no later time changes anything.
    """

    decisions: tuple[Decision, ...]
    next_change_at: float | None


def evaluate(
    images: Sequence[Image], rules: Sequence[Rule], now: float, *, counts_children: bool = True
) -> Evaluation:
    """What the rules do to the images at `now`.

    With `counts_children` false, imageCountMoreThan does not count what an index lists; whether ECR does is
    not known.
    """
    ordered = sorted(images, key=lambda image: (pushed(image), image.sequence, image.digest))
    relations = Relations(ordered)
    claims = Claims(ordered, now)
    uncounted = () if counts_children else relations.indexes
    rules = sorted(rules, key=lambda rule: rule.priority)
    for rule, places in zip(rules, select(ordered, _visible(ordered, relations), rules), strict=True):
        claims.apply(rule, places, uncounted)
    leaving = [rule if code in GOING else None for rule, code in zip(claims.rules, claims.codes, strict=True)]
    relations.follow(leaving)
    relations.protect(leaving)
    verdict = _Verdict(ordered, claims, relations, leaving, now)
    return Evaluation(tuple(map(verdict.of, range(len(ordered)))), claims.next_change_at)


def _visible(images: Sequence[Image], relations: Relations) -> dict[str, list[int]]:
    """The places of the images that rules look at, youngest first, by storage class."""
    places: dict[str, list[int]] = {storage_class: [] for storage_class in _CLASSES.values()}
    for place in range(len(images) - 1, -1, -1):
        storage_class = _CLASSES.get(images[place].status)
        if storage_class and place not in relations.subjects:
            places[storage_class].append(place)
    return places


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Puts together what is known of an image."""

    images: Sequence[Image]
    claims: Claims
    relations: Relations
    leaving: Leaving
    now: float

    def of(self, place: int) -> Decision:
        image, goes_by = self.images[place], self.leaving[place]
        code, about = self._reason(place)
        rule = goes_by or self.claims.rules[place]
        why = sentence(code, image, rule, about, self.now)
        return Decision(image, goes_by.action if goes_by else None, rule, code, why)

    def _reason(self, place: int) -> tuple[str, Any]:
        if place in self.relations.subjects:
            return self._reason_of_referrer(place, self.relations.subjects[place])
        code, rule = self.claims.codes[place], self.claims.rules[place]
        if rule and code in GOING and not self.leaving[place]:
            return LISTED_BY_INDEX, self._keeper(place, rule)
        if not rule and self.images[place].status == "ACTIVATING":
            return ACTIVATING, None
        return code, self.claims.abouts[place]

    def _reason_of_referrer(self, place: int, subject: int) -> tuple[str, Any]:
        rule, status = self.leaving[subject], self.images[place].status
        if rule is None:
            return SUBJECT_STAYS, self.images[subject]
        if self.leaving[place]:
            return FOLLOWS_SUBJECT, self.images[subject]
        if rule.action == EXPIRE or status == "ACTIVE":
            return LISTED_BY_INDEX, self._keeper(place, rule)
        return (ALREADY_ARCHIVED if status == ARCHIVED else ACTIVATING), None

    def _keeper(self, place: int, rule: Rule) -> tuple[Image, bool]:
        """The index that keeps an image, and whether it stays itself."""
        index = self.relations.keeper(place, rule, self.leaving)
        return self.images[index], self.leaving[index] is None


def after(images: Sequence[Image], evaluation: Evaluation, now: float) -> list[Image]:
    """The images once the decisions were carried out, all at `now`."""
    actions = {decision.image.digest: decision.action for decision in evaluation.decisions}
    return [
        image if actions[image.digest] is None else replace(image, status=ARCHIVED, archived_at=now)
        for image in images
        if actions[image.digest] != EXPIRE
    ]


def timeline(
    images: Sequence[Image], rules: Sequence[Rule], start: float, end: float, *, counts_children: bool = True
) -> Iterator[tuple[float, Decision]]:
    """What goes when, if nobody pushes or pulls: each decision that acts, with its time, in order."""
    now: float | None = start
    while now is not None and now <= end:
        evaluation = evaluate(images, rules, now, counts_children=counts_children)
        goers = [decision for decision in evaluation.decisions if decision.action]
        yield from ((now, decision) for decision in goers)
        images = after(images, evaluation, now)
        if not goers:
            due = evaluation.next_change_at
            now = None if due is None else due + _JUST_AFTER_SECONDS
