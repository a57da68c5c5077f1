"""Images for several platforms under one tag."""

from pathlib import Path

import pytest

from engines.containers import Buildah
from engines.dockerd import Docker
from engines.images import write_context
from engines.repositories import Repository

PLATFORMS = ("amd64", "arm64")
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def contexts(tmp_path: Path, content: bytes) -> dict[str, Path]:
    """One build context for each platform; their sizes differ."""
    return {
        platform: write_context(tmp_path / platform, {"payload": content[: 50_000 * number]})
        for number, platform in enumerate(PLATFORMS, start=1)
    }


def children(repository: Repository, tag: str) -> dict[str, str]:
    """The digest of each platform's image in the index with this tag."""
    manifests = repository.manifest(imageTag=tag)["manifests"]
    return {child["platform"]["architecture"]: child["digest"] for child in manifests}


def assert_size_is_that_of_the_largest_image(repository: Repository, tag: str) -> None:
    digests = children(repository, tag).values()
    sizes = [repository.describe(imageDigest=digest)["imageSizeInBytes"] for digest in digests]
    assert len(set(sizes)) == len(PLATFORMS)
    assert repository.describe(imageTag=tag)["imageSizeInBytes"] == max(sizes)


@pytest.fixture
def pushed_by_docker(docker: Docker, repository: Repository, contexts: dict[str, Path]) -> str:
    """The name of an index that `docker manifest` made; docker has none of its images."""
    name = f"{repository.uri}:multi"
    images = {platform: f"{repository.uri}:{platform}" for platform in PLATFORMS}
    for platform, image in images.items():
        docker.build(image, contexts[platform], "--platform", f"linux/{platform}")
        docker.run("push", image)
    docker.run("manifest", "create", "--insecure", name, *images.values())
    for platform, image in images.items():
        docker.run("manifest", "annotate", "--arch", platform, name, image)
    docker.run("manifest", "push", "--insecure", "--purge", name)
    docker.empty()
    return name


@pytest.fixture
def pushed_by_buildah(buildah: Buildah, repository: Repository, contexts: dict[str, Path]) -> str:
    """The name of an index that buildah pushed together with its images."""
    name = f"{repository.uri}:multi"
    for platform, context in contexts.items():
        buildah.run("build", "--platform", f"linux/{platform}", "--manifest", name, str(context))
    buildah.run("manifest", "push", "--all", "--tls-verify=false", name, f"docker://{name}")
    buildah.run("manifest", "rm", name)
    buildah.empty()
    return name


def test_docker_manifest_list_is_described(repository: Repository, pushed_by_docker: str) -> None:
    assert pushed_by_docker.endswith(":multi")
    assert repository.describe(imageTag="multi")["imageManifestMediaType"] == DOCKER_LIST
    assert_size_is_that_of_the_largest_image(repository, "multi")


def test_docker_pulls_each_platform_of_a_docker_list(
    docker: Docker, pushed_by_docker: str, contexts: dict[str, Path]
) -> None:
    assert_each_platform_is_pulled(docker, pushed_by_docker, contexts)


def test_buildah_index_is_described(repository: Repository, pushed_by_buildah: str) -> None:
    assert pushed_by_buildah.endswith(":multi")
    assert repository.describe(imageTag="multi")["imageManifestMediaType"] == OCI_INDEX
    assert_size_is_that_of_the_largest_image(repository, "multi")


def test_docker_pulls_each_platform_of_a_buildah_index(
    docker: Docker, pushed_by_buildah: str, contexts: dict[str, Path]
) -> None:
    assert_each_platform_is_pulled(docker, pushed_by_buildah, contexts)


def test_docker_pulls_one_image_of_an_index_by_digest(
    docker: Docker, repository: Repository, pushed_by_buildah: str, contexts: dict[str, Path]
) -> None:
    assert pushed_by_buildah.endswith(":multi")
    for platform, digest in children(repository, "multi").items():
        image = f"{repository.uri}@{digest}"
        docker.run("pull", "--platform", f"linux/{platform}", image)
        expected = (contexts[platform] / "payload").read_bytes()
        assert docker.content(image, "payload", "--platform", f"linux/{platform}") == expected


def test_buildah_pulls_the_image_of_the_chosen_platform(
    buildah: Buildah, pushed_by_docker: str, contexts: dict[str, Path]
) -> None:
    buildah.run("pull", "--tls-verify=false", "--platform", "linux/arm64", pushed_by_docker)
    expected = (contexts["arm64"] / "payload").read_bytes()
    assert buildah.content(pushed_by_docker, "payload") == expected


def assert_each_platform_is_pulled(docker: Docker, image: str, contexts: dict[str, Path]) -> None:
    for platform, context in contexts.items():
        choice = ("--platform", f"linux/{platform}")
        docker.run("pull", *choice, image)
        assert docker.content(image, "payload", *choice) == (context / "payload").read_bytes()
        docker.empty()
