"""The role of a repository creation template: what ECR must be able to do as it.

ECR user guide, Create an IAM role for repository creation templates, and Create a custom policy for them.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.steps import (
    GUEST,
    OWNER,
    REGION,
    Caller,
    Site,
    denied,
    document,
    identity_policy,
    of_identity,
    of_user,
    open_site,
    set_registry_policy,
    statement,
    user,
)

MADE = "made/app"
ARN = f"arn:aws:ecr:{REGION}:{OWNER}:repository/{MADE}"
ROLE = f"arn:aws:iam::{OWNER}:role/ecr/maker"
SESSION = f"arn:aws:sts::{OWNER}:assumed-role/maker/ecr"
KEY = f"arn:aws:kms:{REGION}:{OWNER}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
KMS = ["kms:CreateGrant", "kms:RetireGrant", "kms:DescribeKey"]
# The policy that the user guide shows.
ALL = ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource", *KMS]
TRUST = {
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
}
ENCRYPTED = {"encryptionType": "KMS", "kmsKey": KEY}
TAGS = [{"Key": "Team", "Value": "red"}]
NOT_ASSUMABLE = (
    f"The role '{ROLE}' cannot be assumed by Amazon ECR. Verify that the role exists in the account of the "
    "registry, and that its trust policy allows ecr.amazonaws.com to perform sts:AssumeRole."
)


@pytest.fixture
def site(tmp_path: Any) -> Iterator[Site]:
    admin = user("admin", identity_policy(of_identity("Allow", "ecr:*")))
    with open_site(tmp_path, "iam", {"users": [admin]}) as site:
        yield site


@pytest.fixture
def admin(site: Site) -> Caller:
    return of_user(site, "admin")


def put_role(site: Site, *statements: Any, trust: Any = TRUST, **more: Any) -> None:
    policies = [identity_policy(*statements)] if statements else []
    role = {"name": "maker", "path": "/ecr/", "account": OWNER, "trust": trust, "policies": policies, **more}
    site.put({"roles": [role]})


def put_template(admin: Caller, **members: Any) -> None:
    admin.did(
        "CreateRepositoryCreationTemplate",
        **{"prefix": "made", "appliedFor": ["CREATE_ON_PUSH"], "customRoleArn": ROLE, **members},
    )


def made(admin: Caller) -> str:
    """Push, and return "" when the repository was made, else the sentence of the refusal; then nothing is."""
    reply = admin.v2("POST", f"{MADE}/blobs/uploads/")
    is_there = admin.api("DescribeRepositories", repositoryNames=[MADE]).status == 200
    if reply.status == 202:
        assert is_there
        return ""
    assert (reply.status, is_there) == (403, False)
    code, message = reply.error
    assert code == "DENIED"
    return message


@pytest.mark.parametrize("lacking", ["", *(one for one in ALL if one != "ecr:ReplicateImage")])
def test_the_role_needs_each_of_what_the_template_sets(site: Site, admin: Caller, lacking: str) -> None:
    put_role(site, of_identity("Allow", [one for one in ALL if one != lacking]))
    put_template(admin, resourceTags=TAGS, encryptionConfiguration=ENCRYPTED)
    clause = f"because no identity-based policy allows the {lacking} action"
    resource = KEY if lacking in KMS else ARN
    assert made(admin) == (denied(SESSION, lacking, clause, resource) if lacking else "")
    if not lacking:
        (found,) = admin.did("DescribeRepositories", repositoryNames=[MADE])["repositories"]
        assert found["encryptionConfiguration"] == ENCRYPTED
        assert admin.did("ListTagsForResource", resourceArn=ARN)["tags"] == TAGS


@pytest.mark.parametrize(
    ("members", "needed"),
    [
        ({}, ["ecr:CreateRepository"]),
        ({"resourceTags": TAGS}, ["ecr:CreateRepository", "ecr:TagResource"]),
        ({"encryptionConfiguration": ENCRYPTED}, ["ecr:CreateRepository", *KMS]),
        # The policy of aws/ecr lets everybody of the account in.
        ({"encryptionConfiguration": {"encryptionType": "KMS"}}, ["ecr:CreateRepository"]),
    ],
)
def test_the_role_needs_no_more(site: Site, admin: Caller, members: Any, needed: list[str]) -> None:
    put_role(site, of_identity("Allow", needed))
    put_template(admin, **members)
    assert made(admin) == ""


OF_OTHERS = (
    {"Service": "codebuild.amazonaws.com"},
    {"AWS": f"arn:aws:iam::{OWNER}:root"},
)


@pytest.mark.parametrize(
    "trust",
    [
        None,
        *({"Statement": [{**TRUST["Statement"][0], "Principal": principal}]} for principal in OF_OTHERS),
        {"Statement": [{**TRUST["Statement"][0], "Action": "sts:TagSession"}]},
        {"Statement": [*TRUST["Statement"], {**TRUST["Statement"][0], "Effect": "Deny"}]},
        {
            "Statement": [
                {**TRUST["Statement"][0], "Condition": {"StringEquals": {"aws:SourceAccount": GUEST}}}
            ]
        },
    ],
)
def test_a_role_that_does_not_trust_ecr_makes_nothing(site: Site, admin: Caller, trust: Any) -> None:
    put_role(site, of_identity("Allow", ALL), trust=trust)
    put_template(admin)
    assert made(admin) == NOT_ASSUMABLE


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:iam::{OWNER}:role/nobody",
        # Without its path it is another name.
        f"arn:aws:iam::{OWNER}:role/maker",
        f"arn:aws:iam::{GUEST}:role/maker",
        f"arn:aws:iam::{OWNER}:user/admin",
        SESSION,
    ],
)
def test_what_is_no_role_of_the_account_makes_nothing(site: Site, admin: Caller, arn: str) -> None:
    put_role(site, of_identity("Allow", ALL))
    foreign = {"name": "maker", "account": GUEST, "trust": TRUST}
    site.put({"roles": [{**foreign, "policies": [identity_policy(of_identity("Allow", "*"))]}]})
    reply = admin.api(
        "CreateRepositoryCreationTemplate", prefix="made", appliedFor=["CREATE_ON_PUSH"], customRoleArn=arn
    )
    if reply.status != 200:
        assert "customRoleArn" in reply.json()["message"]
        return
    assert made(admin) == NOT_ASSUMABLE.replace(ROLE, arn)


def test_a_trust_with_conditions_of_this_registry_holds(site: Site, admin: Caller) -> None:
    conditions = {
        "StringEquals": {"aws:SourceAccount": OWNER},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ecr:{REGION}:{OWNER}:*"},
    }
    put_role(
        site,
        of_identity("Allow", ALL),
        trust={"Statement": [{**TRUST["Statement"][0], "Condition": conditions}]},
    )
    put_template(admin)
    assert made(admin) == ""


def test_the_boundary_and_the_registry_policy_hold_for_the_role(site: Site, admin: Caller) -> None:
    boundary = {"name": "boundary", "document": identity_policy(of_identity("Allow", KMS))["document"]}
    put_role(site, of_identity("Allow", ALL), boundary=boundary)
    put_template(admin)
    clause = "because no permissions boundary allows the ecr:CreateRepository action"
    assert made(admin) == denied(SESSION, "ecr:CreateRepository", clause, ARN)
    put_role(site, of_identity("Allow", ALL), boundary=None)
    role_only = {"Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}}}
    set_registry_policy(admin, statement("Deny", "ecr:CreateRepository", Resource=ARN, **role_only))
    clause = "with an explicit deny in a resource-based policy"
    assert made(admin) == denied(SESSION, "ecr:CreateRepository", clause, ARN)
    admin.did("DeleteRegistryPolicy")
    assert made(admin) == ""


def test_the_role_is_asked_with_the_tags_of_the_template(site: Site, admin: Caller) -> None:
    def only(value: str) -> Any:
        return {"Condition": {"StringEquals": {"aws:RequestTag/team": value}}}

    put_template(admin, resourceTags=TAGS)
    put_role(site, of_identity("Allow", ALL, **only("blue")))
    assert made(admin).startswith(f"User: {SESSION} is not authorized to perform: ecr:CreateRepository")
    put_role(site, of_identity("Allow", ALL, **only("red")))
    assert made(admin) == ""


def test_every_setting_is_applied_by_a_role_that_may(site: Site, admin: Caller) -> None:
    put_role(site, of_identity("Allow", ALL))
    policy = document(statement("Allow", ["ecr:BatchGetImage"], {"AWS": f"arn:aws:iam::{OWNER}:root"}))
    put_template(admin, repositoryPolicy=policy, imageTagMutability="IMMUTABLE", resourceTags=TAGS)
    assert made(admin) == ""
    (found,) = admin.did("DescribeRepositories", repositoryNames=[MADE])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert "ecr:BatchGetImage" in admin.did("GetRepositoryPolicy", repositoryName=MADE)["policyText"]
