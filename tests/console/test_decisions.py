"""/_emu/decisions: why a request was allowed or refused."""

import json
from typing import Any

import pytest

from tests.clients import Registry, Running
from tests.processes import run

OWNER, GUEST = "111122223333", "444455556666"


@pytest.fixture
def refused(emulator: Running) -> str:
    """The id of a pull that the repository's policy does not allow."""
    owner = emulator.ecr(OWNER)
    owner.create_repository(repositoryName="team/app")
    policy = {
        "Statement": [
            {
                "Sid": "office",
                "Effect": "Allow",
                "Principal": {"AWS": GUEST},
                "Action": "ecr:BatchGetImage",
                "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
            }
        ]
    }
    owner.set_repository_policy(repositoryName="team/app", policyText=json.dumps(policy))
    host = f"{OWNER}.dkr.ecr.us-east-1.localhost:{emulator.port}"
    guest = Registry(emulator.port, emulator.password(GUEST), host)
    reply = guest.request("GET", "/v2/team/app/manifests/v1")
    assert reply.status == 403
    return reply.headers["x-amzn-requestid"]


def get(emulator: Running, path: str) -> Any:
    return Registry(emulator.port, None).request("GET", f"/_emu/decisions{path}")


def test_a_refusal_says_which_condition_did_not_hold(emulator: Running, refused: str) -> None:
    (decision,) = get(emulator, f"/{refused}").json()["decisions"]
    assert (decision["allowed"], decision["action"], decision["identityIsKnown"]) == (
        False,
        "ecr:BatchGetImage",
        False,
    )
    assert decision["because"] == "because no resource-based policy allows the ecr:BatchGetImage action"
    (considered,) = decision["considered"]
    assert considered["statement"]["sid"] == "office"
    assert (considered["missed"], considered["wanted"], considered["actual"]) == (
        "condition IpAddress aws:SourceIp",
        ["203.0.113.0/24"],
        ["127.0.0.1"],
    )


def test_the_last_decisions_are_listed_newest_first(emulator: Running, refused: str) -> None:
    decisions = get(emulator, "?limit=2").json()["decisions"]
    assert len(decisions) == 2
    assert decisions[0]["requestId"] == refused
    assert get(emulator, "?limit=x").status == 400
    assert "nothing is known of the request" in get(emulator, "/nothing").json()["message"]


def test_the_command_prints_a_table(emulator: Running, refused: str) -> None:
    done = run("why", refused, "--endpoint-url", emulator.url)
    assert done.returncode == 0, done.stderr
    assert "refused because no resource-based policy allows the ecr:BatchGetImage action" in done.stdout
    assert "no: condition IpAddress aws:SourceIp" in done.stdout
    done = run("why", refused, "--endpoint-url", emulator.url, "--output", "json")
    assert json.loads(done.stdout)["decisions"][0]["requestId"] == refused
