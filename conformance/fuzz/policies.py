"""Documents of policies, made of parts that matter to whoever decides by them."""

import json
from random import Random
from typing import Any

from conformance.fuzz.world import ACCOUNT, OTHER_ACCOUNT

ACTIONS = (
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:PutImage",
    "ecr:*",
    "ecr:Batch*",
    "ecr:?atchGetImage",
    "*",
    "ecr:ReplicateImage",
    "ecr:CreateRepository",
    "ecr:BatchImportUpstreamImage",
    "s3:GetObject",
)
PRINCIPALS: tuple[Any, ...] = (
    "*",
    {"AWS": "*"},
    {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
    {"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/reader"]},
    {"Service": "ecr.amazonaws.com"},
    {"Federated": "cognito-identity.amazonaws.com"},
    {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/builder/ci"},
)
CONDITIONS: tuple[Any, ...] = (
    {"StringEquals": {"aws:PrincipalTag/team": "red"}},
    {"StringLike": {"aws:userid": ["*", "${aws:username}"]}},
    {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]}},
    {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
    {"NumericLessThan": {"aws:EpochTime": "99999999999"}},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"Null": {"aws:PrincipalOrgID": "true"}},
    {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
    {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["t*"]}},
    {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}},
    {"StringNotEqualsIgnoreCase": {"ecr:ResourceTag/stage": "x"}},
    {"BinaryEquals": {"x:y": "QmluYXJ5"}},
)
RESOURCES = (
    "*",
    f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*",
    "arn:aws:ecr:*:*:repository/team/${aws:username}",
)


def _one_or_some(chance: Random, choices: tuple[Any, ...]) -> Any:
    found = [chance.choice(choices) for _ in range(chance.choice((1, 1, 2, 4)))]
    return found[0] if chance.random() < 0.5 else found


def statement(chance: Random, *, principal: bool, resource: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": "Deny" if chance.random() < 0.08 else "Allow"}
    found["NotAction" if chance.random() < 0.1 else "Action"] = _one_or_some(chance, ACTIONS)
    if principal:
        found["NotPrincipal" if chance.random() < 0.05 else "Principal"] = chance.choice(PRINCIPALS)
    if resource:
        found["NotResource" if chance.random() < 0.05 else "Resource"] = _one_or_some(chance, RESOURCES)
    if chance.random() < 0.4:
        for one in chance.sample(CONDITIONS, chance.choice((1, 1, 2))):
            found.setdefault("Condition", {}).update(one)
    if chance.random() < 0.3:
        found["Sid"] = chance.choice(("one", "Two2"))
    return found


def document(chance: Random, *, principal: bool = True, resource: bool = False) -> str:
    """The text of a policy of a resource, or with `resource` and without `principal` of an identity."""
    statements = [
        statement(chance, principal=principal, resource=resource) for _ in range(chance.choice((1, 1, 2, 5)))
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trust(chance: Random) -> str:
    """Who may take a role."""
    found = {**statement(chance, principal=True, resource=False), "Action": "sts:AssumeRole"}
    found.pop("NotAction", None)
    return json.dumps({"Version": "2012-10-17", "Statement": [found]})


def lifecycle(chance: Random) -> str:
    """The text of a lifecycle policy."""
    rules = [_rule(chance, number + 1) for number in range(chance.choice((1, 1, 2, 3)))]
    return json.dumps({"rules": rules}).ljust(100)


def _rule(chance: Random, priority: int) -> dict[str, Any]:
    selection: dict[str, Any] = {"tagStatus": chance.choice(("tagged", "untagged", "any"))}
    if selection["tagStatus"] == "tagged":
        member = chance.choice(("tagPrefixList", "tagPatternList"))
        selection[member] = chance.sample(("v", "v1", "l", "m*" if member == "tagPatternList" else "m"), 2)
    kind = chance.choice(
        ("sinceImagePushed", "imageCountMoreThan", "sinceImagePulled", "sinceImageTransitioned")
    )
    selection["countType"], selection["countNumber"] = kind, chance.choice((1, 1, 2, 100))
    if kind.startswith("since"):
        selection["countUnit"] = "days"
    action = {"type": "expire"}
    if chance.random() < 0.3:
        action = {"type": "transition", "targetStorageClass": "archive"}
    return {"rulePriority": priority, "selection": selection, "action": action}
