"""API calls are written down when that is asked for, on both planes, and not otherwise."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import Registry, Running, digest_of, image_manifest

NAME = "team/app"


def records(emulator: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        Registry(emulator.port, None).request("GET", "/_emu/trail").json()["Records"]
    )
    return found


def names(emulator: Running) -> list[str]:
    return [record["eventName"] for record in records(emulator)]


def test_nobody_asked_so_only_repositories_are_told(emulator: Running) -> None:
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName=NAME)
    ecr.describe_repositories()
    emulator.registry().push_image(NAME, "v1", b"layer")
    assert names(emulator) == ["CreateRepository"]


def test_writes_of_both_planes_are_told_and_reads_are_not(start: Callable[..., Running]) -> None:
    emulator = start(trail="writes")
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository(repositoryName=NAME)
    with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=NAME)
    ecr.describe_repositories()
    digest = registry.push_image(NAME, "v1")
    registry.request("GET", f"/v2/{NAME}/manifests/v1")
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
    assert names(emulator) == [
        "CreateRepository",
        "CreateRepository",
        "InitiateLayerUpload",
        "PutImage",
        "BatchDeleteImage",
    ]
    made, again, _, put, _ = records(emulator)
    assert "errorCode" not in made
    assert (again["errorCode"], again["responseElements"]) == ("RepositoryAlreadyExistsException", None)
    manifest = image_manifest(b'{"architecture":"amd64","os":"linux"}').decode()
    assert put["requestParameters"] == {
        "registryId": "000000000000",
        "repositoryName": NAME,
        "imageTag": "v1",
        "imageManifest": manifest,
    }
    assert put["responseElements"] == {
        "image": {
            "registryId": "000000000000",
            "repositoryName": NAME,
            "imageId": {"imageDigest": digest, "imageTag": "v1"},
            "imageManifest": manifest,
        }
    }


def test_a_docker_push_and_pull_are_told_by_the_steps_of_the_api(start: Callable[..., Running]) -> None:
    emulator = start(trail="all")
    emulator.ecr().create_repository(repositoryName=NAME)
    registry = emulator.registry()
    before = len(records(emulator))
    config = b"{}"
    location = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
    upload = "/v2/" + location.partition("/v2/")[2]
    registry.request("PATCH", upload, config)
    registry.request("PUT", f"{upload}?digest={digest_of(config)}")
    registry.put_manifest(NAME, "v1", image_manifest(config))
    accept = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
    registry.request("GET", f"/v2/{NAME}/manifests/v1", headers=accept)
    registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(config)}")
    registry.request("GET", f"/v2/{NAME}/manifests/v2")
    # What the API does not have.
    assert registry.request("DELETE", f"/v2/{NAME}/blobs/{digest_of(config)}").status == 405
    found = records(emulator)[before:]
    assert [record["eventName"] for record in found] == [
        "InitiateLayerUpload",
        "UploadLayerPart",
        "CompleteLayerUpload",
        "PutImage",
        "BatchGetImage",
        "GetDownloadUrlForLayer",
        "BatchGetImage",
    ]
    upload_id = found[0]["responseElements"]["uploadId"]
    assert found[1]["requestParameters"]["uploadId"] == upload_id
    assert found[1]["responseElements"]["lastByteReceived"] == 1
    assert found[2]["requestParameters"]["layerDigests"] == [digest_of(config)]
    assert found[2]["responseElements"]["layerDigest"] == digest_of(config)
    assert found[4]["requestParameters"] == {
        "registryId": "000000000000",
        "repositoryName": NAME,
        "imageIds": [{"imageTag": "v1"}],
        "acceptedMediaTypes": accept["Accept"].split(", "),
    }
    assert found[4]["responseElements"] is None
    assert found[5]["requestParameters"]["layerDigest"] == digest_of(config)
    assert found[6]["errorCode"] == "ImageNotFound"


def test_logins_are_told_without_the_token(start: Callable[..., Running]) -> None:
    emulator = start(trail="all")
    password = emulator.password()
    (record,) = records(emulator)
    assert (record["eventName"], record["responseElements"]) == ("GetAuthorizationToken", None)
    assert password not in str(record)
