"""A second evaluator of lifecycle policies, to hold the first against: plain loops, no care for speed.

Written from the pseudo-code of the reference (control plane, section 6.3), with the engine's types and
nothing else of it.
"""

from collections.abc import Sequence

from ecr_emu.domain.lifecycle import Image, Rule

# Digest to the action and the priority of the rule; what is claimed and kept has no action.
Outcome = dict[str, tuple[str | None, int | None]]

DAY = 24 * 60 * 60


def outcome(
    images: Sequence[Image], rules: Sequence[Rule], now: float, counts_children: bool = True
) -> Outcome:
    claimed: dict[str, Rule] = {}
    marked: dict[str, Rule] = {}
    for rule in sorted(rules, key=lambda rule: rule.priority):
        seen = [image for image in images if not is_referrer(image, images) and selects(rule, image)]
        for image in candidates(rule, seen, images, now, counts_children):
            if image.digest not in claimed:
                marked[image.digest] = rule
        for image in seen:
            claimed.setdefault(image.digest, rule)
    gone = going(images, marked)
    kept: Outcome = {image.digest: (None, None) for image in images}
    kept.update({digest: (None, rule.priority) for digest, rule in claimed.items()})
    return kept | {digest: (rule.action, rule.priority) for digest, rule in gone.items()}


def candidates(
    rule: Rule, seen: Sequence[Image], images: Sequence[Image], now: float, counts_children: bool
) -> list[Image]:
    if rule.count_type != "imageCountMoreThan":
        return [image for image in seen if now - reference_time(rule, image) > rule.count_number * DAY]
    counted = [image for image in seen if counts_children or not listed_by(image, images)]
    return [
        image for image in counted if sum(is_younger(other, image) for other in counted) >= rule.count_number
    ]


def is_younger(one: Image, other: Image) -> bool:
    if pushed(one) != pushed(other):
        return pushed(one) > pushed(other)
    if one.sequence != other.sequence:
        return one.sequence > other.sequence
    return one.digest > other.digest


def pushed(image: Image) -> float:
    return image.pushed_at if image.activated_at is None else image.activated_at


def reference_time(rule: Rule, image: Image) -> float:
    if rule.count_type == "sinceImageTransitioned":
        assert image.archived_at is not None
        return image.archived_at
    if rule.count_type == "sinceImagePushed" or image.pulled_at is None:
        return pushed(image)
    pulled_since_restored = image.activated_at is None or image.pulled_at >= image.activated_at
    return image.pulled_at if pulled_since_restored else pushed(image)


def selects(rule: Rule, image: Image) -> bool:
    if image.status != {"standard": "ACTIVE", "archive": "ARCHIVED"}[rule.storage_class]:
        return False
    if rule.tag_status == "untagged":
        return len(image.tags) == 0
    has_prefixes = [any(tag[: len(p)] == p for tag in image.tags) for p in rule.tag_prefixes]
    has_patterns = [any(fits(p, tag) for tag in image.tags) for p in rule.tag_patterns]
    return False not in has_prefixes + has_patterns


def fits(pattern: str, tag: str) -> bool:
    if not pattern:
        return not tag
    if pattern[0] == "*":
        return fits(pattern[1:], tag) or (tag != "" and fits(pattern, tag[1:]))
    return tag != "" and tag[0] == pattern[0] and fits(pattern[1:], tag[1:])


def is_referrer(image: Image, images: Sequence[Image]) -> bool:
    return any(other.digest == image.subject_digest for other in images)


def listed_by(image: Image, images: Sequence[Image]) -> list[Image]:
    return [index for index in images if image.digest in index.children]


def going(images: Sequence[Image], marked: dict[str, Rule]) -> dict[str, Rule]:
    """Who goes, tried anew with more images saved until no index that stays lists one that goes."""
    saved: set[str] = set()
    while True:
        gone = with_referrers(images, {d: rule for d, rule in marked.items() if d not in saved}, saved)
        wrong = {
            image.digest
            for image in images
            for index in listed_by(image, images)
            if image.digest in gone and not may_go(gone[image.digest], index, gone)
        }
        if not wrong:
            return gone
        saved |= wrong


def may_go(rule: Rule, index: Image, gone: dict[str, Rule]) -> bool:
    if rule.action == "EXPIRE":
        return index.digest in gone and gone[index.digest].action == "EXPIRE"
    return index.digest in gone or index.status == "ARCHIVED"


def with_referrers(images: Sequence[Image], gone: dict[str, Rule], saved: set[str]) -> dict[str, Rule]:
    while True:
        more = {
            image.digest: gone[image.subject_digest]
            for image in images
            if image.subject_digest in gone and image.digest not in gone and image.digest not in saved
            if gone[image.subject_digest].action == "EXPIRE" or image.status == "ACTIVE"
        }
        if not more:
            return gone
        gone = gone | more
