"""The order of Debian's versions, asked of dpkg itself: 10,000 generated pairs, in one shell."""

import random

import pytest

from ecr_emu.scanner.versions import InvalidVersion, compare
from tests.scanner.slow_matcher import dpkg_orders

COUNT = 10_000
# Characters of versions; the later ones are not allowed, and dpkg takes or refuses them all the same.
OFTEN = "01~.+-a"
SELDOM = "0123456789.+~-:abzAZ_^*"


def a_version(chance: random.Random) -> str:
    epoch = chance.choice(["", "", "", "0:", "1:", "2:"])
    rest = (chance.choice(SELDOM if chance.random() < 0.3 else OFTEN) for _ in range(chance.randint(0, 6)))
    return epoch + chance.choice("0123456789a") + "".join(rest)


def a_pair(chance: random.Random) -> tuple[str, str]:
    left = a_version(chance)
    if chance.random() < 0.4:
        return left, a_version(chance)
    # Versions that begin alike are the ones that are hard to order.
    return left, left[: chance.randint(1, len(left))] + chance.choice(OFTEN)


def ours(left: str, right: str) -> str:
    try:
        return str(compare("deb", left, right))
    except InvalidVersion:
        return "x"


@pytest.mark.timeout(180)
def test_ten_thousand_comparisons_are_as_dpkg_has_them() -> None:
    chance = random.Random(20_240_101)  # noqa: S311 - the same pairs every time
    pairs = [a_pair(chance) for _ in range(COUNT)]
    theirs = dpkg_orders(pairs)
    assert {"-1", "0", "1", "x"} == set(theirs)
    wrong = [
        (left, right, told)
        for (left, right), told in zip(pairs, theirs, strict=True)
        if ours(left, right) != told
    ]
    assert wrong == []
