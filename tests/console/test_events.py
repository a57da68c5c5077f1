"""/_emu/events: asking for what happened, and waiting for it; and the command that does."""

import json
import threading
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.clients import Clock, Registry, Reply, Running
from tests.processes import run

NAME = "team/app"
API_CALL = "AWS API Call via CloudTrail"


def ask(emulator: Running, query: str = "") -> Reply:
    return Registry(emulator.port, None).request("GET", f"/_emu/events{query}")


def tags(answer: Any) -> list[str]:
    return [event["detail"].get("image-tag", "-") for event in answer["events"]]


@pytest.fixture
def pushed(emulator: Running, ecr: Any, registry: Registry, clock: Clock) -> None:
    """Two repositories, an hour later three pushes."""
    for name in (NAME, "other"):
        ecr.create_repository(repositoryName=name)
    clock.advance(3600)
    registry.push_image(NAME, "v1", b"layer")
    registry.push_image("other", "v2", b"layer")
    registry.push_image(NAME, "v3", b"layer")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["-", "-", "v1", "v2", "v3"]),
        ("?repository=team/app", ["-", "v1", "v3"]),
        ("?detail-type=ECR%20Image%20Action", ["v1", "v2", "v3"]),
        (f"?detail-type=ECR+Image+Action&detail-type={quote(API_CALL)}&repository=other", ["-", "v2"]),
        ("?since=3", ["v2", "v3"]),
        ("?since=2025-06-15T16:00:00Z", ["v1", "v2", "v3"]),
        ("?since=2025-06-15T17:00:00Z", []),
        ("?limit=1", ["-"]),
        ("?account=111122223333", []),
        ("?region=us-east-1&since=4", ["v3"]),
        ("?detail-type=Other", []),
    ],
)
def test_events_are_found_by_what_they_are(
    emulator: Running, pushed: None, query: str, expected: list[str]
) -> None:
    assert tags(ask(emulator, query).json()) == expected


def test_the_mark_leads_on(emulator: Running, pushed: None) -> None:
    seen, query = [], "?limit=2"
    while (answer := ask(emulator, query).json())["events"]:
        seen += tags(answer)
        query = f"?limit=2&since={answer['mark']}"
    assert seen == ["-", "-", "v1", "v2", "v3"]
    assert (answer["mark"], answer["isComplete"]) == (5, True)
    # Of what is not wanted, nothing is looked at twice.
    assert ask(emulator, "?detail-type=Other").json()["mark"] == 5


@pytest.mark.parametrize(
    "query",
    ["?since=x", "?limit=0", "?limit=x", "?limit=10001", "?wait=1", "?wait=61s", "?wait=-1s", "?what=x"],
)
def test_what_cannot_be_understood_is_refused(emulator: Running, query: str) -> None:
    reply = ask(emulator, query)
    assert reply.status == 400
    assert reply.json()["message"]


def test_waiting_ends_when_it_happens_and_not_for_what_is_not_wanted(
    emulator: Running, ecr: Any, registry: Registry
) -> None:
    ecr.create_repository(repositoryName=NAME)
    answers: list[tuple[float, Any]] = []

    def wait() -> None:
        began = time.monotonic()
        answer = ask(emulator, "?detail-type=ECR+Image+Action&repository=team/app&wait=30s").json()
        answers.append((time.monotonic() - began, answer))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    ecr.create_repository(repositoryName="other")
    registry.push_image("other", "v0", b"layer")
    assert answers == []
    registry.push_image(NAME, "v1", b"layer")
    waiting.join(20)
    ((seconds, answer),) = answers
    assert tags(answer) == ["v1"]
    assert 0.3 <= seconds < 20


def test_waiting_in_vain_ends_in_time(emulator: Running) -> None:
    began = time.monotonic()
    answer = ask(emulator, "?wait=1s").json()
    assert answer == {"events": [], "mark": 0, "isComplete": True}
    assert 1 <= time.monotonic() - began < 10


def test_after_a_reset_the_list_is_empty_and_says_that_something_is_missing(
    emulator: Running, pushed: None
) -> None:
    emulator.post("/_emu/reset")
    assert ask(emulator).json() == {"events": [], "mark": 5, "isComplete": False}
    assert ask(emulator, "?since=5").json()["isComplete"] is True


def test_the_command_prints_a_table_or_lines_of_json(emulator: Running, pushed: None) -> None:
    done = run("events", "--endpoint-url", emulator.url, "--repository", NAME)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["TIME", "EVENT", "REPOSITORY", "WHAT"]
    assert [line[-2:] for line in lines[2:]] == [["PUSH", "v1"], ["PUSH", "v3"]]
    assert lines[1][1:] == ["AWS", "API", "Call", NAME, "CreateRepository"]
    done = run("events", "--endpoint-url", emulator.url, "--output", "json", "--since", "3")
    assert [json.loads(line)["detail"]["image-tag"] for line in done.stdout.splitlines()] == ["v2", "v3"]
    done = run("events", "--endpoint-url", emulator.url, "--since", "yesterday")
    assert (done.returncode, "since is the number" in done.stderr) == (1, True)
