"""Which rule means a repository, what the repository is made with, and who may have something brought in."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import Running, digest_of
from tests.control.calls import refusal
from tests.upstream.hostile import IMAGE, Hostile, hostile
from tests.upstream.waiting import images_of, wait_for

QUAY = {"upstreamRegistryUrl": "quay.io"}


@pytest.mark.parametrize(
    ("rule", "pulled", "asked"),
    [
        ({"ecrRepositoryPrefix": "quay"}, "quay/my-app/image1", "my-app/image1"),
        ({"ecrRepositoryPrefix": "quay/"}, "quay/my-app/image1", "my-app/image1"),
        ({"ecrRepositoryPrefix": "ROOT"}, "my-app/image1", "my-app/image1"),
        ({"ecrRepositoryPrefix": "ROOT"}, "image1", "image1"),
        (
            {"ecrRepositoryPrefix": "team-a", "upstreamRepositoryPrefix": "team-a"},
            "team-a/myapp/image1",
            "team-a/myapp/image1",
        ),
        (
            {"ecrRepositoryPrefix": "my-app", "upstreamRepositoryPrefix": "upstream-app"},
            "my-app/image1",
            "upstream-app/image1",
        ),
    ],
)
def test_names_of_the_upstream(
    start: Callable[..., Running], bad: Hostile, rule: dict[str, str], pulled: str, asked: str
) -> None:
    """The table of the reference, data plane 6.2."""
    bad.offer(asked)
    cache = start(upstream=(("quay", bad.url),))
    cache.ecr().create_pull_through_cache_rule(**QUAY, **rule)
    assert cache.registry().request("GET", f"/v2/{pulled}/manifests/v1").body == IMAGE
    wait_for(lambda: images_of(cache.ecr(), pulled))


def test_the_longest_prefix_counts_and_root_comes_last(start: Callable[..., Running], bad: Hostile) -> None:
    with hostile() as second, hostile() as third:
        bad.offer("app")
        second.offer("app")
        third.offer("other/app")
        upstream = (("quay", bad.url), ("k8s", second.url), ("ecr-public", third.url))
        cache = start(upstream=upstream)
        ecr = cache.ecr()
        for prefix, url in (
            ("team", "quay.io"),
            ("team/deep", "registry.k8s.io"),
            ("ROOT", "public.ecr.aws"),
        ):
            ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url)
        for name, server in (("team/app", bad), ("team/deep/app", second), ("other/app", third)):
            assert cache.registry().request("HEAD", f"/v2/{name}/manifests/v1").status == 200
            assert server.times(f"/v2/{'app' if server is not third else 'other/app'}/manifests/v1") == 1


def test_prefix_alone_is_no_repository_of_the_rule(cached: Callable[..., Running], bad: Hostile) -> None:
    assert cached().registry().request("GET", "/v2/quay/manifests/v1").status == 404
    assert bad.asked == []


# --- Templates -------------------------------------------------------------------------------------------

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "pull",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
            "Action": ["ecr:BatchGetImage"],
        }
    ],
}
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5},
            "action": {"type": "expire"},
        }
    ]
}
KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::000000000000:role/maker"
TEMPLATE: dict[str, Any] = {
    "prefix": "quay",
    "appliedFor": ["PULL_THROUGH_CACHE"],
    "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}],
    "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": KEY},
    "resourceTags": [{"Key": "team", "Value": "red"}],
    "repositoryPolicy": json.dumps(POLICY),
    "lifecyclePolicy": json.dumps(LIFECYCLE),
    "customRoleArn": ROLE,
}


def pull(cache: Running) -> Any:
    return cache.registry().request("GET", "/v2/quay/team/app/manifests/v1")


def test_repository_is_made_by_the_template(cached: Callable[..., Running], bad: Hostile) -> None:
    bad.offer()
    cache = cached()
    ecr = cache.ecr()
    ecr.create_repository_creation_template(**TEMPLATE)
    assert pull(cache).body == IMAGE
    name = "quay/team/app"
    (repository,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert repository["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": KEY}
    tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "red"}]
    assert json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == POLICY
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]) == LIFECYCLE
    wait_for(lambda: images_of(ecr, name) == {digest_of(IMAGE): ("v1",)})


def test_template_for_something_else_is_not_used(cached: Callable[..., Running], bad: Hostile) -> None:
    bad.offer()
    cache = cached()
    ecr = cache.ecr()
    template = {**TEMPLATE, "appliedFor": ["CREATE_ON_PUSH", "REPLICATION"]}
    ecr.create_repository_creation_template(**template)
    assert pull(cache).body == IMAGE
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "MUTABLE"
    assert repository["encryptionConfiguration"] == {"encryptionType": "AES256"}


def test_template_that_lacks_its_role_makes_nothing(cached: Callable[..., Running], bad: Hostile) -> None:
    bad.offer()
    cache = cached()
    ecr = cache.ecr()
    template = {name: value for name, value in TEMPLATE.items() if name != "customRoleArn"}
    ecr.create_repository_creation_template(**template)
    reply = pull(cache)
    assert (reply.status, reply.error[0]) == (403, "DENIED")
    assert "has no customRoleArn" in reply.error[1]
    code, _ = refusal(ecr.batch_get_image, repositoryName="quay/team/app", imageIds=[{"imageTag": "v1"}])
    assert code == "UnableToGetUpstreamImageException"
    assert ecr.describe_repositories()["repositories"] == []
