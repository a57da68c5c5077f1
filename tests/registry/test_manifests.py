"""Manifests: pushing, pulling and deleting them."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from ecr_emu.domain.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MAX_MANIFEST_BYTES,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
)
from tests.clients import Registry, Reply, digest_of, image_index, image_manifest
from tests.registry.steps import CONFIG, RANDOM_DIGEST, RANDOM_SHA512, encode, manifest_of, path_of


def tags_of(registry: Registry, repo: str) -> list[str]:
    tags: list[str] = registry.request("GET", f"/v2/{repo}/tags/list").json()["tags"]
    return tags


def delete(registry: Registry, repo: str, reference: str) -> Reply:
    return registry.request("DELETE", f"/v2/{repo}/manifests/{reference}")


def status_of(registry: Registry, repo: str, reference: str) -> int:
    return registry.request("HEAD", f"/v2/{repo}/manifests/{reference}").status


def describe(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def every_kind(registry: Registry, repo: str) -> dict[str, tuple[str, bytes]]:
    """A pushable manifest of every kind, with all that it needs in the repository."""
    image = manifest_of(registry, repo, b"layer")
    registry.put_manifest(repo, digest_of(image), image)
    index = image_index(image)
    registry.put_manifest(repo, digest_of(index), index, OCI_INDEX)
    config, layer = describe(CONFIG, "application/x"), describe(b"layer", "application/y")
    foreign = describe(b"elsewhere", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    undistributed = describe(b"away", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
    return {
        "image": (OCI_MANIFEST, image_manifest(CONFIG, b"layer", annotations={"a": "b"})),
        "image without layers": (OCI_MANIFEST, image_manifest(CONFIG)),
        "image without media type": (OCI_MANIFEST, encode({"schemaVersion": 2, "config": config})),
        "layers that are null": (OCI_MANIFEST, encode({"config": config, "layers": None})),
        "the same layer twice": (OCI_MANIFEST, encode({"config": config, "layers": [layer, layer]})),
        "layers from elsewhere": (
            OCI_MANIFEST,
            encode({"config": config, "layers": [foreign, undistributed]}),
        ),
        "pretty printed": (OCI_MANIFEST, json.dumps(json.loads(image), indent=7).encode() + b"\n\n"),
        "unknown members": (OCI_MANIFEST, image_manifest(CONFIG, extra={"x": [1, 1.5, None, "é"]})),
        "artifact type with a parameter": (
            OCI_MANIFEST,
            image_manifest(CONFIG, artifactType="a/b;version=0.2"),
        ),
        "docker image": (DOCKER_MANIFEST, encode({"mediaType": DOCKER_MANIFEST, "config": config})),
        "docker list": (DOCKER_LIST, encode({"manifests": [describe(image, DOCKER_MANIFEST)]})),
        "index": (OCI_INDEX, image_index(image, annotations={"a": "b"})),
        "nested index": (OCI_INDEX, image_index(image, index)),
        "empty index": (OCI_INDEX, image_index()),
        "the same child twice": (OCI_INDEX, image_index(image, image)),
        "artifact": (OCI_MANIFEST, image_manifest(CONFIG, artifactType="application/vnd.example")),
        "old artifact": (OCI_ARTIFACT, encode({"artifactType": "a/b", "blobs": [layer]})),
        "index as artifact": (OCI_INDEX, image_index(artifactType="application/vnd.example")),
    }


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_every_kind_of_manifest_comes_back_as_it_was_pushed(
    algorithm: str, registry: Registry, repo: str
) -> None:
    for kind, (media_type, body) in every_kind(registry, repo).items():
        digest = digest_of(body, algorithm)
        pushed = registry.put_manifest(repo, digest, body, media_type)
        assert (pushed.status, pushed.headers.get("docker-content-digest")) == (201, digest), (
            kind,
            pushed.body,
        )
        for path in (f"/v2/{repo}/manifests/{digest}", path_of(pushed)):
            pulled = registry.request("GET", path)
            assert (pulled.status, pulled.body) == (200, body), kind
            assert pulled.headers["content-type"] == media_type
            assert pulled.headers["docker-content-digest"] == digest
            assert pulled.headers["etag"] == f'"{digest}"'


def test_a_push_by_tag_is_found_by_tag_and_by_digest(registry: Registry, repo: str) -> None:
    body = manifest_of(registry, repo, b"layer")
    pushed = registry.put_manifest(repo, "v1", body)
    assert path_of(pushed) == f"/v2/{repo}/manifests/v1"
    for reference in ("v1", digest_of(body)):
        head = registry.request("HEAD", f"/v2/{repo}/manifests/{reference}")
        assert (head.status, head.headers["docker-content-digest"]) == (200, digest_of(body))
        assert (head.headers["content-length"], head.body) == (str(len(body)), b"")


def test_a_pull_converts_nothing_whatever_is_accepted(registry: Registry, repo: str) -> None:
    registry.push_image(repo, "v1", b"layer")
    for accept in ("application/json", DOCKER_MANIFEST, OCI_INDEX, "*/*;q=0", "text/html"):
        reply = registry.request("GET", f"/v2/{repo}/manifests/v1", headers={"Accept": accept})
        assert (reply.status, reply.headers["content-type"]) == (200, OCI_MANIFEST)


def test_a_tag_moves_to_the_image_that_was_pushed_last(registry: Registry, repo: str) -> None:
    first = registry.push_image(repo, "latest", b"one")
    second = registry.push_image(repo, "latest", b"two")
    assert registry.request("HEAD", f"/v2/{repo}/manifests/latest").headers["docker-content-digest"] == second
    assert status_of(registry, repo, first) == 200
    assert registry.push_image(repo, "latest", b"two") == second


@pytest.mark.parametrize("reference", ["none", RANDOM_DIGEST, RANDOM_SHA512, "-", "a" * 129, "%20", "%C3%A9"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_manifest_that_is_not_there_is_unknown(
    method: str, reference: str, registry: Registry, repo: str
) -> None:
    reply = registry.request(method, f"/v2/{repo}/manifests/{reference}")
    assert reply.status == 404
    assert method == "HEAD" or reply.error == ("MANIFEST_UNKNOWN", "Requested image not found")


BAD_DIGESTS = [
    "sha256:",
    "sha256:baddigeststring",
    "sha256:" + "A" * 64,
    "sha256:" + "a" * 63,
    "sha256:" + "a" * 65,
    "sha512:" + "a" * 64,
    "sha384:" + "a" * 96,
    "md5:" + "a" * 32,
    "a:b:c",
    ":",
    "sha256:" + "é" * 64,
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("digest", BAD_DIGESTS, ids=lambda digest: digest[:12])
def test_what_is_not_a_digest_is_invalid(digest: str, method: str, registry: Registry, repo: str) -> None:
    path = f"/v2/{repo}/manifests/{quote(digest)}"
    reply = registry.request(method, path, image_index(), {"Content-Type": OCI_INDEX})
    assert reply.status == 400
    assert method == "HEAD" or reply.error[0] == "DIGEST_INVALID"


def test_a_push_by_the_wrong_digest_is_refused(registry: Registry, repo: str) -> None:
    for digest in (RANDOM_DIGEST, RANDOM_SHA512):
        reply = registry.put_manifest(repo, digest, image_index(), OCI_INDEX)
        assert (reply.status, reply.error[0]) == (400, "DIGEST_INVALID")
        assert status_of(registry, repo, digest) == 404


# --- Tags -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["v1", "_", "0", "A.b-c_d", "a" * 128, "1.0.0-rc.1", "sha256-" + "a" * 64])
def test_a_tag_of_the_grammar_is_taken(tag: str, registry: Registry, repo: str) -> None:
    assert registry.put_manifest(repo, tag, image_index(), OCI_INDEX).status == 201
    assert tags_of(registry, repo) == [tag]


@pytest.mark.parametrize(
    "tag", [".a", "-a", "a" * 129, "a%2Bb", "a%20b", "a%00", "a@b", "..", "%C3%A9", "a,b"]
)
def test_what_is_not_a_tag_is_invalid(tag: str, registry: Registry, repo: str) -> None:
    for path in (tag, f"{digest_of(image_index())}?tag={tag}"):
        reply = registry.put_manifest(repo, path, image_index(), OCI_INDEX)
        assert (reply.status, reply.error[0]) == (400, "TAG_INVALID")
    assert tags_of(registry, repo) == []


def test_a_push_by_digest_may_bring_tags(registry: Registry, repo: str) -> None:
    body = image_index()
    for algorithm in ("sha256", "sha512"):
        digest = digest_of(body, algorithm)
        tags = [f"{algorithm}-{number}" for number in range(50)]
        query = "&".join(f"tag={tag}" for tag in tags)
        reply = registry.put_manifest(repo, f"{digest}?{query}", body, OCI_INDEX)
        assert (reply.status, path_of(reply)) == (201, f"/v2/{repo}/manifests/{digest.replace(':', '%3A')}")
        for tag in tags:
            head = registry.request("HEAD", f"/v2/{repo}/manifests/{tag}")
            assert head.headers["docker-content-digest"] == digest


def test_every_tag_of_a_push_is_confirmed_by_a_header(registry: Registry, repo: str) -> None:
    body = image_index()
    with registry.connection() as connection:
        path = f"/v2/{repo}/manifests/{digest_of(body)}?tag=a&tag=b&tag=a&other=c"
        connection.request("PUT", path, body, {**registry.login(), "Content-Type": OCI_INDEX})
        response = connection.getresponse()
        response.read()
        assert sorted(set(response.headers.get_all("OCI-Tag", []))) == ["a", "b"]
    assert tags_of(registry, repo) == ["a", "b"]


def test_too_many_tags_in_one_push_are_refused_together(registry: Registry, repo: str) -> None:
    body = image_index()
    query = "&".join(f"tag=t{number}" for number in range(51))
    reply = registry.put_manifest(repo, f"{digest_of(body)}?{query}", body, OCI_INDEX)
    assert (reply.status, reply.error[0]) == (414, "TAG_INVALID")
    assert status_of(registry, repo, digest_of(body)) == 404
    assert tags_of(registry, repo) == []


IMMUTABLE = (
    "The image tag '{tag}' already exists in the '{repo}' repository "
    "and cannot be overwritten because the tag is immutable."
)


def test_an_immutable_tag_stays_even_for_the_same_image(ecr: Any, registry: Registry, repo: str) -> None:
    first = registry.push_image(repo, "v1", b"one")
    ecr.put_image_tag_mutability(repositoryName=repo, imageTagMutability="IMMUTABLE")
    for layer in (b"one", b"two"):
        reply = registry.put_manifest(repo, "v1", manifest_of(registry, repo, layer))
        assert (reply.status, reply.error) == (400, ("TAG_INVALID", IMMUTABLE.format(tag="v1", repo=repo)))
    other = manifest_of(registry, repo, b"three")
    reply = registry.put_manifest(repo, f"{digest_of(other)}?tag=new&tag=v1", other)
    assert (reply.status, reply.error[0]) == (400, "TAG_INVALID")
    assert status_of(registry, repo, digest_of(other)) == 404
    assert tags_of(registry, repo) == ["v1"]
    assert registry.request("HEAD", f"/v2/{repo}/manifests/v1").headers["docker-content-digest"] == first
    assert registry.put_manifest(repo, digest_of(other), other).status == 201


# --- What a push refers to --------------------------------------------------------------------------------


def test_all_missing_layers_are_named_once(registry: Registry, repo: str) -> None:
    registry.push_blob(repo, b"here")
    body = image_manifest(CONFIG, b"here", b"lost one", b"lost two", b"lost one")
    reply = registry.put_manifest(repo, "v1", body)
    lost = ", ".join(digest_of(blob) for blob in (CONFIG, b"lost one", b"lost two"))
    message = (
        f"Layers with digests '[{lost}]' required for pushing image into repository "
        f"with name '{repo}' in the registry with id '000000000000' do not exist"
    )
    assert (reply.status, reply.error) == (404, ("MANIFEST_BLOB_UNKNOWN", message))
    assert tags_of(registry, repo) == []


def test_all_missing_children_are_named_once(registry: Registry, repo: str) -> None:
    image = manifest_of(registry, repo)
    registry.put_manifest(repo, digest_of(image), image)
    reply = registry.put_manifest(repo, "v1", image_index(image, b"one", b"two", b"one"), OCI_INDEX)
    message = (
        f"Images with digests '[{digest_of(b'one')}, {digest_of(b'two')}]' required for pushing image into "
        f"repository with name '{repo}' in the registry with id '000000000000' do not exist"
    )
    assert (reply.status, reply.error) == (404, ("MANIFEST_BLOB_UNKNOWN", message))


def test_layers_of_another_repository_are_missing_here(ecr: Any, registry: Registry, repo: str) -> None:
    ecr.create_repository(repositoryName=f"{repo}/other")
    body = manifest_of(registry, f"{repo}/other", b"layer")
    assert registry.put_manifest(repo, "v1", body).error[0] == "MANIFEST_BLOB_UNKNOWN"


@pytest.mark.parametrize("there", [True, False])
def test_a_subject_is_confirmed_whether_it_is_there_or_not(
    there: bool, registry: Registry, repo: str
) -> None:
    subject = manifest_of(registry, repo, b"layer")
    if there:
        registry.put_manifest(repo, "subject", subject)
    body = manifest_of(registry, repo, subject=describe(subject, OCI_MANIFEST), artifactType="a/b")
    reply = registry.put_manifest(repo, digest_of(body), body)
    assert (reply.status, reply.headers["oci-subject"]) == (201, digest_of(subject))
    index = image_index(subject=describe(subject, OCI_MANIFEST))
    reply = registry.put_manifest(repo, digest_of(index), index, OCI_INDEX)
    assert (reply.status, reply.headers["oci-subject"]) == (201, digest_of(subject))


def test_a_manifest_without_a_subject_gets_no_such_header(registry: Registry, repo: str) -> None:
    assert "oci-subject" not in registry.put_manifest(repo, "v1", image_index(), OCI_INDEX).headers


# --- Deleting ---------------------------------------------------------------------------------------------


def test_deleting_a_tag_keeps_the_manifest(registry: Registry, repo: str) -> None:
    digest = registry.push_image(repo, "v1", b"layer")
    assert delete(registry, repo, "v1").status == 202
    assert [status_of(registry, repo, reference) for reference in ("v1", digest)] == [404, 200]
    assert registry.request("GET", f"/v2/{repo}/blobs/{digest_of(b'layer')}").status == 200
    assert delete(registry, repo, "v1").status == 404


def test_deleting_a_digest_takes_all_its_tags(registry: Registry, repo: str) -> None:
    digest = registry.push_image(repo, "v1", b"one")
    registry.push_image(repo, "v2", b"one")
    registry.push_image(repo, "other", b"two")
    assert delete(registry, repo, digest).status == 202
    assert tags_of(registry, repo) == ["other"]
    assert delete(registry, repo, digest).error == ("MANIFEST_UNKNOWN", "Requested image not found")


def test_deleting_an_image_leaves_the_layers_of_the_others(registry: Registry, repo: str) -> None:
    digest = registry.push_image(repo, "v1", b"shared", b"alone")
    registry.push_image(repo, "v2", b"shared")
    delete(registry, repo, digest)
    blobs = [f"/v2/{repo}/blobs/{digest_of(blob)}" for blob in (b"shared", CONFIG, b"alone")]
    assert [registry.request("GET", path).status for path in blobs] == [200, 200, 404]


def test_an_image_goes_only_after_the_indexes_that_list_it(registry: Registry, repo: str) -> None:
    child = registry.push_image(repo, "child", b"layer")
    index = image_index(registry.request("GET", f"/v2/{repo}/manifests/child").body)
    registry.put_manifest(repo, "index", index, OCI_INDEX)
    outer = encode({"manifests": [describe(index, OCI_INDEX), {**describe(b"", ""), "digest": child}]})
    registry.put_manifest(repo, "outer", outer, OCI_INDEX)
    parents = f"{digest_of(index)}, {digest_of(outer)}"
    reply = delete(registry, repo, child)
    message = f"Requested image referenced by manifest list: [{parents}]"
    assert (reply.status, reply.error) == (405, ("UNSUPPORTED", message))
    assert tags_of(registry, repo) == ["child", "index", "outer"]
    assert delete(registry, repo, digest_of(index)).status == 405
    gone = [delete(registry, repo, digest).status for digest in (digest_of(outer), digest_of(index), child)]
    assert gone == [202, 202, 202]
    assert tags_of(registry, repo) == []


def test_the_same_manifest_in_two_repositories_goes_from_one(ecr: Any, registry: Registry, repo: str) -> None:
    ecr.create_repository(repositoryName=f"{repo}/other")
    digest = registry.push_image(repo, "v1", b"layer")
    registry.push_image(f"{repo}/other", "v1", b"layer")
    delete(registry, repo, digest)
    assert [status_of(registry, name, digest) for name in (repo, f"{repo}/other")] == [404, 200]


def test_a_manifest_of_the_largest_size_is_taken_and_one_byte_more_is_not(
    registry: Registry, repo: str
) -> None:
    plain = len(image_index(annotations={"pad": ""}))
    fits = image_index(annotations={"pad": "x" * (MAX_MANIFEST_BYTES - plain)})
    assert len(fits) == MAX_MANIFEST_BYTES
    assert registry.put_manifest(repo, "fits", fits, OCI_INDEX).status == 201
    assert registry.request("GET", f"/v2/{repo}/manifests/fits").body == fits
    for body in (fits + b" ", iter([fits, b" "]), fits * 3, iter([fits] * 3)):
        reply = registry.request("PUT", f"/v2/{repo}/manifests/large", body, {"Content-Type": OCI_INDEX})
        assert (reply.status, reply.error[0]) == (413, "SIZE_INVALID")
    assert tags_of(registry, repo) == ["fits"]
