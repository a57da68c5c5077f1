"""Which paths mean what, and what the others answer."""

from typing import Any

import pytest

from tests.clients import Registry, Running, digest_of
from tests.registry.steps import CONFIG, RANDOM_DIGEST, manifest_of, path_of

# Repository names made of the words of the API, each a legal name.
WORDY_NAMES = [
    "team/tags/api",
    "a/blobs/uploads",
    "manifests/list",
    "tags/list",
    "blobs/uploads",
    "uploads",
    "manifests",
    "referrers",
    "team/referrers/app",
    "x/manifests/latest",
    "blobs/uploads/blobs",
    "v2/v2",
    "catalog",
    "aa/catalog",
    "a__b/c-d.e",
    "a" * 256,
]


@pytest.mark.parametrize("name", WORDY_NAMES)
def test_a_repository_may_be_called_by_any_word_of_the_api(name: str, registry: Registry, ecr: Any) -> None:
    ecr.create_repository(repositoryName=name)
    body = manifest_of(registry, name, b"layer")
    upload = registry.request("POST", f"/v2/{name}/blobs/uploads/")
    expected = [
        (registry.put_manifest(name, "latest", body), 201),
        (registry.put_manifest(name, "list", body), 201),
        (registry.request("GET", f"/v2/{name}/manifests/latest"), 200),
        (registry.request("GET", f"/v2/{name}/manifests/list"), 200),
        (registry.request("GET", f"/v2/{name}/blobs/{digest_of(CONFIG)}"), 200),
        (registry.request("GET", f"/v2/{name}/referrers/{RANDOM_DIGEST}"), 200),
        (registry.request("GET", path_of(upload)), 204),
        (registry.request("DELETE", path_of(upload)), 204),
    ]
    assert [reply.status for reply, _ in expected] == [status for _, status in expected]
    listed = registry.request("GET", f"/v2/{name}/tags/list").json()
    assert listed == {"name": name, "tags": ["latest", "list"]}


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_root_answers_a_ping(method: str, path: str, registry: Registry) -> None:
    reply = registry.request(method, path)
    assert reply.status == 200
    assert reply.headers["docker-distribution-api-version"] == "registry/2.0"
    assert reply.headers["content-length"] == "2"


NAME_INVALID = [
    "..",
    "../..",
    "aa/../bb",
    "aa/./bb",
    "aa//bb",
    "/aa",
    "aa/",
    "a",
    "AA",
    "aA/bb",
    "-aa",
    "aa-",
    "aa..bb",
    "aa___bb",
    "_catalog",
    "aa%20bb",
    "aa%00",
    "aa%0abb",
    "%c3%a9%c3%a9",
    "%ff%fe",
    "aa%252fbb",
    "a" * 257,
    "a/" * 5000 + "a",
]


@pytest.mark.parametrize("rest", ["manifests/latest", "tags/list", f"blobs/{RANDOM_DIGEST}"])
@pytest.mark.parametrize("name", NAME_INVALID, ids=lambda name: name[:20])
def test_a_name_that_breaks_the_grammar_is_invalid(name: str, rest: str, registry: Registry) -> None:
    reply = registry.request("GET", f"/v2/{name}/{rest}")
    assert (reply.status, reply.error[0]) == (400, "NAME_INVALID")
    assert len(reply.body) < 1000


@pytest.mark.parametrize(
    "path",
    [
        "/v2/aa",
        "/v2/aa/",
        "/v2//",
        "/v2///",
        "/v2/..",
        "/v2/aa/bb",
        "/v2/aa/tags",
        "/v2/aa/tags/",
        "/v2/aa/tags/list/",
        "/v2/aa/tags/other",
        "/v2/aa/manifests",
        "/v2/aa/manifests/",
        "/v2/aa/manifests/latest/",
        "/v2/aa/manifests/latest/more",
        "/v2/aa/blobs",
        "/v2/aa/blobs/",
        "/v2/aa/referrers/",
        "/v2/aa/uploads/",
        "/v2/_catalog/more",
        "/v2/manifests/latest",
        "/v2/tags/list",
        "/v2/blobs/uploads/",
        "/v2/" + "x" * 60_000,
    ],
    ids=lambda path: path[:30],
)
def test_a_path_that_means_nothing_is_not_found(path: str, registry: Registry) -> None:
    reply = registry.request("GET", path)
    # A word of the API without a repository before it is read as the repository's missing name.
    assert (reply.status, reply.error[0]) in [(404, "UNSUPPORTED"), (400, "NAME_INVALID")]
    assert reply.headers["docker-distribution-api-version"] == "registry/2.0"
    assert len(reply.body) < 1000


def test_percent_encoding_makes_no_other_name(registry: Registry, repo: str) -> None:
    registry.push_image(repo, "v1", b"layer")
    encoded = repo.replace("/", "%2F").replace("a", "%61")
    assert registry.request("GET", f"/v2/{encoded}/manifests/%76%31").status == 200
    digest = registry.request("HEAD", f"/v2/{repo}/manifests/v1").headers["docker-content-digest"]
    assert registry.request("GET", f"/v2/{repo}/manifests/{digest.replace(':', '%3A')}").status == 200


EVERY_METHOD = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v2/", {"GET", "HEAD"}),
        ("/v2/_catalog", {"GET"}),
        ("/v2/{repo}/tags/list", {"GET"}),
        ("/v2/{repo}/manifests/latest", {"GET", "HEAD", "PUT", "DELETE"}),
        ("/v2/{repo}/blobs/" + RANDOM_DIGEST, {"GET", "HEAD", "DELETE"}),
        ("/v2/{repo}/blobs/uploads/", {"POST"}),
        ("/v2/{repo}/blobs/uploads/00000000-0000-0000-0000-000000000000", {"GET", "PATCH", "PUT", "DELETE"}),
        ("/v2/{repo}/referrers/" + RANDOM_DIGEST, {"GET"}),
    ],
)
def test_a_wrong_method_is_refused_and_the_right_ones_are_named(
    path: str, allowed: set[str], registry: Registry, repo: str
) -> None:
    for method in EVERY_METHOD - allowed:
        reply = registry.request(method, path.format(repo=repo))
        assert reply.status == 405, method
        assert set(reply.headers["allow"].split(", ")) == allowed
        assert method == "HEAD" or reply.error[0] == "UNSUPPORTED"
    for method in allowed:
        assert registry.request(method, path.format(repo=repo)).status != 405, method


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize(
    "rest",
    [
        "manifests/latest",
        "tags/list",
        "blobs/uploads/",
        f"blobs/{RANDOM_DIGEST}",
        f"referrers/{RANDOM_DIGEST}",
    ],
)
def test_an_unknown_repository_is_named_with_its_registry(
    method: str, rest: str, registry: Registry, emulator: Running
) -> None:
    reply = registry.request(method, f"/v2/no/such/repository/{rest}")
    if reply.status == 405:
        return
    assert reply.status == 404
    message = (
        "The repository with name 'no/such/repository' does not exist in the registry with id '000000000000'"
    )
    assert method == "HEAD" or reply.error == ("NAME_UNKNOWN", message)


@pytest.mark.parametrize(
    "query", ["n=1" + "&a" * 5000, "&" * 5000, "n=1;last=x", "%ff=%00&last=%ff%00", "last"]
)
def test_a_strange_query_string_does_no_harm(query: str, registry: Registry, repo: str) -> None:
    assert registry.request("GET", f"/v2/{repo}/tags/list?{query}").status in (200, 400)


@pytest.mark.parametrize("rest", ["manifests/none", f"manifests/{RANDOM_DIGEST}", f"blobs/{RANDOM_DIGEST}"])
def test_head_says_how_long_get_would_be_and_sends_nothing(rest: str, registry: Registry, repo: str) -> None:
    registry.push_image(repo, "v1", b"layer")
    for path in (f"/v2/{repo}/{rest}", f"/v2/{repo}/manifests/v1", f"/v2/{repo}/blobs/{digest_of(b'layer')}"):
        head, get = registry.request("HEAD", path), registry.request("GET", path)
        assert head.body == b""
        assert (head.status, head.headers["content-length"]) == (get.status, str(len(get.body)))
        assert head.headers["content-type"] == get.headers["content-type"]
