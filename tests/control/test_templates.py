"""Repository creation templates, and the repositories that they make on a push."""

import json
from typing import Any

import pytest

from tests.clients import Clock, Registry, Running, digest_of
from tests.consistency import side_by_side
from tests.control.calls import invalid, refusal

ROLE = "arn:aws:iam::000000000000:role/maker"
KEY = "arn:aws:kms:us-east-1:000000000000:key/0f0e0d0c-0b0a-4908-8706-050403020100"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "all",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                "Action": ["ecr:BatchGetImage", "ecr:PutImage"],
            }
        ],
    }
)
LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)
ON_PUSH: dict[str, Any] = {"prefix": "prod", "appliedFor": ["CREATE_ON_PUSH"]}
FULL: dict[str, Any] = {
    "prefix": "prod/team",
    "description": "What it is for",
    "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": KEY},
    "resourceTags": [{"Key": "team", "Value": "a"}],
    "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
    "repositoryPolicy": POLICY,
    "lifecyclePolicy": LIFECYCLE,
    "appliedFor": ["CREATE_ON_PUSH", "REPLICATION"],
    "customRoleArn": ROLE,
}
NOT_FOUND = (
    "TemplateNotFoundException",
    "The specified repository creation template can't be found. "
    "Verify the registry ID and prefix and try again.",
)


def template(answer: Any) -> Any:
    assert answer["registryId"] == "000000000000"
    found = dict(answer["repositoryCreationTemplate"])
    for name in ("createdAt", "updatedAt"):
        found[name] = found[name].timestamp()
    return found


def test_template_has_these_defaults(ecr: Any, clock: Clock) -> None:
    whole = {
        "prefix": "prod",
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "resourceTags": [],
        "imageTagMutability": "MUTABLE",
        "appliedFor": ["CREATE_ON_PUSH"],
        "createdAt": pytest.approx(clock.now, abs=0.001),
        "updatedAt": pytest.approx(clock.now, abs=0.001),
    }
    assert template(ecr.create_repository_creation_template(**ON_PUSH)) == whole
    assert template(ecr.delete_repository_creation_template(prefix="prod")) == whole
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


def test_template_keeps_everything(ecr: Any) -> None:
    answer = template(ecr.create_repository_creation_template(**FULL))
    assert answer.items() >= FULL.items()
    (found,) = ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert found.items() >= FULL.items()


def test_second_template_for_a_prefix_is_refused(ecr: Any) -> None:
    ecr.create_repository_creation_template(**ON_PUSH)
    for prefix in ("prod", "prod/"):
        got = refusal(ecr.create_repository_creation_template, **{**ON_PUSH, "prefix": prefix})
        assert got == (
            "TemplateAlreadyExistsException",
            "The repository creation template already exists. Specify a unique prefix and try again.",
        )


def test_template_that_is_not_there_is_said_so(ecr: Any) -> None:
    assert refusal(ecr.update_repository_creation_template, prefix="prod") == NOT_FOUND
    assert refusal(ecr.delete_repository_creation_template, prefix="prod") == NOT_FOUND
    answer = ecr.describe_repository_creation_templates(prefixes=["prod"])
    assert answer["repositoryCreationTemplates"] == []


def test_update_leaves_what_it_does_not_name(ecr: Any, clock: Clock) -> None:
    created = template(ecr.create_repository_creation_template(**FULL))
    clock.advance(60)
    updated = template(ecr.update_repository_creation_template(prefix="prod/team", description="New"))
    assert updated == {**created, "description": "New", "updatedAt": pytest.approx(clock.now, abs=0.001)}


def test_update_replaces_and_takes_away(ecr: Any) -> None:
    ecr.create_repository_creation_template(**FULL)
    updated = template(
        ecr.update_repository_creation_template(
            prefix="prod/team",
            description="",
            encryptionConfiguration={"encryptionType": "AES256", "kmsKey": ""},
            resourceTags=[],
            imageTagMutability="MUTABLE",
            repositoryPolicy="",
            lifecyclePolicy="",
            appliedFor=["PULL_THROUGH_CACHE"],
        )
    )
    del updated["createdAt"], updated["updatedAt"]
    assert updated == {
        "prefix": "prod/team",
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "resourceTags": [],
        "imageTagMutability": "MUTABLE",
        "appliedFor": ["PULL_THROUGH_CACHE"],
        "customRoleArn": ROLE,
    }


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
            invalid(
                "imageTagMutabilityExclusionFilters",
                "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as "
                "IMMUTABLE_WITH_EXCLUSION",
            ),
        ),
        (
            {"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": KEY}},
            invalid(
                "encryptionConfiguration",
                "Invalid encryption configuration: Encryption key should not be set for AES256 encryption.",
            ),
        ),
        (
            {"resourceTags": [{"Key": "aws:x", "Value": ""}]},
            invalid("resourceTags", "Tag parameters are invalid"),
        ),
        ({"repositoryPolicy": "{}"}, invalid("PolicyText", "Invalid repository policy provided")),
    ],
)
def test_settings_that_no_repository_may_have_are_refused(
    ecr: Any, members: Any, message: tuple[str, str]
) -> None:
    assert refusal(ecr.create_repository_creation_template, **ON_PUSH, **members) == message
    ecr.create_repository_creation_template(**ON_PUSH)
    assert refusal(ecr.update_repository_creation_template, prefix="prod", **members) == message


def test_lifecycle_policy_is_checked(ecr: Any) -> None:
    code, message = refusal(ecr.create_repository_creation_template, **ON_PUSH, lifecyclePolicy="{}")
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'LifecyclePolicyText'")


def test_templates_come_in_pages_and_by_prefix(ecr: Any) -> None:
    names = ["ROOT", "a", "b", "c/d"]
    for name in names:
        ecr.create_repository_creation_template(prefix=name, appliedFor=["REPLICATION"])

    def listed(**request: Any) -> list[list[str]]:
        pages = ecr.get_paginator("describe_repository_creation_templates").paginate(
            **request, PaginationConfig={"PageSize": 3}
        )
        return [[found["prefix"] for found in page["repositoryCreationTemplates"]] for page in pages]

    assert listed() == [names[:3], names[3:]]
    assert listed(prefixes=["c/d", "ROOT", "none"]) == [["ROOT", "c/d"]]


def test_templates_are_those_of_an_account_in_a_region(emulator: Running, ecr: Any) -> None:
    ecr.create_repository_creation_template(**ON_PUSH)
    for other in (emulator.ecr("222222222222"), emulator.ecr(region="eu-west-1")):
        assert other.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


def test_push_makes_a_repository_with_the_settings_of_its_template(
    registry: Registry, ecr: Any, clock: Clock
) -> None:
    ecr.create_repository_creation_template(**FULL)
    registry.push_image("prod/team/app", "v1", b"layer")
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["createdAt"].timestamp() == pytest.approx(clock.now, abs=0.001)
    assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert repository["imageTagMutabilityExclusionFilters"] == FULL["imageTagMutabilityExclusionFilters"]
    assert repository["encryptionConfiguration"] == FULL["encryptionConfiguration"]
    tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert tags == FULL["resourceTags"]
    policy = ecr.get_repository_policy(repositoryName="prod/team/app")["policyText"]
    assert json.loads(policy) == json.loads(POLICY)
    lifecycle = ecr.get_lifecycle_policy(repositoryName="prod/team/app")["lifecyclePolicyText"]
    assert json.loads(lifecycle) == json.loads(LIFECYCLE)
    # The template has done its work: the tag is immutable.
    code, _ = registry.put_manifest(
        "prod/team/app", "v1", registry.request("GET", "/v2/prod/team/app/manifests/v1").body
    ).error
    assert code == "TAG_INVALID"


def test_manifest_alone_makes_a_repository_too(registry: Registry, ecr: Any) -> None:
    ecr.create_repository_creation_template(prefix="ROOT", appliedFor=["CREATE_ON_PUSH"])
    index = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    reply = registry.put_manifest("app", "v1", index, "application/vnd.oci.image.index.v1+json")
    assert reply.status == 201
    assert ecr.describe_images(repositoryName="app")["imageDetails"][0]["imageDigest"] == digest_of(index)


@pytest.mark.parametrize(
    ("templates", "name", "made_by"),
    [
        ({"prod": "CREATE_ON_PUSH"}, "prod/x", "prod"),
        ({"prod": "CREATE_ON_PUSH"}, "prod", None),
        ({"prod": "CREATE_ON_PUSH"}, "production/x", None),
        ({"prod": "CREATE_ON_PUSH", "prod/team": "CREATE_ON_PUSH"}, "prod/team/x", "prod/team"),
        ({"prod": "CREATE_ON_PUSH", "ROOT": "CREATE_ON_PUSH"}, "dev/x", "ROOT"),
        ({"prod": "CREATE_ON_PUSH", "prod/team": "REPLICATION"}, "prod/team/x", "prod"),
        ({"prod": "REPLICATION"}, "prod/x", None),
        ({"ROOT": "PULL_THROUGH_CACHE"}, "prod/x", None),
    ],
)
def test_longest_prefix_for_pushes_makes_the_repository(
    registry: Registry, ecr: Any, templates: dict[str, str], name: str, made_by: str | None
) -> None:
    for prefix, scenario in templates.items():
        ecr.create_repository_creation_template(
            prefix=prefix,
            appliedFor=[scenario],
            customRoleArn=ROLE,
            resourceTags=[{"Key": "by", "Value": prefix}],
        )
    reply = registry.request("POST", f"/v2/{name}/blobs/uploads/")
    if made_by is None:
        assert reply.error[0] == "NAME_UNKNOWN"
        assert ecr.describe_repositories()["repositories"] == []
        return
    assert reply.status == 202
    (repository,) = ecr.describe_repositories()["repositories"]
    tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert tags == [{"Key": "by", "Value": made_by}]


def test_pull_makes_no_repository(registry: Registry, ecr: Any) -> None:
    ecr.create_repository_creation_template(**ON_PUSH)
    for path in ("manifests/v1", "tags/list", f"blobs/{digest_of(b'')}", f"referrers/{digest_of(b'')}"):
        assert registry.request("GET", f"/v2/prod/x/{path}").error[0] == "NAME_UNKNOWN"
    assert ecr.describe_repositories()["repositories"] == []


def test_template_changes_no_repository_that_is_there(registry: Registry, ecr: Any) -> None:
    ecr.create_repository(repositoryName="prod/team/app")
    ecr.create_repository_creation_template(**FULL)
    registry.push_image("prod/team/app", "v1", b"layer")
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "MUTABLE"


def test_pushes_side_by_side_make_one_repository(registry: Registry, ecr: Any) -> None:
    ecr.create_repository_creation_template(**ON_PUSH)
    replies = side_by_side([lambda: registry.request("POST", "/v2/prod/x/blobs/uploads/") for _ in range(8)])
    assert [reply.status for reply in replies] == [202] * 8
    assert len(ecr.describe_repositories()["repositories"]) == 1


def test_template_that_needs_a_role_and_has_none_makes_nothing(registry: Registry, ecr: Any) -> None:
    ecr.create_repository_creation_template(**ON_PUSH, encryptionConfiguration={"encryptionType": "KMS"})
    reply = registry.request("POST", "/v2/prod/x/blobs/uploads/")
    assert reply.status == 403
    assert reply.error == (
        "DENIED",
        "The repository with name 'prod/x' cannot be created: the template with prefix 'prod' sets "
        "resource tags or KMS encryption, and has no customRoleArn",
    )
    ecr.update_repository_creation_template(prefix="prod", customRoleArn=ROLE)
    assert registry.request("POST", "/v2/prod/x/blobs/uploads/").status == 202
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["encryptionConfiguration"]["kmsKey"].startswith(
        "arn:aws:kms:us-east-1:000000000000:key/"
    )
