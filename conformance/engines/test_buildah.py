"""buildah: push, pull, and what ECR shows of it."""

from pathlib import Path

import pytest

from engines.containers import Buildah
from engines.repositories import Repository
from engines.server import Emulator


@pytest.fixture
def image(buildah: Buildah, repository: Repository, context: Path) -> str:
    """A pushed image; buildah itself no longer has it."""
    name = f"{repository.uri}:1.0"
    buildah.run("build", "--tag", name, str(context))
    buildah.run("push", "--tls-verify=false", name)
    buildah.empty()
    return name


def test_pushed_image_is_pulled_by_tag(buildah: Buildah, image: str, content: bytes) -> None:
    buildah.run("pull", "--tls-verify=false", image)
    assert buildah.content(image, "payload") == content


def test_pushed_image_is_pulled_by_digest(
    buildah: Buildah, repository: Repository, image: str, content: bytes
) -> None:
    by_digest = f"{repository.uri}@{repository.describe(imageTag='1.0')['imageDigest']}"
    buildah.run("pull", "--tls-verify=false", by_digest)
    assert buildah.content(by_digest, "payload") == content


def test_ecr_describes_a_pushed_image_at_once(repository: Repository, image: str) -> None:
    assert image.endswith(":1.0")
    repository.assert_describes("1.0")


def test_container_made_from_scratch_is_pushed_and_read_back(
    buildah: Buildah, repository: Repository, context: Path, content: bytes
) -> None:
    container = buildah.run("from", "scratch").strip()
    buildah.run("copy", container, str(context / "payload"), "/payload")
    buildah.run("commit", "--rm", container, f"{repository.uri}:scratch")
    buildah.run("push", "--tls-verify=false", f"{repository.uri}:scratch")
    buildah.empty()
    buildah.run("pull", "--tls-verify=false", f"{repository.uri}:scratch")
    assert buildah.content(f"{repository.uri}:scratch", "payload") == content


def test_wrong_password_is_refused(buildah: Buildah, emulator: Emulator) -> None:
    options = ("--tls-verify=false", "--username", "AWS", "--password-stdin")
    buildah.refused("login", *options, emulator.host, stdin="wrong")
