"""ECR as the upstream: another account or region of the same emulator, or another emulator."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import Running, digest_of, image_index, image_manifest
from tests.control.calls import refusal
from tests.upstream.hostile import CONFIG, IMAGE, LAYER
from tests.upstream.waiting import images_of, wait_for

OTHER = "222222222222"
WEST = "000000000000.dkr.ecr.us-west-2.amazonaws.com"
OTHERS = f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com"
ROLE = "arn:aws:iam::000000000000:role/puller"
NAME = "west/team/app"


def seed(running: Running, account: str = "000000000000", region: str = "us-west-2") -> Any:
    """team/app:v1 in a registry, and team/app:multi; its client of the API."""
    ecr = running.ecr(account, region)
    ecr.create_repository(repositoryName="team/app")
    client = running.registry(account, region)
    client.push_image("team/app", "v1", LAYER)
    client.put_manifest("team/app", "multi", image_index(IMAGE), "application/vnd.oci.image.index.v1+json")
    return ecr


def rule(running: Running, url: str = WEST, **members: str) -> Any:
    ecr = running.ecr()
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="west", upstreamRegistryUrl=url, **members)
    return ecr


def test_another_region_of_this_emulator(emulator: Running) -> None:
    seed(emulator)
    ecr = rule(emulator)
    assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="west")["isValid"]
    client = emulator.registry()
    assert client.request("GET", f"/v2/{NAME}/manifests/multi").status == 200
    wait_for(lambda: len(images_of(ecr, NAME)) == 2)
    assert client.request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}").body == LAYER
    # Nothing was copied: both registries have the same file.
    folder = emulator.application.emulator.settings.data_dir / "blobs"
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2


def test_layer_is_there_before_its_image(emulator: Running) -> None:
    seed(emulator)
    rule(emulator).create_repository(repositoryName=NAME)
    reply = emulator.registry().request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}")
    assert (reply.status, reply.body) == (200, LAYER)
    reply = emulator.registry().request("GET", f"/v2/{NAME}/blobs/{digest_of(b'none')}")
    assert (reply.status, reply.error[0]) == (404, "BLOB_UNKNOWN")


def test_what_the_upstream_has_not_is_not_found(emulator: Running) -> None:
    ecr = rule(emulator)
    reply = emulator.registry().request("GET", f"/v2/{NAME}/manifests/v1")
    assert (reply.status, reply.error[0]) == (404, "NAME_UNKNOWN")
    assert images_of(ecr, NAME) == {}


def test_newer_images_of_the_upstream_come_after_a_day(emulator: Running, clock: Any) -> None:
    seed(emulator)
    ecr = rule(emulator)
    client = emulator.registry()
    client.request("GET", f"/v2/{NAME}/manifests/v1")
    wait_for(lambda: images_of(ecr, NAME))
    newer = emulator.registry("000000000000", "us-west-2").push_image("team/app", "v1", b"newer")
    clock.advance(25 * 3600)
    reply = emulator.registry().request("GET", f"/v2/{NAME}/manifests/v1")
    assert digest_of(reply.body) == newer
    wait_for(lambda: images_of(ecr, NAME).get(newer) == ("v1",))


def test_referrers_of_the_upstream(emulator: Running) -> None:
    seed(emulator)
    ecr = rule(emulator)
    subject = {"mediaType": json.loads(IMAGE)["mediaType"], "digest": digest_of(IMAGE), "size": len(IMAGE)}
    signature = image_manifest(CONFIG, artifactType="application/x.signature", subject=subject)
    emulator.registry("000000000000", "us-west-2").put_manifest("team/app", digest_of(signature), signature)
    answer = ecr.list_image_referrers(repositoryName=NAME, subjectId={"imageDigest": digest_of(IMAGE)})
    assert [one["digest"] for one in answer["referrers"]] == [digest_of(signature)]


def test_another_account_has_to_allow_it(emulator: Running) -> None:
    owner = seed(emulator, OTHER, "us-east-1")
    rule(emulator, OTHERS, customRoleArn=ROLE)
    reply = emulator.registry().request("GET", f"/v2/{NAME}/manifests/v1")
    assert (reply.status, reply.error[0]) == (403, "DENIED")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    owner.set_repository_policy(repositoryName="team/app", policyText=json.dumps(policy))
    assert emulator.registry().request("GET", f"/v2/{NAME}/manifests/v1").body == IMAGE
    wait_for(lambda: images_of(emulator.ecr(), NAME))


@pytest.mark.parametrize("named", ["ecr", WEST])
def test_another_emulator(start: Callable[..., Running], named: str) -> None:
    upstream = start()
    seed(upstream)
    cache = start(upstream=((named, upstream.url),))
    ecr = rule(cache)
    assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="west")["isValid"]
    client = cache.registry()
    assert client.request("GET", f"/v2/{NAME}/manifests/v1").body == IMAGE
    assert client.request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}").body == LAYER
    wait_for(lambda: images_of(ecr, NAME))


def test_another_emulator_that_is_not_there(start: Callable[..., Running]) -> None:
    cache = start(upstream=(("ecr", "http://127.0.0.1:1"),), upstream_timeout=2)
    ecr = rule(cache)
    answer = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="west")
    assert (answer["isValid"], "got no answer" in answer["failure"]) == (False, True)
    (failure,) = ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])["failures"]
    assert failure["failureCode"] == "UpstreamUnavailable"


def test_rule_and_upstream_in_a_circle_end(emulator: Running) -> None:
    """Two regions that cache each other: what neither has is found nowhere."""
    rule(emulator, WEST)
    emulator.ecr(region="us-west-2").create_pull_through_cache_rule(
        ecrRepositoryPrefix="ROOT", upstreamRegistryUrl=WEST.replace("us-west-2", "us-east-1")
    )
    code, _ = refusal(emulator.ecr().batch_get_image, repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    assert code == "RepositoryNotFoundException"
