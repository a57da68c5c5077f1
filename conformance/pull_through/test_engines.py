"""skopeo and docker pull through a cache from Debian's docker-registry, with and without logins."""

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from engines.containers import Skopeo
from engines.dockerd import Docker
from engines.images import digest_of, make_image, write_context
from engines.server import Emulator, login_password

from pull_through.registries import TOKEN, USER, docker_registry, with_basic, with_bearer

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-a1b2c3"
RULE = {
    "ecrRepositoryPrefix": "hub",
    "upstreamRegistryUrl": "registry-1.docker.io",
    "credentialArn": ARN,
}
SECONDS = 30
Upstream = Callable[[Path], AbstractContextManager[str]]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Callable[[str], Emulator]]:
    """Starts an emulator with a rule for an upstream under the prefix hub, and the login for it."""
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"ecr-pullthroughcache/hub": {"username": USER, "accessToken": TOKEN}}))
    started: list[Emulator] = []

    def start(url: str) -> Emulator:
        options = ("--ephemeral", "--secrets-file", str(secrets), "--upstream", f"docker-hub={url}")
        started.append(Emulator(tmp_path / "log", *options))
        started[-1].client().create_pull_through_cache_rule(**RULE)
        return started[-1]

    yield start
    for emulator in started:
        emulator.stop()
    said = (tmp_path / "log").read_text()
    assert TOKEN not in said
    assert base64.b64encode(f"{USER}:{TOKEN}".encode()).decode() not in said


def skopeo_of(folder: Path, emulator: Emulator) -> Skopeo:
    folder.mkdir()
    skopeo = Skopeo(folder)
    skopeo.login(emulator.host, login_password(emulator.client()))
    return skopeo


def upload(folder: Path, url: str, layout: Path, name: str) -> None:
    """Put an image into the upstream."""
    folder.mkdir()
    Skopeo(folder).upload(
        f"oci:{layout}", f"{url.removeprefix('http://')}/{name}", "--dest-creds", f"{USER}:{TOKEN}"
    )


def wait_for_image(ecr: Any, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + SECONDS
    while True:
        details = ecr.describe_images(repositoryName=name)["imageDetails"]
        if details:
            return dict(details[0])
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("upstream", [docker_registry, with_basic, with_bearer])
def test_skopeo_pulls_through(upstream: Upstream, cache: Callable[[str], Emulator], tmp_path: Path) -> None:
    image = make_image("payload", os.urandom(3_000_000))
    layout = image.write_layout(tmp_path / "layout")
    with upstream(tmp_path) as url:
        upload(tmp_path / "pusher", url, layout, "library/app:v1")
        emulator = cache(url)
        ecr = emulator.client()
        assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="hub")["isValid"]
        skopeo = skopeo_of(tmp_path / "skopeo", emulator)
        name = f"{emulator.host}/hub/library/app:v1"
        skopeo.download(name, f"dir:{tmp_path / 'first'}")
        details = wait_for_image(ecr, "hub/library/app")
    # The upstream has gone by now.
    skopeo.download(name, f"dir:{tmp_path / 'second'}")
    for folder in ("first", "second"):
        for content in (image.layer, image.config):
            file = tmp_path / folder / digest_of(content).removeprefix("sha256:")
            assert file.read_bytes() == content
    assert (details["imageDigest"], details["imageTags"]) == (image.digest, ["v1"])


def test_docker_pulls_through(
    docker_engine: Docker, cache: Callable[[str], Emulator], tmp_path: Path
) -> None:
    payload = os.urandom(200_000)
    with with_basic(tmp_path) as url:
        host = url.removeprefix("http://")
        docker_engine.run("login", "--username", USER, "--password-stdin", host, stdin=TOKEN)
        pushed = f"{host}/library/app:v1"
        docker_engine.build(pushed, write_context(tmp_path / "context", {"payload": payload}))
        docker_engine.run("push", pushed)
        docker_engine.empty()
        emulator = cache(url)
        docker_engine.login(emulator.host, login_password(emulator.client()))
        pulled = f"{emulator.host}/hub/library/app:v1"
        docker_engine.run("pull", pulled)
        assert docker_engine.content(pulled, "payload") == payload
        wait_for_image(emulator.client(), "hub/library/app")
        docker_engine.empty()
        said = docker_engine.refused("pull", f"{emulator.host}/hub/library/app:none")
        assert "not found" in said
