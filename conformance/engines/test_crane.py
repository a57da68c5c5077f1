"""crane: push, pull, ls, copy, delete, digest and manifest."""

import json
from pathlib import Path

import pytest
from botocore.client import BaseClient

from engines.images import Image, digest_of, make_image
from engines.repositories import Repository
from engines.server import Emulator
from engines.tools import Tool


@pytest.fixture
def image(content: bytes) -> Image:
    return make_image("payload", content)


@pytest.fixture
def pushed(crane: Tool, repository: Repository, image: Image, tmp_path: Path) -> str:
    """The name of an image that crane pushed from an OCI layout."""
    name = f"{repository.uri}:1.0"
    crane.run("push", str(image.write_layout(tmp_path / "layout")), name)
    return name


def test_image_comes_back_byte_for_byte(crane: Tool, pushed: str, image: Image, tmp_path: Path) -> None:
    crane.run("pull", "--format", "oci", pushed, str(tmp_path / "back"))
    for content in (image.manifest, image.config, image.layer):
        digest = digest_of(content).removeprefix("sha256:")
        assert (tmp_path / "back" / "blobs" / "sha256" / digest).read_bytes() == content


def test_ecr_describes_a_pushed_image_at_once(repository: Repository, pushed: str, image: Image) -> None:
    assert pushed.endswith(":1.0")
    assert repository.assert_describes("1.0")["imageDigest"] == image.digest


def test_digest_and_manifest_are_those_that_were_pushed(
    crane: Tool, repository: Repository, pushed: str, image: Image
) -> None:
    assert crane.run("digest", pushed).strip() == image.digest
    assert json.loads(crane.run("manifest", pushed)) == json.loads(image.manifest)
    by_digest = f"{repository.uri}@{image.digest}"
    assert json.loads(crane.run("config", by_digest)) == json.loads(image.config)


def test_tags_are_listed(crane: Tool, repository: Repository, pushed: str) -> None:
    crane.run("tag", pushed, "2.0")
    assert sorted(crane.run("ls", repository.uri).split()) == ["1.0", "2.0"]


def test_image_is_copied_to_another_repository(
    crane: Tool, other_repository: Repository, pushed: str, image: Image
) -> None:
    crane.run("copy", pushed, f"{other_repository.uri}:copy")
    assert other_repository.assert_describes("copy")["imageDigest"] == image.digest


def test_image_deleted_by_digest_is_gone_from_ecr(
    crane: Tool, repository: Repository, ecr: BaseClient, pushed: str, image: Image
) -> None:
    crane.run("delete", f"{repository.uri}@{image.digest}")
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        repository.describe(imageDigest=image.digest)
    assert "404" in crane.refused("manifest", pushed) or "MANIFEST_UNKNOWN" in crane.refused(
        "manifest", pushed
    )


def test_push_to_a_missing_repository_is_refused(
    crane: Tool, emulator: Emulator, image: Image, tmp_path: Path
) -> None:
    layout = image.write_layout(tmp_path / "layout")
    said = crane.refused("push", str(layout), f"{emulator.host}/nobody/made/this:1")
    assert "NAME_UNKNOWN" in said
