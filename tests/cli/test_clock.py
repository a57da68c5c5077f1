"""`ecr-emu clock` and `ecr-emu lifecycle run`, against a running server."""

import json

import pytest

from tests.clients import Running
from tests.policies import keep_newest, policy
from tests.processes import run

START = "2025-06-15T15:06:40Z"


@pytest.fixture
def where(emulator: Running) -> tuple[str, str]:
    """The option that names the server."""
    return ("--endpoint-url", emulator.url)


def test_the_clock_is_shown_and_moved(where: tuple[str, str]) -> None:
    done = run("clock", *where)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [f"now     {START}", "ahead   0 s", "frozen  no"],
    )
    done = run("clock", *where, "advance", "1d12h")
    assert done.stdout.splitlines() == [
        "now        2025-06-17T03:06:40Z",
        "ahead      129,600 s",
        "frozen     no",
        "jobs done  0",
    ]
    assert "frozen     yes" in run("clock", *where, "freeze").stdout
    assert "frozen     no" in run("clock", *where, "release").stdout
    assert "2027-01-01T00:00:00Z" in run("clock", *where, "set", "2027-01-01T00:00:00Z").stdout
    shown = json.loads(run("clock", *where, "--output", "json", "reset").stdout)
    assert (shown["now"], shown["aheadSeconds"], shown["jobs"]) == (START, 0, [])


def test_what_is_no_duration_is_one_line(where: tuple[str, str]) -> None:
    done = run("clock", *where, "advance", "soon")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: 'soon' is no duration; write it as 90d, 12h, 30m, 45s or 1d12h\n"


def test_policies_run_when_asked(emulator: Running, where: tuple[str, str]) -> None:
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository(repositoryName="team/app")
    for number in range(3):
        registry.push_image("team/app", f"v{number}", b"%d" % number)
    done = run("lifecycle", "run", "--repository", "team/app", *where)
    assert done.stderr == "Error: the repository 'team/app' has no lifecycle policy; put one first\n"
    ecr.put_lifecycle_policy(repositoryName="team/app", lifecyclePolicyText=policy(keep_newest(1)))
    done = run("lifecycle", "run", *where)
    assert done.stdout.splitlines() == [
        "REPOSITORY  ACCOUNT       REGION     EXPIRED  ARCHIVED  FAILED",
        "team/app    000000000000  us-east-1  2        0         0",
        "1 of 1 policies touched an image",
    ]
    answer = json.loads(run("lifecycle", "run", *where, "--output", "json").stdout)
    assert answer == {"policies": 1, "runs": []}
