"""Actions, resources and principals of a statement."""

from typing import Any

import pytest

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.matching import Case, Grant
from ecr_emu.domain.iam.requests import Principal
from tests.domain.iam.samples import (
    ANYONE,
    BOB,
    CODEBUILD,
    FEDERATED,
    OTHER,
    OWNER,
    REPOSITORY,
    ROOT,
    SESSION,
    STRANGE_SESSION,
    STRANGER,
    policy,
    request,
    resource_policy,
    statement,
)

NONE, ACCOUNT, IDENTITY, DIRECT = Grant


def covers(action: str = "ecr:BatchGetImage", resource: str = REPOSITORY, **elements: Any) -> bool:
    asked = request(BOB, action, resource)
    return bool(policy(statement(**elements)).statements[0].grant(Case(asked, action.lower(), False)))


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"Action": "ecr:BatchGetImage"}, True),
        ({"Action": "ECR:batchgetimage"}, True),
        ({"Action": ["ecr:PutImage", "ecr:BatchGet*"]}, True),
        ({"Action": "ecr:*Image"}, True),
        ({"Action": "*:BatchGetImage"}, True),
        ({"Action": "ecr:BatchGetImag?"}, True),
        ({"Action": "ecr:BatchGetImage?"}, False),
        ({"Action": "s3:*"}, False),
        ({"NotAction": "s3:*"}, True),
        ({"NotAction": ["s3:*", "ecr:Batch*"]}, False),
        ({"NotAction": "*"}, False),
        ({"Resource": "arn:aws:ecr:*:*:repository/*"}, True),
        ({"Resource": f"arn:aws:ecr:us-east-1:{OWNER}:repository/team/app"}, True),
        ({"Resource": f"arn:aws:ecr:us-east-1:{OWNER}:repository/TEAM/app"}, False),
        ({"Resource": f"arn:aws:ecr:us-east-1:{OWNER}:repository/team"}, False),
        ({"Resource": f"arn:aws:ecr:us-east-?:{OWNER}:repository/team/*"}, True),
        ({"Resource": "arn:aws:ecr:*"}, True),
        ({"NotResource": "arn:aws:ecr:*:*:repository/other"}, True),
        ({"NotResource": "arn:aws:ecr:*:*:repository/team/*"}, False),
        ({"Resource": "arn:aws:ecr:*:*:repository/${aws:username, 'team'}/app"}, False),
        ({"Resource": "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team, 'team'}/app"}, True),
        ({"Resource": "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}*"}, False),
        ({"NotResource": "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}"}, False),
        ({"NotResource": ["arn:aws:ecr:*:*:repository/${k:a}", "arn:aws:ecr:*:*:repository/t*"]}, False),
    ],
)
def test_a_statement_covers_what_it_names(elements: dict[str, Any], expected: bool) -> None:
    """IAM user guide, JSON policy elements: Action (case-insensitive), Resource (case-sensitive), Not…"""
    assert covers(**elements) is expected


def test_an_action_without_a_resource_needs_a_star() -> None:
    """Reference 7.3: GetAuthorizationToken asks for *, DescribeRepositories for repository/*."""
    assert covers("ecr:GetAuthorizationToken", "*", Resource="*")
    assert not covers("ecr:GetAuthorizationToken", "*", Resource="arn:aws:ecr:*:*:repository/*")
    everything = REPOSITORY.replace("team/app", "*")
    assert covers("ecr:DescribeRepositories", everything, Resource="arn:aws:ecr:*:*:repository/*")
    assert not covers("ecr:DescribeRepositories", everything, Resource="arn:aws:ecr:*:*:repository/team/*")


GRANTS: list[tuple[Any, Principal, Grant]] = [
    ("*", BOB, DIRECT),
    ({"AWS": "*"}, STRANGER, DIRECT),
    ("*", ANYONE, DIRECT),
    ("*", CODEBUILD, DIRECT),
    ({"AWS": OWNER}, BOB, ACCOUNT),
    ({"AWS": f"arn:aws:iam::{OWNER}:root"}, BOB, ACCOUNT),
    ({"AWS": f"arn:aws:iam::{OWNER}:root"}, SESSION, ACCOUNT),
    ({"AWS": f"arn:aws:iam::{OWNER}:root"}, ROOT, DIRECT),
    ({"AWS": OWNER}, STRANGER, NONE),
    ({"AWS": [OWNER, OTHER]}, STRANGER, ACCOUNT),
    ({"AWS": BOB.arn}, BOB, DIRECT),
    ({"AWS": f"arn:aws:iam::{OWNER}:user/staff/BOB"}, BOB, NONE),
    ({"AWS": [OWNER, BOB.arn]}, BOB, DIRECT),
    ({"AWS": BOB.unique_id}, BOB, DIRECT),
    ({"AWS": BOB.arn}, STRANGER, NONE),
    ({"AWS": SESSION.role_arn}, SESSION, IDENTITY),
    ({"AWS": f"arn:aws:iam::{OWNER}:role/builder"}, SESSION, NONE),
    ({"AWS": f"arn:aws:iam::{OTHER}:role/pull"}, STRANGE_SESSION, IDENTITY),
    ({"AWS": SESSION.unique_id}, SESSION, IDENTITY),
    ({"AWS": SESSION.arn}, SESSION, DIRECT),
    ({"AWS": SESSION.arn.replace("run-1", "run-2")}, SESSION, NONE),
    ({"AWS": FEDERATED.arn}, FEDERATED, DIRECT),
    ({"AWS": FEDERATED.user_arn}, FEDERATED, IDENTITY),
    ({"Service": "codebuild.amazonaws.com"}, CODEBUILD, DIRECT),
    ({"Service": ["ecs.amazonaws.com", "codebuild.amazonaws.com"]}, CODEBUILD, DIRECT),
    ({"Service": "ecs.amazonaws.com"}, CODEBUILD, NONE),
    ({"Service": "codebuild.amazonaws.com"}, BOB, NONE),
    ({"AWS": OWNER}, ANYONE, NONE),
    ({"Federated": "accounts.google.com", "CanonicalUser": "79a5"}, BOB, NONE),
]


@pytest.mark.parametrize(("element", "principal", "grant"), GRANTS)
def test_a_principal_element_names(element: Any, principal: Principal, grant: Grant) -> None:
    """IAM user guide, JSON policy elements: Principal. A Deny hits whomever the element names in any way."""
    for effect in ("Allow", "Deny"):
        asked = resource_policy(effect, element).statements[0]
        assert asked.grant(Case(request(principal), "ecr:batchgetimage", False)) is grant


ACCOUNT_ROOT = f"arn:aws:iam::{OWNER}:root"
SPARED: list[tuple[list[str], Principal, bool, str]] = [
    ([BOB.arn, ACCOUNT_ROOT], BOB, True, "documented"),
    ([BOB.arn, ACCOUNT_ROOT], SESSION, False, "documented"),
    ([BOB.arn, ACCOUNT_ROOT], ROOT, True, "documented"),
    ([BOB.arn, ACCOUNT_ROOT], STRANGER, False, "documented"),
    ([BOB.arn], BOB, True, "inferred: the guide says that the account should be named too"),
    ([SESSION.arn, SESSION.role_arn, ACCOUNT_ROOT], SESSION, True, "documented"),
    ([SESSION.role_arn, ACCOUNT_ROOT], SESSION, False, "inferred"),
]


@pytest.mark.parametrize(("names", "principal", "is_spared", "evidence"), SPARED)
def test_a_denial_spares_whom_not_principal_names(
    names: list[str], principal: Principal, is_spared: bool, evidence: str
) -> None:
    denial = resource_policy("Deny", NotPrincipal={"AWS": names}).statements[0]
    assert bool(denial.grant(Case(request(principal), "ecr:batchgetimage", False))) is not is_spared, evidence
    assert denial.grant(Case(request(principal), "ecr:batchgetimage", True)), "a boundary: documented"


def test_allow_with_not_principal_admits_all_that_it_does_not_cover() -> None:
    """As it was before IAM gave it up; an account in the list covers all of the account (inferred)."""
    allowance = resource_policy("Allow", NotPrincipal={"AWS": [OWNER]}).statements[0]
    assert not allowance.grant(Case(request(BOB), "ecr:batchgetimage", False))
    assert allowance.grant(Case(request(STRANGER), "ecr:batchgetimage", False)) is DIRECT


def test_a_policy_without_principals_is_about_whom_it_is_attached_to() -> None:
    for kind in (policies.IDENTITY, policies.BOUNDARY, policies.SESSION, policies.SERVICE_CONTROL):
        asked = policy(statement(), kind=kind).statements[0]
        assert asked.grant(Case(request(BOB), "ecr:batchgetimage", False)) is DIRECT
