"""Policies that AWS's guides show for ECR, with requests that the text beside them speaks of."""

from typing import Any

import pytest

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.evaluation import evaluate
from ecr_emu.domain.iam.requests import Principal
from tests.domain.iam.samples import (
    ALLOW,
    BOB,
    CODEBUILD,
    OTHER,
    OWNER,
    REPOSITORY,
    SESSION,
    STRANGER,
    request,
)

PULLS = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSHES = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]
ALICE = Principal(f"arn:aws:iam::{OWNER}:user/alice", OWNER, "user")
NEAR, FAR = {"aws:sourceip": ("54.240.143.20",)}, {"aws:sourceip": ("54.240.144.20",)}
PROJECT = f"arn:aws:codebuild:us-east-1:{OWNER}:project/app"
Case = tuple[Principal, str, dict[str, tuple[str, ...]], bool]


def allows(actions: list[str] | str, principal: Any, **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": actions} | elements


# Amazon ECR user guide, Private repository policy examples.
REPOSITORY_POLICIES: dict[str, tuple[list[dict[str, Any]], bool, list[Case]]] = {
    "Allow one or more users": (
        [allows(PULLS + PUSHES, {"AWS": [BOB.arn, ALICE.arn]})],
        False,
        [
            (BOB, "ecr:PutImage", {}, True),
            (ALICE, "ecr:BatchGetImage", {}, True),
            (BOB, "ecr:DeleteRepository", {}, False),
            (SESSION, "ecr:PutImage", {}, False),
        ],
    ),
    "Allow another account to push": (
        [allows(PUSHES, {"AWS": f"arn:aws:iam::{OTHER}:root"})],
        True,
        [
            (STRANGER, "ecr:InitiateLayerUpload", {}, True),
            (STRANGER, "ecr:PutImage", {}, True),
            (STRANGER, "ecr:BatchGetImage", {}, False),
        ],
    ),
    "Allow some to pull and one to do everything": (
        [allows(PULLS, {"AWS": [BOB.arn]}), allows(["ecr:*"], {"AWS": ALICE.arn})],
        False,
        [
            (BOB, "ecr:GetDownloadUrlForLayer", {}, True),
            (BOB, "ecr:PutImage", {}, False),
            (ALICE, "ecr:PutImage", {}, True),
            (ALICE, "ecr:SetRepositoryPolicy", {}, True),
        ],
    ),
    "Deny all to pull": (
        [{"Effect": "Deny", "Principal": "*", "Action": PULLS}],
        True,
        [
            (BOB, "ecr:BatchGetImage", {}, False),
            (STRANGER, "ecr:GetDownloadUrlForLayer", {}, False),
            (BOB, "ecr:PutImage", {}, True),
        ],
    ),
    "Restrict to addresses": (
        [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "ecr:*",
                "Condition": {"NotIpAddress": {"aws:SourceIp": "54.240.143.0/24"}},
            }
        ],
        True,
        [
            (BOB, "ecr:PutImage", NEAR, True),
            (BOB, "ecr:PutImage", FAR, False),
            (BOB, "ecr:PutImage", {}, False),
        ],
    ),
    "Allow a service": (
        [
            allows(
                PULLS,
                {"Service": "codebuild.amazonaws.com"},
                Condition={
                    "ArnLike": {"aws:SourceArn": f"arn:aws:codebuild:*:{OWNER}:project/*"},
                    "StringEquals": {"aws:SourceAccount": OWNER},
                },
            )
        ],
        False,
        [
            (
                CODEBUILD,
                "ecr:BatchGetImage",
                {"aws:sourcearn": (PROJECT,), "aws:sourceaccount": (OWNER,)},
                True,
            ),
            (
                CODEBUILD,
                "ecr:BatchGetImage",
                {"aws:sourcearn": (PROJECT,), "aws:sourceaccount": (OTHER,)},
                False,
            ),
            (CODEBUILD, "ecr:BatchGetImage", {"aws:sourceaccount": (OWNER,)}, False),
            (CODEBUILD, "ecr:PutImage", {"aws:sourcearn": (PROJECT,), "aws:sourceaccount": (OWNER,)}, False),
        ],
    ),
}


@pytest.mark.parametrize("name", REPOSITORY_POLICIES)
def test_a_repository_policy_does_what_the_guide_says(name: str) -> None:
    statements, with_identity, cases = REPOSITORY_POLICIES[name]
    document = {"Version": "2012-10-17", "Statement": statements}
    read = policies.parse(document, policies.RESOURCE, name)
    identity = [ALLOW] if with_identity else []
    for principal, action, context, expected in cases:
        decision = evaluate(request(principal, action, context=context), identity=identity, resource=[read])
        assert decision.allowed is expected, (principal.arn, action, context, decision)


def tagged(key: str, value: str) -> dict[str, tuple[str, ...]]:
    return {f"{prefix}:resourcetag/{key}": (value,) for prefix in ("aws", "ecr")}


def requested(value: str) -> dict[str, tuple[str, ...]]:
    return {"aws:requesttag/environment": (value,), "aws:tagkeys": ("environment",)}


DEV = {"StringEquals": {"aws:RequestTag/environment": "dev"}}
# Amazon ECR user guide, Identity-based policy examples, and Using tag-based access control.
IDENTITY_POLICIES: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, Any, bool]]]] = {
    "One repository": (
        [
            {"Effect": "Allow", "Action": ["ecr:ListImages", *PULLS, *PUSHES], "Resource": REPOSITORY},
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        ],
        [
            ("ecr:PutImage", REPOSITORY, {}, True),
            ("ecr:PutImage", f"{REPOSITORY}-2", {}, False),
            ("ecr:GetAuthorizationToken", "*", {}, True),
            ("ecr:DeleteRepository", REPOSITORY, {}, False),
        ],
    ),
    "Create and tag for development only": (
        [
            {"Effect": "Allow", "Action": "ecr:CreateRepository", "Resource": "*", "Condition": DEV},
            {"Effect": "Allow", "Action": "ecr:TagResource", "Resource": "*", "Condition": DEV},
        ],
        [
            ("ecr:CreateRepository", REPOSITORY, requested("dev"), True),
            ("ecr:TagResource", REPOSITORY, requested("dev"), True),
            ("ecr:CreateRepository", REPOSITORY, requested("prod"), False),
            ("ecr:CreateRepository", REPOSITORY, {}, False),
        ],
    ),
    "Pull unless tagged for production": (
        [
            {"Effect": "Allow", "Action": PULLS, "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": PULLS,
                "Resource": "*",
                "Condition": {"StringEquals": {"ecr:ResourceTag/environment": "prod"}},
            },
        ],
        [
            ("ecr:BatchGetImage", REPOSITORY, tagged("environment", "dev"), True),
            ("ecr:BatchGetImage", REPOSITORY, {}, True),
            ("ecr:BatchGetImage", REPOSITORY, tagged("environment", "prod"), False),
            ("ecr:PutImage", REPOSITORY, {}, False),
        ],
    ),
}


@pytest.mark.parametrize("name", IDENTITY_POLICIES)
def test_an_identity_policy_does_what_the_guide_says(name: str) -> None:
    statements, cases = IDENTITY_POLICIES[name]
    read = policies.parse({"Version": "2012-10-17", "Statement": statements}, policies.IDENTITY, name)
    for action, resource, context, expected in cases:
        decision = evaluate(request(BOB, action, resource, context), identity=[read])
        assert decision.allowed is expected, (action, resource, context, decision)


def test_a_registry_policy_lets_another_account_replicate_by_prefix() -> None:
    """Amazon ECR user guide, Private registry policy examples: a source account, and a prefix."""
    here = f"arn:aws:ecr:us-west-2:{OWNER}:repository"
    entry = allows(
        ["ecr:CreateRepository", "ecr:ReplicateImage"],
        {"AWS": f"arn:aws:iam::{OTHER}:root"},
        Resource=[f"{here}/prod-*"],
    )
    read = policies.parse({"Version": "2012-10-17", "Statement": entry}, policies.RESOURCE, "registry policy")
    for action, name, expected in (
        ("ecr:ReplicateImage", "prod-app", True),
        ("ecr:CreateRepository", "prod-", True),
        ("ecr:ReplicateImage", "dev-app", False),
        ("ecr:PutImage", "prod-app", False),
    ):
        asked = request(STRANGER, action, f"{here}/{name}")
        assert evaluate(asked, identity=[ALLOW], resource=[read]).allowed is expected


def test_all_but_one_by_a_condition_instead_of_not_principal() -> None:
    """IAM user guide, Principal, All principals. Of a session, aws:PrincipalArn is the role."""
    for principal, spared in ((BOB, BOB.arn), (SESSION, SESSION.role_arn)):
        entry = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "*",
            "Condition": {"ArnNotEquals": {"aws:PrincipalArn": spared}},
        }
        read = policies.parse({"Version": "2012-10-17", "Statement": entry}, policies.RESOURCE, "all but one")
        assert evaluate(request(principal), identity=[ALLOW], resource=[read]).allowed
        assert not evaluate(request(ALICE), identity=[ALLOW], resource=[read]).allowed


def test_a_role_named_in_a_condition_is_not_limited_by_its_boundary() -> None:
    """IAM user guide, Principal, IAM role principals: what * grants is the session's own."""
    entry = allows(PULLS, "*", Condition={"ArnEquals": {"aws:PrincipalArn": SESSION.role_arn}})
    read = policies.parse({"Version": "2012-10-17", "Statement": entry}, policies.RESOURCE, "by condition")
    narrow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    boundary = policies.parse({"Version": "2012-10-17", "Statement": narrow}, policies.BOUNDARY, "narrow")
    assert evaluate(request(SESSION), identity=[], boundary=boundary, resource=[read]).allowed


def test_a_mine_is_mine_policy_compares_tags_of_both_sides() -> None:
    """IAM user guide, Variables and tags, Tags as policy variables."""
    entry = {
        "Effect": "Allow",
        "Action": "ecr:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
    }
    read = policies.parse({"Version": "2012-10-17", "Statement": entry}, policies.IDENTITY, "ours")
    red = {"aws:principaltag/team": ("red",)}
    assert evaluate(request(context=red | tagged("team", "red")), identity=[read]).allowed
    assert not evaluate(request(context=red | tagged("team", "blue")), identity=[read]).allowed
    assert not evaluate(request(context=tagged("team", "")), identity=[read]).allowed
