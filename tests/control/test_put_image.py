"""PutImage: what is stored, and what is refused."""

import base64
import json
from typing import Any

import pytest

from ecr_emu.domain.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from ecr_emu.store import images, repositories
from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, digest_of, image_index, image_manifest
from tests.control.calls import CONFIG, Api, Repo, invalid, refusal

NOT_A_MANIFEST = invalid("ImageManifest", "Invalid JSON syntax")
PLACE = f"repository with name 'team/app' in registry with id '{DEFAULT_ACCOUNT}'"


def put(app: Repo, manifest: str, **members: Any) -> Any:
    return app.ecr.put_image(repositoryName=app.name, imageManifest=manifest, **members)


def already_exists(digest: str, tag: str) -> tuple[str, str]:
    message = f"Image with digest '{digest}' and tag '{tag}' already exists in the {PLACE}"
    return "ImageAlreadyExistsException", message


def without(manifest: str, *members: str) -> str:
    return json.dumps({name: value for name, value in json.loads(manifest).items() if name not in members})


# --- What a push does to images and tags (reference, control plane 4.1) -----------------------------------


def test_new_image_without_a_tag_is_stored_untagged(app: Repo) -> None:
    manifest = app.image(b"layer")
    digest = digest_of(manifest.encode())
    assert put(app, manifest)["image"] == {
        "registryId": DEFAULT_ACCOUNT,
        "repositoryName": "team/app",
        "imageId": {"imageDigest": digest},
        "imageManifest": manifest,
        "imageManifestMediaType": OCI_MANIFEST,
    }
    (image,) = app.details()
    assert (image["imageDigest"], "imageTags" in image) == (digest, False)


def test_new_image_with_a_new_tag_is_stored_under_it(app: Repo) -> None:
    answer = put(app, app.image(b"layer"), imageTag="v1")["image"]
    assert answer["imageId"]["imageTag"] == "v1"
    assert app.tags() == {"v1": answer["imageId"]["imageDigest"]}


def test_tag_moves_to_the_new_image_and_the_old_one_stays(app: Repo) -> None:
    old = app.push(b"old", "v1", "v2")
    new = app.push(b"new", "v1")
    assert app.tags() == {"v1": new, "v2": old}
    newer = app.push(b"newer", "v2")
    assert app.tags() == {"v1": new, "v2": newer}
    assert app.digests() == {old, new, newer}


def test_same_image_under_the_same_tag_already_exists(app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    assert refusal(put, app=app, manifest=app.image(b"layer"), imageTag="v1") == already_exists(digest, "v1")


def test_same_image_under_a_new_tag_gets_that_tag_and_keeps_its_time(app: Repo, clock: Clock) -> None:
    digest = app.push(b"layer", "v1")
    pushed_at = clock.now
    clock.advance(60)
    assert app.push(b"layer", "v2") == digest
    (image,) = app.details()
    assert (image["imageTags"], image["imagePushedAt"].timestamp()) == (["v1", "v2"], pushed_at)


def test_stored_image_without_a_tag_already_exists(app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    assert refusal(put, app=app, manifest=app.image(b"layer")) == already_exists(digest, "null")


def test_pushing_again_after_deletion_is_a_new_push(app: Repo, clock: Clock) -> None:
    digest = app.push(b"layer")
    app.ecr.batch_delete_image(repositoryName=app.name, imageIds=[{"imageDigest": digest}])
    clock.advance(60)
    app.layers.clear()
    assert app.push(b"layer") == digest
    assert app.details()[0]["imagePushedAt"].timestamp() == clock.now


def test_exact_bytes_are_kept(app: Repo, registry: Registry) -> None:
    manifest = app.image(b"layer") + "\n"
    digest = app.put(manifest, "v1")
    assert digest == digest_of(manifest.encode())
    assert registry.request("GET", "/v2/team/app/manifests/v1").body.decode() == manifest
    assert app.put(manifest.strip(), "v2") != digest


def test_text_beyond_ascii_is_kept(app: Repo) -> None:
    manifest = json.dumps(
        json.loads(app.image(b"layer", annotations={"a": "größe 日本"})), ensure_ascii=False
    )
    assert app.put(manifest, "v1") == digest_of(manifest.encode())
    answer = app.ecr.batch_get_image(repositoryName=app.name, imageIds=[{"imageTag": "v1"}])
    assert answer["images"][0]["imageManifest"] == manifest


@pytest.mark.parametrize("tag", ["v1", "-", ".hidden", "V_1.0-rc", "x" * 300])
def test_tag_may_be_anything_of_the_alphabet(app: Repo, tag: str) -> None:
    assert app.tags() == {}
    digest = app.push(b"layer", tag)
    assert app.tags() == {tag: digest}


@pytest.mark.parametrize("tag", ["a b", "a/b", "a:b", "é", "a\n", "v1+build"])
def test_tag_of_another_alphabet_is_refused(app: Repo, tag: str) -> None:
    got = refusal(put, app=app, manifest=app.image(b"layer"), imageTag=tag)
    assert got == invalid("imageTag", "must satisfy regular expression '[a-zA-Z0-9-_.]+'")
    assert app.digests() == set()


def test_image_has_at_most_a_thousand_tags(app: Repo, application: Any) -> None:
    digest = app.push(b"layer", "v0")
    _tag_many(application, app, digest, 998)
    put(app, app.image(b"layer"), imageTag="last")
    assert len(app.details()[0]["imageTags"]) == 1000
    assert refusal(put, app=app, manifest=app.image(b"layer"), imageTag="extra") == (
        "LimitExceededException",
        f"Adding tag 'extra' to an image in the {PLACE} "
        "exceeds the maximum allowed number of tags per image which is '1000'",
    )
    # A tag that comes from another image counts just the same.
    app.push(b"other", "theirs")
    assert refusal(put, app=app, manifest=app.image(b"layer"), imageTag="theirs")[0] == (
        "LimitExceededException"
    )


def _tag_many(application: Any, app: Repo, digest: str, count: int) -> None:
    """So many tags at once, past the API."""
    emulator = application.emulator
    with emulator.store.write() as transaction:
        row = repositories.get(transaction, emulator.hosts.default, app.name)
        image = images.find(transaction, row, digest)
        assert image is not None
        for number in range(count):
            images.put_tag(transaction, row, f"many-{number}", image)


# --- Manifests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("manifest", ["not JSON", "[]", "1", "null", '"x"', "{", "{} {}", "\ufeff{}", " "])
def test_what_is_no_json_object_is_no_manifest(app: Repo, manifest: str) -> None:
    assert refusal(put, app=app, manifest=manifest, imageManifestMediaType=OCI_MANIFEST) == NOT_A_MANIFEST


@pytest.mark.parametrize("media_type", [None, "application/json", "text/plain", ""])
def test_media_type_must_be_that_of_a_manifest(app: Repo, media_type: str | None) -> None:
    manifest = without(app.image(b"layer"), "mediaType")
    members = {} if media_type is None else {"imageManifestMediaType": media_type}
    assert refusal(put, app=app, manifest=manifest, **members) == NOT_A_MANIFEST
    assert app.digests() == set()


def test_media_type_of_the_request_stands_in_for_the_manifests(app: Repo) -> None:
    manifest = without(app.image(b"layer"), "mediaType")
    answer = put(app, manifest, imageManifestMediaType=OCI_MANIFEST)["image"]
    assert answer["imageManifestMediaType"] == OCI_MANIFEST
    assert app.details()[0]["imageManifestMediaType"] == OCI_MANIFEST


def test_media_types_that_contradict_each_other_are_refused(app: Repo) -> None:
    got = refusal(put, app=app, manifest=app.image(b"layer"), imageManifestMediaType=DOCKER_MANIFEST)
    assert got[0] == "InvalidParameterException"
    assert got[1].startswith("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '")


def test_docker_manifest_is_stored_as_one(app: Repo) -> None:
    app.image(b"layer")
    manifest = image_manifest(CONFIG, b"layer", mediaType=DOCKER_MANIFEST).decode()
    assert put(app, manifest)["image"]["imageManifestMediaType"] == DOCKER_MANIFEST


def test_manifest_over_four_mebibytes_is_refused(app: Repo) -> None:
    largest = app.image(b"layer").ljust(4_194_304)
    app.put(largest, "v1")
    got = refusal(put, app=app, manifest=largest + " ", imageTag="v2")
    assert got == invalid("imageManifest", "Member must have length less than or equal to 4194304")


def test_digest_that_was_sent_must_be_that_of_the_manifest(app: Repo) -> None:
    manifest = app.image(b"layer")
    for wrong in (digest_of(b"other"), digest_of(manifest.encode()).upper(), "sha256:00", "latest"):
        assert refusal(put, app=app, manifest=manifest, imageDigest=wrong) == (
            "ImageDigestDoesNotMatchException",
            f"The image with digest '{wrong}' in repository 'team/app' and registry ID "
            f"'{DEFAULT_ACCOUNT}' does not match the image digest that Amazon ECR has calculated.",
        )
    assert app.digests() == set()
    digest = digest_of(manifest.encode())
    assert app.put(manifest, imageDigest=digest) == digest


# --- What a manifest refers to ---------------------------------------------------------------------------


def layers_not_found(*digests: str) -> tuple[str, str]:
    return "LayersNotFoundException", (
        f"Layers with digests '[{', '.join(digests)}]' required for pushing image into repository "
        f"with name 'team/app' in the registry with id '{DEFAULT_ACCOUNT}' do not exist"
    )


def images_not_found(*digests: str) -> tuple[str, str]:
    return "ReferencedImagesNotFoundException", (
        f"Images with digests '[{', '.join(digests)}]' required for pushing image into repository "
        f"with name 'team/app' in the registry with id '{DEFAULT_ACCOUNT}' do not exist"
    )


def test_config_and_layers_must_be_there(app: Repo) -> None:
    config, first, second = b"config", b"first", b"second"
    manifest = image_manifest(config, first, second, first).decode()
    app.layer(first)
    missing = layers_not_found(digest_of(config), digest_of(second))
    assert refusal(put, app=app, manifest=manifest, imageTag="v1") == missing
    app.layer(config)
    assert refusal(put, app=app, manifest=manifest, imageTag="v1") == layers_not_found(digest_of(second))
    assert app.digests() == set()
    app.layer(second)
    digest = app.put(manifest, "v1")
    assert app.tags() == {"v1": digest}


def test_layers_of_another_repository_are_not_enough(app: Repo) -> None:
    app.ecr.create_repository(repositoryName="other")
    manifest = Repo(app.ecr, "other").image(b"layer")
    got = refusal(put, app=app, manifest=manifest)
    assert got == layers_not_found(digest_of(CONFIG), digest_of(b"layer"))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
def test_foreign_layers_need_not_be_there(app: Repo, media_type: str) -> None:
    document = json.loads(app.image())
    document["layers"] = [{"mediaType": media_type, "digest": digest_of(b"elsewhere"), "size": 9}]
    app.put(json.dumps(document), "v1")
    assert app.details()[0]["imageSizeInBytes"] == len(CONFIG) + 9


def test_subject_need_not_be_there(app: Repo) -> None:
    subject = {"mediaType": OCI_MANIFEST, "digest": digest_of(b"absent"), "size": 1}
    app.put(app.image(b"layer", subject=subject), "signature")
    assert app.details()[0]["subjectManifestDigest"] == digest_of(b"absent")


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_children_of_an_index_must_be_there(app: Repo, media_type: str) -> None:
    first, second = app.image(b"first"), app.image(b"second")
    index = image_index(first.encode(), second.encode(), first.encode(), mediaType=media_type).decode()
    digests = [digest_of(first.encode()), digest_of(second.encode())]
    assert refusal(put, app=app, manifest=index, imageTag="v1") == images_not_found(*digests)
    app.put(second)
    assert refusal(put, app=app, manifest=index, imageTag="v1") == images_not_found(digests[0])
    app.put(first)
    answer = put(app, index, imageTag="v1")["image"]
    assert answer["imageManifestMediaType"] == media_type
    assert app.tags() == {"v1": digest_of(index.encode())}


def test_children_in_another_repository_are_not_enough(app: Repo) -> None:
    app.ecr.create_repository(repositoryName="other")
    other = Repo(app.ecr, "other")
    manifest = other.image(b"layer")
    digest = other.put(manifest)
    assert refusal(put, app=app, manifest=image_index(manifest.encode()).decode()) == images_not_found(digest)


def test_index_may_list_indexes_and_is_as_large_as_its_largest_image(app: Repo) -> None:
    small, large = app.image(b"s"), app.image(b"large")
    app.put(small)
    app.put(large)
    inner = app.push_index(small, large, tag="inner")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_INDEX, "digest": inner, "size": 1}],
    }
    outer = app.put(json.dumps(document), "outer")
    assert app.tags() == {"inner": inner, "outer": outer}
    sizes = {image["imageDigest"]: image["imageSizeInBytes"] for image in app.details()}
    assert sizes[digest_of(small.encode())] == len(CONFIG) + 1
    assert sizes[inner] == sizes[outer] == len(CONFIG) + 5


def test_index_of_nothing_is_stored(app: Repo) -> None:
    app.push_index(tag="empty")
    assert app.details()[0]["imageSizeInBytes"] == 0


# --- Malformed requests ----------------------------------------------------------------------------------


def test_manifest_must_be_text(api: Api, app: Repo) -> None:
    request = {"repositoryName": app.name, "imageManifest": {"schemaVersion": 2}}
    code, message = api.refusal("PutImage", request)
    assert (code, message) == (
        "SerializationException",
        "Start of structure or map found where not expected.",
    )
    encoded = base64.b64encode(app.image(b"layer").encode()).decode()
    assert api.refusal("PutImage", {**request, "imageManifest": encoded}) == NOT_A_MANIFEST


def test_refused_push_leaves_nothing(app: Repo) -> None:
    digest = app.push(b"first", "v1")
    app.ecr.put_image_tag_mutability(repositoryName=app.name, imageTagMutability="IMMUTABLE")
    assert refusal(put, app=app, manifest=app.image(b"second"), imageTag="v1")[0] == (
        "ImageTagAlreadyExistsException"
    )
    assert app.digests() == {digest}
