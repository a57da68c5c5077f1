"""BatchGetImage and BatchDeleteImage: several images by digest, by tag, or by both."""

from typing import Any

import pytest

from ecr_emu.domain.manifests import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.clients import DEFAULT_ACCOUNT, Registry, digest_of
from tests.control.calls import Api, Repo, authorization, refusal

UNKNOWN = digest_of(b"never pushed")
REASONS = {
    "ImageNotFound": "Requested image not found",
    "MissingDigestAndTag": "Invalid request parameters: both tag and digest cannot be null",
    "InvalidImageDigest": (
        "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    ),
    "InvalidImageTag": "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9-_.]+'",
    "ImageTagDoesNotMatchDigest": "Invalid request parameters: given tag does not map to the given digest",
}
# What does not name an image, and why; {v1} and {v2} are the digests behind the tags.
FAILURES: list[tuple[dict[str, str], str]] = [
    ({}, "MissingDigestAndTag"),
    ({"imageTag": "none"}, "ImageNotFound"),
    ({"imageDigest": UNKNOWN}, "ImageNotFound"),
    ({"imageDigest": "{v1}", "imageTag": "none"}, "ImageNotFound"),
    ({"imageDigest": "{v1}", "imageTag": "v2"}, "ImageTagDoesNotMatchDigest"),
    ({"imageDigest": UNKNOWN, "imageTag": "v1"}, "ImageTagDoesNotMatchDigest"),
    ({"imageDigest": "latest"}, "InvalidImageDigest"),
    ({"imageDigest": ""}, "InvalidImageDigest"),
    ({"imageDigest": "sha256:xyz", "imageTag": "v1"}, "InvalidImageDigest"),
    ({"imageTag": "a/b"}, "InvalidImageTag"),
    ({"imageDigest": "{v1}", "imageTag": "a b"}, "InvalidImageTag"),
]


@pytest.fixture
def pushed(app: Repo) -> dict[str, str]:
    """Two images, by their tags."""
    return {tag: app.push(tag.encode(), tag) for tag in ("v1", "v2")}


def named(template: dict[str, str], pushed: dict[str, str]) -> dict[str, str]:
    return {member: value.format(**pushed) for member, value in template.items()}


def failure(image_id: dict[str, str], code: str, reason: str | None = None) -> dict[str, Any]:
    return {"imageId": image_id, "failureCode": code, "failureReason": reason or REASONS[code]}


def get(app: Repo, *image_ids: dict[str, str], **members: Any) -> Any:
    return app.ecr.batch_get_image(repositoryName=app.name, imageIds=list(image_ids), **members)


def delete(app: Repo, *image_ids: dict[str, str]) -> tuple[list[Any], list[Any]]:
    """What was deleted, and the failures."""
    answer = app.ecr.batch_delete_image(repositoryName=app.name, imageIds=list(image_ids))
    return answer["imageIds"], answer["failures"]


# --- BatchGetImage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template", [{"imageTag": "v1"}, {"imageDigest": "{v1}"}, {"imageDigest": "{v1}", "imageTag": "v1"}]
)
def test_image_is_had_by_tag_by_digest_and_by_both(
    app: Repo, pushed: dict[str, str], template: dict[str, str]
) -> None:
    answer = get(app, named(template, pushed))
    assert answer["images"] == [
        {
            "registryId": DEFAULT_ACCOUNT,
            "repositoryName": "team/app",
            "imageId": {"imageDigest": pushed["v1"], "imageTag": "v1"},
            "imageManifest": app.image(b"v1"),
            "imageManifestMediaType": OCI_MANIFEST,
        }
    ]
    assert answer["failures"] == []


def test_image_by_tag_has_the_tag_that_was_asked_for(app: Repo) -> None:
    digest = app.push(b"layer", "a", "b")
    images = get(app, {"imageTag": "b"}, {"imageTag": "a"})["images"]
    assert [image["imageId"] for image in images] == [
        {"imageDigest": digest, "imageTag": "b"},
        {"imageDigest": digest, "imageTag": "a"},
    ]


def test_untagged_image_has_no_tag(app: Repo) -> None:
    digest = app.push(b"layer")
    (image,) = get(app, {"imageDigest": digest})["images"]
    assert image["imageId"] == {"imageDigest": digest}


@pytest.mark.parametrize(("template", "code"), FAILURES)
def test_image_that_cannot_be_had_is_a_failure(
    app: Repo, pushed: dict[str, str], template: dict[str, str], code: str
) -> None:
    image_id = named(template, pushed)
    answer = get(app, image_id)
    assert (answer["images"], answer["failures"]) == ([], [failure(image_id, code)])


def test_failures_stand_beside_what_was_found(app: Repo, pushed: dict[str, str]) -> None:
    answer = get(app, {"imageTag": "none"}, {"imageTag": "v2"}, {})
    assert [image["imageId"]["imageTag"] for image in answer["images"]] == ["v2"]
    assert [entry["failureCode"] for entry in answer["failures"]] == ["ImageNotFound", "MissingDigestAndTag"]


def test_image_of_a_type_that_is_not_accepted_is_not_found(app: Repo, pushed: dict[str, str]) -> None:
    wanted = {"imageTag": "v1"}
    answer = get(app, wanted, acceptedMediaTypes=[DOCKER_MANIFEST, OCI_INDEX])
    assert (answer["images"], answer["failures"]) == ([], [failure(wanted, "ImageNotFound")])
    assert len(get(app, wanted, acceptedMediaTypes=[DOCKER_MANIFEST, OCI_MANIFEST])["images"]) == 1


# --- BatchDeleteImage ------------------------------------------------------------------------------------


def test_deleting_one_of_two_tags_keeps_the_image(app: Repo) -> None:
    digest = app.push(b"layer", "a", "b")
    assert delete(app, {"imageTag": "a"}) == ([{"imageDigest": digest, "imageTag": "a"}], [])
    assert app.tags() == {"b": digest}


@pytest.mark.parametrize("template", [{"imageTag": "v1"}, {"imageDigest": "{v1}", "imageTag": "v1"}])
def test_deleting_the_last_tag_deletes_the_image(
    app: Repo, pushed: dict[str, str], template: dict[str, str]
) -> None:
    gone = [{"imageDigest": pushed["v1"], "imageTag": "v1"}]
    assert delete(app, named(template, pushed)) == (gone, [])
    assert app.digests() == {pushed["v2"]}


def test_deleting_by_digest_and_tag_takes_that_tag_only(app: Repo) -> None:
    digest = app.push(b"layer", "a", "b")
    delete(app, {"imageDigest": digest, "imageTag": "a"})
    assert app.tags() == {"b": digest}


def test_deleting_by_digest_deletes_the_image_with_every_tag(app: Repo) -> None:
    digest = app.push(b"layer", "b", "a")
    deleted, failures = delete(app, {"imageDigest": digest})
    assert sorted(deleted, key=str) == [{"imageDigest": digest, "imageTag": tag} for tag in ("a", "b")]
    assert (failures, app.digests()) == ([], set())


def test_deleting_an_untagged_image_answers_with_its_digest(app: Repo) -> None:
    digest = app.push(b"layer")
    assert delete(app, {"imageDigest": digest}) == ([{"imageDigest": digest}], [])


def test_image_that_lost_its_tag_to_another_is_deleted_by_digest(app: Repo) -> None:
    old = app.push(b"old", "v1")
    new = app.push(b"new", "v1")
    assert delete(app, {"imageDigest": old}) == ([{"imageDigest": old}], [])
    assert app.tags() == {"v1": new}


@pytest.mark.parametrize(("template", "code"), FAILURES)
def test_image_that_cannot_be_named_is_not_deleted(
    app: Repo, pushed: dict[str, str], template: dict[str, str], code: str
) -> None:
    image_id = named(template, pushed)
    assert delete(app, image_id) == ([], [failure(image_id, code)])
    assert app.tags() == pushed


def test_naming_an_image_twice_deletes_it_once(app: Repo) -> None:
    digest = app.push(b"layer", "a", "b")
    deleted, failures = delete(app, {"imageDigest": digest}, {"imageDigest": digest}, {"imageTag": "a"})
    assert (len(deleted), failures, app.digests()) == (2, [], set())


def test_failures_do_not_stop_the_rest(app: Repo, pushed: dict[str, str]) -> None:
    deleted, failures = delete(app, {"imageTag": "none"}, {"imageTag": "v1"}, {}, {"imageTag": "v2"})
    assert [entry["imageTag"] for entry in deleted] == ["v1", "v2"]
    assert [entry["failureCode"] for entry in failures] == ["ImageNotFound", "MissingDigestAndTag"]
    assert app.digests() == set()


def test_child_of_an_index_stays_until_the_index_is_gone(app: Repo) -> None:
    child_manifest = app.image(b"layer")
    child = app.put(child_manifest, "amd64")
    first = app.push_index(child_manifest, tag="v1")
    second = app.push_index(child_manifest, child_manifest, tag="v2")
    reason = f"Requested image referenced by manifest list: [{first}, {second}]"
    for image_id in ({"imageDigest": child}, {"imageTag": "amd64"}):
        refused = failure(image_id, "ImageReferencedByManifestList", reason)
        assert delete(app, image_id) == ([], [refused])
    assert app.tags() == {"amd64": child, "v1": first, "v2": second}
    delete(app, {"imageDigest": first})
    _, (refused,) = delete(app, {"imageDigest": child})
    assert refused["failureReason"] == f"Requested image referenced by manifest list: [{second}]"
    # Index and child in one call, in this order.
    assert delete(app, {"imageTag": "v2"}, {"imageTag": "amd64"})[1] == []
    assert app.digests() == set()


def test_one_of_two_tags_of_a_child_can_go(app: Repo) -> None:
    child_manifest = app.image(b"layer")
    child = app.put(child_manifest, "amd64")
    app.put(child_manifest, "extra")
    index = app.push_index(child_manifest, tag="v1")
    assert delete(app, {"imageTag": "extra"}) == ([{"imageDigest": child, "imageTag": "extra"}], [])
    assert app.tags() == {"amd64": child, "v1": index}


def test_tag_of_a_child_can_be_moved_away_and_deleted(app: Repo) -> None:
    child_manifest = app.image(b"layer")
    child = app.put(child_manifest, "amd64")
    index = app.push_index(child_manifest, tag="amd64")
    app.put(app.image(b"other"), "v1")
    assert app.tags()["amd64"] == index
    assert delete(app, {"imageDigest": child})[1][0]["failureCode"] == "ImageReferencedByManifestList"


def test_same_image_in_another_repository_stays(app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    app.ecr.create_repository(repositoryName="other")
    other = Repo(app.ecr, "other")
    assert other.push(b"layer", "v1") == digest
    delete(app, {"imageTag": "v1"})
    assert other.tags() == {"v1": digest}
    assert len(get(other, {"imageTag": "v1"})["images"]) == 1


def test_subject_can_be_deleted_and_its_referrer_stays(app: Repo) -> None:
    subject = app.push(b"layer", "v1")
    descriptor = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
    referrer = app.put(app.image(b"signature", subject=descriptor), "sig")
    assert delete(app, {"imageTag": "v1"})[1] == []
    assert app.digests() == {referrer}


def test_layers_that_another_image_needs_stay(app: Repo, registry: Registry) -> None:
    app.put(app.image(b"shared", b"own"), "v1")
    app.put(app.image(b"shared"), "v2")
    delete(app, {"imageTag": "v1"})
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(b'shared')}").body == b"shared"
    assert registry.request("HEAD", f"/v2/team/app/blobs/{digest_of(b'own')}").status == 404


# --- Both ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["BatchGetImage", "BatchDeleteImage"])
def test_at_most_a_hundred_images_are_taken(api: Api, app: Repo, operation: str) -> None:
    request = {"repositoryName": app.name, "imageIds": [{"imageTag": "none"}] * 100}
    assert len(api.post(operation, request).json()["failures"]) == 100
    request["imageIds"] = [{"imageTag": "none"}] * 101
    code, message = api.refusal(operation, request)
    assert (code, message) == (
        "InvalidParameterException",
        "Invalid parameter at 'imageIds' failed to satisfy constraint: "
        "'Member must have length less than or equal to 100'",
    )


@pytest.mark.parametrize("operation", ["batch_get_image", "batch_delete_image"])
def test_images_of_another_account_are_out_of_reach(api: Api, app: Repo, operation: str) -> None:
    digest = app.push(b"layer", "v1")
    other = "222222222222"
    api.post("CreateRepository", {"repositoryName": app.name}, authorization(other))
    request: dict[str, Any] = {"repositoryName": app.name, "imageIds": [{"imageTag": "v1"}]}
    code, _ = refusal(getattr(app.ecr, operation), **request, registryId=other)
    assert code == "AccessDeniedException"
    assert app.tags() == {"v1": digest}
