"""Operations on layers: uploading, asking for and downloading them through the JSON API."""

import base64
import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from ecr_emu.store import uploads
from ecr_emu.store.uploads import Upload
from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running, digest_of
from tests.control.calls import Api, Repo, invalid, refusal, refused, tampered

UNKNOWN_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
UNKNOWN_DIGEST = digest_of(b"never pushed")
MIN_PART_BYTES = 5 * 1024 * 1024
BIG = b"x" * MIN_PART_BYTES


@pytest.fixture
def upload_id(app: Repo) -> str:
    """An upload that has just begun."""
    return begin(app)


def begin(app: Repo) -> str:
    return str(app.ecr.initiate_layer_upload(repositoryName=app.name)["uploadId"])


def availability(app: Repo, *digests: str) -> Any:
    return app.ecr.batch_check_layer_availability(repositoryName=app.name, layerDigests=list(digests))


def upload_not_found(upload_id: str, name: str = "team/app") -> tuple[str, str]:
    return "UploadNotFoundException", (
        f"The upload with id '{upload_id}' in the repository with name '{name}' "
        f"in registry with id '{DEFAULT_ACCOUNT}' does not exist"
    )


# --- InitiateLayerUpload ---------------------------------------------------------------------------------


def test_upload_begins_with_an_id_and_a_part_size(app: Repo) -> None:
    first, second = (app.ecr.initiate_layer_upload(repositoryName=app.name) for _ in range(2))
    assert first["partSize"] == 10 * 1024 * 1024
    assert first["uploadId"] != second["uploadId"]
    # The id fits the model's own pattern.
    app.part(first["uploadId"], 0, b"x")


# --- UploadLayerPart -------------------------------------------------------------------------------------


def test_parts_in_order_become_the_layer(app: Repo, upload_id: str) -> None:
    answer = app.part(upload_id, 0, BIG)
    del answer["ResponseMetadata"]
    assert answer == {
        "registryId": DEFAULT_ACCOUNT,
        "repositoryName": "team/app",
        "uploadId": upload_id,
        "lastByteReceived": MIN_PART_BYTES - 1,
    }
    assert app.part(upload_id, MIN_PART_BYTES, b"end")["lastByteReceived"] == MIN_PART_BYTES + 2
    digest = digest_of(BIG + b"end")
    completed = app.complete(upload_id, digest)
    del completed["ResponseMetadata"]
    assert completed == {
        "registryId": DEFAULT_ACCOUNT,
        "repositoryName": "team/app",
        "uploadId": upload_id,
        "layerDigest": digest,
    }
    (layer,) = availability(app, digest)["layers"]
    assert (layer["layerAvailability"], layer["layerSize"]) == ("AVAILABLE", MIN_PART_BYTES + 3)


@pytest.mark.parametrize(
    ("first", "content", "last", "message"),
    [
        (4, b"x", None, "First byte of the layer part is 4 instead of 3"),
        (2, b"x", None, "First byte of the layer part is 2 instead of 3"),
        (0, b"abc", None, "First byte of the layer part is 0 instead of 3"),
        (3, b"x", 4, "Layer part from byte 3 to byte 4 has 1 bytes"),
        (3, b"xyz", 4, "Layer part from byte 3 to byte 4 has 3 bytes"),
        (3, b"x", 2, "Layer part from byte 3 to byte 2 has 1 bytes"),
        (3, b"", 3, "Layer part from byte 3 to byte 3 has 0 bytes"),
        (3, b"", 2, "Layer part from byte 3 to byte 2 has 0 bytes"),
        (2**63 - 1, b"x", 2**63 - 1, f"First byte of the layer part is {2**63 - 1} instead of 3"),
    ],
)
def test_part_that_does_not_fit_is_refused_and_told_where_to_go_on(
    app: Repo, upload_id: str, first: int, content: bytes, last: int | None, message: str
) -> None:
    app.part(upload_id, 0, b"abc")
    response = refused(app.part, upload_id=upload_id, first=first, content=content, last=last)
    assert response["Error"] == {"Code": "InvalidLayerPartException", "Message": message}
    members = {
        name: response[name] for name in ("registryId", "repositoryName", "uploadId", "lastValidByteReceived")
    }
    assert members == {
        "registryId": DEFAULT_ACCOUNT,
        "repositoryName": "team/app",
        "uploadId": upload_id,
        "lastValidByteReceived": 2,
    }
    # The upload is as it was.
    assert app.complete(upload_id)["layerDigest"] == digest_of(b"abc")


def test_first_part_must_begin_at_zero(app: Repo, upload_id: str) -> None:
    response = refused(app.part, upload_id=upload_id, first=1, content=b"x")
    assert response["Error"]["Message"] == "First byte of the layer part is 1 instead of 0"
    assert response["lastValidByteReceived"] == 0


def test_largest_part_is_taken_whole(app: Repo, upload_id: str) -> None:
    assert app.part(upload_id, 0, b"x" * 20_971_520)["lastByteReceived"] == 20_971_519


def test_upload_has_at_most_so_many_parts(app: Repo, application: Any, upload_id: str) -> None:
    with application.emulator.store.write() as transaction:
        uploads.update(transaction, Upload(upload_id, part_count=4199), 0)
    app.part(upload_id, 0, b"last one")
    assert refusal(app.part, upload_id=upload_id, first=8, content=b"x") == (
        "LimitExceededException",
        f"The upload with id '{upload_id}' exceeds the maximum allowed number of layer parts which is '4200'",
    )


def test_unknown_upload_is_not_found(app: Repo) -> None:
    got = refusal(app.part, upload_id=UNKNOWN_ID, first=0, content=b"x")
    assert got == upload_not_found(UNKNOWN_ID)
    assert refusal(app.complete, upload_id=UNKNOWN_ID) == upload_not_found(UNKNOWN_ID)


def test_upload_of_another_repository_is_not_found(app: Repo, upload_id: str) -> None:
    app.ecr.create_repository(repositoryName="other")
    other = Repo(app.ecr, "other")
    app.part(upload_id, 0, b"x")
    for call in (
        {"call": other.part, "first": 1, "content": b"y"},
        {"call": other.complete},
    ):
        assert refusal(upload_id=upload_id, **call) == upload_not_found(upload_id, "other")
    assert app.complete(upload_id)["layerDigest"] == digest_of(b"x")


def test_upload_goes_on_after_a_restart(app: Repo, application: Any, upload_id: str) -> None:
    app.part(upload_id, 0, BIG)
    # All that is in memory is the hash so far.
    application.emulator.blobs._progress.clear()
    app.part(upload_id, MIN_PART_BYTES, b"end")
    assert app.complete(upload_id)["layerDigest"] == digest_of(BIG + b"end")


# --- CompleteLayerUpload ---------------------------------------------------------------------------------


def test_upload_without_parts_cannot_be_completed(app: Repo, upload_id: str) -> None:
    assert refusal(app.complete, upload_id=upload_id) == (
        "EmptyUploadException",
        f"The upload with id '{upload_id}' in the repository with name 'team/app' in registry with id "
        f"'{DEFAULT_ACCOUNT}' cannot be completed because it does not have any parts",
    )
    app.part(upload_id, 0, b"x")
    assert app.complete(upload_id)["layerDigest"] == digest_of(b"x")


@pytest.mark.parametrize("parts", [(b"x", b"y"), (BIG, b"x", b"y"), (BIG[1:], BIG)])
def test_every_part_but_the_last_has_five_megabytes(
    app: Repo, upload_id: str, parts: tuple[bytes, ...]
) -> None:
    first = 0
    for part in parts:
        app.part(upload_id, first, part)
        first += len(part)
    assert refusal(app.complete, upload_id=upload_id) == (
        "LayerPartTooSmallException",
        "All layer parts except the last part should be at least 5MB",
    )


@pytest.mark.parametrize(
    "digests",
    [
        [UNKNOWN_DIGEST],
        [digest_of(b"x"), UNKNOWN_DIGEST],
        [digest_of(b"x").upper().replace("SHA256", "sha256")],
        ["sha256:00"],
    ],
)
def test_wrong_digest_is_refused_and_the_upload_stays_usable(
    app: Repo, upload_id: str, digests: list[str]
) -> None:
    app.part(upload_id, 0, b"x")
    members = {"repositoryName": app.name, "uploadId": upload_id, "layerDigests": digests}
    code, _ = refusal(app.ecr.complete_layer_upload, **members)
    assert code == "InvalidLayerException"
    assert availability(app, *digests)["layers"][0]["layerAvailability"] == "UNAVAILABLE"
    assert app.complete(upload_id, digest_of(b"x"))["layerDigest"] == digest_of(b"x")


@pytest.mark.parametrize("digest", ["sha512:00", "tarsum.v1+sha256:ff", "md5:0"])
def test_digest_of_another_algorithm_is_not_compared(app: Repo, upload_id: str, digest: str) -> None:
    app.part(upload_id, 0, b"x")
    assert app.complete(upload_id, digest)["layerDigest"] == digest_of(b"x")


def test_upload_is_completed_once(app: Repo, upload_id: str) -> None:
    app.part(upload_id, 0, b"x")
    app.complete(upload_id)
    assert refusal(app.complete, upload_id=upload_id) == upload_not_found(upload_id)
    assert refusal(app.part, upload_id=upload_id, first=1, content=b"y") == upload_not_found(upload_id)


def test_second_upload_of_a_layer_is_told_and_gone(app: Repo) -> None:
    digest = app.layer(b"x")
    upload_id = begin(app)
    app.part(upload_id, 0, b"x")
    assert refusal(app.complete, upload_id=upload_id, digest=digest) == (
        "LayerAlreadyExistsException",
        f"Layer with digest '{digest}' already exists in the repository "
        f"with name 'team/app' in registry with id '{DEFAULT_ACCOUNT}'",
    )
    assert refusal(app.complete, upload_id=upload_id) == upload_not_found(upload_id)
    assert availability(app, digest)["layers"][0]["layerAvailability"] == "AVAILABLE"


def test_digest_is_compared_before_the_layer_is_looked_for(app: Repo) -> None:
    app.layer(b"x")
    upload_id = begin(app)
    app.part(upload_id, 0, b"x")
    assert refusal(app.complete, upload_id=upload_id, digest=UNKNOWN_DIGEST)[0] == "InvalidLayerException"


# --- BatchCheckLayerAvailability --------------------------------------------------------------------------


def test_layers_are_available_or_not_and_never_a_failure(app: Repo) -> None:
    digest = app.layer(b"abc")
    answer = availability(app, digest, UNKNOWN_DIGEST)
    assert answer["layers"] == [
        {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": 3},
        {"layerDigest": UNKNOWN_DIGEST, "layerAvailability": "UNAVAILABLE"},
    ]
    assert answer["failures"] == []


def test_layer_has_the_media_type_that_an_image_gives_it(app: Repo) -> None:
    app.push(b"abc", "v1")
    (layer,) = availability(app, digest_of(b"abc"))["layers"]
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"


def test_what_is_no_digest_is_a_failure(app: Repo) -> None:
    answer = availability(app, "", "latest", "sha256:xyz")
    rule = "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    missing = "Invalid request parameters: layer digest cannot be null"
    assert answer["layers"] == []
    assert answer["failures"] == [
        {"layerDigest": "", "failureCode": "MissingLayerDigest", "failureReason": missing},
        {"layerDigest": "latest", "failureCode": "InvalidLayerDigest", "failureReason": rule},
        {"layerDigest": "sha256:xyz", "failureCode": "InvalidLayerDigest", "failureReason": rule},
    ]


def test_layers_belong_to_their_repository(app: Repo) -> None:
    digest = app.layer(b"abc")
    app.ecr.create_repository(repositoryName="other")
    other = Repo(app.ecr, "other")
    assert availability(other, digest)["layers"][0]["layerAvailability"] == "UNAVAILABLE"
    assert other.layer(b"abc") == digest
    assert availability(other, digest)["layers"][0]["layerAvailability"] == "AVAILABLE"


def test_both_planes_see_each_others_layers(app: Repo, registry: Registry) -> None:
    digest = app.layer(b"abc")
    assert registry.request("GET", f"/v2/team/app/blobs/{digest}").body == b"abc"
    pushed = registry.push_blob("team/app", b"def")
    assert availability(app, pushed)["layers"][0]["layerSize"] == 3


# --- GetDownloadUrlForLayer ------------------------------------------------------------------------------


def download_url(app: Repo, digest: str) -> str:
    answer = app.ecr.get_download_url_for_layer(repositoryName=app.name, layerDigest=digest)
    assert answer["layerDigest"] == digest
    return str(answer["downloadUrl"])


def status_of(url: str | Request) -> int:
    """The status of a GET that brings nothing but the URL."""
    try:
        with urlopen(url, timeout=30) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return int(error.code)


@pytest.fixture
def url(app: Repo) -> str:
    """The download URL of the layer `abc`."""
    app.push(b"abc", "v1")
    return download_url(app, digest_of(b"abc"))


def test_layer_is_downloaded_without_a_login(url: str, emulator: Running) -> None:
    assert url.startswith(f"{emulator.url}/")
    with urlopen(url, timeout=30) as response:
        assert response.read() == b"abc"
    with urlopen(Request(url, headers={"Range": "bytes=1-1"}), timeout=30) as response:
        assert (response.status, response.read()) == (206, b"b")


def test_download_url_is_good_for_an_hour(url: str, clock: Clock) -> None:
    assert "X-Amz-Expires=3600" in url
    # The clock stands at a quarter past a second, and a URL counts whole ones.
    clock.advance(3599.5)
    assert status_of(url) == 200
    clock.advance(0.25)
    assert status_of(url) == 403


def test_download_url_that_was_changed_is_refused(app: Repo, url: str) -> None:
    app.push(b"other", "v2")
    place = urlsplit(url)
    signature = place.query.partition("X-Amz-Signature=")[2]
    changed = [
        url.replace(signature, tampered(signature)),
        url.replace(signature, ""),
        url.partition("?")[0],
        url.replace(digest_of(b"abc").partition(":")[2], digest_of(b"other").partition(":")[2]),
        url.replace(place.path, "/_layers/"),
    ]
    assert url not in changed
    assert [status_of(entry) for entry in changed] == [403] * len(changed)
    assert status_of(url) == 200


def test_download_url_can_only_be_read(url: str) -> None:
    assert status_of(Request(url, method="HEAD")) == 200
    for method in ("PUT", "POST", "DELETE"):
        assert status_of(Request(url, method=method)) == 405


def test_download_url_ends_with_the_repository(app: Repo, url: str) -> None:
    app.ecr.delete_repository(repositoryName=app.name, force=True)
    assert status_of(url) == 404


def test_paging_token_is_no_signature(app: Repo, url: str) -> None:
    app.push(b"other", "v2")
    token = app.ecr.list_images(repositoryName=app.name, maxResults=1)["nextToken"]
    signature = urlsplit(url).query.partition("X-Amz-Signature=")[2]
    assert status_of(url.replace(signature, token)) == 403


def test_layer_without_an_image_is_inaccessible(app: Repo) -> None:
    digest = app.layer(b"abc")
    assert refusal(download_url, app=app, digest=digest) == (
        "LayerInaccessibleException",
        f"The layer with digest '{digest}' in the repository with name 'team/app' "
        f"in registry with id '{DEFAULT_ACCOUNT}' is not associated with any image",
    )


def test_layer_that_is_not_there_is_not_found(app: Repo) -> None:
    code, message = refusal(download_url, app=app, digest=UNKNOWN_DIGEST)
    assert code == "LayersNotFoundException"
    assert message == (
        f"The layer with digest '{UNKNOWN_DIGEST}' does not exist within the repository "
        f"with name 'team/app' in the registry with id '{DEFAULT_ACCOUNT}'"
    )


def test_config_is_a_layer_too(app: Repo) -> None:
    app.push(b"abc", "v1")
    (config,) = {layer["layerDigest"] for layer in availability(app, *config_digests(app))["layers"]}
    with urlopen(download_url(app, config), timeout=30) as response:
        assert digest_of(response.read()) == config


def config_digests(app: Repo) -> list[str]:
    """The config digest of the image v1, from its manifest."""
    answer = app.ecr.batch_get_image(repositoryName=app.name, imageIds=[{"imageTag": "v1"}])
    return [json.loads(image["imageManifest"])["config"]["digest"] for image in answer["images"]]


# --- Malformed requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"layerPartBlob": "!"}, ("SerializationException", "'layerPartBlob' is not base64")),
        ({"uploadId": "../../etc"}, None),
        ({"partLastByte": -1}, invalid("partLastByte", "Member must have value greater than or equal to 0")),
    ],
)
def test_malformed_part_is_refused(
    api: Api, app: Repo, upload_id: str, part: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    blob = base64.b64encode(b"x").decode()
    whole = {
        "repositoryName": app.name,
        "uploadId": upload_id,
        "partFirstByte": 0,
        "partLastByte": 0,
        "layerPartBlob": blob,
    }
    pattern = "-".join(f"[0-9a-fA-F]{{{length}}}" for length in (8, 4, 4, 4, 12))
    not_an_id = invalid("uploadId", f"Member must satisfy regular expression pattern: {pattern}")
    assert api.refusal("UploadLayerPart", {**whole, **part}) == (expected or not_an_id)
    assert api.post("UploadLayerPart", whole).status == 200
