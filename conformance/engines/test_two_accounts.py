"""Two accounts and one repository, with `--auth iam`: what the other account may do, and how it is told.

docker, podman and boto3 go through the same story and have to hear the same sentence.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from engines.dockerd import Docker
from engines.repositories import Repository
from engines.server import Emulator, login_password
from engines.tools import Engine

OWNER, GUEST = "111122223333", "444455556666"
GUEST_ARN = f"arn:aws:iam::{GUEST}:user/guest"
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
ANYTHING = [{"managed": "AmazonEC2ContainerRegistryFullAccess"}]
PRINCIPALS = {
    "users": [
        {
            "name": "owner",
            "account": OWNER,
            "accessKeys": [{"id": "AKIAOWNER", "secret": "of-the-owner"}],
            "policies": ANYTHING,
        },
        {
            "name": "guest",
            "account": GUEST,
            "accessKeys": [{"id": "AKIAGUEST", "secret": "of-the-guest"}],
            "policies": ANYTHING,
        },
    ]
}


@pytest.fixture(scope="module")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("iam")
    (folder / "iam.json").write_text(json.dumps(PRINCIPALS))
    options = ("--auth", "iam", "--iam-file", str(folder / "iam.json"), "--account", OWNER)
    emulator = Emulator(folder / "log", "--ephemeral", *options)
    yield emulator
    emulator.stop()


def client(iam: Emulator, name: str) -> BaseClient:
    session = boto3.session.Session(f"AKIA{name.upper()}", f"of-the-{name}", region_name="us-east-1")
    return session.client("ecr", endpoint_url=iam.url)


@pytest.fixture
def owner(iam: Emulator) -> BaseClient:
    return client(iam, "owner")


@dataclass
class Guest:
    """The other account, with one of its tools. Each try gives "" or what the tool says of the refusal."""

    pull: Callable[[], str]
    push: Callable[[], str]


def with_engine(engine: Engine, options: tuple[str, ...], image: str) -> Guest:
    def attempt(*words: str) -> str:
        done = engine._execute((*words, *options, image), "")
        return (done.stdout + done.stderr).decode() if done.returncode else ""

    def pull() -> str:
        engine.empty()
        return attempt("pull")

    return Guest(pull, lambda: attempt("push"))


def with_boto3(ecr: BaseClient, name: str) -> Guest:
    def attempt(call: Callable[..., Any], **request: Any) -> str:
        try:
            call(registryId=OWNER, repositoryName=name, **request)
        except ClientError as error:
            return str(error)
        return ""

    return Guest(
        lambda: attempt(ecr.batch_get_image, imageIds=[{"imageTag": "1"}]),
        lambda: attempt(ecr.put_image, imageManifest="{}", imageTag="1"),
    )


@pytest.fixture(params=["docker", "podman", "boto3"])
def guest(
    request: pytest.FixtureRequest, iam: Emulator, owner: BaseClient, context: Path
) -> tuple[Guest, Repository]:
    """The owner has pushed an image; the guest has logged in."""
    repository = Repository(owner, f"team/{request.param}")
    image = f"{repository.uri}:1"
    ecr = client(iam, "guest")
    # boto3 pushes no layers: podman does it for the owner.
    engine = request.getfixturevalue("docker_engine" if request.param == "docker" else "podman")
    options = () if isinstance(engine, Docker) else ("--tls-verify=false",)
    engine.empty()
    engine.login(iam.host, login_password(owner))
    engine.build(image, context)
    engine.run("push", *options, image)
    engine.login(iam.host, login_password(ecr))
    if request.param == "boto3":
        return with_boto3(ecr, repository.name), repository
    return with_engine(engine, options, image), repository


def allow(condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": GUEST}, "Action": PULL}
    return {**statement, "Condition": condition} if condition else statement


def test_what_another_account_may_do(guest: tuple[Guest, Repository], owner: BaseClient) -> None:
    tool, repository = guest
    arn = f"arn:aws:ecr:us-east-1:{OWNER}:repository/{repository.name}"

    def put(*statements: dict[str, Any]) -> None:
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        owner.set_repository_policy(repositoryName=repository.name, policyText=json.dumps(policy))

    def sentence(action: str, because: str) -> str:
        return f"User: {GUEST_ARN} is not authorized to perform: {action} on resource: {arn} {because}"

    silent = "because no resource-based policy allows the {} action"
    assert sentence("ecr:BatchGetImage", silent.format("ecr:BatchGetImage")) in tool.pull()

    put(allow())
    assert tool.pull() == ""
    assert sentence("ecr:PutImage", silent.format("ecr:PutImage")) in tool.push()

    put(
        allow(),
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": PULL,
            "Condition": {"StringEquals": {"ecr:ResourceTag/environment": "production"}},
        },
    )
    assert tool.pull() == ""
    owner.tag_resource(resourceArn=arn, tags=[{"Key": "environment", "Value": "production"}])
    assert sentence("ecr:BatchGetImage", "with an explicit deny in a resource-based policy") in tool.pull()

    put(allow({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))
    assert sentence("ecr:BatchGetImage", silent.format("ecr:BatchGetImage")) in tool.pull()
    put(allow({"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1/128"]}}))
    assert tool.pull() == ""
