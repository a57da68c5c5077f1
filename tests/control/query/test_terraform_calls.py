"""The calls that Terraform's AWS provider makes for its resources of IAM and ECR, in its order.

Written after the provider's documentation and source (hashicorp/terraform-provider-aws, internal/service/iam
and ecr): make, read until it is there, read again with nothing to change, take away, and see that it is gone.
conformance/test_terraform.py has Terraform itself make the same things, where there is one.
"""

import json
from typing import Any

from tests.control.query.conftest import ACCOUNT, ROOT, Aws, allow, document, error_of, trust

FULL_ACCESS = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess"
USER, ROLE = (f"arn:aws:iam::{ACCOUNT}:{name}" for name in ("user/ci", "role/deploy"))
POLICY, PROFILE = (f"arn:aws:iam::{ACCOUNT}:{name}" for name in ("policy/push", "instance-profile/deploy"))
REPOSITORY = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
TRUST = document(trust({"AWS": USER}))
TRUST_ANYBODY = document(trust("*"))
PUSH = document(allow("ecr:*", resource=REPOSITORY))


def make_iam(iam: Any) -> tuple[str, str]:
    """aws_iam_user, _access_key, _group, _group_membership, _role, _policy, _role_policy,
    _role_policy_attachment and _instance_profile; the access key.
    """
    iam.create_user(UserName="ci", Path="/", Tags=[{"Key": "team", "Value": "red"}])
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    iam.create_group(GroupName="developers", Path="/")
    iam.add_user_to_group(GroupName="developers", UserName="ci")
    role = iam.create_role(
        RoleName="deploy",
        Path="/",
        AssumeRolePolicyDocument=TRUST,
        MaxSessionDuration=3600,
        PermissionsBoundary=FULL_ACCESS,
        Tags=[{"Key": "team", "Value": "red"}],
    )["Role"]
    assert role["Arn"] == ROLE
    assert iam.create_policy(PolicyName="push", Path="/", PolicyDocument=PUSH)["Policy"]["Arn"] == POLICY
    iam.attach_role_policy(RoleName="deploy", PolicyArn=POLICY)
    iam.put_role_policy(RoleName="deploy", PolicyName="own", PolicyDocument=PUSH)
    profile = iam.create_instance_profile(InstanceProfileName="deploy", Path="/")["InstanceProfile"]
    assert profile["Arn"] == PROFILE
    iam.add_role_to_instance_profile(InstanceProfileName="deploy", RoleName="deploy")
    return key["AccessKeyId"], key["SecretAccessKey"]


def read_iam(iam: Any) -> Any:
    """What a plan reads: where one of these differs from what was written, there is something to change."""
    role = iam.get_role(RoleName="deploy")["Role"]
    policy = iam.get_policy(PolicyArn=POLICY)["Policy"]
    version = iam.get_policy_version(PolicyArn=POLICY, VersionId=policy["DefaultVersionId"])
    attached = iam.list_attached_role_policies(RoleName="deploy")["AttachedPolicies"]
    profile = iam.get_instance_profile(InstanceProfileName="deploy")["InstanceProfile"]
    user = iam.get_user(UserName="ci")["User"]
    return {
        "user": (user["Arn"], user["Path"], user["Tags"]),
        "keys": [one["Status"] for one in iam.list_access_keys(UserName="ci")["AccessKeyMetadata"]],
        "members": [one["UserName"] for one in iam.get_group(GroupName="developers")["Users"]],
        "role": (role["Arn"], role["Path"], role["AssumeRolePolicyDocument"], role["MaxSessionDuration"]),
        "boundary": role["PermissionsBoundary"]["PermissionsBoundaryArn"],
        "tags": role["Tags"],
        "inline": iam.list_role_policies(RoleName="deploy")["PolicyNames"],
        "own": iam.get_role_policy(RoleName="deploy", PolicyName="own")["PolicyDocument"],
        "policy": (policy["Arn"], version["PolicyVersion"]["Document"]),
        "attached": [one["PolicyArn"] for one in attached],
        "profile": (profile["Arn"], [one["Arn"] for one in profile["Roles"]]),
    }


def unmake_iam(iam: Any) -> None:
    for profile in iam.list_instance_profiles_for_role(RoleName="deploy")["InstanceProfiles"]:
        name = profile["InstanceProfileName"]
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName="deploy")
    iam.delete_instance_profile(InstanceProfileName="deploy")
    iam.detach_role_policy(RoleName="deploy", PolicyArn=POLICY)
    iam.delete_role_policy(RoleName="deploy", PolicyName="own")
    assert [one["IsDefaultVersion"] for one in iam.list_policy_versions(PolicyArn=POLICY)["Versions"]] == [
        True
    ]
    iam.delete_policy(PolicyArn=POLICY)
    iam.delete_role(RoleName="deploy")
    for key in iam.list_access_keys(UserName="ci")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="ci", AccessKeyId=key["AccessKeyId"])
    iam.remove_user_from_group(GroupName="developers", UserName="ci")
    iam.delete_group(GroupName="developers")
    iam.delete_user(UserName="ci")


def test_terraforms_resources_of_iam_are_made_read_and_taken_away(aws: Aws) -> None:
    assert aws.client("sts", ROOT).get_caller_identity()["Account"] == ACCOUNT
    iam = aws.client("iam", ROOT)
    key = make_iam(iam)
    tags = [{"Key": "team", "Value": "red"}]
    assert read_iam(iam) == {
        "user": (USER, "/", tags),
        "keys": ["Active"],
        "members": ["ci"],
        "role": (ROLE, "/", json.loads(TRUST), 3600),
        "boundary": FULL_ACCESS,
        "tags": tags,
        "inline": ["own"],
        "own": json.loads(PUSH),
        "policy": (POLICY, json.loads(PUSH)),
        "attached": [POLICY],
        "profile": (PROFILE, [ROLE]),
    }
    assert read_iam(iam) == read_iam(iam)
    session = aws.session(key, ROLE)
    aws.client("ecr", ROOT).create_repository(repositoryName="team/app")
    assert aws.client("ecr", session).list_images(repositoryName="team/app")["imageIds"] == []
    unmake_iam(iam)
    for read, name in (
        (iam.get_role, {"RoleName": "deploy"}),
        (iam.get_user, {"UserName": "ci"}),
        (iam.get_group, {"GroupName": "developers"}),
        (iam.get_policy, {"PolicyArn": POLICY}),
        (iam.get_instance_profile, {"InstanceProfileName": "deploy"}),
    ):
        # By this code the provider knows that it may forget the resource.
        assert error_of(read, **name)[0] == "NoSuchEntity"
    assert error_of(aws.client("sts", session).get_caller_identity)[0] == "InvalidClientTokenId"


def test_terraforms_resources_of_ecr_are_made_read_and_taken_away(aws: Aws) -> None:
    """aws_ecr_repository, _repository_policy, _lifecycle_policy and the authorization token's data source."""
    ecr = aws.client("ecr", ROOT)
    tags = [{"Key": "team", "Value": "red"}]
    name = {"repositoryName": "team/app"}
    repository = ecr.create_repository(
        **name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "AES256"},
        tags=tags,
    )["repository"]
    found = ecr.describe_repositories(registryId=ACCOUNT, repositoryNames=["team/app"])["repositories"]
    assert found == [repository]
    assert ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"] == tags
    # The provider tries for two minutes while IAM does not know the principal yet: it looks for this text.
    policy = document({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "ecr:BatchGetImage"})
    code, message = error_of(ecr.set_repository_policy, **name, policyText=policy)
    assert code == "InvalidParameterException"
    assert "Invalid repository policy provided" in message
    aws.client("iam", ROOT).create_role(RoleName="deploy", AssumeRolePolicyDocument=TRUST_ANYBODY)
    ecr.set_repository_policy(**name, policyText=policy)
    assert json.loads(ecr.get_repository_policy(**name)["policyText"]) == json.loads(policy)
    rules = [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
            "action": {"type": "expire"},
        }
    ]
    ecr.put_lifecycle_policy(**name, lifecyclePolicyText=json.dumps({"rules": rules}))
    assert json.loads(ecr.get_lifecycle_policy(**name)["lifecyclePolicyText"]) == {"rules": rules}
    assert ecr.get_authorization_token()["authorizationData"]
    ecr.delete_lifecycle_policy(**name)
    assert error_of(ecr.get_lifecycle_policy, **name)[0] == "LifecyclePolicyNotFoundException"
    ecr.delete_repository_policy(**name)
    assert error_of(ecr.get_repository_policy, **name)[0] == "RepositoryPolicyNotFoundException"
    ecr.delete_repository(**name, force=True)
    code, _ = error_of(ecr.describe_repositories, repositoryNames=["team/app"])
    assert code == "RepositoryNotFoundException"
