"""`ecr-emu images`: giving a repository a past."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import processes
from tests.cli.conftest import Run
from tests.clients import Clock, Running
from tests.control.calls import Repo

DAY = 86_400


@pytest.fixture
def repo(emulator: Running) -> Repo:
    return Repo(emulator.ecr(), "team/app")


def test_records_of_a_file_become_images(run: Run, emulator: Running, repo: Repo, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text('{"imageTags": ["a", "b"]}\n{"repositoryName": "other/app"}\n')
    result = run("images", "synthesize", file, "--repository", "team/app", "--endpoint-url", emulator.url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert {tuple(line.split()) for line in result.stdout.splitlines()} == {
        ("repositories", "2"),
        ("images", "2"),
        ("tags", "2"),
    }
    assert set(repo.tags()) == {"a", "b"}


def test_records_of_the_standard_input_become_images(run: Run, emulator: Running, repo: Repo) -> None:
    printed = json.dumps({"imageDetails": [{"repositoryName": "team/app", "imageTags": ["a"]}]}, indent=4)
    result = run(
        *("images", "synthesize", "-", "--output", "json"),
        input=printed,
        env={"AWS_ENDPOINT_URL": emulator.url},
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"repositories": 1, "images": 1, "tags": 1}
    assert set(repo.tags()) == {"a"}


def test_builds_are_spread_evenly_over_the_last_days(
    run: Run, emulator: Running, repo: Repo, clock: Clock
) -> None:
    emulator.post("/_emu/clock", advance="1d")
    result = run(
        *("images", "synthesize", "--count", 3, "--days", 6, "--repository", "team/app"),
        *("--endpoint-url", emulator.url),
    )
    assert result.exit_code == 0
    now = clock.now + DAY
    details = repo.details()
    assert [detail["imageTags"] for detail in details] == [["build-1"], ["build-2"], ["build-3"]]
    pushed = [detail["imagePushedAt"].timestamp() for detail in details]
    assert pushed == pytest.approx([now - 4 * DAY, now - 2 * DAY, now], abs=1e-3)
    assert len({detail["imageSizeInBytes"] for detail in details}) == 3


def test_builds_are_not_older_than_time(run: Run, emulator: Running, repo: Repo) -> None:
    emulator.post("/_emu/clock", set="1970-01-02T00:00:00Z")
    run(
        *("images", "synthesize", "--count", 2, "--days", 30, "--repository", "team/app"),
        *("--endpoint-url", emulator.url),
    )
    assert repo.details()[0]["imagePushedAt"].timestamp() == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "give either a FILE of records (- for the standard input), or --count"),
        (("file", "--count", 1), "give either a FILE of records (- for the standard input), or --count"),
        (("--count", 1), "--count needs --repository: where the images go"),
        (("/nonexistent",), "cannot read /nonexistent (No such file or directory)"),
        (("/",), "cannot read / (Is a directory)"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    refused: Callable[..., str], arguments: tuple[object, ...], expected: str
) -> None:
    assert refused("images", "synthesize", *arguments) == expected


@pytest.mark.parametrize("options", [("--count", 0), ("--count", 1_000_001), ("--days", -1)])
def test_a_number_out_of_range_is_wrong_usage(run: Run, options: tuple[object, ...]) -> None:
    assert run("images", "synthesize", "--repository", "team/app", *options).exit_code == 2


def test_a_bad_record_is_named(refused: Callable[..., str], emulator: Running) -> None:
    message = refused(
        *("images", "synthesize", "-", "--repository", "team/app", "--endpoint-url", emulator.url),
        input='{}\n{"imageTags": 1}',
    )
    assert message.startswith("line 2: imageTags must be a list of tags")


def test_progress_is_shown_on_a_terminal(
    run: Run, emulator: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The runner's stderr is no terminal, which is also why nothing is erased.
    monkeypatch.setattr("ecr_emu.cli.progress.sys", type("Sys", (), {"stderr": _Terminal()}))
    result = run(
        *("images", "synthesize", "-", "--repository", "team/app", "--endpoint-url", emulator.url),
        input="{}",
    )
    assert result.stderr == "\rsending 2 B\r"


class _Terminal:
    def isatty(self) -> bool:
        return True


def test_it_is_a_command_of_a_process() -> None:
    done = processes.run("images", "synthesize", "/nonexistent")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: cannot read /nonexistent (No such file or directory)\n"
