"""Random repositories and policies for the tests of the lifecycle engine: small, and full of odd relations.

Whatever has a `random.Random` can draw them, hypothesis too.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from ecr_emu.domain.lifecycle import Image, Rule, read
from ecr_emu.domain.lifecycle_policy import canonical

DAY = 86_400
NOW = 1000 * DAY
# Ages in days. Many are whole, so that images are often exactly as old as a rule says.
AGES = (0, 0.5, 1, 1, 2, 2, 2.25, 3, 4, 5)
ARCHIVED_AGES = (89, 90, 90, 90.5, 91, 92)
TAGS = ("a", "ab", "abc", "b", "ba", "bab", "c", "ca-1", "cb-1")
PATTERNS = ("*", "a*", "*b", "*a*", "a*c", "*a*b*", "ab", "c*-1", "**", "*a*b*a*", "")
PREFIXES = ("a", "ab", "b", "c", "c*", "")


@dataclass(frozen=True, slots=True)
class World:
    """A repository and its policy, as a document too."""

    images: list[Image]
    rules: tuple[Rule, ...]
    policy: str


def world(random: Random) -> World:
    policy = canonical(json.dumps({"rules": draw_rules(random)}), json.loads)
    return World(draw_images(random), read(policy, json.loads), policy)


def draw_images(random: Random) -> list[Image]:
    digests = [f"sha256:{number:02x}" for number in range(random.randint(0, 9))]
    images = [_image(random, digest, [*digests, "sha256:gone"]) for digest in digests]
    random.shuffle(images)
    return images


def _image(random: Random, digest: str, digests: list[str]) -> Image:
    pushed_at = NOW - random.choice(AGES) * DAY
    status = random.choice(["ACTIVE"] * 6 + ["ARCHIVED", "ARCHIVED", "ACTIVATING"])
    is_restored = status == "ACTIVE" and random.random() < 0.2
    is_old = status != "ACTIVE" or is_restored
    archived_at = NOW - random.choice(ARCHIVED_AGES) * DAY if is_old else None
    return Image(
        digest=digest,
        tags=tuple(random.sample(TAGS, random.choice([0, 0, 1, 1, 2, 3]))),
        pushed_at=NOW - 200 * DAY if is_old else pushed_at,
        sequence=random.randint(0, 3),
        pulled_at=random.choice([None, NOW - random.choice(AGES) * DAY]),
        status=status,
        archived_at=archived_at,
        activated_at=NOW - random.choice(AGES) * DAY if is_restored else None,
        subject_digest=random.choice(digests) if random.random() < 0.25 else None,
        children=tuple(random.choice(digests) for _ in range(random.choice([0, 0, 0, 1, 2, 3]))),
    )


def draw_rules(random: Random) -> list[Any]:
    """The rules of a document that ECR would take."""
    selections = [
        *({"tagStatus": "tagged", **tags} for tags in _tag_lists(random)),
        *({"tagStatus": "untagged"} for _ in range(random.randint(0, 1))),
    ]
    rules = [_rule(random, selection, random.random() < 0.2) for selection in selections]
    archived = [rule for rule in rules if "storageClass" in rule["selection"]]
    if len(archived) == len(rules) or random.random() < 0.5:
        rules.append(_rule(random, {"tagStatus": "any"}, False))
    if random.random() < 0.4:
        rules.append(_rule(random, {"tagStatus": "any"}, True))
    priorities = sorted(random.sample(range(1, 30), len(rules)))
    numbered = [{"rulePriority": priority, **rule} for priority, rule in zip(priorities, rules, strict=True)]
    random.shuffle(numbered)
    return numbered


def _tag_lists(random: Random) -> list[dict[str, list[str]]]:
    """Different lists of one to three patterns or prefixes."""
    lists = {}
    for _ in range(random.randint(0, 4)):
        name, entries = random.choice([("tagPatternList", PATTERNS), ("tagPrefixList", PREFIXES)])
        chosen = random.sample(entries, random.choice([1, 1, 2, 3]))
        lists[name, frozenset(chosen)] = {name: chosen}
    return list(lists.values())


def _rule(random: Random, selection: dict[str, Any], is_archive: bool) -> dict[str, Any]:
    if is_archive:
        count = {"storageClass": "archive", **_days("Transitioned", random.choice([90, 90, 91]))}
        return {"selection": {**selection, **count}, "action": {"type": "expire"}}
    kind = random.choice(["Count", "Count", "Pushed", "Pulled"])
    count = _days(kind, random.choice([1, 2, 3]))
    if kind == "Count":
        count = {"countType": "imageCountMoreThan", "countNumber": random.choice([1, 1, 2, 3])}
    action = {"type": "expire"}
    if kind == "Pulled" or random.random() < 0.3:
        action = {"type": "transition", "targetStorageClass": "archive"}
    return {"selection": {**selection, **count}, "action": action}


def _days(event: str, number: int) -> dict[str, Any]:
    return {"countType": f"sinceImage{event}", "countUnit": "days", "countNumber": number}
