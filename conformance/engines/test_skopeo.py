"""skopeo: copy in both directions, inspect, list-tags, delete."""

import json
from pathlib import Path

import pytest
from botocore.client import BaseClient

from engines.containers import Skopeo
from engines.images import Image, digest_of, make_image
from engines.repositories import Repository


@pytest.fixture
def image(content: bytes) -> Image:
    return make_image("payload", content)


@pytest.fixture
def pushed(skopeo: Skopeo, repository: Repository, image: Image, tmp_path: Path) -> str:
    """The name of an image that skopeo copied into the repository from an OCI layout."""
    name = f"{repository.uri}:1.0"
    skopeo.upload(f"oci:{image.write_layout(tmp_path / 'layout')}", name)
    return name


def test_image_comes_back_byte_for_byte(skopeo: Skopeo, pushed: str, image: Image, tmp_path: Path) -> None:
    skopeo.download(pushed, f"dir:{tmp_path / 'back'}")
    assert (tmp_path / "back" / "manifest.json").read_bytes() == image.manifest
    for content in (image.layer, image.config):
        name = digest_of(content).removeprefix("sha256:")
        assert (tmp_path / "back" / name).read_bytes() == content


def test_ecr_describes_a_copied_image_at_once(repository: Repository, pushed: str, image: Image) -> None:
    assert pushed.endswith(":1.0")
    assert repository.assert_describes("1.0")["imageDigest"] == image.digest


def test_image_is_inspected_by_tag_and_by_digest(
    skopeo: Skopeo, repository: Repository, pushed: str, image: Image
) -> None:
    for name in (pushed, f"{repository.uri}@{image.digest}"):
        seen = json.loads(skopeo.run("inspect", "--tls-verify=false", f"docker://{name}"))
        assert seen["Digest"] == image.digest
        assert seen["RepoTags"] == ["1.0"]


def test_tags_are_listed(skopeo: Skopeo, repository: Repository, pushed: str) -> None:
    skopeo.run(
        "copy",
        *("--src-tls-verify=false", "--dest-tls-verify=false"),
        *(f"docker://{pushed}", f"docker://{repository.uri}:2.0"),
    )
    listed = json.loads(skopeo.run("list-tags", "--tls-verify=false", f"docker://{repository.uri}"))
    assert sorted(listed["Tags"]) == ["1.0", "2.0"]


def test_image_is_copied_to_another_repository_and_format(
    skopeo: Skopeo, other_repository: Repository, pushed: str
) -> None:
    skopeo.run(
        "copy",
        *("--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s2"),
        *(f"docker://{pushed}", f"docker://{other_repository.uri}:copy"),
    )
    other_repository.assert_describes("copy")


def test_deleted_image_is_gone_from_ecr(
    skopeo: Skopeo, repository: Repository, ecr: BaseClient, pushed: str
) -> None:
    skopeo.run("delete", "--tls-verify=false", f"docker://{pushed}")
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        repository.describe(imageTag="1.0")


def test_wrong_password_is_refused(skopeo: Skopeo, pushed: str) -> None:
    options = ("--tls-verify=false", "--creds", "AWS:wrong")
    said = skopeo.refused("inspect", *options, f"docker://{pushed}")
    assert "unauthorized" in said.lower() or "401" in said
