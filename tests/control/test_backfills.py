"""Operations on replication backfills. No courier runs here (tests/jobs), so one stays PREPARING."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import DEFAULT_ACCOUNT, Clock, Running
from tests.control.calls import invalid, refusal

OTHER = "111111111111"
REGIONS = [f"eu-test-{number}" for number in range(1, 13)]
NINETY_DAYS = 90 * 24 * 3600


def place(region: str, account: str = DEFAULT_ACCOUNT) -> dict[str, str]:
    return {"region": region, "registryId": account}


@pytest.fixture
def ecr(ecr: Any) -> Any:
    """A client of a registry that replicates to twelve regions, and to one of another account."""
    destinations = [*map(place, REGIONS), place(REGIONS[0], OTHER)]
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": destinations}]})
    return ecr


def start(ecr: Any, region: str, account: str = DEFAULT_ACCOUNT) -> str:
    return str(ecr.start_replication_backfill(destination=place(region, account))["replicationBackfillId"])


def stop(ecr: Any, backfill_id: str) -> Any:
    return ecr.stop_replication_backfill(replicationBackfillId=backfill_id)


def describe(ecr: Any, backfill_id: str, **members: Any) -> Any:
    return ecr.describe_replication_backfill_results(replicationBackfillId=backfill_id, **members)


def listed(ecr: Any, **members: Any) -> list[str]:
    backfills = ecr.list_replication_backfills(**members)["backfills"]
    return [entry["replicationBackfillId"] for entry in backfills]


def without(answer: Any, *members: str) -> Any:
    return {key: value for key, value in answer.items() if key not in ("ResponseMetadata", *members)}


def test_a_backfill_is_preparing(ecr: Any, clock: Clock) -> None:
    answer = without(ecr.start_replication_backfill(destination=place(REGIONS[0])))
    backfill_id = answer.pop("replicationBackfillId")
    now = datetime.fromtimestamp(clock.now, UTC)
    assert answer == {
        "registryId": DEFAULT_ACCOUNT,
        "destination": place(REGIONS[0]),
        "status": "PREPARING",
        "startedAt": now,
    }
    clock.advance(3600)
    described = without(describe(ecr, backfill_id), "replicationBackfillId")
    # No progress and no end while it prepares.
    assert described == {**answer, "results": []}
    (entry,) = ecr.list_replication_backfills()["backfills"]
    assert entry == {**without(answer, "registryId"), "replicationBackfillId": backfill_id}


def test_a_stopped_backfill_has_ended(ecr: Any, clock: Clock) -> None:
    backfill_id = start(ecr, REGIONS[0])
    clock.advance(60)
    stopped = without(stop(ecr, backfill_id))
    assert stopped == {
        "registryId": DEFAULT_ACCOUNT,
        "replicationBackfillId": backfill_id,
        "destination": place(REGIONS[0]),
        "status": "STOPPED",
        "startedAt": datetime.fromtimestamp(clock.now - 60, UTC),
    }
    described = without(describe(ecr, backfill_id))
    assert described == {**stopped, "endedAt": datetime.fromtimestamp(clock.now, UTC), "results": []}


def test_what_has_ended_cannot_be_stopped(ecr: Any) -> None:
    backfill_id = start(ecr, REGIONS[0])
    stop(ecr, backfill_id)
    assert refusal(stop, ecr=ecr, backfill_id=backfill_id) == (
        "ReplicationBackfillInvalidStatusException",
        f"The replication backfill with id '{backfill_id}' cannot be stopped because its status is 'STOPPED'",
    )


@pytest.mark.parametrize("call", [stop, describe])
def test_an_unknown_backfill_is_not_found(ecr: Any, call: Any) -> None:
    backfill_id = str(uuid4())
    assert refusal(call, ecr=ecr, backfill_id=backfill_id) == (
        "ReplicationBackfillNotFoundException",
        f"The replication backfill with id '{backfill_id}' does not exist "
        f"in the registry with id '{DEFAULT_ACCOUNT}'",
    )


@pytest.mark.parametrize("call", [stop, describe])
def test_an_id_is_a_uuid(ecr: Any, call: Any) -> None:
    hexes = "-".join(f"[0-9a-fA-F]{{{length}}}" for length in (8, 4, 4, 4, 12))
    assert refusal(call, ecr=ecr, backfill_id="mine") == invalid(
        "replicationBackfillId", f"Member must satisfy regular expression pattern: {hexes}"
    )


def test_the_destination_must_be_configured(ecr: Any) -> None:
    unknown = invalid(
        "destination", "Destination is not configured in the replication configuration of the registry"
    )
    for region, account in (("us-west-2", DEFAULT_ACCOUNT), (REGIONS[1], OTHER)):
        assert refusal(start, ecr=ecr, region=region, account=account) == unknown
    assert listed(ecr) == []


def test_one_backfill_is_in_progress_for_each_region(ecr: Any) -> None:
    first = start(ecr, REGIONS[0])
    refused = (
        "ReplicationBackfillInProgressException",
        f"A replication backfill is already in progress for the destination Region '{REGIONS[0]}'",
    )
    assert refusal(start, ecr=ecr, region=REGIONS[0]) == refused
    assert refusal(start, ecr=ecr, region=REGIONS[0], account=OTHER) == refused
    stop(ecr, first)
    assert start(ecr, REGIONS[0], OTHER) != first


def test_ten_backfills_are_in_progress_at_most(ecr: Any) -> None:
    started = [start(ecr, region) for region in REGIONS[:10]]
    assert refusal(start, ecr=ecr, region=REGIONS[10]) == (
        "LimitExceededException",
        "The number of replication backfills in progress in the registry "
        f"with id '{DEFAULT_ACCOUNT}' exceeds the limit of '10'",
    )
    stop(ecr, started[3])
    start(ecr, REGIONS[10])


def test_the_list_has_the_newest_first_and_pages(ecr: Any, clock: Clock) -> None:
    started = []
    for number in range(30):
        clock.advance(number % 2)
        started.append(start(ecr, REGIONS[0]))
        stop(ecr, started[-1])
    assert len(listed(ecr)) == 25
    found: list[str] = []
    request: dict[str, Any] = {"maxResults": 7}
    while True:
        answer = ecr.list_replication_backfills(**request)
        assert len(answer["backfills"]) <= 7
        found += [entry["replicationBackfillId"] for entry in answer["backfills"]]
        if "nextToken" not in answer:
            break
        request["nextToken"] = answer["nextToken"]
    assert sorted(found) == sorted(started)
    assert found[0] in started[-2:]
    assert found == [*listed(ecr, maxResults=50)]


def test_what_ended_is_forgotten_after_90_days(ecr: Any, clock: Clock) -> None:
    ended, running = start(ecr, REGIONS[0]), start(ecr, REGIONS[1])
    stop(ecr, ended)
    clock.advance(NINETY_DAYS - 1)
    assert sorted(listed(ecr)) == sorted([ended, running])
    clock.advance(1)
    assert listed(ecr) == [running]
    assert refusal(describe, ecr=ecr, backfill_id=ended)[0] == "ReplicationBackfillNotFoundException"
    assert refusal(stop, ecr=ecr, backfill_id=ended)[0] == "ReplicationBackfillNotFoundException"
    clock.advance(-1)
    assert describe(ecr, ended)["status"] == "STOPPED"
    clock.advance(1)
    # The next one that starts clears away what is forgotten.
    start(ecr, REGIONS[2])
    clock.advance(-1)
    assert refusal(describe, ecr=ecr, backfill_id=ended)[0] == "ReplicationBackfillNotFoundException"


def test_a_token_of_something_else_is_refused(ecr: Any) -> None:
    backfill_id = start(ecr, REGIONS[0])
    made_up = invalid("nextToken", "Invalid next token")
    assert refusal(ecr.list_replication_backfills, nextToken="made-up") == made_up
    assert refusal(describe, ecr=ecr, backfill_id=backfill_id, nextToken="made-up") == made_up


def test_pages_of_the_list_have_limits(ecr: Any) -> None:
    assert refusal(ecr.list_replication_backfills, maxResults=51) == invalid(
        "maxResults", "Member must have value less than or equal to 50"
    )


def test_every_registry_has_its_own_backfills(emulator: Running, ecr: Any) -> None:
    backfill_id = start(ecr, REGIONS[0])
    for other in (emulator.ecr(OTHER), emulator.ecr(region="eu-west-1")):
        assert listed(other) == []
        assert refusal(stop, ecr=other, backfill_id=backfill_id)[0] == "ReplicationBackfillNotFoundException"
    assert listed(ecr, registryId=DEFAULT_ACCOUNT) == [backfill_id]


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("start_replication_backfill", {"destination": place(REGIONS[0])}),
        ("stop_replication_backfill", {"replicationBackfillId": str(uuid4())}),
        ("describe_replication_backfill_results", {"replicationBackfillId": str(uuid4())}),
        ("list_replication_backfills", {}),
    ],
)
def test_backfills_of_others_are_theirs(ecr: Any, operation: str, members: Any) -> None:
    code, _ = refusal(getattr(ecr, operation), registryId=OTHER, **members)
    # StartReplicationBackfill and others do not list the error, but AWS's access control answers for all.
    assert code == "AccessDeniedException"
