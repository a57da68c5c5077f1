"""Download URLs of layers: what comes of them without a login."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients import Clock, Registry, Running, digest_of

LARGE = bytes(range(250)) * 4000


def url_of(ecr: Any, repo: str, digest: str) -> str:
    """Path and query of the download URL of a layer."""
    parts = urlsplit(ecr.get_download_url_for_layer(repositoryName=repo, layerDigest=digest)["downloadUrl"])
    return f"{parts.path}?{parts.query}"


@pytest.fixture
def anonymous(registry: Registry) -> Registry:
    return replace(registry, password=None)


@pytest.mark.parametrize("layer", [b"small", LARGE], ids=["small", "large"])
def test_a_layer_url_needs_no_login(
    layer: bytes, ecr: Any, registry: Registry, anonymous: Registry, repo: str
) -> None:
    registry.push_image(repo, "v1", layer)
    url = url_of(ecr, repo, digest_of(layer))
    get, head = anonymous.request("GET", url), anonymous.request("HEAD", url)
    assert (get.status, get.body, head.status, head.body) == (200, layer, 200, b"")
    assert head.headers["content-length"] == str(len(layer))
    part = anonymous.request("GET", url, headers={"Range": "bytes=1-3"})
    assert (part.status, part.body) == (206, layer[1:4])
    assert anonymous.request("GET", url, headers={"Range": "bytes=9999999-"}).status == 416


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_layer_url_is_for_reading(
    method: str, ecr: Any, registry: Registry, anonymous: Registry, repo: str
) -> None:
    registry.push_image(repo, "v1", b"layer")
    reply = anonymous.request(method, url_of(ecr, repo, digest_of(b"layer")))
    assert (reply.status, reply.headers["allow"], reply.error[0]) == (405, "GET, HEAD", "UNSUPPORTED")


def test_a_layer_url_that_was_changed_opens_nothing(
    ecr: Any, registry: Registry, anonymous: Registry, repo: str
) -> None:
    registry.push_image(repo, "v1", b"one", b"two")
    url = url_of(ecr, repo, digest_of(b"one"))
    path, _, query = url.partition("?")
    for changed in (
        path,
        f"{path}?X-Amz-Signature=",
        f"{path}?X-Amz-Signature=x.y.z",
        f"{path}?{query}x",
        f"{path}/more?{query}",
        url.replace(digest_of(b"one")[7:], digest_of(b"two")[7:]),
        f"/_layers/?{query}",
    ):
        reply = anonymous.request("GET", changed)
        assert (reply.status, reply.error[0]) == (403, "DENIED"), changed


def test_a_layer_url_ends_after_an_hour_and_with_its_layer(
    start: Callable[..., Running], clock: Clock
) -> None:
    emulator = start()
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository(repositoryName="aa/bb")
    image = registry.push_image("aa/bb", "v1", b"layer")
    url = url_of(ecr, "aa/bb", digest_of(b"layer"))
    clock.advance(3599)
    assert registry.request("GET", url).status == 200
    clock.advance(1)
    assert registry.request("GET", url).error == ("DENIED", "Request has expired")
    url = url_of(ecr, "aa/bb", digest_of(b"layer"))
    registry.request("DELETE", f"/v2/aa/bb/manifests/{image}")
    reply = registry.request("GET", url)
    assert (reply.status, reply.error[0]) == (404, "BLOB_UNKNOWN")
