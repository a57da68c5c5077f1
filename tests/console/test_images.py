"""/_emu/images: records of images in and out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.core.fsck import Checker
from ecr_emu.core.sweep import sweep
from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from tests.clients import Clock, Registry, Reply, Running, digest_of, image_index, image_manifest
from tests.consistency import check_consistency, rows
from tests.control.calls import Repo, refusal

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
IMPORTED = "This image was imported without its manifest, so it cannot be pulled until somebody pushes it"


class Records:
    """/_emu/images of an emulator."""

    def __init__(self, emulator: Running) -> None:
        self.emulator = emulator
        self._client = Registry(emulator.port, None)

    def send(self, *records: object, query: str = "") -> Reply:
        body = b"\n".join(r if isinstance(r, bytes) else json.dumps(r).encode() for r in records)
        return self._client.request("POST", f"/_emu/images{query}", body)

    def put(self, *records: dict[str, Any], query: str = "?repositoryName=team/app") -> dict[str, int]:
        reply = self.send(*records, query=query)
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json"), reply.body
        counts: dict[str, int] = reply.json()
        return counts

    def refusal(self, *records: object, query: str = "?repositoryName=team/app") -> str:
        before = rows(self.emulator.application.emulator.store)
        reply = self.send(*records, query=query)
        assert (reply.status, reply.json()["error"]) == (400, "Bad Request")
        assert rows(self.emulator.application.emulator.store) == before
        return str(reply.json()["message"])

    def get(self, query: str = "?repositoryName=team/app") -> list[dict[str, Any]]:
        reply = self._client.request("GET", f"/_emu/images{query}")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/x-ndjson"), reply.body
        return [json.loads(line) for line in reply.body.splitlines()]


@pytest.fixture
def records(emulator: Running, tmp_path: Path) -> Any:
    yield Records(emulator)
    check_consistency(emulator.application.emulator.settings.data_dir)


@pytest.fixture
def repo(ecr: Any) -> Repo:
    return Repo(ecr, "team/app")


# --- in --------------------------------------------------------------------------------------------------


def test_records_become_images(records: Records, repo: Repo, clock: Clock) -> None:
    counts = records.put(
        {"imageTags": ["v2", "latest"], "imageSizeInBytes": 200, "imagePushedAt": 2_000},
        {
            "imageTags": ["v1"],
            "imageSizeInBytes": 100,
            "imagePushedAt": "1970-01-01T00:16:40Z",
            "lastRecordedPullTime": 1_500,
        },
        {"imageDigest": DIGEST, "subjectManifestDigest": OTHER, "imageManifestMediaType": "text/x"},
    )
    assert counts == {"repositories": 1, "images": 3, "tags": 3}
    details = repo.details()
    assert [detail.get("imageTags") for detail in details] == [["v1"], ["latest", "v2"], None]
    assert [detail["imageSizeInBytes"] for detail in details] == [100, 200, 0]
    assert [detail["imagePushedAt"].timestamp() for detail in details] == [1_000, 2_000, clock.now]
    assert details[0]["lastRecordedPullTime"].timestamp() == 1_500
    assert (details[2]["imageDigest"], details[2]["subjectManifestDigest"]) == (DIGEST, OTHER)
    assert details[2]["imageManifestMediaType"] == "text/x"


def test_what_describe_images_prints_is_taken(records: Records, repo: Repo) -> None:
    printed = json.dumps({"imageDetails": [{"imageTags": ["a"]}, {"imageTags": ["b"]}]}, indent=4)
    assert records.send(printed.encode(), query="?repositoryName=team/app").status == 200
    assert set(repo.tags()) == {"a", "b"}


def test_repositories_are_made_when_they_are_missing(records: Records, emulator: Running) -> None:
    counts = records.put(
        {"repositoryName": "one/app"},
        {"repositoryName": "two/app", "registryId": "111122223333", "region": "eu-west-1"},
    )
    assert counts == {"repositories": 3, "images": 2, "tags": 0}
    found = emulator.ecr().describe_repositories()["repositories"]
    assert [repository["repositoryName"] for repository in found] == ["one/app", "team/app"]
    assert found[0]["imageTagMutability"] == "MUTABLE"
    other = emulator.ecr("111122223333", "eu-west-1")
    assert len(Repo(other, "two/app").details()) == 1


def test_settings_of_a_repository_that_is_there_stay(records: Records, repo: Repo) -> None:
    repo.ecr.create_repository(repositoryName="team/app", imageTagMutability="IMMUTABLE")
    records.put({"imageDigest": DIGEST, "imageTags": ["v1"]})
    records.put({"imageDigest": OTHER, "imageTags": ["v1"]})
    assert repo.tags() == {"v1": OTHER}
    assert repo.ecr.describe_repositories()["repositories"][0]["imageTagMutability"] == "IMMUTABLE"


def test_the_query_names_the_registry_of_records_that_name_none(records: Records, emulator: Running) -> None:
    records.put({}, query="?repositoryName=team/app&registryId=111122223333&region=eu-west-1")
    assert len(Repo(emulator.ecr("111122223333", "eu-west-1"), "team/app").details()) == 1
    assert len(records.get("?repositoryName=team/app&registryId=111122223333&region=eu-west-1")) == 1


def test_no_records_are_no_images(records: Records, emulator: Running) -> None:
    assert records.put(query="") == {"repositories": 0, "images": 0, "tags": 0}
    assert records.put() == {"repositories": 1, "images": 0, "tags": 0}


def test_a_record_with_a_manifest_has_no_layers_and_nothing_is_wrong_with_that(
    records: Records, emulator: Running, repo: Repo
) -> None:
    """fsck asks for the layers of images that were pushed."""
    manifest = image_manifest(b"{}", b"layer").decode()
    records.put({"imageTags": ["v1"], "imageManifest": manifest})
    place = emulator.application.emulator
    assert list(Checker(place.store, place.blobs, place.settings.data_dir).problems()) == []


def test_an_archived_image_is_archived(records: Records, repo: Repo) -> None:
    records.put({"imageDigest": DIGEST, "imageStatus": "ARCHIVED", "lastArchivedAt": 1_000})
    assert repo.details() == []
    (detail,) = repo.details(filter={"imageStatus": "ARCHIVED"})
    assert detail["lastArchivedAt"].timestamp() == 1_000


def test_an_image_that_is_activating_will_be_back(start: Callable[..., Running], clock: Clock) -> None:
    emulator = start(restore_seconds=60)
    Records(emulator).put({"imageDigest": DIGEST, "imageStatus": "ACTIVATING", "lastArchivedAt": 1_000})
    repo = Repo(emulator.ecr(), "team/app")
    assert repo.details() == []
    clock.advance(60)
    assert len(repo.details()) == 1


# --- bad ones --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (({}, b"", {"imageTags": 1}), "line 3: imageTags must be a list of tags"),
        (({}, b"{"), "line 2: this is not JSON"),
        ((b"\xff\xfe{\0",), "line 1: this is not JSON"),
        ((b"[" * 5000,), "line 1: this is not JSON"),
        (({}, [1]), "line 2, image 1: a record must be a JSON object"),
    ],
)
def test_a_bad_line_leaves_nothing(records: Records, lines: tuple[Any, ...], expected: str) -> None:
    assert records.refusal(*lines).startswith(expected)


def test_a_repository_has_to_be_named(records: Records) -> None:
    assert records.refusal({}, query="").startswith("line 1: repositoryName is missing")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["", "A", "a//b", "%00", "x" * 999])
def test_a_name_in_the_query_is_checked(records: Records, method: str, name: str) -> None:
    reply = records._client.request(method, f"/_emu/images?repositoryName={name}", b"")
    assert (reply.status, reply.json()["error"]) == (400, "Bad Request")
    assert reply.json()["message"].startswith("repositoryName must be the name of a repository, and is")


@pytest.mark.parametrize("query", ["registryId=1", "region=US%20EAST", "region=a%22b"])
def test_a_registry_in_the_query_is_checked(records: Records, query: str) -> None:
    assert "must be" in records.refusal({}, query=f"?repositoryName=team/app&{query}")


def test_a_body_that_is_too_long_is_refused(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_emu.console.images.MAX_BODY_BYTES", 10)
    reply = records.send(b"x" * 5_000_000)
    assert (reply.status, reply.json()["error"]) == (413, "Request Entity Too Large")


def test_a_pushed_image_is_a_fact(records: Records, registry: Registry, ecr: Any) -> None:
    ecr.create_repository(repositoryName="team/app")
    digest = registry.push_image("team/app", "v1", b"layer")
    assert records.refusal({}, {"imageDigest": digest, "imageTags": ["v2"]}) == (
        f"line 2: {digest} is a pushed image; its record cannot be replaced"
    )


# --- again -----------------------------------------------------------------------------------------------


def test_the_record_of_an_image_without_a_manifest_is_replaced(records: Records, repo: Repo) -> None:
    records.put({"imageDigest": DIGEST, "imageTags": ["a", "b"], "imagePushedAt": 1, "children": [OTHER]})
    records.put({"imageDigest": DIGEST, "imageTags": ["b", "c"], "imagePushedAt": 2, "imageSizeInBytes": 7})
    (detail,) = repo.details()
    assert (detail["imageTags"], detail["imageSizeInBytes"]) == (["b", "c"], 7)
    assert (detail["imagePushedAt"].timestamp(), detail["imageManifestMediaType"]) == (2, OCI_MANIFEST)
    assert "children" not in records.get()[0]


def test_the_same_records_again_change_nothing(records: Records) -> None:
    written = [
        {"imageTags": ["a"], "imagePushedAt": 1},
        {"architectures": ["amd64", "arm64"], "imageTags": ["b"], "imagePushedAt": 2},
        {"imageDigest": DIGEST, "imagePushedAt": 3},
    ]
    first = records.put(*written), records.get()
    assert first[0] == {"repositories": 1, "images": 5, "tags": 2}
    assert (records.put(*written), records.get()) == first
    # Also in the words that the server itself uses.
    records.put(*first[1])
    assert records.get() == first[1]


def test_the_times_of_a_synthetic_image_can_be_replaced_and_its_content_not(records: Records) -> None:
    records.put({"imageTags": ["a"], "imageSizeInBytes": 9})
    (record,) = records.get()
    records.put({**record, "lastRecordedPullTime": 5, "imageTags": ["b"]})
    (changed,) = records.get()
    assert changed == {**record, "lastRecordedPullTime": 5, "imageTags": ["b"]}
    for member, value in (("imageSizeInBytes", 10), ("children", [DIGEST]), ("artifactMediaType", "a/b")):
        assert records.refusal({**record, member: value}).startswith(
            f"line 1: the manifest of {record['imageDigest']} is known, and says other than the record"
        )


def test_a_tag_goes_from_a_pushed_image_to_the_record(
    records: Records, registry: Registry, ecr: Any, repo: Repo
) -> None:
    ecr.create_repository(repositoryName="team/app")
    registry.push_image("team/app", "latest", b"layer")
    records.put({"imageDigest": DIGEST, "imageTags": ["latest"]})
    assert repo.tags() == {"latest": DIGEST}
    assert len(repo.details()) == 2


# --- out -------------------------------------------------------------------------------------------------


def test_records_come_back_as_they_went_in(records: Records, start: Callable[..., Running]) -> None:
    home = {"registryId": "000000000000", "region": "us-east-1", "repositoryName": "team/app"}
    full = {
        **home,
        "imageDigest": DIGEST,
        "imageTags": ["a", "b"],
        "imageSizeInBytes": 12,
        "imagePushedAt": 1_000.5,
        "imageManifestMediaType": OCI_INDEX,
        "artifactMediaType": "a/b",
        "subjectManifestDigest": OTHER,
        "lastRecordedPullTime": 2_000.0,
        "imageStatus": "ARCHIVED",
        "lastArchivedAt": 3_000.0,
        "lastActivatedAt": 500.0,
        "children": [OTHER],
    }
    small = {
        **home,
        "imageDigest": OTHER,
        "imageSizeInBytes": 1,
        "imagePushedAt": 1.0,
        "imageManifestMediaType": OCI_MANIFEST,
        "imageStatus": "ACTIVE",
    }
    records.put(full, small)
    assert records.get() == [small, full]
    other = Records(start())
    other.put(*records.get())
    assert other.get() == records.get()


def test_pushed_images_are_records_too(records: Records, registry: Registry, ecr: Any, clock: Clock) -> None:
    ecr.create_repository(repositoryName="team/app")
    digest = registry.push_image("team/app", "v1", b"layer")
    (record,) = records.get()
    assert (record["imageDigest"], record["imagePushedAt"]) == (digest, clock.now)


def test_a_long_list_is_read_in_pages(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_emu.core.image_records.PAGE", 2)
    records.put(*({"imagePushedAt": n, "architectures": ["amd64"]} for n in range(2)))
    found = records.get()
    assert [record["imagePushedAt"] for record in found] == [0, 0, 1, 1]
    assert [record.get("children") for record in found] == [
        None,
        [found[0]["imageDigest"]],
        None,
        [found[2]["imageDigest"]],
    ]


def test_records_of_a_repository_that_is_not_there(records: Records) -> None:
    reply = records._client.request("GET", "/_emu/images?repositoryName=no/app")
    assert (reply.status, reply.json()["error"]) == (404, "Not Found")
    assert "'no/app' does not exist" in reply.json()["message"]
    reply = records._client.request("GET", "/_emu/images")
    assert (reply.status, reply.json()["message"]) == (
        400,
        "say which repository is meant, as in ?repositoryName=team/app",
    )


# --- both planes -----------------------------------------------------------------------------------------


def test_a_synthetic_image_has_a_manifest_and_no_layers(
    records: Records, registry: Registry, repo: Repo
) -> None:
    records.put({"imageTags": ["v1"], "imageSizeInBytes": 9_000})
    reply = registry.request("GET", "/v2/team/app/manifests/v1")
    (image,) = repo.ecr.batch_get_image(repositoryName="team/app", imageIds=[{"imageTag": "v1"}])["images"]
    assert reply.status == 200
    assert digest_of(reply.body) == image["imageId"]["imageDigest"]
    assert image["imageManifest"].encode() == reply.body
    layer = reply.json()["layers"][0]["digest"]
    assert registry.request("GET", f"/v2/team/app/blobs/{layer}").error[0] == "BLOB_UNKNOWN"
    (available,) = repo.ecr.batch_check_layer_availability(repositoryName="team/app", layerDigests=[layer])[
        "layers"
    ]
    assert available["layerAvailability"] == "UNAVAILABLE"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["v1", DIGEST])
def test_an_image_without_a_manifest_cannot_be_pulled(
    records: Records, registry: Registry, repo: Repo, method: str, reference: str
) -> None:
    records.put({"imageDigest": DIGEST, "imageTags": ["v1"]})
    reply = registry.request(method, f"/v2/team/app/manifests/{reference}")
    assert reply.status == 404
    if method == "GET":
        assert reply.error == ("MANIFEST_UNKNOWN", IMPORTED)
    assert "lastRecordedPullTime" not in repo.details()[0]


def test_batch_get_image_says_why_there_is_no_manifest(records: Records, repo: Repo) -> None:
    records.put({"imageDigest": DIGEST, "imageTags": ["v1"]}, {"imageTags": ["v2"]})
    answer = repo.ecr.batch_get_image(
        repositoryName="team/app", imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}]
    )
    assert answer["failures"] == [
        {"imageId": {"imageTag": "v1"}, "failureCode": "ImageInaccessible", "failureReason": IMPORTED}
    ]
    assert len(answer["images"]) == 1
    assert "lastRecordedPullTime" not in repo.details(imageIds=[{"imageTag": "v1"}])[0]


def test_referrers_without_manifests_are_listed(records: Records, registry: Registry, repo: Repo) -> None:
    records.put({"imageDigest": DIGEST, "subjectManifestDigest": OTHER, "artifactMediaType": "a/b"})
    answer = repo.ecr.list_image_referrers(repositoryName="team/app", subjectId={"imageDigest": OTHER})
    (referrer,) = answer["referrers"]
    assert (referrer["digest"], referrer["artifactType"]) == (DIGEST, "a/b")
    assert "annotations" not in referrer
    (entry,) = registry.request("GET", f"/v2/team/app/referrers/{OTHER}").json()["manifests"]
    assert (entry["digest"], entry["artifactType"]) == (DIGEST, "a/b")
    assert "annotations" not in entry


def test_an_index_protects_the_images_it_lists(records: Records, repo: Repo) -> None:
    records.put({"imageDigest": DIGEST, "children": [OTHER]}, {"imageDigest": OTHER, "imageTags": ["child"]})
    answer = repo.ecr.batch_delete_image(repositoryName="team/app", imageIds=[{"imageDigest": OTHER}])
    assert answer["failures"][0]["failureCode"] == "ImageReferencedByManifestList"
    answer = repo.ecr.batch_delete_image(repositoryName="team/app", imageIds=[{"imageDigest": DIGEST}])
    assert answer["failures"] == []


# --- and then somebody pushes ----------------------------------------------------------------------------

CONFIG = b'{"architecture":"amd64","os":"linux"}'
MANIFEST = image_manifest(CONFIG, b"layer")
REAL = digest_of(MANIFEST)


def push_by_registry(registry: Registry, repo: Repo, tag: str) -> tuple[str, str] | None:
    reply = registry.put_manifest("team/app", tag, MANIFEST)
    return None if reply.status == 201 else reply.error


def push_by_api(registry: Registry, repo: Repo, tag: str) -> tuple[str, str] | None:
    try:
        repo.put(MANIFEST.decode(), tag)
    except repo.ecr.exceptions.LayersNotFoundException as error:
        return "MANIFEST_BLOB_UNKNOWN", error.response["Error"]["Message"]
    return None


PLANES = pytest.mark.parametrize("push", [push_by_registry, push_by_api])


@PLANES
@pytest.mark.parametrize("manifest", [None, MANIFEST.decode()])
def test_a_push_makes_the_image_whole(
    records: Records, registry: Registry, repo: Repo, clock: Clock, push: Any, manifest: str | None
) -> None:
    records.put(
        {
            "imageDigest": REAL,
            "imageTags": ["v1"],
            "imagePushedAt": 1_000,
            "imageSizeInBytes": 1,
            "imageManifest": manifest,
        }
    )
    refused = push(registry, repo, "v1")
    assert refused is not None
    assert refused[0] == "MANIFEST_BLOB_UNKNOWN"
    for blob in (CONFIG, b"layer"):
        registry.push_blob("team/app", blob)
    assert push(registry, repo, "v1") is None
    (detail,) = repo.details()
    assert (detail["imageTags"], detail["imagePushedAt"].timestamp()) == (["v1"], 1_000)
    assert detail["imageSizeInBytes"] == len(CONFIG) + 5
    assert detail["artifactMediaType"] == "application/vnd.oci.image.config.v1+json"
    assert registry.request("GET", "/v2/team/app/manifests/v1").body == MANIFEST
    clock.advance(7_200)
    emulator = records.emulator.application.emulator
    assert sweep(emulator.store, emulator.blobs, clock.now).layers == 0
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(b'layer')}").body == b"layer"
    assert records.refusal({"imageDigest": REAL}).endswith("is a pushed image; its record cannot be replaced")


def test_a_second_push_is_no_news(records: Records, registry: Registry, repo: Repo) -> None:
    records.put({"imageDigest": REAL, "imageTags": ["v1"]})
    for blob in (CONFIG, b"layer"):
        registry.push_blob("team/app", blob)
    push_by_api(registry, repo, "v1")
    code, _ = refusal(
        repo.ecr.put_image, repositoryName="team/app", imageManifest=MANIFEST.decode(), imageTag="v1"
    )
    assert code == "ImageAlreadyExistsException"


def test_a_pushed_index_has_the_images_of_its_manifest(
    records: Records, registry: Registry, repo: Repo
) -> None:
    index = image_index(MANIFEST)
    records.put({"imageDigest": digest_of(index), "children": [DIGEST]}, {"imageDigest": REAL})
    assert registry.put_manifest("team/app", "all", index, OCI_INDEX).status == 201
    assert [record.get("children") for record in records.get()] == [None, [REAL]]
    assert repo.tags() == {"all": digest_of(index)}


def test_a_push_elsewhere_tells_the_manifest_and_no_more(
    records: Records, registry: Registry, repo: Repo, ecr: Any, clock: Clock
) -> None:
    records.put({"imageDigest": REAL, "imageTags": ["v1"]})
    ecr.create_repository(repositoryName="other/app")
    assert registry.push_image("other/app", "v1", b"layer") == REAL
    assert registry.request("GET", "/v2/team/app/manifests/v1").body == MANIFEST
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(b'layer')}").status == 404
    # The image is still known by its record alone: a push has to bring its layers.
    assert push_by_registry(registry, repo, "v1") is not None
    for blob in (CONFIG, b"layer"):
        registry.push_blob("team/app", blob)
    assert push_by_registry(registry, repo, "v1") is None


def test_a_record_of_what_another_repository_has_can_be_pulled(
    records: Records, registry: Registry, ecr: Any
) -> None:
    ecr.create_repository(repositoryName="other/app")
    registry.push_image("other/app", "v1", b"layer")
    records.put({"imageDigest": REAL, "imageTags": ["v1"]})
    assert registry.request("GET", "/v2/team/app/manifests/v1").body == MANIFEST


def test_deleting_the_last_record_forgets_the_manifest(records: Records, repo: Repo) -> None:
    records.put({"imageDigest": DIGEST, "imageTags": ["v1"]}, {"imageTags": ["v2"]})
    repo.ecr.batch_delete_image(
        repositoryName="team/app", imageIds=[{"imageDigest": digest} for digest in repo.digests()]
    )
    counts = rows(records.emulator.application.emulator.store)
    assert (counts["manifests"], counts["images"], counts["image_tags"], counts["image_layers"]) == (0,) * 4
