"""What is remembered of decisions, and what is known to be forgotten."""

import pytest

from ecr_emu import decisions
from ecr_emu.decisions import Decisions, Record
from ecr_emu.domain.iam.evaluation import Decision
from ecr_emu.domain.iam.requests import Principal, Request

ACCOUNT = "111122223333"


def record(action: str, session: str = "s", *, allowed: bool = True) -> Record:
    principal = Principal(
        f"arn:aws:sts::{ACCOUNT}:assumed-role/r/{session}",
        ACCOUNT,
        "assumed-role",
        f"arn:aws:iam::{ACCOUNT}:role/r",
    )
    return Record(action, 0.0, Request(principal, action, "*", ACCOUNT, {}), {}, Decision(allowed))


def actions_since(made: Decisions, mark: int) -> list[str]:
    return [use.action for use in made.uses_since(mark)]


def test_uses_are_those_since_the_mark_each_once() -> None:
    made = Decisions()
    for action in ("a", "b", "a"):
        made.append(record(action))
    mark = made.mark
    assert (mark, actions_since(made, 0)) == (3, ["b", "a"])
    for action in ("b", "c", "b"):
        made.append(record(action))
    assert actions_since(made, mark) == ["c", "b"]
    assert actions_since(made, made.mark) == []


def test_sessions_and_refusals_are_uses_of_their_own() -> None:
    made = Decisions()
    for one in (record("a"), record("a", "other"), record("a", allowed=False)):
        made.append(one)
    assert [(use.principal[-5:], use.allowed) for use in made.uses_since(0)] == [
        ("e/r/s", True),
        ("other", True),
        ("e/r/s", False),
    ]
    assert {use.identity for use in made.uses_since(0)} == {f"arn:aws:iam::{ACCOUNT}:role/r"}


def test_what_is_forgotten_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "USES", 2)
    made = Decisions()
    for action in ("a", "b", "a", "c", "d"):
        made.append(record(action))
    assert actions_since(made, 0) == ["c", "d"]
    assert made.forgotten == 3
    assert [one.request_id for one in made.last(2)] == ["d", "c"]
    assert [one.request_id for one in made.of_request("a")] == ["a", "a"]
