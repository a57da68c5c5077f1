"""Reading manifests: every kind, and every fault."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain import manifests
from ecr_emu.domain.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    InvalidManifest,
    Layer,
    Manifest,
    UnknownMediaType,
)

CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN_TYPE = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
A, B, C = ("sha256:" + letter * 64 for letter in "abc")
LONG = "sha512:" + "d" * 128
LARGE = 2**63 - 1

CONFIG = {"mediaType": CONFIG_TYPE, "digest": A, "size": 7}
LAYER = {"mediaType": LAYER_TYPE, "digest": B, "size": 100}
IMAGE = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"digest": A, "size": 1}]}
ARTIFACT = {"mediaType": OCI_ARTIFACT, "artifactType": "text/x", "blobs": [LAYER]}


def parse(document: object, media_type: str | None = None) -> Manifest:
    return manifests.parse(json.dumps(document).encode(), media_type, orjson.loads)


@pytest.mark.parametrize("kind", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_an_image_needs_its_config_and_its_layers(kind: str) -> None:
    manifest = parse({**IMAGE, "mediaType": kind})
    assert manifest == Manifest(
        kind, (Layer(A, 7, CONFIG_TYPE), Layer(B, 100, LAYER_TYPE)), (), None, CONFIG_TYPE
    )
    assert not manifest.is_index
    assert manifest.layers_size_bytes == 107


@pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_LIST])
def test_an_index_needs_its_images(kind: str) -> None:
    entries = [{"digest": A, "size": 1, "mediaType": OCI_MANIFEST}, {"digest": LONG}]
    manifest = parse({**INDEX, "mediaType": kind, "manifests": entries})
    assert manifest == Manifest(kind, (), (A, LONG), None, None)
    assert manifest.is_index
    assert manifest.layers_size_bytes == 0


def test_an_artifact_manifest_needs_its_blobs_and_no_config() -> None:
    assert parse(ARTIFACT) == Manifest(OCI_ARTIFACT, (Layer(B, 100, LAYER_TYPE),), (), None, "text/x")


@pytest.mark.parametrize("member", ["layers", "subject"])
def test_a_list_or_subject_of_null_is_none(member: str) -> None:
    manifest = parse({**IMAGE, member: None})
    assert manifest.subject is None
    assert manifest == parse({key: value for key, value in IMAGE.items() if key != member})


@pytest.mark.parametrize("media_type", [FOREIGN_TYPE, "application/vnd.oci.image.layer.nondistributable.v1"])
def test_a_layer_from_elsewhere_is_not_required(media_type: str) -> None:
    manifest = parse({**IMAGE, "layers": [LAYER, {**LAYER, "mediaType": media_type}]})
    assert [layer.required for layer in manifest.layers] == [True, True, False]


def test_a_subject_is_found_in_every_kind() -> None:
    for document in (IMAGE, INDEX, ARTIFACT):
        assert parse({**document, "subject": {"digest": C, "size": 3}}).subject == C


@pytest.mark.parametrize(
    ("members", "artifact_type"),
    [
        ({"artifactType": "text/x"}, "text/x"),
        ({"artifactType": ""}, CONFIG_TYPE),
        ({"artifactType": None}, CONFIG_TYPE),
        ({"config": {**CONFIG, "mediaType": ""}}, None),
        ({"config": {"digest": A, "size": 1}}, None),
    ],
)
def test_the_artifact_type_is_said_or_that_of_the_config(
    members: dict[str, Any], artifact_type: str | None
) -> None:
    assert parse({**IMAGE, **members}).artifact_type == artifact_type


@pytest.mark.parametrize("announced", [None, "", OCI_MANIFEST, f"{OCI_MANIFEST}; charset=utf-8"])
def test_the_media_type_is_in_the_manifest_or_announced(announced: str | None) -> None:
    assert parse(IMAGE, announced).media_type == OCI_MANIFEST


def test_the_announced_type_is_enough() -> None:
    document = {key: value for key, value in IMAGE.items() if key not in ("mediaType", "schemaVersion")}
    assert parse(document, DOCKER_MANIFEST).media_type == DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("document", "announced", "kind"),
    [
        ({"config": CONFIG}, None, "none"),
        ({"mediaType": "text/plain"}, None, "text/plain"),
        ({}, "application/json", "application/json"),
        ({}, "application/vnd.docker.distribution.manifest.v1+json", None),
        ({"mediaType": ""}, None, ""),
    ],
)
def test_another_kind_of_document_is_named(document: Any, announced: str | None, kind: str | None) -> None:
    with pytest.raises(UnknownMediaType) as refusal:
        parse(document, announced)
    assert refusal.value.args == (announced if kind is None else kind,)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"1", b'"x"', b'{"a": "\xff"}', b'{"a": "\\ud800"}']
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidManifest, match=r"^Invalid JSON syntax$"):
        manifests.parse(body, OCI_MANIFEST, orjson.loads)


def test_json_nested_without_end_is_refused() -> None:
    with pytest.raises(InvalidManifest):
        manifests.parse(b"[" * 200_000, OCI_MANIFEST, orjson.loads)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({**IMAGE, "mediaType": 5}, "mediaType must be a string"),
        ({**IMAGE, "schemaVersion": 1}, "schemaVersion must be 2"),
        ({**IMAGE, "schemaVersion": None}, "schemaVersion must be 2"),
        ({**IMAGE, "manifests": []}, f"a manifest of type {OCI_MANIFEST} has no manifests"),
        ({**INDEX, "layers": []}, f"a manifest of type {OCI_INDEX} has no layers"),
        ({**INDEX, "config": CONFIG}, f"a manifest of type {OCI_INDEX} has no layers"),
        ({"mediaType": OCI_MANIFEST, "layers": []}, "config is missing"),
        ({**IMAGE, "config": None}, "config must be a descriptor"),
        ({**IMAGE, "layers": {}}, "layers must be a list"),
        ({**IMAGE, "layers": [LAYER, "x"]}, "layers[1] must be a descriptor"),
        ({**IMAGE, "layers": [{}]}, "layers[0].digest must be a sha256 or sha512 digest"),
        ({**IMAGE, "config": {"digest": 1}}, "config.digest must be a sha256 or sha512 digest"),
        ({**IMAGE, "config": {"digest": "md5:00"}}, "config.digest must be a sha256 or sha512 digest"),
        ({**IMAGE, "config": {**CONFIG, "size": "7"}}, "config.size must be a number of bytes"),
        ({**IMAGE, "config": {**CONFIG, "size": 1.5}}, "config.size must be a number of bytes"),
        ({**IMAGE, "config": {**CONFIG, "size": True}}, "config.size must be a number of bytes"),
        ({**IMAGE, "config": {**CONFIG, "size": -1}}, "config.size must be a number of bytes"),
        ({**IMAGE, "config": {**CONFIG, "size": LARGE + 1}}, "config.size must be a number of bytes"),
        ({**IMAGE, "config": {**CONFIG, "mediaType": 1}}, "config.mediaType must be a string"),
        ({**IMAGE, "config": {**CONFIG, "mediaType": None}}, "config.mediaType must be a string"),
        (
            {**IMAGE, "layers": [{**LAYER, "size": LARGE}]},
            "the sizes of the layers add up to more than any disk holds",
        ),
        ({**IMAGE, "subject": "x"}, "subject must be a descriptor"),
        ({**IMAGE, "subject": {"digest": "x"}}, "subject.digest must be a sha256 or sha512 digest"),
        ({**IMAGE, "artifactType": 1}, "artifactType must be a string"),
        ({**INDEX, "manifests": 1}, "manifests must be a list"),
        ({**INDEX, "manifests": [None]}, "manifests[0] must be a descriptor"),
        ({**ARTIFACT, "blobs": "x"}, "blobs must be a list"),
        ({**ARTIFACT, "blobs": [1]}, "blobs[0] must be a descriptor"),
    ],
)
def test_a_faulty_manifest_is_refused_with_its_fault(document: object, problem: str) -> None:
    with pytest.raises(InvalidManifest) as refusal:
        parse(document)
    assert str(refusal.value) == problem


def test_a_type_that_contradicts_the_announced_one_is_refused() -> None:
    with pytest.raises(InvalidManifest) as refusal:
        parse(IMAGE, DOCKER_MANIFEST)
    assert str(refusal.value) == (
        f"mediaType is {OCI_MANIFEST} in the manifest and {DOCKER_MANIFEST} in the request"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just(A),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "blobs", "subject", "artifactType"]
)


@given(st.sampled_from([IMAGE, INDEX, ARTIFACT, {}]), st.dictionaries(MEMBERS, JSON, max_size=3))
def test_any_document_is_a_manifest_or_refused(document: dict[str, Any], members: dict[str, Any]) -> None:
    try:
        manifest = parse({**document, **members}, None)
    except (InvalidManifest, UnknownMediaType):
        return
    assert 0 <= manifest.layers_size_bytes <= LARGE


@pytest.mark.parametrize(
    ("members", "annotations"),
    [
        ({"annotations": {"a": "1", "b": "2"}}, {"a": "1", "b": "2"}),
        ({"annotations": {"a": "1", "b": 2, "c": {}, "d": None}}, {"a": "1"}),
        ({"annotations": ["a"]}, {}),
        ({"annotations": None}, {}),
        ({}, {}),
    ],
)
def test_annotations_are_strings_by_strings(members: dict[str, Any], annotations: dict[str, str]) -> None:
    body = json.dumps({**IMAGE, **members}).encode()
    assert manifests.annotations(body, orjson.loads) == annotations


def test_annotations_are_found_in_every_manifest_that_was_accepted() -> None:
    deep = b"[" * 1000 + b"]" * 1000
    body = json.dumps({**INDEX, "annotations": {"a": "1"}}).encode()[:-1] + b', "x": ' + deep + b"}"
    manifests.parse(body, None, orjson.loads)
    assert manifests.annotations(body, orjson.loads) == {"a": "1"}
