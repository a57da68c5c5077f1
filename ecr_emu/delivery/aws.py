"""Sinks behind AWS's API, or an emulator of it: EventBridge and SQS, by boto3 (`pip install 'ecr-emu[aws]'`).

Credentials are boto3's own; where there are none, an emulator gets "test".
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import orjson
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecr_emu.delivery.sinks import NotTaken, Sink
from ecr_emu.delivery.targets import Target
from ecr_emu.store.events import Stored

# PutEvents takes so many entries, of so many bytes together; some of those are names and times.
MAX_ENTRIES, MAX_BYTES = 10, 240 * 1024
# Trying again is the delivery's part.
CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"max_attempts": 1, "mode": "standard"})


class _Clients:
    """A client of a service for each region, made when it is needed."""

    def __init__(self, service: str, endpoint: str) -> None:
        self._service = service
        self._endpoint = endpoint or None
        self._of_region: dict[str, Any] = {}

    @cached_property
    def _session(self) -> Session:
        session = Session()
        return session if session.get_credentials() else Session("test", "test")

    def of(self, region: str) -> Any:
        if region not in self._of_region:
            self._of_region[region] = self._session.client(
                self._service, region_name=region, endpoint_url=self._endpoint, config=CONFIG
            )
        return self._of_region[region]


class EventBridge:
    """PutEvents in the region of the event, in the order of the events."""

    def __init__(self, bus: str, endpoint: str) -> None:
        self._bus = bus
        self._clients = _Clients("events", endpoint)

    def send(self, events: Sequence[Stored]) -> int:
        contents = [orjson.loads(event.body) for event in events[:MAX_ENTRIES]]
        count = _together(events, contents)
        entries = [self._entry(content) for content in contents[:count]]
        answer = _call(lambda: self._clients.of(contents[0]["region"]).put_events(Entries=entries))
        failed = [number for number, one in enumerate(answer["Entries"]) if one.get("ErrorCode")]
        if failed[:1] == [0]:
            first = answer["Entries"][0]
            raise NotTaken(f"{first['ErrorCode']}: {first.get('ErrorMessage', '')}")
        # What comes behind one that failed is sent again, so that the order is kept.
        return failed[0] if failed else count

    def _entry(self, content: Any) -> dict[str, Any]:
        return {
            "EventBusName": self._bus,
            "Source": content["source"],
            "DetailType": content["detail-type"],
            "Detail": orjson.dumps(content["detail"]).decode(),
            "Resources": content["resources"],
            "Time": content["time"],
        }


class Queue:
    """SendMessage with the whole event; on a FIFO queue every repository is a group."""

    def __init__(self, url: str, endpoint: str, region: str) -> None:
        self._url = url
        labels = (urlsplit(url).hostname or "").split(".")
        self._region = labels[1] if labels[0] == "sqs" and len(labels) > 2 else region
        self._clients = _Clients("sqs", endpoint)

    def send(self, events: Sequence[Stored]) -> int:
        for done, event in enumerate(events):
            try:
                self._send(event)
            except NotTaken:
                if done:
                    return done
                raise
        return len(events)

    def _send(self, event: Stored) -> None:
        message: dict[str, Any] = {"QueueUrl": self._url, "MessageBody": event.body.decode()}
        if self._url.endswith(".fifo"):
            content = orjson.loads(event.body)
            group = f"{content['account']} {content['region']} {event.repository}"
            message["MessageGroupId"] = hashlib.sha256(group.encode()).hexdigest()
            message["MessageDeduplicationId"] = content["id"]
        _call(lambda: self._clients.of(self._region).send_message(**message))


def open_sink(target: Target, region: str) -> Sink:
    """The sink of a target."""
    if target.kind == "eventbridge":
        return EventBridge(target.address, target.endpoint)
    return Queue(target.address, target.endpoint, region)


def _together(events: Sequence[Stored], contents: Sequence[Any]) -> int:
    """How many of the first events go into one request: of one region, and not too long."""
    count, size = 1, len(events[0].body)
    while count < len(contents) and contents[count]["region"] == contents[0]["region"]:
        size += len(events[count].body)
        if size > MAX_BYTES:
            break
        count += 1
    return count


def _call(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ClientError as error:
        # The message may be a page of HTML.
        about = error.response.get("Error", {})
        message = " ".join(str(about.get("Message", "")).split())[:200]
        raise NotTaken(f"{about.get('Code', 'error')}: {message}") from None
    except BotoCoreError as error:
        # Its text may hold the whole URL, with whatever is in it.
        raise NotTaken(type(error).__name__) from None
