"""How indexes and subjects bind images together when lifecycle rules act.

A referrer goes with its subject, and an image that an index lists not before the index (Amazon ECR user
guide, Lifecycle policy evaluation rules). Images are known by their places in a sequence, and `leaving` holds
at each place the rule that the image goes by, or None.
"""

from collections.abc import Sequence
from itertools import chain

from ecr_emu.domain.lifecycle_rules import ACTIVE, ARCHIVED, EXPIRE, Image, Rule

Leaving = list[Rule | None]


class Relations:
    """Who lists whom and who refers to whom, among images that are all present."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = images
        self.subjects: dict[int, int] = {}
        self.indexes: dict[int, list[int]] = {}
        self._referrers: dict[int, list[int]] = {}
        self._children: dict[int, list[int]] = {}
        named = {image.subject_digest for image in images}
        named.update(chain.from_iterable(image.children for image in images))
        places = {image.digest: place for place, image in enumerate(images) if image.digest in named}
        for place, image in enumerate(images):
            if image.subject_digest in places:
                self._refer(place, places[image.subject_digest])
            for digest in image.children:
                if digest in places:
                    self._list(place, places[digest])

    def _refer(self, referrer: int, subject: int) -> None:
        self.subjects[referrer] = subject
        self._referrers.setdefault(subject, []).append(referrer)

    def _list(self, index: int, child: int) -> None:
        self.indexes.setdefault(child, []).append(index)
        self._children.setdefault(index, []).append(child)

    def follow(self, leaving: Leaving) -> None:
        """Let referrers go by the rules of their subjects. Only what is active can be archived."""
        subjects = [subject for subject in self._referrers if leaving[subject]]
        for subject in subjects:
            rule = leaving[subject]
            for referrer in self._referrers.get(subject, ()):
                if rule and (rule.action == EXPIRE or self._images[referrer].status == ACTIVE):
                    leaving[referrer] = rule
                    subjects.append(referrer)

    def protect(self, leaving: Leaving) -> None:
        """Keep what an index lists that stays, and what refers to an image that is kept.

        Everybody goes until found to stay: so images that list each other in a circle do not keep each other.
        """
        kept = [
            child
            for child, indexes in self.indexes.items()
            if (rule := leaving[child]) and any(self._holds(index, rule, leaving) for index in indexes)
        ]
        for place in kept:
            if leaving[place]:
                leaving[place] = None
                kept += self._referrers.get(place, ())
                kept += (
                    child
                    for child in self._children.get(place, ())
                    if (rule := leaving[child]) and self._holds(place, rule, leaving)
                )

    def keeper(self, child: int, rule: Rule, leaving: Leaving) -> int:
        """The oldest index that keeps an image from going by a rule."""
        return next(index for index in self.indexes[child] if self._holds(index, rule, leaving))

    def _holds(self, index: int, rule: Rule, leaving: Leaving) -> bool:
        """An index lets an image expire when it expires too, and be archived when it is or goes."""
        of_index = leaving[index]
        if rule.action == EXPIRE:
            return of_index is None or of_index.action != EXPIRE
        return of_index is None and self._images[index].status != ARCHIVED
