"""What is not a manifest, and how that is said."""

from collections.abc import Iterator
from typing import Any

import pytest

from ecr_emu.domain.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST
from tests.clients import Registry, digest_of, image_index, image_manifest
from tests.registry.steps import CONFIG, RANDOM_DIGEST, encode, raw_head, send_raw

GOOD = {"mediaType": "a/b", "digest": digest_of(CONFIG), "size": len(CONFIG)}
# Not what a descriptor holds there; what JSON can say beside the right type.
STRANGE: list[Any] = [None, True, -1, 1.5, 2**63, 10**30, "x", "", [], {}, [GOOD], {"digest": GOOD}]


@pytest.fixture
def refused(registry: Registry, repo: str) -> Iterator[Any]:
    """Pushes a manifest that must be refused, and looks that nothing came of it."""
    registry.push_blob(repo, CONFIG)

    def push(body: bytes, media_type: str | None = OCI_MANIFEST) -> str:
        headers = {"Content-Type": media_type} if media_type is not None else {}
        reply = registry.request("PUT", f"/v2/{repo}/manifests/v1", body, headers)
        assert (reply.status, reply.error[0]) == (400, "MANIFEST_INVALID"), (body[:200], reply.body)
        assert reply.error[1].startswith(
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '"
        )
        return reply.error[1].rpartition(": ")[2].strip("'")

    yield push
    assert registry.request("GET", f"/v2/{repo}/tags/list").json()["tags"] == []


NOT_JSON = {
    "nothing": b"",
    "space": b" ",
    "text": b"manifest",
    "half": image_manifest(CONFIG)[:-1],
    "more": image_manifest(CONFIG) + b"{}",
    "null": b"null",
    "list": b"[]",
    "string": b'"x"',
    "number": b"7",
    "UTF-16": image_manifest(CONFIG).decode().encode("utf-16"),
    "UTF-16 without a mark": image_manifest(CONFIG).decode().encode("utf-16-le"),
    "UTF-32": image_manifest(CONFIG).decode().encode("utf-32"),
    "UTF-8 with a mark": image_manifest(CONFIG).decode().encode("utf-8-sig"),
    "latin-1": image_manifest(CONFIG)[:-1] + b',"x":"\xe9"}',
    "a lone surrogate": image_manifest(CONFIG)[:-1] + b',"x":"\\ud800"}',
    "NaN": image_manifest(CONFIG)[:-1] + b',"x":NaN}',
    "too large a float": image_manifest(CONFIG)[:-1] + b',"x":1e999}',
    "a number of 5000 digits": image_manifest(CONFIG)[:-1] + b',"x":' + b"1" * 5000 + b"}",
    "lists in lists": image_manifest(CONFIG)[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects in objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "zero bytes": bytes(1000),
}


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, None])
@pytest.mark.parametrize("what", NOT_JSON)
def test_what_is_not_json_is_refused_in_ecrs_words(what: str, media_type: str | None, refused: Any) -> None:
    assert refused(NOT_JSON[what], media_type) == "Invalid JSON syntax"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/octet-stream",
        "text/plain",
        "*/*",
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.cncf.oras.artifact.manifest.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.manifest.v2+json",
        "é",
        "",
        ";",
        None,
    ],
)
def test_an_unknown_kind_is_refused(media_type: str | None, refused: Any) -> None:
    refused(encode({"schemaVersion": 2, "config": GOOD, "layers": []}), media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        OCI_MANIFEST,
        f"{OCI_MANIFEST}; charset=utf-8",
        f"{OCI_MANIFEST};a=b",
        f" {OCI_MANIFEST} ",
        None,
        "",
    ],
)
def test_the_kind_comes_from_the_header_without_parameters_or_from_the_manifest(
    media_type: str | None, registry: Registry, repo: str
) -> None:
    registry.push_blob(repo, CONFIG)
    headers = {"Content-Type": media_type} if media_type is not None else {}
    reply = registry.request("PUT", f"/v2/{repo}/manifests/v1", image_manifest(CONFIG), headers)
    assert reply.status == 201, reply.body
    assert registry.request("GET", f"/v2/{repo}/manifests/v1").headers["content-type"] == OCI_MANIFEST


KINDS = [OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT, DOCKER_MANIFEST, DOCKER_LIST]


@pytest.mark.parametrize("inside", KINDS)
@pytest.mark.parametrize("announced", KINDS)
def test_header_and_manifest_must_agree(inside: str, announced: str, refused: Any) -> None:
    if inside != announced:
        refused(encode({"mediaType": inside}), announced)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (OCI_MANIFEST, image_manifest(CONFIG, manifests=[])),
        (DOCKER_MANIFEST, encode({"config": GOOD, "manifests": []})),
        (OCI_INDEX, image_index(layers=[])),
        (OCI_INDEX, image_index(config=GOOD)),
        (DOCKER_LIST, encode({"manifests": [], "layers": []})),
    ],
)
def test_a_manifest_that_is_two_things_at_once_is_refused(media_type: str, body: bytes, refused: Any) -> None:
    refused(body, media_type)


@pytest.mark.parametrize("version", [1, 3, 0, "2", True, None, [2]])
def test_another_schema_version_is_refused(version: Any, refused: Any) -> None:
    refused(encode({"schemaVersion": version, "config": GOOD, "layers": []}))


def broken(member: str) -> list[dict[str, Any]]:
    """Descriptors with one wrong member, and what is no descriptor at all."""
    wrong = [value for value in STRANGE if not (member == "mediaType" and isinstance(value, str))]
    return [{**GOOD, member: value} for value in wrong]


@pytest.mark.parametrize("place", ["config", "layers", "manifests", "blobs", "subject"])
@pytest.mark.parametrize("member", ["digest", "size", "mediaType"])
def test_a_descriptor_with_a_wrong_member_is_refused(member: str, place: str, refused: Any) -> None:
    for descriptor in broken(member):
        refused(*with_descriptor(place, descriptor))


@pytest.mark.parametrize("place", ["config", "layers", "manifests", "blobs"])
def test_what_is_not_a_descriptor_is_refused(place: str, refused: Any) -> None:
    for value in STRANGE:
        if value != {"digest": GOOD}:
            refused(*with_descriptor(place, value))


def with_descriptor(place: str, descriptor: Any) -> tuple[bytes, str]:
    """A manifest with this descriptor there, and its media type."""
    if place == "config":
        return encode({"config": descriptor, "layers": []}), OCI_MANIFEST
    if place == "layers":
        return encode({"config": GOOD, "layers": [GOOD, descriptor]}), OCI_MANIFEST
    if place == "subject":
        return encode({"config": GOOD, "layers": [], "subject": descriptor}), OCI_MANIFEST
    return encode({place: [descriptor]}), OCI_INDEX if place == "manifests" else OCI_ARTIFACT


@pytest.mark.parametrize(
    "value", [value for value in STRANGE if value is not None and not isinstance(value, list)]
)
@pytest.mark.parametrize("member", ["layers", "manifests", "blobs"])
def test_what_is_not_a_list_is_refused(member: str, value: Any, refused: Any) -> None:
    _, media_type = with_descriptor(member, GOOD)
    refused(encode({"config": GOOD, member: value} if member == "layers" else {member: value}), media_type)


@pytest.mark.parametrize(
    "value", [value for value in STRANGE if value is not None and not isinstance(value, str)]
)
@pytest.mark.parametrize("member", ["mediaType", "artifactType"])
def test_a_type_that_is_no_string_is_refused(member: str, value: Any, refused: Any) -> None:
    refused(encode({"config": GOOD, "layers": [], member: value}))


def test_an_image_needs_a_config(refused: Any) -> None:
    assert refused(encode({"schemaVersion": 2, "layers": []})) == "config is missing"


def test_sizes_that_add_up_to_more_than_any_disk_are_refused(refused: Any) -> None:
    huge = {**GOOD, "size": 2**63 - 1}
    refused(encode({"config": huge, "layers": [huge]}))


@pytest.mark.parametrize("config", STRANGE + [{"mediaType": value} for value in STRANGE])
def test_members_that_a_kind_does_not_have_do_no_harm(config: Any, registry: Registry, repo: str) -> None:
    reply = registry.put_manifest(repo, "v1", encode({"config": config, "blobs": []}), OCI_ARTIFACT)
    assert reply.status in (201, 400)


@pytest.mark.parametrize(
    "annotations",
    [None, 1, "x", [], ["x"], {"a": 1}, {"a": None}, {"a": {"b": []}}, {"a": "\u2028\U0001f600"}],
)
def test_strange_annotations_do_no_harm(annotations: Any, registry: Registry, repo: str) -> None:
    subject = {"digest": RANDOM_DIGEST, "size": 1, "mediaType": OCI_MANIFEST}
    body = image_index(annotations=annotations, subject=subject)
    assert registry.put_manifest(repo, "v1", body, OCI_INDEX).status in (201, 400)
    reply = registry.request("GET", f"/v2/{repo}/referrers/{RANDOM_DIGEST}")
    assert reply.status == 200
    for descriptor in reply.json()["manifests"]:
        assert all(isinstance(value, str) for value in descriptor.get("annotations", {}).values())


@pytest.mark.parametrize("depth", [100, 950, 990, 1010])
def test_a_nested_manifest_that_is_taken_can_be_listed(depth: int, registry: Registry, repo: str) -> None:
    subject = {"digest": RANDOM_DIGEST, "size": 1, "mediaType": OCI_MANIFEST}
    body = image_index(subject=subject)[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    pushed = registry.put_manifest(repo, "v1", body, OCI_INDEX)
    assert pushed.status == 201
    assert len(registry.request("GET", f"/v2/{repo}/referrers/{RANDOM_DIGEST}").json()["manifests"]) == 1


def test_a_member_said_twice_counts_as_its_last(registry: Registry, repo: str) -> None:
    body = b'{"manifests":[7],"manifests":[]}'
    assert registry.put_manifest(repo, "v1", body, OCI_INDEX).status == 201
    assert registry.request("GET", f"/v2/{repo}/manifests/v1").body == body


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": "1000"}, image_index()),
        ({"Transfer-Encoding": "chunked"}, b'5\r\n{"man'),
        ({"Transfer-Encoding": "chunked"}, b"zz\r\n{}\r\n0\r\n\r\n"),
    ],
)
def test_a_manifest_that_was_cut_off_is_not_stored(
    headers: dict[str, str], body: bytes, registry: Registry, repo: str
) -> None:
    head = raw_head(registry, f"PUT /v2/{repo}/manifests/v1", {"Content-Type": OCI_INDEX, **headers})
    answer = send_raw(registry.port, head, body, hang_up=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert registry.request("GET", f"/v2/{repo}/tags/list").json()["tags"] == []
