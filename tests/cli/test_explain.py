"""`ecr-emu lifecycle explain`: what a policy would do, before anything does it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ecr_emu.cli import explain_tables
from ecr_emu.domain import timestamps
from ecr_emu.domain.lifecycle import Decision, Image, Rule
from tests import processes
from tests.cli.conftest import Run
from tests.clients import Clock, Running
from tests.console.test_images import Records

DAY = 86_400
NOW = 1_750_000_000.25
NOW_TEXT = "2025-06-15T15:06:40Z"


def rule(priority: int, count_type: str, number: int, **selection: Any) -> dict[str, Any]:
    unit = {} if count_type == "imageCountMoreThan" else {"countUnit": "days"}
    selection = {"tagStatus": "any", "countType": count_type, "countNumber": number, **unit, **selection}
    return {"rulePriority": priority, "selection": selection, "action": {"type": "expire"}}


def archiving(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "action": {"type": "transition", "targetStorageClass": "archive"}}


@pytest.fixture
def policy(tmp_path: Path) -> Callable[..., Path]:
    """Writes a policy to a file."""

    def write(*rules: dict[str, Any], name: str = "policy.json") -> Path:
        (tmp_path / name).write_text(json.dumps({"rules": list(rules)}, indent=2))
        return tmp_path / name

    return write


@pytest.fixture
def two_weeks(policy: Callable[..., Path]) -> Path:
    return policy(rule(1, "sinceImagePushed", 14))


@pytest.fixture
def keep_two(policy: Callable[..., Path]) -> Path:
    return policy(rule(7, "imageCountMoreThan", 2), name="old.json")


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


# Four images, the newest first, as a file may have them.
RECORDS = [
    {"imageDigest": digest(4), "imageTags": ["v4", "latest"], "imagePushedAt": NOW - DAY},
    {"imageDigest": digest(3), "imageTags": ["v3"], "imagePushedAt": NOW - 10 * DAY},
    {"imageDigest": digest(2), "imageTags": ["release-1"], "imagePushedAt": NOW - 20 * DAY},
    {"imageDigest": digest(1), "imagePushedAt": NOW - 30 * DAY},
]
for record in RECORDS:
    record["imageSizeInBytes"] = 1_000_000


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A file of records."""
    file = tmp_path / "images.jsonl"
    file.write_text("\n".join(json.dumps(record) for record in RECORDS))
    return file


@pytest.fixture
def served(emulator: Running) -> Running:
    """An emulator that holds them as team/app."""
    Records(emulator).put(*RECORDS)
    return emulator


@pytest.fixture
def explain(run: Run, images: Path) -> Run:
    """Explains a policy on the file of records."""

    def explain_one(policy: Path, *options: object) -> Result:
        return run("lifecycle", "explain", policy, "--images", images, "--at", NOW_TEXT, *options)

    return explain_one


def digests(result: Result, *path: str) -> list[int]:
    """The numbers of the images of a JSON answer."""
    found = json.loads(result.stdout)
    for step in path:
        found = found[step]
    return [int(image["imageDigest"][7:], 16) for image in found]


# --- tables ----------------------------------------------------------------------------------------------


def test_a_table_says_what_goes_and_what_stays_and_why(explain: Run, two_weeks: Path) -> None:
    result = explain(two_weeks)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "IMAGE         TAGS        PUSHED                SIZE    ACTION  RULE  WHY",
        "000000000000  -           2025-05-16T15:06:40Z  1.0 MB  expire  1     "
        "rule 1: pushed 30.0 days ago, limit 14",
        "000000000000  release-1   2025-05-26T15:06:40Z  1.0 MB  expire  1     "
        "rule 1: pushed 20.0 days ago, limit 14",
        "000000000000  v3          2025-06-05T15:06:40Z  1.0 MB  stay    1     "
        "stays: pushed 10.0 days ago, limit of rule 1 14",
        "000000000000  latest, v4  2025-06-14T15:06:40Z  1.0 MB  stay    1     "
        "stays: pushed 1.0 days ago, limit of rule 1 14",
        "2 of 4 images expire (2.0 MB), 0 are archived (0 B), 2 stay (2.0 MB)",
    ]


def test_json_has_all_for_scripts(explain: Run, policy: Callable[..., Path]) -> None:
    result = explain(policy(archiving(rule(3, "sinceImagePushed", 25))), "--output", "json")
    answer = json.loads(result.stdout)
    assert (answer["at"], digests(result, "images")) == (NOW_TEXT, [1, 2, 3, 4])
    assert answer["images"][0] == {
        "imageDigest": digest(1),
        "imageTags": [],
        "imagePushedAt": "2025-05-16T15:06:40Z",
        "imageSizeInBytes": 1_000_000,
        "action": "TRANSITION",
        "rulePriority": 3,
        "reasonCode": answer["images"][0]["reasonCode"],
        "reason": "rule 3: pushed 30.0 days ago, limit 25",
    }
    assert answer["images"][3]["action"] is None
    assert answer["summary"] == {
        "imageCount": 4,
        "expiredCount": 0,
        "expiredBytes": 0,
        "archivedCount": 1,
        "archivedBytes": 1_000_000,
        "stayingCount": 3,
        "stayingBytes": 3_000_000,
    }


def test_of_those_that_stay_the_first_are_shown_unless_all_are_asked_for(
    run: Run, two_weeks: Path, tmp_path: Path
) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("\n".join(json.dumps({"imageTags": [f"v{n}"]}) for n in range(25)))
    result = run("lifecycle", "explain", two_weeks, "--images", file)
    lines = result.stdout.splitlines()
    assert len(lines) == 1 + explain_tables.SHOWN_STAYING + 2
    assert lines[-2] == "… and 5 more stay (--all shows them)"
    result = run("lifecycle", "explain", two_weeks, "--images", file, "--all")
    assert len(result.stdout.splitlines()) == 1 + 25 + 1


def test_no_images_are_no_rows(run: Run, two_weeks: Path, tmp_path: Path) -> None:
    (tmp_path / "none").write_text('{"imageDetails": []}')
    result = run("lifecycle", "explain", two_weeks, "--images", tmp_path / "none")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "0 of 0 images expire (0 B), 0 are archived (0 B), 0 stay (0 B)",
    )


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ((), "-"),
        (("a",), "a"),
        (("a", "b"), "a, b"),
        (("x" * 30, "z"), "x" * 30 + " +1"),
        (("x" * 31,), "x" * 29 + "…"),
        (("a" * 10, "b" * 10, "c" * 10, "d"), "aaaaaaaaaa, bbbbbbbbbb +2"),
    ],
)
def test_tags_are_cut(tags: tuple[str, ...], expected: str) -> None:
    decision = Decision(Image(digest(1), tags), None, None, "code", "why")
    row = explain_tables.decisions_table([decision], shows_all=False).splitlines()[1]
    assert row[: row.index("1970")].removeprefix("0" * 12).strip() == expected
    assert row.split()[-5:] == ["0", "B", "stay", "-", "why"]


# --- against ---------------------------------------------------------------------------------------------


def test_against_another_policy_shows_what_differs(explain: Run, two_weeks: Path, keep_two: Path) -> None:
    result = explain(two_weeks, "--against", keep_two)
    assert result.stdout.splitlines() == [
        "0 of 4 images are treated otherwise",
        "old: 2 of 4 images expire (2.0 MB), 0 are archived (0 B), 2 stay (2.0 MB)",
        "new: 2 of 4 images expire (2.0 MB), 0 are archived (0 B), 2 stay (2.0 MB)",
    ]
    result = explain(two_weeks, "--against", keep_two, "--at", "2025-06-25T15:06:40Z")
    assert result.stdout.splitlines()[:3] == [
        "IMAGE         TAGS  PUSHED                SIZE    OLD   NEW             WHY",
        "000000000000  v3    2025-06-05T15:06:40Z  1.0 MB  stay  expire, rule 1  "
        "rule 1: pushed 20.0 days ago, limit 14",
        "1 of 4 images are treated otherwise",
    ]


def test_against_another_policy_as_json(explain: Run, two_weeks: Path, policy: Callable[..., Path]) -> None:
    old = policy(archiving(rule(9, "imageCountMoreThan", 3)), name="old.json")
    result = explain(two_weeks, "--against", old, "--output", "json")
    answer = json.loads(result.stdout)
    assert digests(result, "changes") == [1, 2]
    first = answer["changes"][0]
    assert (first["old"]["action"], first["old"]["rulePriority"]) == ("TRANSITION", 9)
    assert (first["new"]["action"], first["new"]["rulePriority"]) == ("EXPIRE", 1)
    assert answer["summary"]["old"]["archivedCount"] == 1
    assert answer["summary"]["new"]["expiredCount"] == 2


# --- protect ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--protect", "release-*"), "release-1 (expire, rule 1)"),
        (("--protect", "v*", "--protect", "*-1"), "release-1 (expire, rule 1)"),
        (("--protect", "release-*", "--output", "json"), "release-1 (expire, rule 1)"),
    ],
)
def test_a_protected_image_that_would_go_is_exit_code_3(
    explain: Run, two_weeks: Path, options: tuple[str, ...], expected: str
) -> None:
    result = explain(two_weeks, *options)
    assert (result.exit_code, result.stderr) == (3, f"protected images would go: {expected}\n")
    assert result.stdout != ""


def test_a_protected_image_that_would_be_archived_counts(explain: Run, policy: Callable[..., Path]) -> None:
    result = explain(policy(archiving(rule(2, "sinceImagePushed", 14))), "--protect", "release-*")
    assert (result.exit_code, result.stderr) == (
        3,
        "protected images would go: release-1 (archive, rule 2)\n",
    )


@pytest.mark.parametrize("pattern", ["v*", "release", "Release-*", "nothing"])
def test_protected_images_that_stay_are_exit_code_0(explain: Run, two_weeks: Path, pattern: str) -> None:
    result = explain(two_weeks, "--protect", pattern)
    assert (result.exit_code, result.stderr) == (0, "")


def test_protection_looks_at_all_that_the_new_policy_does(
    explain: Run, two_weeks: Path, keep_two: Path
) -> None:
    assert explain(two_weeks, "--against", keep_two, "--protect", "release-*").exit_code == 3
    assert explain(two_weeks, "--timeline", "1d", "--protect", "v3").exit_code == 0
    assert explain(two_weeks, "--timeline", "9d", "--protect", "v3").exit_code == 3


def test_many_protected_images_are_counted(run: Run, two_weeks: Path, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("\n".join(json.dumps({"imageTags": [f"v{n}"], "imagePushedAt": n}) for n in range(9)))
    result = run("lifecycle", "explain", two_weeks, "--images", file, "--protect", "v*")
    assert result.stderr == (
        "protected images would go: v0 (expire, rule 1), v1 (expire, rule 1), v2 (expire, rule 1), 6 more\n"
    )


# --- timeline --------------------------------------------------------------------------------------------


def test_a_timeline_says_what_goes_when(explain: Run, two_weeks: Path) -> None:
    result = explain(two_weeks, "--timeline", "10d")
    assert (result.exit_code, result.stderr) == (0, "")
    head, *rows, summary = result.stdout.splitlines()
    assert head.split() == ["WHEN", "IMAGE", "TAGS", "PUSHED", "SIZE", "ACTION", "RULE", "TOTAL", "WHY"]
    assert [(row.split()[0][:10], row.split()[2]) for row in rows] == [
        ("2025-06-15", "-"),
        ("2025-06-15", "release-1"),
        ("2025-06-19", "v3"),
    ]
    assert [" ".join(row.split()[8:10]) for row in rows] == ["1.0 MB", "2.0 MB", "3.0 MB"]
    assert summary == (
        "until 2025-06-25T15:06:40Z 3 of 4 images expire (3.0 MB) and 0 are archived, if nobody pushes or "
        "pulls"
    )


def test_a_timeline_as_json(explain: Run, policy: Callable[..., Path]) -> None:
    rules = (
        archiving(rule(1, "sinceImagePushed", 14)),
        rule(2, "sinceImageTransitioned", 90, storageClass="archive"),
    )
    result = explain(policy(*rules), "--timeline", "95d", "--output", "json")
    answer = json.loads(result.stdout)
    assert (answer["at"], answer["until"]) == (NOW_TEXT, "2025-09-18T15:06:40Z")
    assert digests(result, "events") == [1, 2, 3, 4, 1, 2, 3]
    assert [event["totalExpiredBytes"] for event in answer["events"][3:]] == [0, 1e6, 2e6, 3e6]
    assert answer["events"][0]["at"] == NOW_TEXT
    assert answer["summary"] == {
        "imageCount": 4,
        "expiredCount": 3,
        "expiredBytes": 3_000_000,
        "archivedCount": 4,
    }


def test_a_timeline_may_be_empty(explain: Run, policy: Callable[..., Path]) -> None:
    result = explain(policy(rule(1, "imageCountMoreThan", 9)), "--timeline", "2w")
    assert result.stdout.count("\n") == 1
    assert result.stdout.startswith("until 2025-06-29T15:06:40Z 0 of 4 images expire")


def test_a_timeline_ends_with_the_calendar(explain: Run, two_weeks: Path) -> None:
    result = explain(two_weeks, "--at", "9999-12-01T00:00:00Z", "--timeline", "90d")
    assert "until 9999-12-31T23:59:59Z" in result.stdout


# --- where the images come from --------------------------------------------------------------------------


def aws(emulator: Running, folder: Path, *arguments: str) -> str:
    """What the `aws` of this environment prints."""
    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
    paths = {"AWS_CONFIG_FILE": str(folder / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none")}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "aws"), "ecr", *arguments, "--output", "json"],
        env={**os.environ, **names, **paths, "AWS_ENDPOINT_URL": emulator.url, "AWS_PAGER": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_what_the_aws_command_prints_is_taken(
    run: Run, served: Running, two_weeks: Path, tmp_path: Path
) -> None:
    served.ecr().put_lifecycle_policy(repositoryName="team/app", lifecyclePolicyText=two_weeks.read_text())
    images, policy = tmp_path / "describe-images.json", tmp_path / "get-lifecycle-policy.json"
    images.write_text(aws(served, tmp_path, "describe-images", "--repository-name", "team/app"))
    policy.write_text(aws(served, tmp_path, "get-lifecycle-policy", "--repository-name", "team/app"))
    assert "lifecyclePolicyText" in json.loads(policy.read_text())
    result = run("lifecycle", "explain", policy, "--images", images, "--at", NOW_TEXT)
    assert result.exit_code == 0
    assert (
        result.stdout
        == run(
            *("lifecycle", "explain", two_weeks, "--repository", "team/app", "--at", NOW_TEXT),
            *("--endpoint-url", served.url),
        ).stdout
    )
    assert "2 of 4 images expire" in result.stdout


@pytest.mark.parametrize("at", [(), ("--at", "2025-06-25T15:06:40Z")])
def test_file_folder_and_server_give_the_same_answer(
    run: Run, served: Running, images: Path, two_weeks: Path, at: tuple[str, ...]
) -> None:
    served.post("/_emu/clock", advance="3d")
    folder = served.application.emulator.settings.data_dir
    common = ("lifecycle", "explain", two_weeks, "--output", "json", *at)
    from_server = run(*common, "--repository", "team/app", "--endpoint-url", served.url)
    now = json.loads(from_server.stdout)["at"]
    assert now == (at[1] if at else "2025-06-18T15:06:40Z")
    from_file = run(*common, "--images", images, "--at", now)
    assert from_file.stdout == from_server.stdout
    # The folder's own clock is ahead of the machine's, which is not that of the tests.
    from_folder = run(*common, "--repository", "team/app", "--data-dir", folder, "--at", now)
    assert from_folder.stdout == from_server.stdout


def test_a_folder_has_a_clock_of_its_own(run: Run, served: Running, two_weeks: Path) -> None:
    served.post("/_emu/clock", set="2030-01-01T00:00:00Z", freeze=True)
    folder = served.application.emulator.settings.data_dir
    result = run(
        *("lifecycle", "explain", two_weeks, "--repository", "team/app", "--data-dir", folder),
        *("--output", "json"),
    )
    assert json.loads(result.stdout)["at"] == "2030-01-01T00:00:00Z"


def test_a_file_is_looked_at_now(run: Run, images: Path, two_weeks: Path) -> None:
    before = timestamps.text(time.time())
    result = run("lifecycle", "explain", two_weeks, "--images", images, "--output", "json")
    assert json.loads(result.stdout)["at"] >= before
    assert json.loads(result.stdout)["summary"]["expiredCount"] == 4


def test_images_may_come_in_on_the_standard_input(run: Run, two_weeks: Path) -> None:
    result = run("lifecycle", "explain", two_weeks, "--images", "-", input=json.dumps(RECORDS))
    assert "4 of 4 images expire" in result.stdout


def test_one_of_several_repositories_has_to_be_chosen(
    run: Run, refused: Callable[..., str], two_weeks: Path, tmp_path: Path
) -> None:
    file = tmp_path / "two.jsonl"
    file.write_text('{"repositoryName": "a/app"}\n{"repositoryName": "b/app"}\n{"repositoryName": "b/app"}')
    assert refused("lifecycle", "explain", two_weeks, "--images", file) == (
        f"{file} has images of 2 repositories (a/app, b/app); choose one with --repository"
    )
    result = run("lifecycle", "explain", two_weeks, "--images", file, "--repository", "b/app")
    assert "0 of 2 images expire" in result.stdout


def test_another_registry_can_be_meant(run: Run, served: Running, two_weeks: Path) -> None:
    query = "?repositoryName=team/app&registryId=111122223333&region=eu-west-1"
    Records(served).put({"imagePushedAt": 1}, query=query)
    folder = served.application.emulator.settings.data_dir
    where = ("--repository", "team/app", "--account", "111122223333", "--region", "eu-west-1")
    for source in (("--data-dir", folder), ("--endpoint-url", served.url)):
        result = run("lifecycle", "explain", two_weeks, *where, *source)
        assert "1 of 1 images expire" in result.stdout


def test_images_that_an_index_lists_count_unless_told_otherwise(
    run: Run, policy: Callable[..., Path], tmp_path: Path
) -> None:
    keep_one = policy(rule(1, "imageCountMoreThan", 2))
    file = tmp_path / "images.jsonl"
    index = {"imageDigest": digest(2), "children": [digest(1)], "imagePushedAt": 20}
    child, old = (
        {"imageDigest": digest(1), "imagePushedAt": 10},
        {"imageDigest": digest(3), "imagePushedAt": 5},
    )
    file.write_text("\n".join(json.dumps(record) for record in (index, child, old)))
    counted = run("lifecycle", "explain", keep_one, "--images", file)
    assert "1 of 3 images expire" in counted.stdout
    ignored = run("lifecycle", "explain", keep_one, "--images", file, "--lifecycle-children", "ignored")
    assert "0 of 3 images expire" in ignored.stdout


def test_it_is_a_command_of_a_process(images: Path, two_weeks: Path) -> None:
    done = processes.run(
        *("lifecycle", "explain", two_weeks, "--images", images, "--at", NOW_TEXT, "--protect", "*")
    )
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stdout.splitlines()[-1].startswith("2 of 4 images expire")


# --- what goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--at", "now"), "--at: 'now' is no time; write it as 2027-01-01T00:00:00Z"),
        (
            ("--timeline", "soon"),
            "--timeline: 'soon' is no duration; write it as 90d, 12h, 30m, 45s or 1d12h",
        ),
        (("--timeline", "1d", "--against", "POLICY"), "give --against or --timeline, not both"),
        (("--endpoint-url", "http://localhost:1"), "give --images or --endpoint-url, not both"),
        (("--images", "/nonexistent"), "cannot read /nonexistent (No such file or directory)"),
        (
            ("--images", "POLICY"),
            "POLICY: image 1: this is no record of an image; it has no imageTags, imageDigest or the like",
        ),
    ],
)
def test_a_wrong_option_is_one_line(
    refused: Callable[..., str],
    images: Path,
    two_weeks: Path,
    options: tuple[str, ...],
    expected: str,
) -> None:
    options = tuple(option.replace("POLICY", str(two_weeks)) for option in options)
    message = refused("lifecycle", "explain", two_weeks, "--images", images, *options)
    assert message == expected.replace("POLICY", str(two_weeks))


def test_the_images_have_to_be_named(refused: Callable[..., str], two_weeks: Path) -> None:
    assert refused("lifecycle", "explain", two_weeks) == (
        "say which images are meant, with --repository or --images"
    )


def test_a_bad_record_is_named(refused: Callable[..., str], two_weeks: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("{}\n{")
    message = refused("lifecycle", "explain", two_weeks, "--images", tmp_path / "bad")
    assert message.startswith(f"{tmp_path / 'bad'}: line 2: this is not JSON")


def test_a_folder_that_is_none_is_named(refused: Callable[..., str], two_weeks: Path, tmp_path: Path) -> None:
    arguments = ("lifecycle", "explain", two_weeks, "--repository", "team/app", "--data-dir", tmp_path)
    assert "is no data folder of ecr-emu" in refused(*arguments)
    (tmp_path / "metadata.db").write_text("no database")
    assert refused(*arguments) != ""


def test_a_repository_that_is_not_there_is_named(
    refused: Callable[..., str], served: Running, two_weeks: Path
) -> None:
    folder = served.application.emulator.settings.data_dir
    missing = "The repository with name 'no/app' does not exist in the registry with id '000000000000'"
    arguments = ("lifecycle", "explain", two_weeks, "--repository", "no/app")
    assert refused(*arguments, "--data-dir", folder) == (
        f"{missing}; say where it is with --account and --region"
    )
    assert refused(*arguments, "--endpoint-url", served.url) == missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            b"",
            "Lifecycle policy parsing failure: Could not map policyString into LifecyclePolicy. (at line 1",
        ),
        (b'{\n"rules": }', "(at line 2, column 10)"),
        (b'{"rules": []}', "array is too short: must have at least 1 elements but instance has 0 elements"),
        (
            json.dumps({"rules": [rule(0, "imageCountMoreThan", 1)]}).encode(),
            "numeric instance is lower than the required minimum (minimum: 1, found: 0) "
            "(at rules[0].rulePriority)",
        ),
        (
            json.dumps(
                {"rules": [rule(1, "imageCountMoreThan", 1), rule(1, "sinceImagePushed", 1)]}
            ).encode(),
            "Duplicate priority in multiple rules (at rules[1].rulePriority)",
        ),
        (b'{"rules": [' + b" " * 31_000 + b"]}", "has 31,013 characters; AWS takes 30,720, so shorten it"),
        (b"\xff\xfe{", "is not UTF-8 text; save it as such"),
    ],
)
def test_a_bad_policy_is_one_line_in_the_words_of_aws_and_says_where(
    refused: Callable[..., str], images: Path, tmp_path: Path, text: bytes, expected: str
) -> None:
    (tmp_path / "bad.json").write_bytes(text)
    message = refused("lifecycle", "explain", tmp_path / "bad.json", "--images", images)
    assert message.startswith(str(tmp_path / "bad.json"))
    assert expected in message


def test_a_bad_old_policy_is_named(refused: Callable[..., str], images: Path, two_weeks: Path) -> None:
    assert refused("lifecycle", "explain", two_weeks, "--images", images, "--against", "/nonexistent") == (
        "cannot read /nonexistent (No such file or directory)"
    )


def test_a_decision_names_its_rule() -> None:
    by = Rule(5, "any", "imageCountMoreThan", 1)
    line = explain_tables.promises_line([Decision(Image(digest(1), ("v1",)), "EXPIRE", by, "code", "why")])
    assert line == "protected images would go: v1 (expire, rule 5)"


def test_the_clock_of_the_tests_is_the_one_assumed(clock: Clock) -> None:
    assert clock.now == NOW
