"""Records of images, in the words of DescribeImages."""

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain import manifests
from ecr_emu.domain.image_records import Defaults, ImageRecord, Reader, entries, image_at, settle
from ecr_emu.domain.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST
from ecr_emu.domain.record_members import InvalidRecord
from ecr_emu.domain.registries import Registry
from tests.clients import digest_of, image_index, image_manifest

NOW = 1_750_000_000.0
HOME = Registry("000000000000", "us-east-1")
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def a_reader(repository: str | None = "team/app", restore_seconds: float = 60.0) -> Reader:
    return Reader(Defaults(HOME, NOW, repository, restore_seconds), orjson.loads)


def read(entry: object) -> list[ImageRecord]:
    return a_reader().read("line 1", entry)


def one(**members: Any) -> ImageRecord:
    (record,) = read(members)
    return record


def refusal(entry: object) -> str:
    with pytest.raises(InvalidRecord) as caught:
        read(entry)
    text = str(caught.value)
    assert text.startswith("line 1: ")
    assert "\n" not in text
    return text.removeprefix("line 1: ")


# --- texts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"\n \n", []),
        (b'{"a":1}', [("line 1", {"a": 1})]),
        (b'\xef\xbb\xbf{"a":1}\r\n\r\n{"b":2}\n', [("line 1", {"a": 1}), ("line 3", {"b": 2})]),
        (b'[{"a":1},\n {"b":2}]', [("image 1", {"a": 1}), ("image 2", {"b": 2})]),
        (b'{\n "imageDetails": [\n {"a":1}, 7]\n}', [("image 1", {"a": 1}), ("image 2", 7)]),
        (b'{"imageDetails":[{"a":1}]}', [("line 1, image 1", {"a": 1})]),
        (b'{"imageDetails":[{"a":1}]}\n{"imageDetails":[]}', [("line 1, image 1", {"a": 1})]),
        (b'{"imageDetails":{}}', [("line 1", {"imageDetails": {}})]),
        (b'{"a":1}\n"text"', [("line 1", {"a": 1}), ("line 2", "text")]),
        (b"{\n}", [("image 1", {})]),
    ],
)
def test_a_text_is_lines_or_a_list_or_what_describe_images_prints(
    text: bytes, expected: list[tuple[str, object]]
) -> None:
    assert list(entries(text, orjson.loads)) == expected


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"digest tags", "line 1"),
        (b'{"a":1}\n{"b":', "line 2"),
        (b'[\n{"a":1},\n{"b"}\n]', "line 3"),
        (b"\xff", "line 1"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text: bytes, where: str) -> None:
    with pytest.raises(InvalidRecord, match=f"^{where}: this is not JSON; give one object a line"):
        list(entries(text, orjson.loads))


# --- members ---------------------------------------------------------------------------------------------


def test_what_a_record_does_not_say_gets_a_default() -> None:
    record = one(imageDigest=DIGEST)
    assert record == ImageRecord(
        where="line 1",
        registry=HOME,
        repository="team/app",
        digest=DIGEST,
        media_type=OCI_MANIFEST,
        artifact_type=None,
        subject_digest=None,
        size_bytes=0,
        tags=(),
        pushed_at=NOW,
        pulled_at=None,
        status="ACTIVE",
        archived_at=None,
        activated_at=None,
        body=b"",
        layers=(),
        children=(),
    )


def test_a_record_says_everything_that_describe_images_does() -> None:
    record = one(
        registryId="111122223333",
        region="eu-west-1",
        repositoryName="other/app",
        imageDigest=DIGEST,
        imageTags=["v1", "v2", "v1"],
        imageSizeInBytes=12,
        imagePushedAt="2025-06-15T15:06:40.250000+00:00",
        lastRecordedPullTime=1_750_000_001,
        imageManifestMediaType=DOCKER_MANIFEST,
        artifactMediaType="application/vnd.docker.container.image.v1+json",
        subjectManifestDigest=OTHER,
        imageStatus="ARCHIVED",
        lastArchivedAt=1_750_000_002.5,
        lastActivatedAt=1_700_000_000,
        imageScanStatus={"status": "COMPLETE"},
        somethingNew=True,
    )
    assert record[1:14] == (
        Registry("111122223333", "eu-west-1"),
        "other/app",
        DIGEST,
        DOCKER_MANIFEST,
        "application/vnd.docker.container.image.v1+json",
        OTHER,
        12,
        ("v1", "v2"),
        1_750_000_000.25,
        1_750_000_001.0,
        "ARCHIVED",
        1_750_000_002.5,
        1_700_000_000.0,
    )


def test_null_is_as_good_as_nothing() -> None:
    members = ("imageTags", "imagePushedAt", "imageStatus", "children", "architectures", "imageSizeInBytes")
    assert one(imageDigest=DIGEST, **dict.fromkeys(members)) == one(imageDigest=DIGEST)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"imageDigest": "sha256:aa"}, "imageDigest must be a sha256 or sha512 digest, and is 'sha256:aa'"),
        ({"imageDigest": 7}, "imageDigest must be a sha256 or sha512 digest, and is 7"),
        ({"registryId": "1"}, "registryId must be an account of 12 digits, and is '1'"),
        ({"region": "US EAST"}, "region must be a region such as us-east-1, and is 'US EAST'"),
        ({"repositoryName": "A"}, "repositoryName must be the name of a repository, and is 'A'"),
        ({"imageTags": "v1"}, "imageTags must be a list of tags"),
        ({"imageTags": ["a b"]}, "imageTags must be a list of tags"),
        ({"imageTags": [None]}, "imageTags must be a list of tags"),
        ({"imageTags": [f"v{n}" for n in range(1001)]}, "imageTags has 1001 entries, and may have 1000"),
        ({"imageTags": ["x" * 400]}, "…"),
        ({"imageSizeInBytes": -1}, "imageSizeInBytes must be a number of bytes"),
        ({"imageSizeInBytes": True}, "imageSizeInBytes must be a number of bytes"),
        ({"imageSizeInBytes": 2**63}, "imageSizeInBytes must be a number of bytes"),
        ({"imageSizeInBytes": "5"}, "imageSizeInBytes must be a number of bytes"),
        ({"imagePushedAt": "yesterday"}, "imagePushedAt: 'yesterday' is no time; write it as 2027-"),
        ({"imagePushedAt": -1}, "imagePushedAt must be a time since 1970"),
        ({"imagePushedAt": 1_750_000_000_000}, "imagePushedAt must be a time since 1970"),
        ({"imagePushedAt": False}, "imagePushedAt must be a time since 1970"),
        ({"imagePushedAt": {}}, "imagePushedAt must be a time since 1970"),
        ({"lastRecordedPullTime": []}, "lastRecordedPullTime must be a time since 1970"),
        ({"imageStatus": "GONE"}, "imageStatus must be one of ACTIVE, ARCHIVED, ACTIVATING, and is 'GONE'"),
        ({"imageStatus": "ARCHIVED"}, "an image whose imageStatus is ARCHIVED needs lastArchivedAt"),
        ({"imageManifestMediaType": 'a/"b"'}, "imageManifestMediaType must be a media type"),
        ({"artifactMediaType": ""}, "artifactMediaType must be a media type"),
        ({"subjectManifestDigest": "x"}, "subjectManifestDigest must be a sha256 or sha512 digest"),
        ({"children": ["x"]}, "children must be a list of sha256 or sha512 digests, and is 'x'"),
        ({"children": [DIGEST]}, "children needs imageDigest; to make an index, give architectures"),
        ({"architectures": ["x86-64"]}, "architectures must be a list of architectures such as amd64"),
        (
            {"architectures": ["amd64"], "children": [DIGEST]},
            "give architectures or children, not both",
        ),
        (
            {"architectures": ["amd64"], "imageManifestMediaType": OCI_MANIFEST},
            "architectures make an index, so imageManifestMediaType must be",
        ),
        ({"imageManifestMediaType": OCI_INDEX}, "no image of type"),
        ({"imageManifestMediaType": OCI_ARTIFACT}, "no image of type"),
        ({"imageManifest": {}}, "imageManifest must be a string"),
        ({"imageManifest": "{}"}, "imageManifest is no manifest (none)"),
        ({"imageManifest": "["}, "imageManifest is no manifest (Invalid JSON syntax)"),
        (
            {"imageManifest": image_manifest(b"c").decode(), "imageDigest": DIGEST},
            "imageDigest is not the digest of imageManifest, which is sha256:",
        ),
    ],
)
def test_a_bad_member_is_named(members: dict[str, Any], expected: str) -> None:
    assert expected in refusal(members)


@pytest.mark.parametrize("entry", [None, 1, "text", [], True])
def test_a_record_is_an_object(entry: object) -> None:
    assert refusal(entry) == "a record must be a JSON object"


@pytest.mark.parametrize("entry", [{"rules": []}, {"ImageTags": ["v1"]}, {"imageDetails": {}}])
def test_an_object_that_says_nothing_of_an_image_is_no_record(entry: object) -> None:
    assert refusal(entry).startswith("this is no record of an image; it has no imageTags, imageDigest")


def test_a_record_that_says_nothing_is_an_image() -> None:
    assert one().digest == digest_of(one().body)


def test_a_record_without_a_repository_needs_a_default() -> None:
    with pytest.raises(InvalidRecord, match=r"^line 4: repositoryName is missing; give it here or for all"):
        a_reader(None).read("line 4", {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(
    [
        "repositoryName",
        "imageDigest",
        "imageTags",
        "imageSizeInBytes",
        "imagePushedAt",
        "imageStatus",
        "children",
        "architectures",
        "imageManifest",
        "imageManifestMediaType",
    ]
)


@given(st.dictionaries(MEMBERS, JSON | st.lists(st.text(max_size=3), max_size=2)))
def test_any_record_is_read_or_refused(entry: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRecord):
        assert read(entry) != []


# --- status ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_at", "expected"), [(None, NOW + 60), (NOW - 9, NOW + 60), (NOW + 5, NOW + 5)]
)
def test_an_image_that_is_activating_will_be_back(given_at: float | None, expected: float) -> None:
    record = one(imageDigest=DIGEST, imageStatus="ACTIVATING", lastActivatedAt=given_at)
    assert record.activated_at == expected
    assert image_at(record, 1, expected - 1).status == "ACTIVATING"
    assert image_at(record, 1, expected).status == "ACTIVE"


def test_rules_look_at_what_the_record_says() -> None:
    record = one(
        imageDigest=DIGEST,
        imageTags=["b", "a"],
        imageSizeInBytes=5,
        imagePushedAt=1,
        lastRecordedPullTime=2,
        lastArchivedAt=3,
        imageStatus="ARCHIVED",
        subjectManifestDigest=OTHER,
    )
    image = image_at(record, 7, NOW)
    assert (image.digest, image.tags, image.sequence) == (DIGEST, ("b", "a"), 7)
    assert (image.pushed_at, image.pulled_at, image.archived_at, image.status) == (1, 2, 3, "ARCHIVED")
    assert (image.size_bytes, image.subject_digest, image.children) == (5, OTHER, ())


# --- manifests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", [None, OCI_MANIFEST, DOCKER_MANIFEST])
@pytest.mark.parametrize("size_bytes", [0, 700, 48_318_255])
def test_a_record_without_a_digest_gets_a_true_manifest(media_type: str | None, size_bytes: int) -> None:
    record = one(imageSizeInBytes=size_bytes, imageManifestMediaType=media_type, subjectManifestDigest=OTHER)
    manifest = manifests.parse(record.body, None, orjson.loads)
    assert record.digest == digest_of(record.body)
    assert (manifest.media_type, manifest.artifact_type) == (record.media_type, record.artifact_type)
    assert manifest.media_type == (media_type or OCI_MANIFEST)
    assert manifest.layers_size_bytes == record.size_bytes == size_bytes
    assert manifest.subject == record.subject_digest == OTHER
    assert tuple((layer.digest, layer.media_type) for layer in manifest.layers) == record.layers


def test_the_artifact_type_is_that_of_the_config() -> None:
    record = one(artifactMediaType="application/vnd.cncf.helm.config.v1+json")
    assert json.loads(record.body)["config"]["mediaType"] == record.artifact_type
    assert record.artifact_type == "application/vnd.cncf.helm.config.v1+json"


def test_the_same_records_make_the_same_images_and_equal_ones_are_different_images() -> None:
    def digests() -> list[str]:
        reader = a_reader()
        entries = [{"imageTags": ["a"]}, {"imageTags": ["b"]}, {}, {}, {"repositoryName": "other/app"}]
        return [record.digest for entry in entries for record in reader.read("line 1", entry)]

    first, again = digests(), digests()
    assert first == again
    assert len(set(first[:4])) == 4
    assert first[4] == first[2]


@pytest.mark.parametrize(
    ("media_type", "child_type"), [(OCI_INDEX, OCI_MANIFEST), (DOCKER_LIST, DOCKER_MANIFEST)]
)
def test_architectures_make_an_index_behind_its_images(media_type: str, child_type: str) -> None:
    *children, index = read(
        {
            "architectures": ["amd64", "arm/v7"],
            "imageTags": ["v1"],
            "imageSizeInBytes": 900,
            "imagePushedAt": 5,
            "imageManifestMediaType": media_type,
            "artifactMediaType": "application/vnd.example",
        }
    )
    assert [child.media_type for child in children] == [child_type, child_type]
    assert [child.tags for child in children] == [(), ()]
    assert {record.size_bytes for record in (*children, index)} == {900}
    assert {record.pushed_at for record in (*children, index)} == {5}
    assert (index.media_type, index.tags, index.layers) == (media_type, ("v1",), ())
    assert index.children == tuple(child.digest for child in children)
    parsed = manifests.parse(index.body, None, orjson.loads)
    assert (parsed.children, parsed.artifact_type) == (index.children, "application/vnd.example")
    document = json.loads(index.body)
    assert [entry["platform"] for entry in document["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
    ]
    assert [entry["size"] for entry in document["manifests"]] == [len(child.body) for child in children]
    assert index.digest == digest_of(index.body)


def test_an_index_with_a_digest_has_an_unknown_manifest() -> None:
    child, index = read({"imageDigest": DIGEST, "architectures": ["amd64"]})
    assert (index.digest, index.body, index.children) == (DIGEST, b"", (child.digest,))
    assert child.body != b""


def test_children_make_a_hollow_index() -> None:
    record = one(imageDigest=DIGEST, children=[OTHER])
    assert (record.media_type, record.children, record.body) == (OCI_INDEX, (OTHER,), b"")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_manifest_says_what_the_image_is(algorithm: str) -> None:
    body = image_manifest(
        b"config", b"layer", subject={"mediaType": OCI_MANIFEST, "digest": OTHER, "size": 1}
    )
    record = one(
        imageDigest=digest_of(body, algorithm),
        imageManifest=body.decode(),
        imageSizeInBytes=1,
        imageTags=["a"],
    )
    assert (record.body, record.size_bytes, record.subject_digest) == (body, 11, OTHER)
    assert [digest for digest, _ in record.layers] == [digest_of(b"config"), digest_of(b"layer")]


def test_the_size_of_an_index_is_that_of_the_record() -> None:
    child = image_manifest(b"config")
    record = one(imageManifest=image_index(child).decode(), imageSizeInBytes=77)
    assert (record.size_bytes, record.children, record.media_type) == (77, (digest_of(child),), OCI_INDEX)
    assert record.digest == digest_of(record.body)


# --- several ---------------------------------------------------------------------------------------------


def test_images_are_in_the_order_of_their_pushes() -> None:
    reader = a_reader()
    written = [
        {"imageDigest": DIGEST, "imagePushedAt": 5, "children": [OTHER]},
        {"imageDigest": OTHER, "imagePushedAt": 5},
        {"imageDigest": "sha256:" + "c" * 64, "imagePushedAt": 1},
    ]
    settled = settle([record for entry in written for record in reader.read("line 1", entry)])
    assert [record.digest[7] for record in settled] == ["c", "b", "a"]


def test_a_tag_belongs_to_the_image_that_was_pushed_last() -> None:
    reader = a_reader()
    written = [
        {"imageDigest": DIGEST, "imagePushedAt": 5, "imageTags": ["latest", "new"]},
        {"imageDigest": OTHER, "imagePushedAt": 1, "imageTags": ["latest", "old"]},
    ]
    settled = settle([record for entry in written for record in reader.read("line 1", entry)])
    assert [record.tags for record in settled] == [("old",), ("latest", "new")]


def test_of_two_records_of_an_image_the_last_counts() -> None:
    records = [one(imageDigest=DIGEST, imageSizeInBytes=1), one(imageDigest=DIGEST, imageSizeInBytes=2)]
    assert [record.size_bytes for record in settle(records)] == [2]
