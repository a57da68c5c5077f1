"""With verified signatures: custom roles of templates, and who may replicate from another account."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.steps import (
    GUEST,
    HOST,
    NAME,
    OWNER,
    Caller,
    Site,
    identity_policy,
    of_identity,
    of_user,
    open_site,
    set_registry_policy,
    statement,
    user,
)

TRUST = {
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
}
ROLE = f"arn:aws:iam::{OWNER}:role/replication"
THERE = "eu-west-1"
ADMIN = identity_policy(of_identity("Allow", "*"))
TAGGED = {"resourceTags": [{"Key": "team", "Value": "x"}], "customRoleArn": ROLE}


def copied(site: Site, admin: Caller, destination: dict[str, str]) -> dict[str, str]:
    """Push an image that is to be copied, and say what became of the copy."""
    admin.did("CreateRepository", repositoryName=NAME)
    rules = [{"destinations": [destination]}]
    admin.did("PutReplicationConfiguration", replicationConfiguration={"rules": rules})
    admin.push_image(NAME)
    site.application.runner.run_due()
    answer = admin.did("DescribeImageReplicationStatus", repositoryName=NAME, imageId={"imageTag": "v1"})
    (status,) = answer["replicationStatuses"]
    return {member: status[member] for member in ("status", "failureCode") if member in status}


def there_of(site: Site) -> Caller:
    """The administrator in the region to which images are copied."""
    return Caller(site, f"arn:aws:iam::{OWNER}:user/admin", "AKIAADMIN", "secret-of-admin", region=THERE)


@pytest.mark.parametrize(
    ("allowed", "template", "succeeds"),
    [
        (["ecr:CreateRepository", "ecr:TagResource"], TAGGED, True),
        (["ecr:CreateRepository"], TAGGED, False),
        (["ecr:TagResource"], TAGGED, False),
        (None, TAGGED, False),
        (["ecr:CreateRepository"], {"customRoleArn": ROLE}, True),
        (["ecr:TagResource"], {"customRoleArn": ROLE}, False),
        (None, {}, True),
    ],
)
def test_the_role_of_a_template_must_be_allowed_what_the_template_does(
    tmp_path: Path, allowed: Any, template: dict[str, Any], succeeds: bool
) -> None:
    roles = []
    if allowed is not None:
        policy = identity_policy(of_identity("Allow", allowed))
        roles = [{"name": "replication", "account": OWNER, "policies": [policy], "trust": TRUST}]
    with open_site(tmp_path, "iam", {"users": [user("admin", ADMIN)], "roles": roles}) as site:
        there = there_of(site)
        there.did("CreateRepositoryCreationTemplate", prefix="ROOT", appliedFor=["REPLICATION"], **template)
        found = copied(site, of_user(site, "admin"), {"region": THERE, "registryId": OWNER})
        names = [entry["repositoryName"] for entry in there.did("DescribeRepositories")["repositories"]]
    if succeeds:
        assert (found, names) == ({"status": "COMPLETE"}, [NAME])
    else:
        assert (found, names) == ({"status": "FAILED", "failureCode": "AccessDenied"}, [])


@pytest.mark.parametrize("auth", ["token", "iam"])
@pytest.mark.parametrize(
    ("account", "actions", "succeeds"),
    [
        (OWNER, ["ecr:ReplicateImage", "ecr:CreateRepository"], True),
        (OWNER, ["ecr:ReplicateImage"], False),
        ("999999999999", ["ecr:ReplicateImage", "ecr:CreateRepository"], False),
    ],
)
def test_the_registry_policy_of_the_other_account_decides(
    tmp_path: Path, auth: str, account: str, actions: list[str], succeeds: bool
) -> None:
    accounts = {account: {} for account in (OWNER, GUEST, "999999999999")}
    users = [user("admin", ADMIN), user("guest", ADMIN, account=GUEST)]
    with open_site(tmp_path, auth, {"accounts": accounts, "users": users}) as site:
        admin, guest = of_user(site, "admin"), of_user(site, "guest", GUEST)
        if auth == "token":
            # An access key of 12 digits is the account.
            admin = Caller(site, f"arn:aws:iam::{OWNER}:root", OWNER, "x")
            guest = Caller(site, f"arn:aws:iam::{GUEST}:root", GUEST, "x")
        principal = {"AWS": f"arn:aws:iam::{account}:root"}
        set_registry_policy(guest, statement("Allow", actions, principal, Resource="*"))
        found = copied(site, admin, {"region": "us-east-1", "registryId": GUEST})
    expected = {"status": "COMPLETE"} if succeeds else {"status": "FAILED", "failureCode": "AccessDenied"}
    assert found == expected


def test_the_header_of_replication_asks_for_the_permission_to_replicate(tmp_path: Path) -> None:
    """A user may not push by saying that it is replication."""
    pull = identity_policy(of_identity("Allow", ["ecr:GetAuthorizationToken", "ecr:BatchGetImage"]))
    replicate = identity_policy(of_identity("Allow", ["ecr:GetAuthorizationToken", "ecr:ReplicateImage"]))
    people = [user("admin", ADMIN), user("reader", pull), user("copier", replicate)]
    header = {"X-Ecr-Emu-Replication": "1"}
    with open_site(tmp_path, "iam", {"users": people}) as site:
        admin = of_user(site, "admin")
        admin.did("CreateRepository", repositoryName=NAME)
        admin.push_image(NAME)
        for name, is_let_in in (("reader", False), ("copier", True)):
            caller = of_user(site, name)
            for method, path in (
                ("HEAD", "blobs/sha256:" + "0" * 64),
                ("POST", "blobs/uploads/"),
                ("PUT", "manifests/v9"),
                ("DELETE", "manifests/sha256:" + "0" * 64),
            ):
                reply = caller.v2(method, f"{NAME}/{path}", b"", header, HOST)
                assert (reply.status != 403) == is_let_in, (name, method, reply.body)
            # Without the header it is a push, which neither may do.
            assert caller.v2("POST", f"{NAME}/blobs/uploads/").status == 403
        assert json.loads(of_user(site, "admin").v2("GET", f"{NAME}/tags/list").body)["tags"] == ["v1"]
