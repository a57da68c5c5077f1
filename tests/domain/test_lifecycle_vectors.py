"""The test vectors of the reference (control plane, section 6.5), each with what it rests on.

documented: images and outcome are in the Amazon ECR user guide, Examples of lifecycle policies. observed:
seen on AWS. inferred: made up from the documented rules, so it holds the engine to our reading only.
"""

from dataclasses import dataclass, replace

import pytest

from ecr_emu.domain.lifecycle import DAY_SECONDS, Image, Rule, evaluate

GUIDE = "Amazon ECR user guide, Examples of lifecycle policies"
EVIDENCE = ("documented", "observed", "inferred")
NOW = 1000.0 * DAY_SECONDS


def at(days_ago: float) -> float:
    return NOW - days_ago * DAY_SECONDS


def image(name: str, days_ago: float, *tags: str) -> Image:
    return Image(name, tags, at(days_ago))


def keep(priority: int, number: int, status: str = "tagged", **tags: tuple[str, ...]) -> Rule:
    return Rule(priority, status, "imageCountMoreThan", number, **tags)


def older(priority: int, days: int, status: str = "tagged", **tags: tuple[str, ...]) -> Rule:
    return Rule(priority, status, "sinceImagePushed", days, **tags)


@dataclass(frozen=True)
class Vector:
    """`gone` holds, for each image that goes, the priority of the rule."""

    number: int
    source: str
    evidence: str
    images: list[Image]
    rules: list[Rule]
    gone: dict[str, int]
    action: str = "EXPIRE"


PROD_AND_BETA = [
    image("A", 10, "beta-1", "prod-1"),
    image("B", 9, "beta-2", "prod-2"),
    image("C", 8, "beta-3"),
]
ALPHA_AND_BETA = [
    image("A", 12, "alpha-1"),
    image("B", 11, "beta-1"),
    image("C", 10, "alpha-2", "beta-2"),
    image("D", 4, "alpha-3"),
    image("E", 3, "beta-3"),
    image("F", 2, "alpha-4", "beta-4"),
]
# 24 images by themselves, and an index with two untagged children that are the oldest of all.
MULTI_ARCH = [
    image("child-1", 50),
    image("child-2", 49),
    *(image(f"image-{number:02}", 40 - number, f"v{number}") for number in range(23)),
    replace(image("index", 2, "latest"), children=("child-1", "child-2")),
]

VECTORS = [
    Vector(
        1,
        f"{GUIDE}, Filtering on multiple rules, example A",
        "documented",
        PROD_AND_BETA,
        [keep(1, 1, tag_prefixes=("prod",)), keep(2, 1, tag_prefixes=("beta",))],
        {"A": 1},
    ),
    Vector(
        2,
        f"{GUIDE}, Filtering on multiple rules, example B",
        "documented",
        PROD_AND_BETA,
        [keep(1, 1, tag_prefixes=("beta",)), keep(2, 1, tag_prefixes=("prod",))],
        {"A": 1, "B": 1},
    ),
    Vector(
        3,
        f"{GUIDE}, Filtering on multiple tags in a single rule, example A",
        "documented",
        ALPHA_AND_BETA,
        [older(1, 5, tag_prefixes=("alpha", "beta"))],
        {"C": 1},
    ),
    Vector(
        4,
        f"{GUIDE}, Filtering on multiple tags in a single rule, example B",
        "documented",
        [
            image("A", 10, "alpha-1", "beta-1", "gamma-1"),
            image("B", 9, "alpha-2", "beta-2"),
            image("C", 8, "alpha-3", "beta-3", "gamma-2"),
        ],
        [keep(1, 1, tag_prefixes=("alpha", "beta"))],
        {"A": 1, "B": 1},
    ),
    Vector(
        5,
        f"{GUIDE}, Filtering on all images, example A",
        "documented",
        [image("A", 4, "alpha-1"), image("B", 3, "beta-1"), image("C", 2), image("D", 1, "alpha-2")],
        [keep(1, 1, "any")],
        {"A": 1, "B": 1, "C": 1},
    ),
    Vector(
        6,
        f"{GUIDE}, Filtering on all images, example B; that E is newer than D is inferred from the outcome",
        "documented",
        [
            image("A", 4, "alpha-1", "beta-1"),
            image("B", 3),
            image("C", 2, "alpha-2"),
            image("D", 1, "git hash"),
            image("E", 0.9),
        ],
        [keep(1, 1, tag_prefixes=("alpha",)), older(2, 1, "untagged"), keep(3, 1, "any")],
        {"A": 1, "B": 2, "D": 3},
    ),
    Vector(
        7,
        f"the policy: {GUIDE}, Filtering on image age",
        "inferred",
        [
            image(f"{name} {age}", age, name)
            for age in (15, 3)
            for name in ("prod", "prod1", "production-team1", "x", "x-prod")
        ],
        [older(1, 14, tag_patterns=("prod*",))],
        {"prod 15": 1, "prod1 15": 1, "production-team1 15": 1},
    ),
    Vector(
        8,
        f"the policy: {GUIDE}, Filtering on image count",
        "inferred",
        [image("U1", 5), image("U2", 4), image("U3", 1)],
        [keep(1, 1, "untagged")],
        {"U1": 1, "U2": 1},
    ),
    Vector(
        9,
        "vector 3 with patterns in place of prefixes",
        "inferred",
        ALPHA_AND_BETA,
        [older(1, 5, tag_patterns=("alpha*", "beta*"))],
        {"C": 1},
    ),
    Vector(
        10,
        "Amazon ECR user guide, Lifecycle policy properties, sinceImagePulled",
        "inferred",
        [
            replace(image("P1", 60), pulled_at=at(5)),
            image("P2", 60),
            replace(image("P3", 120), pulled_at=at(90), archived_at=at(80), activated_at=at(60)),
        ],
        [Rule(1, "any", "sinceImagePulled", 30, "TRANSITION")],
        {"P2": 1, "P3": 1},
        "TRANSITION",
    ),
    Vector(
        11,
        "Amazon ECR user guide, Lifecycle policy properties, sinceImageTransitioned",
        "inferred",
        [
            replace(image("R1", 500), status="ARCHIVED", archived_at=at(120)),
            replace(image("R2", 500), status="ARCHIVED", archived_at=at(30)),
            image("R3", 400),
        ],
        [Rule(1, "any", "sinceImageTransitioned", 90, storage_class="archive")],
        {"R1": 1},
    ),
    Vector(
        12,
        "a preview on AWS, September 2026 (reference [defang-466])",
        "observed",
        MULTI_ARCH,
        [older(1, 1, "untagged"), keep(2, 20, "any")],
        {f"image-{number:02}": 2 for number in range(4)},
    ),
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector.number}-{vector.evidence}")
def test_a_vector_of_the_reference_comes_out(vector: Vector) -> None:
    decisions = evaluate(vector.images, vector.rules, NOW).decisions
    gone = {d.image.digest: d.rule and d.rule.priority for d in decisions if d.action}
    assert gone == vector.gone
    assert {d.action for d in decisions} == {None, vector.action}


def test_every_vector_says_what_it_rests_on() -> None:
    assert [vector.number for vector in VECTORS] == list(range(1, 13))
    assert {vector.evidence for vector in VECTORS} == set(EVIDENCE)
    assert all(vector.source for vector in VECTORS)
