"""Referrers: what is attached to an image."""

from typing import Any
from urllib.parse import quote

import pytest

from ecr_emu.domain.manifests import OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST
from tests.clients import CONFIG_TYPE, Registry, digest_of, image_index, image_manifest
from tests.registry.steps import CONFIG, RANDOM_DIGEST, RANDOM_SHA512, encode, flat, pages

SIGNATURE = "application/vnd.dev.sigstore.bundle+json;version=0.2"


def subject_of(digest: str = RANDOM_DIGEST) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": 7}


def attach(registry: Registry, repo: str, body: bytes, media_type: str = OCI_MANIFEST) -> str:
    """Push something with a subject by its digest, and return that."""
    registry.push_blob(repo, CONFIG)
    reply = registry.put_manifest(repo, digest_of(body), body, media_type)
    assert (reply.status, "oci-subject" in reply.headers) == (201, True)
    return digest_of(body)


def digests(registry: Registry, path: str) -> list[list[str]]:
    return [[entry["digest"] for entry in page.json()["manifests"]] for page in pages(registry, path)]


@pytest.mark.parametrize("digest", [RANDOM_DIGEST, RANDOM_SHA512])
@pytest.mark.parametrize(
    "query", ["", "?artifactType=a/b", "?after=999999", "?after=x", "?after=" + "9" * 5000]
)
def test_an_image_that_is_not_there_has_an_empty_index(
    query: str, digest: str, registry: Registry, repo: str
) -> None:
    reply = registry.request("GET", f"/v2/{repo}/referrers/{digest}{query}")
    assert (reply.status, reply.headers["content-type"]) == (200, OCI_INDEX)
    assert reply.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


@pytest.mark.parametrize(
    "digest", ["latest", "sha256:", "sha256:x", "sha256:" + "A" * 64, "md5:" + "a" * 32, "..", "%00"]
)
def test_what_is_not_a_digest_is_invalid(digest: str, registry: Registry, repo: str) -> None:
    reply = registry.request("GET", f"/v2/{repo}/referrers/{digest}")
    assert (reply.status, reply.error[0]) == (400, "DIGEST_INVALID")


def kinds() -> list[tuple[str, bytes, str | None]]:
    """Media type, manifest and expected artifact type of everything that can have a subject."""
    subject = subject_of()
    return [
        (OCI_MANIFEST, image_manifest(CONFIG, subject=subject, artifactType="a/b"), "a/b"),
        (OCI_MANIFEST, image_manifest(CONFIG, subject=subject, artifactType=SIGNATURE), SIGNATURE),
        (OCI_MANIFEST, image_manifest(CONFIG, subject=subject), CONFIG_TYPE),
        (OCI_MANIFEST, image_manifest(CONFIG, subject=subject, artifactType=""), CONFIG_TYPE),
        (OCI_INDEX, image_index(subject=subject, artifactType="c/d"), "c/d"),
        (OCI_INDEX, image_index(subject=subject), None),
        (OCI_ARTIFACT, encode({"artifactType": "e/f", "subject": subject}), "e/f"),
        (OCI_ARTIFACT, encode({"subject": subject}), None),
    ]


def test_every_kind_of_referrer_is_described(registry: Registry, repo: str) -> None:
    expected = []
    for media_type, body, artifact_type in kinds():
        descriptor = {"mediaType": media_type, "digest": attach(registry, repo, body, media_type)}
        artifact = {"artifactType": artifact_type} if artifact_type else {}
        expected.append({**descriptor, "size": len(body), **artifact})
    attach(registry, repo, image_index(subject=subject_of(digest_of(b"another"))), OCI_INDEX)
    reply = registry.request("GET", f"/v2/{repo}/referrers/{RANDOM_DIGEST}")
    assert reply.json()["manifests"] == expected
    assert "oci-filters-applied" not in reply.headers


@pytest.mark.parametrize(
    "artifact_type", ["a/b", SIGNATURE, CONFIG_TYPE, "c/d", "none/such", "A/B", "", "é\x00"]
)
def test_a_filter_is_applied_and_said_to_be(artifact_type: str, registry: Registry, repo: str) -> None:
    for media_type, body, _ in kinds():
        attach(registry, repo, body, media_type)
    path = f"/v2/{repo}/referrers/{RANDOM_DIGEST}?artifactType={quote(artifact_type, safe='')}"
    reply = registry.request("GET", path)
    assert (reply.status, reply.headers["oci-filters-applied"]) == (200, "artifactType")
    expected = [digest_of(body) for _, body, kind in kinds() if kind == artifact_type]
    assert [entry["digest"] for entry in reply.json()["manifests"]] == expected


def test_annotations_are_copied(registry: Registry, repo: str) -> None:
    annotations = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "é": '"quoted" \u2028', "": ""}
    attach(registry, repo, image_index(subject=subject_of(), annotations=annotations), OCI_INDEX)
    (entry,) = registry.request("GET", f"/v2/{repo}/referrers/{RANDOM_DIGEST}").json()["manifests"]
    assert entry["annotations"] == annotations


def test_a_referrer_may_come_before_its_subject_and_stay_after_it(registry: Registry, repo: str) -> None:
    registry.push_blob(repo, CONFIG)
    subject = image_manifest(CONFIG)
    first = attach(registry, repo, image_index(subject=subject_of(digest_of(subject))), OCI_INDEX)
    path = f"/v2/{repo}/referrers/{digest_of(subject)}"
    assert digests(registry, path) == [[first]]
    registry.put_manifest(repo, "v1", subject)
    second = attach(registry, repo, image_manifest(CONFIG, subject=subject_of(digest_of(subject))))
    assert digests(registry, path) == [[first, second]]
    assert registry.request("DELETE", f"/v2/{repo}/manifests/{digest_of(subject)}").status == 202
    assert digests(registry, path) == [[first, second]]
    assert registry.request("DELETE", f"/v2/{repo}/manifests/{first}").status == 202
    assert digests(registry, path) == [[second]]


def test_a_referrer_belongs_to_its_repository(ecr: Any, registry: Registry, repo: str) -> None:
    ecr.create_repository(repositoryName=f"{repo}/other")
    attach(registry, repo, image_index(subject=subject_of()), OCI_INDEX)
    assert digests(registry, f"/v2/{repo}/other/referrers/{RANDOM_DIGEST}") == [[]]


def test_a_referrer_may_have_a_sha512_subject(registry: Registry, repo: str) -> None:
    digest = attach(registry, repo, image_index(subject=subject_of(RANDOM_SHA512)), OCI_INDEX)
    assert digests(registry, f"/v2/{repo}/referrers/{RANDOM_SHA512}") == [[digest]]


@pytest.mark.parametrize("query", ["", "?artifactType=a%2Fb%3Bc%3Dd"])
def test_the_links_lead_to_every_referrer_once(query: str, registry: Registry, repo: str) -> None:
    expected = []
    for number in range(12):
        kind = "a/b;c=d" if number % 3 else "other/kind"
        annotations = {"number": f"{number:1000000d}"}
        body = image_index(subject=subject_of(), artifactType=kind, annotations=annotations)
        digest = attach(registry, repo, body, OCI_INDEX)
        if not query or number % 3:
            expected.append(digest)
    found = digests(registry, f"/v2/{repo}/referrers/{RANDOM_DIGEST}{query}")
    assert flat(found) == expected
    assert len(found) > 1
    for page in pages(registry, f"/v2/{repo}/referrers/{RANDOM_DIGEST}{query}"):
        assert ("oci-filters-applied" in page.headers) == bool(query)


def test_a_thousand_referrers_fit_one_page(registry: Registry, repo: str) -> None:
    expected = []
    with registry.connection() as connection:
        for number in range(1001):
            body = image_index(subject=subject_of(), annotations={"number": str(number)})
            expected.append(digest_of(body))
            headers = {**registry.login(), "Content-Type": OCI_INDEX}
            connection.request("PUT", f"/v2/{repo}/manifests/{expected[-1]}", body, headers)
            assert connection.getresponse().read() == b""
    found = digests(registry, f"/v2/{repo}/referrers/{RANDOM_DIGEST}")
    assert ([len(page) for page in found], flat(found)) == ([1000, 1], expected)
