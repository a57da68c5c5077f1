"""What is brought in: indexes with their children, single platforms, referrers; on both planes."""

import json
import urllib.request
from collections.abc import Callable

import pytest

from ecr_emu.domain.manifests import OCI_INDEX
from tests.clients import Running, digest_of, image_index, image_manifest
from tests.control.calls import refusal
from tests.upstream.hostile import CONFIG, IMAGE, LAYER, Hostile, gives_manifest, in_chunks, says
from tests.upstream.waiting import images_of, wait_for

ARM = image_manifest(CONFIG, LAYER, annotations={"platform": "arm64"})
INDEX = image_index(IMAGE, ARM)
SUBJECT = {"mediaType": json.loads(IMAGE)["mediaType"], "digest": digest_of(IMAGE), "size": len(IMAGE)}
SIGNATURE = image_manifest(CONFIG, artifactType="application/x.signature", subject=SUBJECT)
NAME = "quay/team/app"
BLOB = f"/v2/team/app/blobs/{digest_of(LAYER)}"


@pytest.fixture
def cache(cached: Callable[..., Running], bad: Hostile) -> Running:
    bad.offer(image=ARM)
    bad.offer()
    bad.answers["/v2/team/app/manifests/multi"] = gives_manifest(INDEX, OCI_INDEX)
    return cached()


def test_index_is_brought_in_with_every_child(cache: Running, bad: Hostile) -> None:
    assert cache.registry().request("GET", f"/v2/{NAME}/manifests/multi").body == INDEX
    found = wait_for(lambda: len(images := images_of(cache.ecr(), NAME)) == 3 and images)
    assert found == {digest_of(INDEX): ("multi",), digest_of(IMAGE): (), digest_of(ARM): ()}
    # The children share their layers.
    assert bad.times(BLOB) == 1


def test_pull_of_one_platform_brings_in_that_alone(cache: Running) -> None:
    assert cache.registry().request("GET", f"/v2/{NAME}/manifests/{digest_of(ARM)}").body == ARM
    assert wait_for(lambda: images_of(cache.ecr(), NAME)) == {digest_of(ARM): ()}


def test_head_asks_the_upstream_too(cache: Running) -> None:
    reply = cache.registry().request("HEAD", f"/v2/{NAME}/manifests/v1")
    assert (reply.status, reply.headers["docker-content-digest"]) == (200, digest_of(IMAGE))
    assert reply.headers["content-length"] == str(len(IMAGE))
    wait_for(lambda: images_of(cache.ecr(), NAME))


def test_head_of_a_blob_does_not(cache: Running, bad: Hostile) -> None:
    cache.ecr().create_repository(repositoryName=NAME)
    reply = cache.registry().request("HEAD", f"/v2/{NAME}/blobs/{digest_of(LAYER)}")
    assert reply.status == 404
    assert bad.asked == []


def test_range_of_a_layer_that_is_not_cached(cache: Running) -> None:
    client = cache.registry()
    client.request("HEAD", f"/v2/{NAME}/manifests/v1")
    path = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
    reply = client.request("GET", path, headers={"Range": "bytes=10-19"})
    assert (reply.status, reply.body) == (206, LAYER[10:20])


def test_layer_whose_length_nobody_knows(cache: Running, bad: Hostile) -> None:
    bad.answers[BLOB] = in_chunks(lambda: iter([LAYER[:100], LAYER[100:]]))
    cache.ecr().create_repository(repositoryName=NAME)
    reply = cache.registry().request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}")
    assert (reply.status, reply.body) == (200, LAYER)


def test_push_into_a_cache_is_no_import(cache: Running, bad: Hostile) -> None:
    cache.ecr().create_repository(repositoryName=NAME)
    cache.registry().push_image(NAME, "own", b"own layer")
    assert bad.asked == []


# --- The JSON API ----------------------------------------------------------------------------------------


def test_batch_get_image(cache: Running) -> None:
    ecr = cache.ecr()
    ids = [{"imageTag": "v1"}, {"imageDigest": digest_of(ARM)}, {"imageTag": "none"}, {"imageTag": "a b"}]
    answer = ecr.batch_get_image(repositoryName=NAME, imageIds=ids)
    assert [image["imageManifest"].encode() for image in answer["images"]] == [IMAGE, ARM]
    assert answer["images"][0]["imageId"] == {"imageDigest": digest_of(IMAGE), "imageTag": "v1"}
    assert [(one["imageId"], one["failureCode"]) for one in answer["failures"]] == [
        ({"imageTag": "none"}, "ImageNotFound"),
        ({"imageTag": "a b"}, "InvalidImageTag"),
    ]
    wait_for(lambda: len(images_of(ecr, NAME)) == 2)
    assert ecr.batch_get_image(repositoryName=NAME, imageIds=ids[:2])["failures"] == []


def test_batch_get_image_of_a_repository_that_nobody_has(cache: Running) -> None:
    code, _ = refusal(cache.ecr().batch_get_image, repositoryName="quay/none", imageIds=[{"imageTag": "v1"}])
    assert code == "RepositoryNotFoundException"


def test_batch_get_image_compares_tag_and_digest_and_types(cache: Running) -> None:
    ecr = cache.ecr()
    both = {"imageTag": "v1", "imageDigest": digest_of(ARM)}
    (failure,) = ecr.batch_get_image(repositoryName=NAME, imageIds=[both])["failures"]
    assert failure["failureCode"] == "ImageTagDoesNotMatchDigest"
    (failure,) = ecr.batch_get_image(
        repositoryName=NAME, imageIds=[{"imageTag": "multi"}], acceptedMediaTypes=[SUBJECT["mediaType"]]
    )["failures"]
    assert failure["failureCode"] == "ImageNotFound"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "UpstreamAccessDenied"),
        (403, "UpstreamAccessDenied"),
        (429, "UpstreamTooManyRequests"),
        (502, "UpstreamUnavailable"),
    ],
)
def test_failures_have_the_codes_of_the_model(cache: Running, bad: Hostile, status: int, code: str) -> None:
    bad.answers["/v2/team/app/manifests/v1"] = bad.answers[BLOB] = says(status)
    ecr = cache.ecr()
    (failure,) = ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])["failures"]
    assert failure["failureCode"] == code
    assert "the upstream registry" in failure["failureReason"]
    ecr.create_repository(repositoryName=NAME)
    got, message = refusal(ecr.get_download_url_for_layer, repositoryName=NAME, layerDigest=digest_of(LAYER))
    assert got == "UnableToGetUpstreamLayerException"
    assert message.startswith("There was an issue getting the upstream layer matching the pull through cache")
    bad.answers[f"/v2/team/app/referrers/{digest_of(IMAGE)}"] = says(status)
    got, message = refusal(
        ecr.list_image_referrers, repositoryName=NAME, subjectId={"imageDigest": digest_of(IMAGE)}
    )
    assert got == "UnableToListUpstreamImageReferrersException"
    reply = cache.registry().request("GET", f"/v2/{NAME}/referrers/{digest_of(IMAGE)}")
    assert reply.status == {401: 403, 403: 403, 429: 429, 502: 503}[status]


def test_download_url_of_a_layer_that_is_not_cached(cache: Running, bad: Hostile) -> None:
    ecr = cache.ecr()
    ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    for _ in range(2):
        answer = ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=digest_of(LAYER))
        with urllib.request.urlopen(answer["downloadUrl"]) as response:
            assert response.read() == LAYER
    assert bad.times(BLOB) == 1
    code, _ = refusal(ecr.get_download_url_for_layer, repositoryName=NAME, layerDigest=digest_of(b"nobody's"))
    assert code == "LayersNotFoundException"


# --- Referrers -------------------------------------------------------------------------------------------


def listed(cache: Running) -> list[str]:
    answer = cache.ecr().list_image_referrers(
        repositoryName=NAME, subjectId={"imageDigest": digest_of(IMAGE)}
    )
    return [referrer["digest"] for referrer in answer["referrers"]]


def test_referrers_are_brought_in_from_the_api(cache: Running, bad: Hostile) -> None:
    index = image_index(SIGNATURE)
    path = f"/v2/team/app/referrers/{digest_of(IMAGE)}"
    bad.answers[path] = says(200, {"Content-Type": OCI_INDEX}, index)
    bad.answers[f"/v2/team/app/manifests/{digest_of(SIGNATURE)}"] = gives_manifest(SIGNATURE)
    assert listed(cache) == listed(cache) == [digest_of(SIGNATURE)]
    assert bad.times(path) == 1
    reply = cache.registry().request("GET", f"/v2/{NAME}/referrers/{digest_of(IMAGE)}")
    assert [one["digest"] for one in reply.json()["manifests"]] == [digest_of(SIGNATURE)]


def test_referrers_are_brought_in_by_their_tag(cache: Running, bad: Hostile) -> None:
    tag = digest_of(IMAGE).replace(":", "-")
    bad.answers[f"/v2/team/app/manifests/{tag}"] = gives_manifest(image_index(SIGNATURE), OCI_INDEX)
    bad.answers[f"/v2/team/app/manifests/{digest_of(SIGNATURE)}"] = gives_manifest(SIGNATURE)
    assert listed(cache) == [digest_of(SIGNATURE)]


def test_image_without_referrers_has_none(cache: Running) -> None:
    cache.ecr().create_repository(repositoryName=NAME)
    assert listed(cache) == []


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"manifests": [1]}', b'{"manifests": [{"digest": "x"}]}'])
def test_referrers_that_are_no_index(cache: Running, bad: Hostile, body: bytes) -> None:
    bad.answers[f"/v2/team/app/referrers/{digest_of(IMAGE)}"] = says(200, {"Content-Type": OCI_INDEX}, body)
    code, _ = refusal(
        cache.ecr().list_image_referrers, repositoryName=NAME, subjectId={"imageDigest": digest_of(IMAGE)}
    )
    assert code == "UnableToListUpstreamImageReferrersException"
