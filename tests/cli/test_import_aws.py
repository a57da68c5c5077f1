"""`ecr-emu import aws`: what a real registry holds, without its bytes. Another ecr-emu stands for AWS."""

import builtins
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from ecr_emu.domain.manifests import OCI_INDEX
from tests import processes
from tests.cli.conftest import Run
from tests.clients import Running, digest_of, image_index, image_manifest
from tests.console.test_images import IMPORTED, Records
from tests.control.calls import Repo
from tests.processes import Served, serving

CONFIG = b'{"architecture":"amd64","os":"linux"}'
CHILD = image_manifest(CONFIG, b"layer")
INDEX = image_index(CHILD)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Served]:
    """A server in a process of its own, with an image, an index of it and an archived image."""
    with serving("--data-dir", tmp_path / "source", "--auth", "open") as server:
        server.create_repository("team/app")
        server.create_repository("team/empty")
        registry = server.registry
        registry.push_image("team/app", "v1", b"layer")
        assert registry.put_manifest("team/app", "all", INDEX, OCI_INDEX).status == 201
        old = registry.push_image("team/app", "old", b"other layer")
        with server.ecr() as ecr:
            ecr.update_image_storage_class(
                repositoryName="team/app", imageId={"imageDigest": old}, targetStorageClass="ARCHIVE"
            )
        yield server


@pytest.fixture
def aws(run: Run, emulator: Running, source: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `ecr-emu import aws` from the source into the emulator, as another account's user."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
    }.items():
        monkeypatch.setenv(name, value)

    def import_aws(*arguments: object, **options: Any) -> Any:
        where = ("--region", "us-east-1", "--source-endpoint-url", f"http://127.0.0.1:{source.port}")
        return run("import", "aws", *where, "--endpoint-url", emulator.url, *arguments, **options)

    return import_aws


@pytest.fixture
def repo(emulator: Running) -> Repo:
    return Repo(emulator.ecr(), "team/app")


ALL = {"imageStatus": "ANY"}


def described(ecr: Any) -> list[Any]:
    """The images of team/app, without what only the registry of each decides."""
    details = Repo(ecr, "team/app").details(filter=ALL)
    return [{name: value for name, value in detail.items() if name != "registryId"} for detail in details]


def test_metadata_is_copied_and_the_source_is_only_read(
    aws: Run, source: Served, emulator: Running, repo: Repo
) -> None:
    with source.ecr() as ecr:
        before = described(ecr)
        result = aws("--repository", "team/app", "--output", "json")
        assert described(ecr) == before
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"repositories": 1, "images": 3, "tags": 3}
    assert described(repo.ecr) == before
    assert len(before) == 3
    reply = emulator.registry().request("GET", "/v2/team/app/manifests/all")
    assert reply.error == ("MANIFEST_UNKNOWN", IMPORTED)


def test_indexes_are_pulled_only_when_asked_for(aws: Run, source: Served, emulator: Running) -> None:
    result = aws("--repository", "team/app", "--with-indexes")
    assert (result.exit_code, result.stderr) == (0, "")
    records = {record["imageDigest"]: record for record in Records(emulator).get()}
    assert records[digest_of(INDEX)]["children"] == [digest_of(CHILD)]
    assert emulator.registry().request("GET", "/v2/team/app/manifests/all").body == INDEX
    assert emulator.registry().request("GET", "/v2/team/app/manifests/v1").status == 404
    with source.ecr() as ecr:
        pulled = [detail["imageDigest"] for detail in described(ecr) if "lastRecordedPullTime" in detail]
    assert pulled == [digest_of(INDEX)]


def test_importing_again_brings_what_is_new(aws: Run, source: Served, repo: Repo) -> None:
    aws("--repository", "team/app")
    source.registry.put_manifest("team/app", "v2", CHILD)
    result = aws("--repository", "team/app", "--with-indexes")
    assert result.exit_code == 0
    assert set(repo.tags()) == {"v1", "v2", "all"}


def test_repositories_without_images_are_made(aws: Run, repo: Repo) -> None:
    result = aws("--repository", "team/empty", "--repository", "team/app", "--output", "json")
    assert json.loads(result.stdout) == {"repositories": 2, "images": 3, "tags": 3}
    found = repo.ecr.describe_repositories()["repositories"]
    assert [repository["repositoryName"] for repository in found] == ["team/app", "team/empty"]


def test_a_missing_repository_leaves_nothing(aws: Run, repo: Repo) -> None:
    result = aws("--repository", "team/app", "--repository", "no/app")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: cannot read from AWS: An error occurred (RepositoryNotFoundE")
    assert result.stderr.count("\n") == 1
    assert repo.ecr.describe_repositories()["repositories"] == []


def test_it_is_a_command_of_a_process(source: Served, emulator: Running, repo: Repo, tmp_path: Path) -> None:
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
    }
    done = processes.run(
        *("import", "aws", "--repository", "team/app"),
        *("--source-endpoint-url", f"http://127.0.0.1:{source.port}"),
        variables=variables,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(described(repo.ecr)) == 3


# --- sources that are not as they should be --------------------------------------------------------------


class Source:
    """Stands for a boto3 client whose registry does not know archived images, or not all manifests."""

    def __init__(self, refusal: Exception | None = None, details: list[Any] | None = None) -> None:
        self.refusal = refusal
        self.details = details or [{"imageDigest": digest_of(INDEX), "imageManifestMediaType": OCI_INDEX}]

    def get_paginator(self, operation: str) -> "Source":
        assert operation == "describe_images"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        if self.refusal and "filter" in request:
            raise self.refusal
        details = [{"repositoryName": request["repositoryName"], **detail} for detail in self.details]
        yield {"imageDetails": details}

    def batch_get_image(self, **request: Any) -> dict[str, Any]:
        failures = [{"imageId": image_id, "failureReason": "gone"} for image_id in request["imageIds"]]
        return {"images": [], "failures": failures}

    def close(self) -> None:
        pass


@pytest.fixture
def standing_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Source], None]:
    def stand_in(source: Source) -> None:
        monkeypatch.setattr("ecr_emu.cli.import_aws._client", lambda **options: source)

    return stand_in


@pytest.mark.parametrize(
    "refusal",
    [
        ClientError({"Error": {"Code": "InvalidParameterException", "Message": ""}}, "DescribeImages"),
        ParamValidationError(report="Unknown parameter"),
    ],
)
def test_a_source_that_knows_no_archive_is_asked_without(
    run: Run, emulator: Running, standing_in: Callable[[Source], None], refusal: Exception
) -> None:
    standing_in(Source(refusal))
    result = run("import", "aws", "--repository", "team/app", "--endpoint-url", emulator.url)
    assert result.exit_code == 0
    assert result.stderr == "team/app: the source knows no archived images, so none were asked for\n"
    assert len(Records(emulator).get()) == 1


def test_another_refusal_is_an_error(
    refused: Callable[..., str], emulator: Running, standing_in: Callable[[Source], None]
) -> None:
    standing_in(Source(ClientError({"Error": {"Code": "AccessDenied", "Message": "no\nway"}}, "X")))
    message = refused("import", "aws", "--repository", "team/app", "--endpoint-url", emulator.url)
    assert message == (
        "cannot read from AWS: An error occurred (AccessDenied) when calling the X operation: no way"
    )


def test_a_manifest_that_cannot_be_had_is_told(
    run: Run, emulator: Running, standing_in: Callable[[Source], None]
) -> None:
    standing_in(Source())
    result = run(
        *("import", "aws", "--repository", "team/app", "--with-indexes", "--endpoint-url", emulator.url)
    )
    assert result.exit_code == 0
    assert result.stderr == f"team/app: no manifest of {digest_of(INDEX)} (gone)\n"
    assert len(Records(emulator).get()) == 1


def test_many_indexes_are_asked_for_in_parts(
    run: Run, emulator: Running, standing_in: Callable[[Source], None]
) -> None:
    details = [{"imageDigest": f"sha256:{n:064x}", "imageManifestMediaType": OCI_INDEX} for n in range(150)]
    standing_in(Source(details=details))
    result = run(
        *("import", "aws", "--repository", "team/app", "--with-indexes", "--endpoint-url", emulator.url)
    )
    assert result.stderr.count("\n") == 150


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--profile", "nobody"), "cannot read from AWS: The config profile (nobody) could not be found"),
        ((), "cannot read from AWS: You must specify a region."),
        (
            ("--region", "us-east-1", "--source-endpoint-url", "x"),
            "cannot read from AWS: Invalid endpoint: x",
        ),
    ],
)
def test_a_client_that_cannot_be_made_is_one_line(
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    options: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert refused("import", "aws", "--repository", "team/app", *options) == expected


def test_without_boto3_it_says_what_to_install(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_boto3(name: str, *arguments: Any) -> Any:
        if name == "boto3":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_boto3)
    message = refused("import", "aws", "--repository", "team/app")
    assert message == "reading from AWS needs boto3: pip install 'ecr-emu[aws]'"


def test_aws_itself_is_asked_though_the_environment_names_the_emulator(
    aws: Run, emulator: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}

    class Session:
        def __init__(self, **options: Any) -> None:
            made.update(options)

        def client(self, service: str, endpoint_url: str | None, config: Any) -> Source:
            made.update(endpoint_url=endpoint_url, ignores=config.ignore_configured_endpoint_urls)
            return Source()

    monkeypatch.setattr(boto3.session, "Session", Session)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    result = aws("--repository", "team/app", "--profile", "production")
    assert result.exit_code == 0
    assert (made["profile_name"], made["region_name"], made["ignores"]) == ("production", "us-east-1", True)
