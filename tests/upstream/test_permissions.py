"""Who may have something brought in, and what the roles of templates and rules may do (--auth iam)."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import Clock, Registry, Reply, Running, digest_of
from tests.control.calls import refusal
from tests.upstream.hostile import IMAGE, LAYER, Hostile
from tests.upstream.test_rules import ROLE, TEMPLATE
from tests.upstream.waiting import images_of, wait_for

ADMIN, PULLER = "AKIAADMIN00000000000", "AKIAPULLER0000000000"
READ = ("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
IMPORT, CREATE = "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"
NAME = "quay/team/app"


def allow(*actions: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return {"name": "some", "document": {"Version": "2012-10-17", "Statement": [statement]}}


def role(service: str, *actions: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return {"name": ROLE.rpartition("/")[2], "trust": trust, "policies": [allow(*actions)] if actions else []}


@pytest.fixture
def strict(
    start: Callable[..., Running], bad: Hostile, clock: Clock, tmp_path: Path
) -> Callable[..., Running]:
    """An emulator that knows an admin, and a puller who has some actions, and perhaps a role."""

    # Signatures are of this moment.
    clock.now = time.time()

    def start_one(*actions: str, role: dict[str, Any] | None = None) -> Running:
        bad.offer()
        users = [
            {"name": "admin", "policies": [allow("*")], "accessKeys": [{"id": ADMIN, "secret": "secret"}]},
            {
                "name": "puller",
                "policies": [allow(*actions)],
                "accessKeys": [{"id": PULLER, "secret": "secret"}],
            },
        ]
        file = tmp_path / "iam.json"
        file.write_text(json.dumps({"users": users, "roles": [role] if role else []}))
        running = start(auth="iam", iam_file=str(file), upstream=(("quay", bad.url),))
        running.ecr(ADMIN).create_pull_through_cache_rule(
            ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io"
        )
        return running

    return start_one


def pull(cache: Running, what: str = "manifests/v1") -> Reply:
    client = Registry(cache.port, cache.password(PULLER))
    return client.request("GET", f"/v2/{NAME}/{what}")


def test_who_may_import_and_create_can_pull(strict: Callable[..., Running]) -> None:
    cache = strict(*READ, IMPORT, CREATE)
    assert pull(cache).body == IMAGE
    wait_for(lambda: images_of(cache.ecr(ADMIN), NAME))


@pytest.mark.parametrize("more", [(), (IMPORT,), (CREATE,)])
def test_who_may_not_finds_nothing(
    strict: Callable[..., Running], bad: Hostile, more: tuple[str, ...]
) -> None:
    """Not found, and not denied (reference, data plane 2.3)."""
    cache = strict(*READ, *more)
    reply = pull(cache)
    assert (reply.status, reply.error[0]) == (404, "NAME_UNKNOWN")
    code, _ = refusal(cache.ecr(PULLER).batch_get_image, repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    assert code == "RepositoryNotFoundException"
    assert bad.asked == []


def test_importing_into_a_repository_that_is_there_needs_no_creating(strict: Callable[..., Running]) -> None:
    cache = strict(*READ, IMPORT)
    cache.ecr(ADMIN).create_repository(repositoryName=NAME)
    assert pull(cache).body == IMAGE


def test_what_is_cached_needs_no_importing(strict: Callable[..., Running], bad: Hostile) -> None:
    cache = strict(*READ)
    reply = Registry(cache.port, cache.password(ADMIN)).request("GET", f"/v2/{NAME}/manifests/v1")
    assert reply.body == IMAGE
    wait_for(lambda: images_of(cache.ecr(ADMIN), NAME))
    asked = len(bad.asked)
    assert pull(cache).body == IMAGE
    assert pull(cache, f"blobs/{digest_of(LAYER)}").body == LAYER
    cache.post("/_emu/clock", advance="25h")
    # Who may not import looks at what is there, however old.
    assert pull(cache).body == IMAGE
    assert len(bad.asked) == asked


def test_registry_policy_can_let_import(strict: Callable[..., Running]) -> None:
    cache = strict(*READ)
    statement = {
        "Sid": "cache",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:user/puller"},
        "Action": [IMPORT, CREATE],
        "Resource": "arn:aws:ecr:us-east-1:000000000000:repository/quay/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cache.ecr(ADMIN).put_registry_policy(policyText=policy)
    assert pull(cache).body == IMAGE


@pytest.mark.parametrize(
    ("maker", "words"),
    [
        (role("ecr.amazonaws.com", CREATE, "ecr:TagResource", "kms:*"), None),
        (
            role("ecr.amazonaws.com", CREATE, "ecr:TagResource"),
            "is not authorized to perform: kms:CreateGrant",
        ),
        (role("ecr.amazonaws.com", CREATE, "kms:*"), "is not authorized to perform: ecr:TagResource"),
        (role("ecr.amazonaws.com", "ecr:TagResource", "kms:*"), f"is not authorized to perform: {CREATE}"),
        (role("ec2.amazonaws.com", CREATE, "ecr:TagResource", "kms:*"), "cannot be assumed by Amazon ECR"),
        (None, "cannot be assumed by Amazon ECR"),
    ],
)
def test_role_of_a_template_must_be_allowed(
    strict: Callable[..., Running], maker: dict[str, Any] | None, words: str | None
) -> None:
    cache = strict(*READ, IMPORT, CREATE, role=maker)
    admin = cache.ecr(ADMIN)
    admin.create_repository_creation_template(**{**TEMPLATE, "repositoryPolicy": ""})
    reply = pull(cache)
    if words is None:
        assert reply.body == IMAGE
        return
    assert (reply.status, reply.error[0]) == (403, "DENIED")
    assert words in reply.error[1]
    code, _ = refusal(cache.ecr(PULLER).batch_get_image, repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    assert code == "UnableToGetUpstreamImageException"
    assert admin.describe_repositories()["repositories"] == []


def test_role_of_a_template_must_be_allowed_on_a_push(strict: Callable[..., Running]) -> None:
    cache = strict(*READ, CREATE, "ecr:InitiateLayerUpload", role=role("ecr.amazonaws.com"))
    cache.ecr(ADMIN).create_repository_creation_template(
        prefix="ROOT", appliedFor=["CREATE_ON_PUSH"], customRoleArn=ROLE
    )
    client = Registry(cache.port, cache.password(PULLER))
    reply = client.request("POST", "/v2/team/app/blobs/uploads/")
    assert (reply.status, reply.error[0]) == (403, "DENIED")
    assert f"assumed-role/maker/ecr is not authorized to perform: {CREATE}" in reply.error[1]


@pytest.mark.parametrize(
    ("actions", "status"),
    [(("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"), 200), (("ecr:GetDownloadUrlForLayer",), 403)],
)
def test_role_of_a_rule_must_be_allowed(
    strict: Callable[..., Running], actions: tuple[str, ...], status: int
) -> None:
    puller = role("pullthroughcache.ecr.amazonaws.com", *actions)
    cache = strict(*READ, IMPORT, CREATE, role=puller)
    west = cache.ecr(ADMIN, "us-west-2")
    west.create_repository(repositoryName="team/app")
    client = Registry(
        cache.port,
        cache.password(ADMIN, "us-west-2"),
        f"000000000000.dkr.ecr.us-west-2.localhost:{cache.port}",
    )
    client.push_image("team/app", "v1", LAYER)
    url = "000000000000.dkr.ecr.us-west-2.amazonaws.com"
    admin = cache.ecr(ADMIN)
    admin.create_pull_through_cache_rule(
        ecrRepositoryPrefix="west", upstreamRegistryUrl=url, customRoleArn=ROLE
    )
    client = Registry(cache.port, cache.password(PULLER))
    assert client.request("GET", "/v2/west/team/app/manifests/v1").status == status


def test_role_of_a_rule_that_is_not_there(strict: Callable[..., Running]) -> None:
    cache = strict(*READ, IMPORT, CREATE)
    admin = cache.ecr(ADMIN)
    url = "000000000000.dkr.ecr.us-west-2.amazonaws.com"
    admin.create_pull_through_cache_rule(
        ecrRepositoryPrefix="west", upstreamRegistryUrl=url, customRoleArn=ROLE
    )
    answer = admin.validate_pull_through_cache_rule(ecrRepositoryPrefix="west")
    assert answer["failure"] == f"The role {ROLE} is not there, or does not trust ECR."
