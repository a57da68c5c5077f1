"""Events reach EventBridge and SQS: moto's server in a process of its own, asked by boto3."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import boto
from tests.clients import Running
from tests.delivery.receivers import moto_server, receive, wait_for
from tests.delivery.test_deliverer import deliver, ids, written

__all__ = ["deliver"]

REGION = "us-east-1"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server."""
    with moto_server(tmp_path_factory.mktemp("moto") / "log") as url:
        yield url


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def client(moto: str) -> Iterator[Callable[[str], Any]]:
    """Makes boto3 clients of moto's server."""
    made: list[Any] = []

    def make(service: str) -> Any:
        made.append(boto.client(service, moto, region=REGION))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_rule_of_eventbridge_sends_a_push_on_to_a_queue(
    start: Callable[..., Running], deliver: Callable[[Running], Any], client: Callable[[str], Any], moto: str
) -> None:
    events, sqs = client("events"), client("sqs")
    queue = sqs.create_queue(QueueName="pushes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.ecr"],
        "detail-type": ["ECR Image Action"],
        "detail": {"action-type": ["PUSH"]},
    }
    events.put_rule(Name="pushes", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="pushes", Targets=[{"Id": "queue", "Arn": arn}])

    emulator = start(events=(f"eventbridge:default@{moto}",))
    deliver(emulator)
    emulator.ecr().create_repository(repositoryName="team/app")
    digest = emulator.registry().push_image("team/app", "v1", b"layer")

    (event,) = receive(sqs, queue, 1)
    assert (event["source"], event["detail-type"], event["resources"]) == ("aws.ecr", "ECR Image Action", [])
    assert event["detail"]["image-digest"] == digest
    assert event["detail"]["image-tag"] == "v1"
    assert event["time"] == "2025-06-15T15:06:40Z"


def test_a_queue_gets_whole_events_in_order(
    start: Callable[..., Running], deliver: Callable[[Running], Any], client: Callable[[str], Any]
) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName="all.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    emulator = start(events=(f"sqs:{queue}",))
    deliver(emulator)
    emulator.ecr().create_repository(repositoryName="team/app")
    registry = emulator.registry()
    for number in range(12):
        registry.push_image("team/app", f"v{number}", b"layer")
    assert ids(receive(sqs, queue, 13)) == written(emulator)


def test_a_queue_that_is_not_there_waits_and_the_log_says_why(
    start: Callable[..., Running],
    deliver: Callable[[Running], Any],
    client: Callable[[str], Any],
    moto: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sqs = client("sqs")
    emulator = start(events=(f"sqs:{moto}/123456789012/later",))
    deliver(emulator)
    emulator.ecr().create_repository(repositoryName="team/app")
    wait_for(lambda: "wait: " in caplog.text)
    queue = sqs.create_queue(QueueName="later")["QueueUrl"]
    assert ids(receive(sqs, queue, 1)) == written(emulator)
