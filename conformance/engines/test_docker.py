"""docker: push, pull, and what ECR shows of it."""

import re
from pathlib import Path

import pytest
from botocore.client import BaseClient

from engines.dockerd import OTHER_ACCOUNT, OTHER_REGISTRY, Docker
from engines.images import digest_of
from engines.repositories import Repository
from engines.server import Emulator, login_password


def push(docker: Docker, image: str) -> str:
    """Push and return the digest that docker reports."""
    said = docker.run("push", image)
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
    assert found is not None, said
    return found[1]


def test_repository_uri_names_the_local_registry(repository: Repository, emulator: Emulator) -> None:
    assert repository.uri == f"{emulator.host}/{repository.name}"


def test_pushed_image_is_pulled_by_tag(
    docker: Docker, repository: Repository, context: Path, content: bytes
) -> None:
    image = f"{repository.uri}:1.0"
    docker.build(image, context)
    push(docker, image)
    docker.empty()
    docker.run("pull", image)
    assert docker.content(image, "payload") == content


def test_pushed_image_is_pulled_by_digest(
    docker: Docker, repository: Repository, context: Path, content: bytes
) -> None:
    image = f"{repository.uri}:1.0"
    docker.build(image, context)
    digest = push(docker, image)
    docker.empty()
    docker.run("pull", f"{repository.uri}@{digest}")
    assert docker.content(f"{repository.uri}@{digest}", "payload") == content


def test_ecr_describes_a_pushed_image_at_once(docker: Docker, repository: Repository, context: Path) -> None:
    docker.build(f"{repository.uri}:1.0", context)
    digest = push(docker, f"{repository.uri}:1.0")
    assert repository.assert_describes("1.0")["imageDigest"] == digest


def test_tag_moves_to_the_image_pushed_last(docker: Docker, repository: Repository, context: Path) -> None:
    image = f"{repository.uri}:latest"
    docker.build(image, context)
    first = push(docker, image)
    (context / "payload").write_bytes(b"changed")
    docker.build(image, context)
    second = push(docker, image)
    assert repository.assert_describes("latest")["imageDigest"] == second
    assert "imageTags" not in repository.describe(imageDigest=first)


def test_layers_already_there_are_not_uploaded_again(
    docker: Docker, repository: Repository, context: Path
) -> None:
    docker.build(f"{repository.uri}:1", context)
    push(docker, f"{repository.uri}:1")
    docker.run("tag", f"{repository.uri}:1", f"{repository.uri}:2")
    said = docker.run("push", f"{repository.uri}:2")
    assert said.count("Layer already exists") == 2, said
    assert repository.tags() == {"1", "2"}


def test_layers_are_mounted_from_another_repository(
    docker: Docker,
    repository: Repository,
    other_repository: Repository,
    context: Path,
    content: bytes,
) -> None:
    docker.build(f"{repository.uri}:1", context)
    push(docker, f"{repository.uri}:1")
    docker.run("tag", f"{repository.uri}:1", f"{other_repository.uri}:1")
    said = docker.run("push", f"{other_repository.uri}:1")
    assert said.count(f"Mounted from {repository.name}") == 2, said
    docker.empty()
    docker.run("pull", f"{other_repository.uri}:1")
    assert docker.content(f"{other_repository.uri}:1", "payload") == content


def test_pushed_layer_is_downloaded_without_login(
    docker: Docker, repository: Repository, context: Path
) -> None:
    docker.build(f"{repository.uri}:1", context)
    push(docker, f"{repository.uri}:1")
    for layer in repository.manifest(imageTag="1")["layers"]:
        content = repository.download(layer["digest"])
        assert digest_of(content) == layer["digest"]
        assert len(content) == layer["size"]


def test_deleted_image_is_no_longer_pulled(
    docker: Docker, repository: Repository, ecr: BaseClient, context: Path
) -> None:
    image = f"{repository.uri}:1"
    docker.build(image, context)
    digest = push(docker, image)
    ecr.batch_delete_image(repositoryName=repository.name, imageIds=[{"imageDigest": digest}])
    docker.empty()
    assert "not found" in docker.refused("pull", image)


def test_immutable_tag_is_refused_in_the_words_of_ecr(docker: Docker, ecr: BaseClient, context: Path) -> None:
    repository = Repository(ecr, "immutable/images", imageTagMutability="IMMUTABLE")
    image = f"{repository.uri}:1.0"
    docker.build(image, context)
    first = push(docker, image)
    (context / "payload").write_bytes(b"changed")
    docker.build(image, context)
    assert (
        "The image tag '1.0' already exists in the 'immutable/images' repository"
        " and cannot be overwritten because the tag is immutable."
    ) in docker.refused("push", image)
    assert repository.describe(imageTag="1.0")["imageDigest"] == first


def test_push_to_a_missing_repository_is_refused(
    docker: Docker, emulator: Emulator, ecr: BaseClient, context: Path
) -> None:
    image = f"{emulator.host}/nobody/made/this:1"
    docker.build(image, context)
    said = docker.refused("push", image)
    assert "The repository with name 'nobody/made/this' does not exist" in said
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=["nobody/made/this"])


def test_wrong_password_is_refused(docker: Docker, emulator: Emulator) -> None:
    options = ("--username", "AWS", "--password-stdin")
    said = docker.refused("login", *options, emulator.host, stdin="wrong")
    assert "unauthorized" in said.lower() or "401" in said


def test_push_without_login_is_refused(
    docker: Docker, emulator: Emulator, repository: Repository, context: Path
) -> None:
    image = f"{repository.uri}:1"
    docker.build(image, context)
    docker.run("logout", emulator.host)
    assert "no basic auth credentials" in docker.refused("push", image)
    assert repository.tags() == set()


def test_registry_of_another_account_is_another_registry(
    docker: Docker, emulator: Emulator, repository: Repository, context: Path
) -> None:
    account = emulator.client(access_key=OTHER_ACCOUNT)
    theirs = Repository(account, repository.name)
    host = f"{OTHER_REGISTRY}:{emulator.port}"
    assert theirs.uri == f"{host}/{repository.name}"
    docker.build(f"{theirs.uri}:1", context)
    docker.login(host, login_password(account))
    push(docker, f"{theirs.uri}:1")
    assert theirs.tags() == {"1"}
    assert repository.tags() == set()
