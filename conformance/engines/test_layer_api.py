"""Images that only boto3 pushed, the way the ECR API allows."""

import os

import pytest
from botocore.client import BaseClient

from engines.containers import Skopeo
from engines.dockerd import Docker
from engines.images import DOCKER_MANIFEST, OCI_MANIFEST, make_image
from engines.layers import PART_SIZE, put_image, upload_layer
from engines.repositories import Repository


@pytest.mark.parametrize("media_type", [DOCKER_MANIFEST, OCI_MANIFEST])
def test_image_pushed_through_the_api_is_pulled_by_docker(
    docker: Docker, ecr: BaseClient, repository: Repository, media_type: str
) -> None:
    # Random, so that gzip leaves it big enough for several parts.
    content = os.urandom(2 * PART_SIZE + 1234)
    image = make_image("payload", content, media_type)
    assert len(image.layer) > 2 * PART_SIZE
    assert put_image(ecr, repository.name, image, "api") == image.digest
    assert repository.assert_describes("api")["imageDigest"] == image.digest
    docker.run("pull", f"{repository.uri}:api")
    assert docker.content(f"{repository.uri}:api", "payload") == content


def test_layer_is_available_once_it_is_complete(
    ecr: BaseClient, repository: Repository, content: bytes
) -> None:
    layer = make_image("payload", content).layer
    digest = upload_layer(ecr, repository.name, layer)
    [answer] = ecr.batch_check_layer_availability(repositoryName=repository.name, layerDigests=[digest])[
        "layers"
    ]
    assert answer["layerAvailability"] == "AVAILABLE"
    assert answer["layerSize"] == len(layer)


def test_image_pushed_through_the_api_is_read_by_skopeo(
    skopeo: Skopeo, ecr: BaseClient, repository: Repository, content: bytes
) -> None:
    image = make_image("payload", content)
    put_image(ecr, repository.name, image, "api")
    name = f"docker://{repository.uri}:api"
    assert skopeo.output("inspect", "--raw", "--tls-verify=false", name) == image.manifest
