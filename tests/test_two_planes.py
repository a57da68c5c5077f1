"""What one plane does, the other shows at once."""

from typing import Any

from tests.clients import Registry, digest_of


def test_a_push_is_described_at_once(ecr: Any, registry: Registry) -> None:
    ecr.create_repository(repositoryName="team/app")
    digest = registry.push_image("team/app", "v1", b"layer")
    (image,) = ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert (image["imageDigest"], image["imageTags"]) == (digest, ["v1"])
    assert digest_of(registry.request("GET", "/v2/team/app/manifests/v1").body) == digest
