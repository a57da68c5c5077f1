"""Why an image goes or stays, in a word for programs and a sentence for people."""

from collections.abc import Callable, Mapping
from typing import Any

from ecr_emu.domain.lifecycle_rules import DAY_SECONDS, EXPIRE, REFERENCE_TIMES, Image, Rule

# It goes:
OLDER = "OLDER"
MORE_THAN = "MORE_THAN"
FOLLOWS_SUBJECT = "FOLLOWS_SUBJECT"
# It stays, because of its own rule or for want of one:
NOT_SELECTED = "NOT_SELECTED"
YOUNG_ENOUGH = "YOUNG_ENOUGH"
WITHIN_COUNT = "WITHIN_COUNT"
NOT_COUNTED = "NOT_COUNTED"
OUTRANKED = "OUTRANKED"
ACTIVATING = "ACTIVATING"
# It stays, because another image does:
LISTED_BY_INDEX = "LISTED_BY_INDEX"
SUBJECT_STAYS = "SUBJECT_STAYS"
ALREADY_ARCHIVED = "ALREADY_ARCHIVED"

# Of an image, the rule that claims it, and what the code is about: a rank, another rule or another image.
Sentence = Callable[[Image, Any, Any, float], str]


def sentence(code: str, image: Image, rule: Rule | None, about: Any, now: float) -> str:
    """What happened, with its numbers."""
    return _SENTENCES[code](image, rule, about, now)


def _short(image: Image) -> str:
    return f"{image.digest[:19]}…"


def _verb(rule: Rule) -> str:
    return "expire" if rule.action == EXPIRE else "archive"


def _event(image: Image, count_type: str) -> str:
    """What happened to the image at the time from which its age is counted."""
    reference = REFERENCE_TIMES[count_type](image)
    if count_type == "sinceImageTransitioned" and image.archived_at is not None:
        return "archived"
    if count_type == "sinceImagePulled" and reference == image.pulled_at:
        return "pulled"
    return "pushed" if image.activated_at is None else "restored"


def _age(image: Image, count_type: str, now: float) -> str:
    days = (now - REFERENCE_TIMES[count_type](image)) / DAY_SECONDS
    return f"{_event(image, count_type)} {days:.1f} days ago"


def _older(image: Image, rule: Rule, about: Any, now: float) -> str:
    return f"rule {rule.priority}: {_age(image, rule.count_type, now)}, limit {rule.count_number}"


def _more_than(image: Image, rule: Rule, rank: int, now: float) -> str:
    return f"rule {rule.priority}: number {rank} by push time, keeps {rule.count_number}"


def _follows_subject(image: Image, rule: Rule, subject: Image, now: float) -> str:
    return f"rule {rule.priority}: goes with its subject {_short(subject)}"


def _young_enough(image: Image, rule: Rule, about: Any, now: float) -> str:
    age = _age(image, rule.count_type, now)
    return f"stays: {age}, limit of rule {rule.priority} {rule.count_number}"


def _within_count(image: Image, rule: Rule, rank: int, now: float) -> str:
    return f"stays: number {rank} of the {rule.count_number} that rule {rule.priority} keeps"


def _not_counted(image: Image, rule: Rule, about: Any, now: float) -> str:
    return f"stays: an index lists it, and rule {rule.priority} does not count such images"


def _outranked(image: Image, rule: Rule, rival: Rule, now: float) -> str:
    would = f"rule {rival.priority} would {_verb(rival)} it"
    return f"stays: {would}, but rule {rule.priority} has a higher priority and claims it"


def _listed_by_index(image: Image, rule: Any, index: tuple[Image, bool], now: float) -> str:
    keeper, stays = index
    return f"stays: the index {_short(keeper)} that lists it {'stays' if stays else 'is only archived'}"


def _subject_stays(image: Image, rule: Any, subject: Image, now: float) -> str:
    return f"stays: its subject {_short(subject)} stays"


_SENTENCES: Mapping[str, Sentence] = {
    OLDER: _older,
    MORE_THAN: _more_than,
    FOLLOWS_SUBJECT: _follows_subject,
    NOT_SELECTED: lambda *_: "stays: no rule selects it",
    YOUNG_ENOUGH: _young_enough,
    WITHIN_COUNT: _within_count,
    NOT_COUNTED: _not_counted,
    OUTRANKED: _outranked,
    ACTIVATING: lambda *_: "stays: it is being restored",
    LISTED_BY_INDEX: _listed_by_index,
    SUBJECT_STAYS: _subject_stays,
    ALREADY_ARCHIVED: lambda *_: "stays: it is archived already, as its subject is now",
}
