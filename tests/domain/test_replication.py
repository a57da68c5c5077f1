"""What is copied to which registries."""

import pytest

from ecr_emu.domain import replication
from ecr_emu.domain.limits import Limits
from ecr_emu.domain.registries import Registry
from ecr_emu.domain.replication import Backfill, Progress, Rule

HOME = Registry("000000000000", "us-east-1")
WEST, EAST = Registry("000000000000", "us-west-2"), Registry("111111111111", "us-east-1")
EVERYTHING = Rule((WEST,))
PROD = Rule((WEST, EAST), ("prod", "team/"), True)


@pytest.mark.parametrize(
    ("rules", "name", "expected"),
    [
        ([], "prod", []),
        ([EVERYTHING], "anything", [WEST]),
        ([PROD], "prod", [WEST, EAST]),
        ([PROD], "production/x", [WEST, EAST]),
        ([PROD], "team/app", [WEST, EAST]),
        ([PROD], "team", []),
        ([PROD], "my/prod", []),
        ([EVERYTHING, PROD], "prod", [WEST, EAST]),
        ([EVERYTHING, PROD], None, [WEST, EAST]),
        ([PROD], None, [WEST, EAST]),
    ],
)
def test_destinations_are_those_of_all_matching_rules(
    rules: list[Rule], name: str | None, expected: list[Registry]
) -> None:
    assert replication.destinations(rules, name) == expected


def test_stored_rules_read_as_they_were() -> None:
    rules = (EVERYTHING, PROD, Rule((), ("a",), False))
    assert replication.read(replication.write(rules)) == rules
    assert replication.read(None) == ()


@pytest.mark.parametrize(
    ("destinations", "constraint"),
    [
        ((WEST, EAST), None),
        ((), None),
        ((WEST, HOME), "Replication destination cannot be the same as the source registry"),
        (
            (Registry("000000000000", "cn-north-1"),),
            "Replication destination must be in the same partition as the source registry",
        ),
        (tuple(Registry(f"{n:012d}", "us-west-2") for n in range(25)), None),
        (
            tuple(Registry(f"{n:012d}", "us-west-2") for n in range(26)),
            "The number of unique replication destinations exceeds the limit of 25",
        ),
    ],
)
def test_destinations_are_others_and_not_too_many(
    destinations: tuple[Registry, ...], constraint: str | None
) -> None:
    assert replication.check(HOME, [Rule(destinations)], Limits()) == constraint


def test_a_destination_that_is_named_often_counts_once() -> None:
    assert replication.check(HOME, [Rule((WEST,) * 30), Rule((WEST,))], Limits()) is None


@pytest.mark.parametrize(
    ("status", "has_ended"),
    [("PREPARING", False), ("IN_PROGRESS", False), ("STOPPING", False)]
    + [(status, True) for status in ("COMPLETE", "FAILED", "STOPPED")],
)
def test_a_backfill_ends_in_a_terminal_status(status: str, has_ended: bool) -> None:
    assert Backfill("id", HOME, WEST, status, 1.0).has_ended is has_ended


def test_a_backfill_is_forgotten_90_days_after_its_end() -> None:
    kept = 90 * 24 * 3600
    assert not Backfill("id", HOME, WEST, "PREPARING", 1.0).is_forgotten(10.0 + kept)
    ended = Backfill("id", HOME, WEST, "STOPPED", 1.0, 10.0)
    assert not ended.is_forgotten(9.0 + kept)
    assert ended.is_forgotten(10.0 + kept)


@pytest.mark.parametrize(
    ("completed", "failed", "is_hopeless"),
    [(0, 99, False), (0, 100, True), (50, 50, True), (51, 49, False), (100, 101, True), (101, 100, False)],
)
def test_a_backfill_is_hopeless_when_half_of_a_hundred_failed(
    completed: int, failed: int, is_hopeless: bool
) -> None:
    assert Progress(1000, completed, failed).is_hopeless is is_hopeless


def test_deletions_go_where_a_rule_that_matches_says_so() -> None:
    rules = [EVERYTHING, PROD, Rule((HOME,), None, False)]
    assert replication.deletes_at(rules, "prod") == [WEST, EAST]
    assert replication.deletes_at(rules, "dev") == []
