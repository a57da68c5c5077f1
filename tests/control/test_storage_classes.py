"""UpdateImageStorageClass, and what archived images refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import Clock, Registry, Running, digest_of
from tests.control.calls import CONFIG, Repo, refusal

MINUTE = 60


def move(app: Repo, target: str, **image_id: str) -> str:
    """Ask for a storage class; the status that comes of it."""
    answer = app.ecr.update_image_storage_class(
        repositoryName=app.name, imageId=image_id, targetStorageClass=target
    )
    return str(answer["imageStatus"])


@pytest.fixture
def archived(app: Repo) -> str:
    """An archived image with the tag v1."""
    digest = app.push(b"layer", "v1")
    assert move(app, "ARCHIVE", imageTag="v1") == "ARCHIVED"
    return digest


@pytest.fixture
def slow(start: Callable[..., Running]) -> Repo:
    """A repository of an emulator in which a restore takes twenty minutes, with an archived image v1."""
    ecr = start(restore_seconds=20 * MINUTE).ecr()
    ecr.create_repository(repositoryName="team/app")
    app = Repo(ecr, "team/app")
    app.push(b"layer", "v1")
    move(app, "ARCHIVE", imageTag="v1")
    return app


def detail(app: Repo) -> Any:
    (image,) = app.details(imageIds=[{"imageTag": "v1"}])
    return image


def test_answer_says_which_image_and_its_status(app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    answer = app.ecr.update_image_storage_class(
        repositoryName=app.name, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE"
    )
    del answer["ResponseMetadata"]
    assert answer == {
        "registryId": "000000000000",
        "repositoryName": "team/app",
        "imageId": {"imageDigest": digest, "imageTag": "v1"},
        "imageStatus": "ARCHIVED",
    }


def test_times_of_archiving_and_of_restoring_are_kept(app: Repo, clock: Clock, archived: str) -> None:
    first = clock.now
    assert detail(app)["lastArchivedAt"].timestamp() == pytest.approx(first, abs=0.001)
    assert "lastActivatedAt" not in detail(app)
    clock.advance(MINUTE)
    assert move(app, "STANDARD", imageDigest=archived) == "ACTIVE"
    assert detail(app)["imageStatus"] == "ACTIVE"
    assert detail(app)["lastArchivedAt"].timestamp() == pytest.approx(first, abs=0.001)
    assert detail(app)["lastActivatedAt"].timestamp() == pytest.approx(clock.now, abs=0.001)


def test_archived_image_is_listed_only_when_asked_for(app: Repo, archived: str) -> None:
    other = app.push(b"other", "v2")
    for status, digests in {
        "ACTIVE": {other},
        "ARCHIVED": {archived},
        "ACTIVATING": set(),
        "ANY": {archived, other},
    }.items():
        found = app.details(filter={"imageStatus": status})
        assert {image["imageDigest"] for image in found} == digests
        ids = app.ecr.list_images(repositoryName=app.name, filter={"imageStatus": status})["imageIds"]
        assert {image["imageDigest"] for image in ids} == digests
    assert app.digests() == {other}
    assert set(app.tags()) == {"v2"}


def test_pages_skip_what_is_archived(app: Repo) -> None:
    for number in range(6):
        app.push(b"%d" % number, f"v{number}")
    for number in (0, 2, 3):
        move(app, "ARCHIVE", imageTag=f"v{number}")
    pages = app.ecr.get_paginator("describe_images").paginate(
        repositoryName=app.name, PaginationConfig={"PageSize": 2}
    )
    tags = [[image["imageTags"][0] for image in page["imageDetails"]] for page in pages]
    assert tags == [["v1", "v4"], ["v5"]]


def test_archived_image_cannot_be_pulled(registry: Registry, app: Repo, archived: str) -> None:
    for reference in ("v1", archived):
        for method in ("GET", "HEAD"):
            assert registry.request(method, f"/v2/team/app/manifests/{reference}").status == 404
    assert registry.request("GET", f"/v2/team/app/manifests/{archived}").error == (
        "MANIFEST_UNKNOWN",
        "Requested image not found",
    )
    answer = app.ecr.batch_get_image(repositoryName=app.name, imageIds=[{"imageTag": "v1"}])
    assert answer["images"] == []
    assert answer["failures"] == [
        {
            "imageId": {"imageTag": "v1"},
            "failureCode": "ImageInaccessible",
            "failureReason": "Requested image is archived",
        }
    ]
    assert "lastRecordedPullTime" not in detail(app)


def test_tags_of_archived_images_are_not_listed(registry: Registry, app: Repo, archived: str) -> None:
    app.push(b"other", "v2")
    assert registry.request("GET", "/v2/team/app/tags/list").json()["tags"] == ["v2"]
    move(app, "STANDARD", imageTag="v1")
    assert registry.request("GET", "/v2/team/app/tags/list").json()["tags"] == ["v1", "v2"]


def test_layer_is_archived_when_only_archived_images_need_it(app: Repo, archived: str) -> None:
    layer, config = digest_of(b"layer"), digest_of(CONFIG)

    def availability() -> list[str]:
        found = app.ecr.batch_check_layer_availability(repositoryName=app.name, layerDigests=[layer, config])
        return [entry["layerAvailability"] for entry in found["layers"]]

    assert availability() == ["ARCHIVED", "ARCHIVED"]
    assert refusal(app.ecr.get_download_url_for_layer, repositoryName=app.name, layerDigest=layer) == (
        "LayerInaccessibleException",
        f"The layer with digest '{layer}' in the repository with name 'team/app' "
        "in registry with id '000000000000' is archived",
    )
    app.push(b"other", "v2")
    assert availability() == ["ARCHIVED", "AVAILABLE"]
    move(app, "STANDARD", imageTag="v1")
    assert availability() == ["AVAILABLE", "AVAILABLE"]
    assert app.ecr.get_download_url_for_layer(repositoryName=app.name, layerDigest=layer)["downloadUrl"]


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED"])
def test_class_that_the_image_has_changes_nothing(
    app: Repo, clock: Clock, archived: str, status: str
) -> None:
    if status == "ACTIVE":
        move(app, "STANDARD", imageTag="v1")
    before = detail(app)
    clock.advance(MINUTE)
    assert move(app, "STANDARD" if status == "ACTIVE" else "ARCHIVE", imageTag="v1") == status
    assert detail(app) == before


def test_restored_image_is_activating_for_a_while(slow: Repo, clock: Clock) -> None:
    clock.advance(MINUTE)
    assert move(slow, "STANDARD", imageTag="v1") == "ACTIVATING"
    clock.advance(19 * MINUTE)
    assert move(slow, "STANDARD", imageTag="v1") == "ACTIVATING"
    assert detail(slow)["imageStatus"] == "ACTIVATING"
    assert "lastActivatedAt" not in detail(slow)
    assert slow.details() == []
    assert len(slow.details(filter={"imageStatus": "ACTIVATING"})) == 1
    answer = slow.ecr.batch_get_image(repositoryName=slow.name, imageIds=[{"imageTag": "v1"}])
    assert answer["failures"][0]["failureCode"] == "ImageInaccessible"
    code, _ = refusal(
        slow.ecr.update_image_storage_class,
        repositoryName=slow.name,
        imageId={"imageTag": "v1"},
        targetStorageClass="ARCHIVE",
    )
    assert code == "ImageStorageClassUpdateNotSupportedException"
    clock.advance(MINUTE)
    assert detail(slow)["imageStatus"] == "ACTIVE"
    assert detail(slow)["lastActivatedAt"].timestamp() == pytest.approx(clock.now, abs=0.001)
    assert len(slow.details()) == 1
    assert move(slow, "ARCHIVE", imageTag="v1") == "ARCHIVED"


@pytest.mark.parametrize("is_activating", [False, True])
def test_push_restores_at_once(slow: Repo, clock: Clock, is_activating: bool) -> None:
    if is_activating:
        move(slow, "STANDARD", imageTag="v1")
    clock.advance(1)
    slow.put(slow.image(b"layer"), "v1")
    assert detail(slow)["imageStatus"] == "ACTIVE"
    assert detail(slow)["lastActivatedAt"].timestamp() == pytest.approx(clock.now, abs=0.001)
    assert detail(slow)["imagePushedAt"].timestamp() == pytest.approx(clock.now - 1, abs=0.001)


def test_push_restores_under_an_immutable_tag_too(app: Repo, archived: str) -> None:
    app.ecr.put_image_tag_mutability(repositoryName=app.name, imageTagMutability="IMMUTABLE")
    manifest = app.image(b"layer")
    assert app.put(manifest, "v1") == archived
    assert detail(app)["imageStatus"] == "ACTIVE"
    code, _ = refusal(app.ecr.put_image, repositoryName=app.name, imageManifest=manifest, imageTag="v1")
    assert code == "ImageTagAlreadyExistsException"


def test_immutable_tag_of_an_archived_image_does_not_move(app: Repo, archived: str) -> None:
    app.ecr.put_image_tag_mutability(repositoryName=app.name, imageTagMutability="IMMUTABLE")
    other = app.image(b"other")
    code, _ = refusal(app.ecr.put_image, repositoryName=app.name, imageManifest=other, imageTag="v1")
    assert code == "ImageTagAlreadyExistsException"
    assert app.digests() == set()


def test_registry_push_restores(registry: Registry, app: Repo, archived: str) -> None:
    body = app.image(b"layer").encode()
    assert registry.put_manifest("team/app", "v1", body).status == 201
    assert registry.request("GET", "/v2/team/app/manifests/v1").body == body


def test_archived_image_can_be_deleted(app: Repo, archived: str) -> None:
    answer = app.ecr.batch_delete_image(repositoryName=app.name, imageIds=[{"imageDigest": archived}])
    assert answer["imageIds"] == [{"imageDigest": archived, "imageTag": "v1"}]
    assert app.details(filter={"imageStatus": "ANY"}) == []


def test_image_of_an_active_index_cannot_be_archived(app: Repo) -> None:
    child = app.push(b"layer", "amd64")
    index = app.push_index(app.image(b"layer"), tag="v1")
    request = {"repositoryName": app.name, "targetStorageClass": "ARCHIVE"}
    assert refusal(app.ecr.update_image_storage_class, imageId={"imageDigest": child}, **request) == (
        "ImageStorageClassUpdateNotSupportedException",
        f"The storage class of the image with imageId {{imageDigest:'{child}', imageTag:'null'}} "
        "cannot be updated to 'ARCHIVE'",
    )
    assert move(app, "ARCHIVE", imageDigest=index) == "ARCHIVED"
    assert move(app, "ARCHIVE", imageDigest=child) == "ARCHIVED"


def test_image_that_is_not_there_is_named(app: Repo) -> None:
    request = {"repositoryName": app.name, "targetStorageClass": "ARCHIVE"}
    assert refusal(app.ecr.update_image_storage_class, imageId={"imageTag": "v1"}, **request) == (
        "ImageNotFoundException",
        "The image with imageId {imageDigest:'null', imageTag:'v1'} does not exist within the repository "
        "with name 'team/app' in the registry with id '000000000000'",
    )
    code, message = refusal(app.ecr.update_image_storage_class, imageId={}, **request)
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'imageId'")


def test_storage_class_of_another_account_is_closed(emulator: Running, app: Repo, archived: str) -> None:
    code, _ = refusal(
        emulator.ecr("222222222222").update_image_storage_class,
        registryId="000000000000",
        repositoryName=app.name,
        imageId={"imageTag": "v1"},
        targetStorageClass="STANDARD",
    )
    assert code == "AccessDeniedException"
