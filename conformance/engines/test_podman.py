"""podman: push, pull, and what ECR shows of it."""

from pathlib import Path

import pytest

from engines.containers import Podman
from engines.images import DOCKER_MANIFEST, OCI_MANIFEST
from engines.repositories import Repository
from engines.server import Emulator


@pytest.fixture
def image(podman: Podman, repository: Repository, context: Path) -> str:
    """A pushed image; podman itself no longer has it."""
    name = f"{repository.uri}:1.0"
    podman.build(name, context)
    podman.push(name)
    podman.empty()
    return name


def test_pushed_image_is_pulled_by_tag(podman: Podman, image: str, content: bytes) -> None:
    podman.pull(image)
    assert podman.content(image, "payload") == content


def test_pushed_image_is_pulled_by_digest(
    podman: Podman, repository: Repository, image: str, content: bytes
) -> None:
    by_digest = f"{repository.uri}@{repository.describe(imageTag='1.0')['imageDigest']}"
    podman.pull(by_digest)
    assert podman.content(by_digest, "payload") == content


@pytest.mark.parametrize(("format_", "media_type"), [("docker", DOCKER_MANIFEST), ("oci", OCI_MANIFEST)])
def test_ecr_describes_an_image_of_either_format(
    podman: Podman, repository: Repository, context: Path, format_: str, media_type: str
) -> None:
    image = f"{repository.uri}:{format_}"
    podman.build(image, context, "--format", format_)
    podman.push(image)
    assert repository.assert_describes(format_)["imageManifestMediaType"] == media_type


def test_push_to_a_missing_repository_is_refused(podman: Podman, emulator: Emulator, context: Path) -> None:
    image = f"{emulator.host}/nobody/made/this:1"
    podman.build(image, context)
    said = podman.refused("push", "--tls-verify=false", image)
    assert "The repository with name 'nobody/made/this' does not exist" in said


def test_wrong_password_is_refused(podman: Podman, repository: Repository, image: str) -> None:
    options = ("--tls-verify=false", "--creds", "AWS:wrong")
    said = podman.refused("pull", *options, image)
    assert "unauthorized" in said.lower() or "401" in said
