"""Records of API calls as AWS CloudTrail keeps them (ECR user guide, Logging Amazon ECR actions with AWS
CloudTrail; reference, data plane 9.3), and the events by which EventBridge tells of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu.domain import timestamps
from ecr_emu.domain.events import Event
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.inspector_events import display
from ecr_emu.domain.registries import Registry

API_CALL = "AWS API Call via CloudTrail"
SERVICE_EVENT = "AWS Service Event via CloudTrail"

# The version of the documented samples.
_VERSION = "1.05"
# CloudTrail leaves out what is longer (CloudTrail user guide, Record contents).
MAX_MEMBER_BYTES = 100 * 1024
_READS = ("Describe", "Get", "List", "BatchGet", "BatchCheck", "Validate")
# Never written down: a login is a secret, a layer is long.
_SECRET_ANSWERS = {"GetAuthorizationToken"}
_LONG_MEMBERS = {"layerPartBlob"}
# Members of answers that are times.
TIMES = {
    "createdAt",
    "endedAt",
    "expiresAt",
    "imagePushedAt",
    "imageScanCompletedAt",
    "lastActivatedAt",
    "lastArchivedAt",
    "lastEvaluatedAt",
    "lastRecordedPullTime",
    "startedAt",
    "updatedAt",
    "vulnerabilitySourceUpdatedAt",
}

Shape = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called, from where. `identity` is CloudTrail's userIdentity."""

    identity: Shape
    address: str
    agent: str


SERVICE = Caller(
    {"type": "AWSService", "invokedBy": "ecr.amazonaws.com"}, "ecr.amazonaws.com", "ecr.amazonaws.com"
)


@dataclass(frozen=True, slots=True)
class Request:
    """A call: the operation, its members, and the repository's name where it has one."""

    name: str
    members: Shape
    request_id: str = ""

    @property
    def repository(self) -> str:
        name = self.members.get("repositoryName", "")
        return name if isinstance(name, str) else ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer in the API's shape, or the error's code and message."""

    answer: Shape | None = None
    error: tuple[str, str] | None = None


def is_read(name: str) -> bool:
    """Whether an operation changes nothing."""
    return name.startswith(_READS)


def caller(principal: Principal, key_id: str, address: str, agent: str) -> Caller:
    """A caller as CloudTrail names it. `key_id` is empty when access keys are only believed."""
    known = {"principalId": principal.unique_id, "arn": principal.arn, "accountId": principal.account}
    if principal.kind == "root":
        known["principalId"] = principal.account
    if principal.kind == "assumed-role" and principal.unique_id:
        known["principalId"] = f"{principal.unique_id}:{principal.name}"
    named = {"userName": principal.name} if principal.kind == "user" else {}
    identity = {"type": _TYPES.get(principal.kind, "Unknown"), **known, "accessKeyId": key_id, **named}
    return Caller({name: value for name, value in identity.items() if value}, address, agent)


_TYPES = {
    "root": "Root",
    "user": "IAMUser",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "service": "AWSService",
}


def api_call(who: Caller, request: Request, outcome: Outcome, registry: Registry, at: float) -> Event:
    """The event of a call; its detail is the record, without its id."""
    record: dict[str, Any] = {
        "eventVersion": _VERSION,
        "userIdentity": who.identity,
        "eventTime": timestamps.text(at),
        "eventSource": "ecr.amazonaws.com",
        "eventName": request.name,
        "awsRegion": registry.region,
        "sourceIPAddress": who.address,
        "userAgent": who.agent,
    }
    if outcome.error:
        record |= {"errorCode": outcome.error[0], "errorMessage": outcome.error[1]}
    record |= {
        "requestParameters": _short(_without_blobs(request.members)),
        "responseElements": _response(request.name, outcome.answer),
        "requestID": request.request_id,
        "readOnly": is_read(request.name),
        "resources": _resources(registry, request.repository),
        "eventType": "AwsApiCall",
        "recipientAccountId": registry.account,
    }
    return Event(API_CALL, request.repository, record)


def policy_execution(registry: Registry, name: str, details: Shape, at: float) -> Event:
    """The event of what a lifecycle policy did. `details` are serviceEventDetails."""
    invoked = "AWS Internal"
    (resource,) = _resources(registry, name)
    record = {
        "eventVersion": _VERSION,
        "userIdentity": {"accountId": registry.account, "invokedBy": invoked},
        "eventTime": timestamps.text(at),
        "eventSource": "ecr.amazonaws.com",
        "eventName": "PolicyExecutionEvent",
        "awsRegion": registry.region,
        "sourceIPAddress": invoked,
        "userAgent": invoked,
        "requestParameters": None,
        "responseElements": None,
        "readOnly": True,
        "resources": [{**resource, "type": "AWS::ECR::Repository"}],
        "eventType": "AwsServiceEvent",
        "recipientAccountId": registry.account,
        "serviceEventDetails": details,
    }
    return Event(SERVICE_EVENT, name, record)


def _resources(registry: Registry, name: str) -> list[dict[str, str]]:
    return [{"ARN": registry.repository_arn(name), "accountId": registry.account}] if name else []


def _without_blobs(members: Shape) -> Shape:
    return {name: value for name, value in members.items() if name not in _LONG_MEMBERS}


def _response(name: str, answer: Shape | None) -> Any:
    """What an answer shows: nothing of one that only reads."""
    if answer is None or is_read(name) or name in _SECRET_ANSWERS:
        return None
    return _short(_for_people(answer))


def _for_people(value: Any) -> Any:
    """Times as text, and nothing that the answer does not have."""
    if isinstance(value, Mapping):
        return {
            name: display(inner, "")
            if name in TIMES and isinstance(inner, int | float)
            else _for_people(inner)
            for name, inner in value.items()
            if inner is not None
        }
    return [_for_people(inner) for inner in value] if isinstance(value, list | tuple) else value


def _short(members: Shape) -> Shape:
    """The members, or a word that they were too long."""
    size = len(json.dumps(members, default=str))
    return members if size <= MAX_MEMBER_BYTES else {"omitted": True, "originalSize": size}
