"""A pull of an image that is not cached makes a repository by a template, fetches, replicates, and says so.

docker pulls, Debian's docker-registry is the upstream, and moto plays EventBridge, whose rules send on to
queues.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from engines.dockerd import Docker
from engines.images import write_context
from engines.server import Emulator, login_password

from pull_through.registries import TOKEN, USER, with_basic
from pull_through.test_engines import RULE, wait_for_image
from tests.delivery.receivers import moto_server, receive

HERE, THERE, ACCOUNT = "us-east-1", "eu-west-1", "000000000000"
NAME = "hub/library/app"
TEMPLATE = {
    "prefix": "hub",
    "appliedFor": ["PULL_THROUGH_CACHE"],
    "imageTagMutability": "IMMUTABLE",
    "lifecyclePolicy": json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 1,
                    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
                    "action": {"type": "expire"},
                }
            ]
        }
    ),
}
MADE, PUSHED = "AWS API Call via CloudTrail", "ECR Image Action"
FETCHED, COPIED = "ECR Pull Through Cache Action", "ECR Replication Action"


@pytest.fixture
def moto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with moto_server(tmp_path / "moto") as url:
        yield url


@pytest.fixture
def aws(moto: str) -> Iterator[Any]:
    """Makes boto3 clients of moto, by service and region."""
    with contextlib.ExitStack() as stack:

        def make(service: str, region: str) -> Any:
            session = boto3.session.Session("test", "test", region_name=region)
            return stack.enter_context(contextlib.closing(session.client(service, endpoint_url=moto)))

        yield make


def queue_of_events(aws: Any, region: str) -> tuple[Any, str]:
    """A queue that EventBridge sends all events of ECR in a region on to, and its client."""
    events, sqs = aws("events", region), aws("sqs", region)
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="told", EventPattern=json.dumps({"source": ["aws.ecr"]}))
    events.put_targets(Rule="told", Targets=[{"Id": "queue", "Arn": arn}])
    return sqs, queue


def test_a_pull_makes_fetches_replicates_and_says_so(
    docker_engine: Docker, moto: str, aws: Any, tmp_path: Path
) -> None:
    payload = os.urandom(200_000)
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"ecr-pullthroughcache/hub": {"username": USER, "accessToken": TOKEN}}))
    queues = {region: queue_of_events(aws, region) for region in (HERE, THERE)}
    with with_basic(tmp_path) as url:
        host = url.removeprefix("http://")
        docker_engine.run("login", "--username", USER, "--password-stdin", host, stdin=TOKEN)
        pushed = f"{host}/library/app:v1"
        docker_engine.build(pushed, write_context(tmp_path / "context", {"payload": payload}))
        docker_engine.run("push", pushed)
        docker_engine.empty()
        options = ("--ephemeral", "--secrets-file", str(secrets), "--upstream", f"docker-hub={url}")
        emulator = Emulator(tmp_path / "log", *options, "--events", f"eventbridge:default@{moto}")
        ecr = emulator.client()
        ecr.create_pull_through_cache_rule(**RULE)
        ecr.create_repository_creation_template(**TEMPLATE)
        places = [{"region": THERE, "registryId": ACCOUNT}]
        ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": places}]})

        docker_engine.login(emulator.host, login_password(ecr))
        pulled = f"{emulator.host}/{NAME}:v1"
        docker_engine.run("pull", pulled)
        assert docker_engine.content(pulled, "payload") == payload
        image = wait_for_image(ecr, NAME)

    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"])["rules"]
    told = {place: receive(*queues[place], count) for place, count in ((HERE, 3), (THERE, 2))}
    copied = wait_for_image(emulator.client(region=THERE), NAME)
    assert (copied["imageDigest"], copied["imageTags"]) == (image["imageDigest"], ["v1"])
    emulator.stop()

    kinds = {place: sorted(event["detail-type"] for event in events) for place, events in told.items()}
    assert kinds == {HERE: [MADE, PUSHED, FETCHED], THERE: [MADE, COPIED]}
    digests = {
        event["detail"]["image-digest"]
        for events in told.values()
        for event in events
        if event["detail-type"] != MADE
    }
    assert digests == {image["imageDigest"]}
