"""The oracle of the crash test finds what is lost, what came back, and what happened by half."""

import pytest

from conformance.crash.oracle import Key, Ledger, Unanswered, compare

IMAGE: Key = ("image", "app", "sha256:1")
TAG: Key = ("tag", "app", "v1")
PUSH = {IMAGE: "ACTIVE", TAG: "sha256:1"}


def pushed() -> Ledger:
    ledger = Ledger()
    with ledger.promise("push", dict(PUSH)):
        pass
    return ledger


def unanswered(changes: dict[Key, object], ledger: Ledger) -> Ledger:
    with pytest.raises(Unanswered), ledger.promise("a deed", changes):
        raise Unanswered
    return ledger


def test_what_was_acknowledged_has_to_be_there() -> None:
    assert compare([pushed()], PUSH) == []
    assert compare([pushed()], {TAG: "sha256:1"}) == [f"lost: {IMAGE} was 'ACTIVE'"]
    (wrong,) = compare([pushed()], {**PUSH, TAG: "sha256:2"})
    assert wrong.startswith("wrong:")


def test_what_was_deleted_has_to_stay_away() -> None:
    ledger = pushed()
    with ledger.promise("delete", dict.fromkeys(PUSH)):
        pass
    assert compare([ledger], {}) == []
    ledger = pushed()
    ledger.apply({TAG: None})
    assert compare([ledger], PUSH) == [f"came back: {TAG} is 'sha256:1'"]
    assert compare([Ledger()], {TAG: "sha256:1"}) == [f"nobody asked for it: {TAG} is 'sha256:1'"]


def test_what_was_not_acknowledged_may_have_happened_but_not_by_half() -> None:
    assert compare([unanswered(dict(PUSH), Ledger())], PUSH) == []
    assert compare([unanswered(dict(PUSH), Ledger())], {}) == []
    half, *_ = compare([unanswered(dict(PUSH), Ledger())], {IMAGE: "ACTIVE"})
    assert "happened by half" in half
    ledger = unanswered(dict.fromkeys(PUSH), pushed())
    assert compare([ledger], {}) == []
    # From now on it is known.
    assert compare([ledger], PUSH) != []


def test_what_was_refused_did_not_happen() -> None:
    ledger = Ledger()
    with pytest.raises(ValueError, match="refused"), ledger.promise("push", dict(PUSH)):
        raise ValueError("refused")
    assert compare([ledger], {}) == []
    assert compare([ledger], PUSH) != []
