"""Blobs: pulling all or some of their bytes, and deleting them."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.clients import Registry, digest_of
from tests.registry.steps import CONFIG, RANDOM_DIGEST, RANDOM_SHA512

CONTENT = bytes(range(256)) * 4
# Above the size that is read at once.
LARGE = bytes(range(251)) * 4000


@pytest.mark.parametrize("content", [b"", b"{}", CONTENT, LARGE], ids=["empty", "small", "1 KiB", "1 MB"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_comes_back_as_it_was_pushed(
    algorithm: str, content: bytes, registry: Registry, repo: str
) -> None:
    digest = registry.push_blob(repo, content, algorithm)
    get = registry.request("GET", f"/v2/{repo}/blobs/{digest}")
    head = registry.request("HEAD", f"/v2/{repo}/blobs/{digest}")
    assert (get.status, get.body, head.status, head.body) == (200, content, 200, b"")
    for reply in (get, head):
        assert reply.headers["content-length"] == str(len(content))
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["docker-content-digest"] == digest
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["etag"] == f'"{digest}"'


SIZE = len(CONTENT)
LAST = SIZE - 1


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=10-", 10, LAST),
        ("bytes=0-", 0, LAST),
        ("bytes=-1", LAST, LAST),
        ("bytes=-10", SIZE - 10, LAST),
        ("bytes=-99999", 0, LAST),
        ("bytes=-" + "9" * 5000, 0, LAST),
        ("bytes=5-99999", 5, LAST),
        ("bytes=5-" + "9" * 5000, 5, LAST),
        (f"bytes={LAST}-", LAST, LAST),
        (f"bytes={LAST}-{LAST}", LAST, LAST),
        (" bytes=0-1 ", 0, 1),
        ("bytes=" + "0" * 30 + "1-2", 1, 2),
    ],
)
def test_a_range_is_served_alone(wanted: str, first: int, last: int, registry: Registry, repo: str) -> None:
    digest = registry.push_blob(repo, CONTENT)
    reply = registry.request("GET", f"/v2/{repo}/blobs/{digest}", headers={"Range": wanted})
    assert (reply.status, reply.body) == (206, CONTENT[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert reply.headers["content-length"] == str(last - first + 1)
    assert reply.headers["docker-content-digest"] == digest


@pytest.mark.parametrize(
    "wanted",
    [
        f"bytes={SIZE}-",
        f"bytes={SIZE}-{SIZE}",
        "bytes=99999-",
        "bytes=9-3",
        "bytes=-0",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_range_beyond_the_end_is_not_satisfiable(wanted: str, registry: Registry, repo: str) -> None:
    digest = registry.push_blob(repo, CONTENT)
    reply = registry.request("GET", f"/v2/{repo}/blobs/{digest}", headers={"Range": wanted})
    assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{SIZE}")
    assert reply.headers["content-length"] == str(len(reply.body))


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=0",
        "bytes=0-1,3-4",
        "lines=0-1",
        "0-1",
        "bytes=0-1-2",
        "bytes=+0-1",
        "bytes=\xb2-\xb3",
    ],
)
def test_a_range_that_means_nothing_is_ignored(wanted: str, registry: Registry, repo: str) -> None:
    digest = registry.push_blob(repo, CONTENT)
    reply = registry.request("GET", f"/v2/{repo}/blobs/{digest}", headers={"Range": wanted})
    assert (reply.status, reply.body) == (200, CONTENT)
    assert "content-range" not in reply.headers


@pytest.mark.parametrize(
    ("wanted", "status"), [("bytes=0-0", 416), ("bytes=-5", 416), ("bytes=0-", 416), ("x", 200)]
)
def test_an_empty_blob_has_no_ranges(wanted: str, status: int, registry: Registry, repo: str) -> None:
    digest = registry.push_blob(repo, b"")
    reply = registry.request("GET", f"/v2/{repo}/blobs/{digest}", headers={"Range": wanted})
    assert (reply.status, reply.body) == (status, b"")


def test_ranges_of_a_large_blob_are_streamed(registry: Registry, repo: str) -> None:
    digest = registry.push_blob(repo, LARGE)
    for first, last in ((0, len(LARGE) - 1), (1, 600_000), (400_000, len(LARGE) - 1)):
        headers = {"Range": f"bytes={first}-{last}"}
        reply = registry.request("GET", f"/v2/{repo}/blobs/{digest}", headers=headers)
        assert (reply.status, reply.body == LARGE[first : last + 1]) == (206, True)


@pytest.mark.parametrize("digest", [RANDOM_DIGEST, RANDOM_SHA512])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_blob_that_is_not_there_is_unknown(method: str, digest: str, registry: Registry, repo: str) -> None:
    reply = registry.request(method, f"/v2/{repo}/blobs/{digest}")
    assert reply.status == 404
    assert method == "HEAD" or reply.error[0] == "BLOB_UNKNOWN"


@pytest.mark.parametrize(
    "digest", ["x", "latest", "sha256:", "sha256:xyz", "sha256:" + "A" * 64, "md5:" + "a" * 32, "../../etc"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_is_not_a_digest_is_invalid(method: str, digest: str, registry: Registry, repo: str) -> None:
    reply = registry.request(method, f"/v2/{repo}/blobs/{quote(digest, safe='')}")
    assert reply.status in (400, 404)
    assert method == "HEAD" or reply.error[0] in ("DIGEST_INVALID", "UNSUPPORTED")


def test_a_repository_serves_no_blob_that_only_another_one_holds(
    ecr: Any, registry: Registry, repo: str
) -> None:
    other = f"{repo}/other"
    ecr.create_repository(repositoryName=other)
    digest = registry.push_blob(other, b"secret of the other")
    statuses = [
        registry.request(method, f"/v2/{repo}/blobs/{digest}").status for method in ("GET", "HEAD", "DELETE")
    ]
    assert statuses == [404, 404, 404]
    registry.push_blob(repo, b"secret of the other")
    registry.request("DELETE", f"/v2/{other}/blobs/{digest}")
    assert [registry.request("GET", f"/v2/{name}/blobs/{digest}").status for name in (repo, other)] == [
        200,
        404,
    ]


def test_a_deleted_blob_is_gone_and_can_come_back(registry: Registry, repo: str) -> None:
    digest = registry.push_blob(repo, b"short-lived")
    statuses = [
        registry.request(method, f"/v2/{repo}/blobs/{digest}").status
        for method in ("DELETE", "GET", "DELETE")
    ]
    assert statuses == [202, 404, 404]
    registry.push_blob(repo, b"short-lived")
    assert registry.request("GET", f"/v2/{repo}/blobs/{digest}").body == b"short-lived"


def test_a_blob_that_an_image_needs_stays(registry: Registry, repo: str) -> None:
    image = registry.push_image(repo, "v1", b"layer")
    for blob in (b"layer", CONFIG):
        path = f"/v2/{repo}/blobs/{digest_of(blob)}"
        reply = registry.request("DELETE", path)
        assert (reply.status, reply.error[0]) == (405, "UNSUPPORTED")
        assert registry.request("GET", path).body == blob
    registry.request("DELETE", f"/v2/{repo}/manifests/{image}")
    assert registry.request("DELETE", f"/v2/{repo}/blobs/{digest_of(b'layer')}").status == 404


# --- Mounting ---------------------------------------------------------------------------------------------


def mount(registry: Registry, repo: str, digest: str, *sources: str) -> int:
    query = "&".join([f"mount={digest}", *(f"from={quote(source)}" for source in sources)])
    reply = registry.request("POST", f"/v2/{repo}/blobs/uploads/?{query}")
    if reply.status == 201:
        assert reply.headers["location"].endswith(f"/v2/{repo}/blobs/{digest}")
        assert reply.headers["docker-content-digest"] == digest
    elif reply.status == 202:
        assert f"/v2/{repo}/blobs/uploads/" in reply.headers["location"]
    return reply.status


def test_a_blob_is_mounted_from_where_it_is(ecr: Any, registry: Registry, repo: str) -> None:
    ecr.create_repository(repositoryName=f"{repo}/from")
    ecr.create_repository(repositoryName=f"{repo}/empty")
    digest = registry.push_blob(f"{repo}/from", b"to mount by name")
    assert mount(registry, repo, digest, f"{repo}/empty") == 202
    assert mount(registry, repo, digest, "no/such/repository") == 202
    assert mount(registry, repo, digest, "Not A Name/..") == 202
    assert registry.request("HEAD", f"/v2/{repo}/blobs/{digest}").status == 404
    assert mount(registry, repo, digest, f"{repo}/from") == 201
    assert registry.request("GET", f"/v2/{repo}/blobs/{digest}").body == b"to mount by name"
    ecr.delete_repository(repositoryName=f"{repo}/from", force=True)
    assert registry.request("GET", f"/v2/{repo}/blobs/{digest}").status == 200


def test_a_mount_from_nowhere_takes_any_repository_of_the_registry(
    ecr: Any, registry: Registry, repo: str
) -> None:
    ecr.create_repository(repositoryName=f"{repo}/from")
    digest = registry.push_blob(f"{repo}/from", b"to mount from anywhere", "sha512")
    assert mount(registry, repo, RANDOM_DIGEST) == 202
    assert mount(registry, repo, digest) == 201
    assert mount(registry, repo, digest, repo) == 201


@pytest.mark.parametrize("place", [("111122223333", "us-east-1"), ("000000000000", "eu-west-1")])
def test_nothing_is_mounted_from_another_registry(place: tuple[str, str], emulator: Any, repo: str) -> None:
    emulator.ecr(*place).create_repository(repositoryName=repo)
    content = f"of {place}".encode()
    digest = emulator.registry(*place).push_blob(repo, content)
    here = emulator.registry()
    assert [mount(here, repo, digest), mount(here, repo, digest, repo)] == [202, 202]
    assert here.request("HEAD", f"/v2/{repo}/blobs/{digest}").status == 404


@pytest.mark.parametrize("digest", ["", "x", "sha256:x", "md5:" + "a" * 32])
def test_only_a_digest_can_be_mounted(digest: str, registry: Registry, repo: str) -> None:
    assert mount(registry, repo, digest) == 400
