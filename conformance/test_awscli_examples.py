"""Every example of the AWS CLI's documentation runs against ecr-emu, and its output looks as documented."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from engines.server import Emulator, clean_environment

from conformance.awscli_examples import (
    ACCOUNT,
    LACKING,
    REGION,
    SETUPS,
    Example,
    Stage,
    examples,
    lacking,
    structure,
)

TIMEOUT_SECONDS = 60
MIN_EXAMPLES = 30


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A registry of its own for each example: several make the same repository."""
    emulator = Emulator(tmp_path / "log", "--ephemeral", "--account", ACCOUNT, "--region", REGION)
    yield emulator
    emulator.stop()


def aws(command: str, emulator: Emulator, folder: Path) -> str:
    """Run a command as a shell runs it, with the `aws` of this environment."""
    environment = clean_environment() | {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)
def test_example_runs_and_answers_as_documented(example: Example, emulator: Emulator, tmp_path: Path) -> None:
    assert example.file in SETUPS, f"nobody said what {example.file} presumes"
    session = boto3.session.Session(ACCOUNT, "any", region_name=REGION)
    stage = Stage(session.client("ecr", endpoint_url=emulator.url), tmp_path, example)
    SETUPS[example.file](stage)
    output = aws(stage.command, emulator, tmp_path)
    if example.output:
        assert lacking(structure(example.output[0]), structure(output)) == LACKING.get(example.file, set())


def test_the_examples_are_found() -> None:
    found = examples()
    assert len(found) >= MIN_EXAMPLES
    assert {example.file for example in found} == set(SETUPS)


def test_a_member_that_is_not_there_is_told() -> None:
    documented = {"a": [{"b": 1}], "c": "x", "d": {}}
    assert lacking(documented, {"a": [{"b": 2.5, "more": 1}], "c": "y", "d": {}}) == set()
    assert lacking(documented, {"a": [{}], "c": 1}) == {"a[].b", "c", "d"}
    assert lacking(documented, {"a": [], "c": "y", "d": {}}) == {"a"}
