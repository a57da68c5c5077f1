"""What docker pushes is scanned, whoever pushes it and however many images it is."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from engines import roots
from engines.dockerd import Docker
from engines.repositories import Repository
from engines.server import Emulator, login_password
from tests.scanner import osv_files

ACCOUNT = "111122223333"
# As little as pushing needs: the scan is ECR's own, and asks nobody.
PUSH = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    # `docker manifest create` reads what it puts together.
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
]
PUSHES = {"Statement": [{"Effect": "Allow", "Action": PUSH, "Resource": "*"}]}
PRINCIPALS = {
    "users": [
        {
            "name": "admin",
            "account": ACCOUNT,
            "accessKeys": [{"id": "AKIAADMIN", "secret": "of-the-admin"}],
            "policies": [{"managed": "AmazonEC2ContainerRegistryFullAccess"}],
        },
        {
            "name": "pusher",
            "account": ACCOUNT,
            "accessKeys": [{"id": "AKIAPUSHER", "secret": "of-the-pusher"}],
            "policies": [{"name": "pushes", "document": PUSHES}],
        },
    ]
}
RELEASE = "3.11.6"
VULNERABLE, FIXED = ("confuse", "3.2.1-r0"), ("confuse", "3.2.2-r0")
SCAN_SECONDS = 60


@pytest.fixture(params=["token", "iam"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(mode: str, tmp_path: Path) -> Iterator[Emulator]:
    (tmp_path / "iam.json").write_text(json.dumps(PRINCIPALS))
    options = ("--iam-file", str(tmp_path / "iam.json")) if mode == "iam" else ()
    data = ("--data-dir", str(tmp_path / "data"))
    server = Emulator(tmp_path / "log", *data, "--account", ACCOUNT, "--auth", mode, *options)
    archive = osv_files.zipped(tmp_path / "Alpine.zip", *osv_files.ALPINE)
    command = (sys.executable, "-m", "ecr_emu", "advisories", "add", str(archive))
    subprocess.run([*command, *data], check=True, timeout=60)
    yield server
    server.stop()


def client(server: Emulator, name: str) -> BaseClient:
    session = boto3.session.Session(f"AKIA{name.upper()}", f"of-the-{name}", region_name="us-east-1")
    return session.client("ecr", endpoint_url=server.url)


def build(docker: Docker, image: str, context: Path, package: tuple[str, str], *options: str) -> None:
    roots.write_alpine(context / "root", RELEASE, [package])
    (context / "Dockerfile").write_text("FROM scratch\nCOPY root /\n")
    docker.build(image, context, *options)


def findings(ecr: BaseClient, name: str, **image: str) -> Any:
    deadline = time.monotonic() + SCAN_SECONDS
    while True:
        answer = ecr.describe_image_scan_findings(repositoryName=name, imageId=image)
        if answer["imageScanStatus"]["status"] != "IN_PROGRESS":
            return answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)


def names(answer: Any) -> list[str]:
    assert answer["imageScanStatus"]["status"] == "COMPLETE", answer["imageScanStatus"]
    return [one["name"] for one in answer["imageScanFindings"]["findings"]]


def test_every_image_of_an_index_is_scanned_and_the_index_is_not(
    docker_engine: Docker, server: Emulator, tmp_path: Path
) -> None:
    docker, admin = docker_engine, client(server, "admin")
    docker.empty()
    docker.login(server.host, login_password(client(server, "pusher")))
    repository = Repository(admin, "team/app", imageScanningConfiguration={"scanOnPush": True})
    images = {platform: f"{repository.uri}:{platform}" for platform in ("amd64", "arm64")}
    for (platform, image), package in zip(images.items(), (VULNERABLE, FIXED), strict=True):
        build(docker, image, tmp_path / platform, package, "--platform", f"linux/{platform}")
        docker.run("push", image)
    docker.run("manifest", "create", "--insecure", f"{repository.uri}:multi", *images.values())
    docker.run("manifest", "push", "--insecure", "--purge", f"{repository.uri}:multi")

    children = {
        child["platform"]["architecture"]: child["digest"]
        for child in repository.manifest(imageTag="multi")["manifests"]
    }
    assert names(findings(admin, repository.name, imageDigest=children["amd64"])) == ["CVE-2018-14447"]
    assert names(findings(admin, repository.name, imageDigest=children["arm64"])) == []
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        findings(admin, repository.name, imageTag="multi")
    with pytest.raises(ClientError, match="UnsupportedImageTypeException"):
        admin.start_image_scan(repositoryName=repository.name, imageId={"imageTag": "multi"})


def test_a_finished_scan_counts_as_the_one_of_the_day(
    docker_engine: Docker, server: Emulator, mode: str, tmp_path: Path
) -> None:
    docker, admin = docker_engine, client(server, "admin")
    docker.empty()
    docker.login(server.host, login_password(client(server, "pusher")))
    repository = Repository(admin, "team/app", imageScanningConfiguration={"scanOnPush": True})
    build(docker, f"{repository.uri}:1", tmp_path / "context", VULNERABLE)
    docker.run("push", f"{repository.uri}:1")
    assert names(findings(admin, repository.name, imageTag="1")) == ["CVE-2018-14447"]
    asked = {"repositoryName": repository.name, "imageId": {"imageTag": "1"}}
    with pytest.raises(ClientError, match="The scan quota per image has been exceeded"):
        admin.start_image_scan(**asked)
    # Who may push may not for that start a scan.
    refusal = "not authorized to perform: ecr:StartImageScan" if mode == "iam" else "The scan quota"
    with pytest.raises(ClientError, match=refusal):
        client(server, "pusher").start_image_scan(**asked)
