"""Which rule claims an image, and whether it goes or stays by it (Amazon ECR user guide, Lifecycle policy
evaluation rules): every rule looks at all images that it selects, and the first to select one claims it.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import Any

from ecr_emu.domain.lifecycle_reasons import (
    MORE_THAN,
    NOT_COUNTED,
    NOT_SELECTED,
    OLDER,
    OUTRANKED,
    WITHIN_COUNT,
    YOUNG_ENOUGH,
)
from ecr_emu.domain.lifecycle_rules import DAY_SECONDS, REFERENCE_TIMES, Image, Rule

GOING = (MORE_THAN, OLDER)
_KEPT_BY_ITS_RULE = (WITHIN_COUNT, YOUNG_ENOUGH, NOT_COUNTED)


class Claims:
    """What the rules say of each image, images being known by their places.

    Rules are applied by priority. `abouts` holds the rank of an image that was counted, and the rule that
    would have acted on an image that is outranked.
    """

    def __init__(self, images: Sequence[Image], now: float) -> None:
        self.rules: list[Rule | None] = [None] * len(images)
        self.codes = [NOT_SELECTED] * len(images)
        self.abouts: list[Any] = [None] * len(images)
        self.next_change_at: float | None = None
        self._images = images
        self._now = now
        self._times: dict[str, list[float]] = {}

    def apply(self, rule: Rule, places: Sequence[int], uncounted: Collection[int]) -> None:
        """Claim what the rule selects, youngest first. `uncounted` are claimed and have no rank."""
        if rule.count_type in REFERENCE_TIMES:
            self._apply_age(rule, places)
            return
        if uncounted:
            self._keep(rule, NOT_COUNTED, ((place, None) for place in places if place in uncounted))
            places = [place for place in places if place not in uncounted]
        number = rule.count_number
        self._keep(rule, WITHIN_COUNT, zip(places[:number], count(1), strict=False))
        self._take(rule, MORE_THAN, zip(places[number:], count(number + 1), strict=False))

    def _apply_age(self, rule: Rule, places: Sequence[int]) -> None:
        limit, now, rules = rule.count_number * DAY_SECONDS, self._now, self.rules
        times = self._times_of(rule.count_type)
        young = [place for place in places if rules[place] is None and times[place] + limit >= now]
        self._take(rule, OLDER, ((place, None) for place in places if times[place] + limit < now))
        self._keep(rule, YOUNG_ENOUGH, ((place, None) for place in young))
        if young:
            self._will_change(min(times[place] for place in young) + limit)

    def _times_of(self, count_type: str) -> list[float]:
        if count_type not in self._times:
            self._times[count_type] = list(map(REFERENCE_TIMES[count_type], self._images))
        return self._times[count_type]

    def _will_change(self, at: float) -> None:
        if self.next_change_at is None or at < self.next_change_at:
            self.next_change_at = at

    def _keep(self, rule: Rule, code: str, found: Iterable[tuple[int, Any]]) -> None:
        rules, codes, abouts = self.rules, self.codes, self.abouts
        for place, about in found:
            if rules[place] is None:
                rules[place], codes[place], abouts[place] = rule, code, about

    def _take(self, rule: Rule, code: str, found: Iterable[tuple[int, Any]]) -> None:
        rules, codes, abouts = self.rules, self.codes, self.abouts
        for place, about in found:
            if rules[place] is None:
                rules[place], codes[place], abouts[place] = rule, code, about
            elif codes[place] in _KEPT_BY_ITS_RULE:
                codes[place], abouts[place] = OUTRANKED, rule
