"""The lifecycle engine against a naive one, on ten thousand random repositories and policies."""

from collections import Counter
from random import Random

import pytest

from ecr_emu.domain import lifecycle
from ecr_emu.domain.lifecycle import evaluate
from tests.domain import lifecycle_worlds, naive_lifecycle
from tests.domain.lifecycle_worlds import NOW

CHUNKS, CHUNK = 20, 500


@pytest.mark.parametrize("seed", range(CHUNKS))
def test_the_engine_says_what_the_naive_one_says(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    for number in range(CHUNK):
        world = lifecycle_worlds.world(random)
        counts_children = number % 4 != 0
        evaluation = evaluate(world.images, world.rules, NOW, counts_children=counts_children)
        said = {
            decision.image.digest: (decision.action, decision.rule and decision.rule.priority)
            for decision in evaluation.decisions
        }
        expected = naive_lifecycle.outcome(world.images, world.rules, NOW, counts_children)
        assert said == expected, (seed, number, world)


def test_the_random_repositories_know_every_reason() -> None:
    random = Random("reasons")  # noqa: S311
    codes: Counter[str] = Counter()
    for _ in range(1000):
        world = lifecycle_worlds.world(random)
        decisions = evaluate(world.images, world.rules, NOW, counts_children=False).decisions
        codes.update(decision.code for decision in decisions)
    every = {getattr(lifecycle, name) for name in lifecycle.__all__ if name.isupper()} - {
        lifecycle.DAY_SECONDS
    }
    assert set(codes) == every
    assert min(codes.values()) > 5, codes
