"""People, repositories and policies that the tests of `ecr_emu.domain.iam` share."""

from collections.abc import Mapping
from typing import Any

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.policies import Policy
from ecr_emu.domain.iam.requests import Principal, Request

OWNER, OTHER = "111122223333", "444455556666"
REPOSITORY = f"arn:aws:ecr:us-east-1:{OWNER}:repository/team/app"
PULL = "ecr:BatchGetImage"

BOB = Principal(f"arn:aws:iam::{OWNER}:user/staff/bob", OWNER, "user", unique_id="AIDABOBBOBBOBBOBBOBBO")
ROOT = Principal(f"arn:aws:iam::{OWNER}:root", OWNER, "root")
SESSION = Principal(
    f"arn:aws:sts::{OWNER}:assumed-role/builder/run-1",
    OWNER,
    "assumed-role",
    role_arn=f"arn:aws:iam::{OWNER}:role/ci/builder",
    unique_id="AROABUILDERBUILDERBUI",
)
FEDERATED = Principal(
    f"arn:aws:sts::{OWNER}:federated-user/guest",
    OWNER,
    "federated-user",
    user_arn=f"arn:aws:iam::{OWNER}:user/eve",
)
STRANGER = Principal(f"arn:aws:iam::{OTHER}:user/carlos", OTHER, "user")
STRANGE_ROOT = Principal(f"arn:aws:iam::{OTHER}:root", OTHER, "root")
STRANGE_SESSION = Principal(f"arn:aws:sts::{OTHER}:assumed-role/pull/s", OTHER, "assumed-role")
CODEBUILD = Principal("codebuild.amazonaws.com", "", "service")
ANYONE = Principal("", "", "anonymous")


def request(
    principal: Principal = BOB,
    action: str = PULL,
    resource: str = REPOSITORY,
    context: Mapping[str, tuple[str, ...]] | None = None,
) -> Request:
    return Request(principal, action, resource, OWNER, context or {})


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement about everything; elements replace or, with a Not…, push aside what is there."""
    filled = {"Effect": effect, "Action": "*", "Resource": "*"} | elements
    for element in ("Action", "Resource", "Principal"):
        if f"Not{element}" in elements:
            filled.pop(element, None)
    return filled


def policy(*statements: dict[str, Any], kind: str = policies.IDENTITY, version: str = "2012-10-17") -> Policy:
    return policies.parse({"Version": version, "Statement": list(statements)}, kind, kind)


def resource_policy(effect: str = "Allow", principal: Any = "*", **elements: Any) -> Policy:
    named = {} if {"Principal", "NotPrincipal"} & set(elements) else {"Principal": principal}
    return policy(statement(effect, **named, **elements), kind=policies.RESOURCE)


ALLOW, DENY, SILENT = policy(statement()), policy(statement("Deny")), policy(statement(Action="s3:*"))
