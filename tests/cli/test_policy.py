"""`ecr-emu policy`: the policy for what was done since a mark."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.clients import Registry, Running

OWNER, GUEST = "111122223333", "444455556666"
ROOT = f"arn:aws:iam::{OWNER}:root"
ARN = f"arn:aws:ecr:us-east-1:{OWNER}:repository/team/app"


@pytest.fixture
def where(emulator: Running) -> tuple[str, str]:
    return ("--endpoint-url", emulator.url)


def statements(run: Run, *arguments: object) -> Any:
    done = run("policy", "from-traffic", *arguments)
    assert done.exit_code == 0, done.stderr
    return [(one["Action"], one["Resource"]) for one in json.loads(done.stdout)["Statement"]]


def test_what_was_done_since_a_mark(run: Run, emulator: Running, where: tuple[str, str]) -> None:
    ecr = emulator.ecr(OWNER)
    ecr.create_repository(repositoryName="team/app")
    mark = run("policy", "mark", *where).stdout.strip()
    host = f"{OWNER}.dkr.ecr.us-east-1.localhost:{emulator.port}"
    registry = Registry(emulator.port, emulator.password(OWNER), host)
    registry.push_image("team/app", "v1", b"layer")
    pushed = statements(run, "--since", mark, *where)
    assert pushed == [
        (
            [
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            [ARN],
        ),
        (["ecr:GetAuthorizationToken"], ["*"]),
    ]
    assert "ecr:CreateRepository" in statements(run, "--principal", ROOT, *where)[0][0]


def test_what_was_refused_is_wanted_only_when_asked_for(
    run: Run, refused: Callable[..., str], emulator: Running, where: tuple[str, str]
) -> None:
    emulator.ecr(OWNER).create_repository(repositoryName="team/app")
    guest = emulator.ecr(GUEST)
    with pytest.raises(guest.exceptions.ClientError, match="AccessDenied"):
        guest.list_images(registryId=OWNER, repositoryName="team/app")
    theirs = f"arn:aws:iam::{GUEST}:root"
    assert refused("policy", "from-traffic", "--principal", theirs, *where) == (
        f"{theirs} was allowed nothing since; others are {ROOT}"
    )
    assert statements(run, "--principal", theirs, "--with-refused", *where) == [(["ecr:ListImages"], [ARN])]
    said = refused("policy", "from-traffic", "--with-refused", *where)
    assert said == f"say whose with --principal: {ROOT}, {theirs}"


def test_an_open_server_knows_nothing(refused: Callable[..., str], start: Callable[..., Running]) -> None:
    emulator = start(auth="open")
    emulator.ecr().create_repository(repositoryName="team/app")
    said = refused("policy", "from-traffic", "--endpoint-url", emulator.url)
    assert said.startswith("nobody was allowed anything since; --auth open asks nothing")


def test_what_is_forgotten_is_said(
    refused: Callable[..., str], emulator: Running, where: tuple[str, str]
) -> None:
    emulator.application.emulator.decisions.forgotten = 7
    said = refused("policy", "from-traffic", "--since", 6, *where)
    assert said == "so much was done since that some is forgotten; take a newer mark with --since"
