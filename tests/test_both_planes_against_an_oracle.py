"""Both planes, driven at random, against a plain model of what a registry holds."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from tests.clients import Registry, Running, digest_of, image_index, image_manifest

REPOSITORIES = ("team/one", "team/two", "tags/list")
BLOBS = (b"{}", b"first layer", b"second layer")
TAGS = ("v1", "v2", "latest")
FILTERS = {"IMMUTABLE_WITH_EXCLUSION": ["latest"], "MUTABLE_WITH_EXCLUSION": ["v*"]}
MODES = ("MUTABLE", "IMMUTABLE", *FILTERS)

IMAGES = tuple(
    image_manifest(BLOBS[0], *layers) for n in range(3) for layers in itertools.combinations(BLOBS, n)
)
INDEXES = (image_index(IMAGES[0]), image_index(IMAGES[0], IMAGES[1]), image_index())
NESTED = image_index(INDEXES[0])
MANIFESTS = (*IMAGES, *INDEXES, NESTED)
ACCOUNTS = itertools.count(100_000_000_000)

names = st.sampled_from(REPOSITORIES)
tags = st.sampled_from(TAGS)
manifests = st.sampled_from(MANIFESTS)
blobs = st.sampled_from(BLOBS)
planes = st.sampled_from(("api", "registry"))


def needs(manifest: bytes) -> tuple[set[str], set[str]]:
    """Digests of the blobs and of the images that a manifest needs."""
    if manifest == NESTED:
        return set(), {digest_of(INDEXES[0])}
    if manifest in INDEXES:
        return set(), {digest_of(image) for image in IMAGES if digest_of(image).encode() in manifest}
    return {digest_of(blob) for blob in BLOBS if digest_of(blob).encode() in manifest}, set()


@dataclass
class Oracle:
    """One repository, in dictionaries and sets."""

    mode: str = "MUTABLE"
    layers: set[str] = field(default_factory=set)
    images: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def is_immutable(self, tag: str) -> bool:
        matches = {"IMMUTABLE_WITH_EXCLUSION": tag == "latest", "MUTABLE_WITH_EXCLUSION": tag[0] == "v"}
        return self.mode.startswith("IMMUTABLE") != matches.get(self.mode, False)

    def put(self, manifest: bytes, tag: str | None) -> str:
        """Push a manifest: ok, known (nothing is new), missing (a part is), or immutable."""
        digest = digest_of(manifest)
        layers, children = needs(manifest)
        if digest not in self.images and (layers - self.layers or children - set(self.images)):
            return "missing"
        if tag in self.tags and self.is_immutable(tag):
            return "immutable"
        if digest in self.images and (tag is None or self.tags.get(tag) == digest):
            return "known"
        self.images[digest] = manifest
        if tag is not None:
            self.tags[tag] = digest
        return "ok"

    def delete(self, digest: str) -> str:
        """Delete an image: ok, missing, or referenced by an index."""
        if digest not in self.images:
            return "missing"
        if any(digest in needs(manifest)[1] for manifest in self.images.values()):
            return "referenced"
        gone, _ = needs(self.images.pop(digest))
        still = set().union(*(needs(manifest)[0] for manifest in self.images.values()))
        self.layers -= gone - still
        self.tags = {tag: target for tag, target in self.tags.items() if target != digest}
        return "ok"

    def untag(self, tag: str) -> str:
        """BatchDeleteImage by tag: the last tag takes the image along."""
        digest = self.tags.get(tag, "")
        if list(self.tags.values()).count(digest) == 1:
            return self.delete(digest)
        return "ok" if self.tags.pop(tag, None) else "missing"


class Planes(RuleBasedStateMachine):
    """What both planes answer is what the oracle says."""

    emulator: Running

    @initialize()
    def log_in(self) -> None:
        self.account = str(next(ACCOUNTS))
        self.ecr: Any = self.emulator.ecr(self.account)
        self.registry: Registry = self.emulator.registry(self.account)
        self.oracle: dict[str, Oracle] = {}

    # --- Repositories ----------------------------------------------------------------------------------

    @rule(name=names)
    def create(self, name: str) -> None:
        outcome = self.call("create_repository", repositoryName=name)
        assert outcome == ("RepositoryAlreadyExistsException" if name in self.oracle else "")
        self.oracle.setdefault(name, Oracle())

    @rule(name=names, force=st.booleans())
    def delete_repository(self, name: str, force: bool) -> None:
        expected = ""
        if name not in self.oracle:
            expected = "RepositoryNotFoundException"
        elif self.oracle[name].images and not force:
            expected = "RepositoryNotEmptyException"
        assert self.call("delete_repository", repositoryName=name, force=force) == expected
        if not expected:
            del self.oracle[name]

    @rule(name=names, mode=st.sampled_from(MODES))
    def set_mutability(self, name: str, mode: str) -> None:
        patterns = [{"filterType": "WILDCARD", "filter": one} for one in FILTERS.get(mode, [])]
        extra = {"imageTagMutabilityExclusionFilters": patterns} if patterns else {}
        outcome = self.call("put_image_tag_mutability", repositoryName=name, imageTagMutability=mode, **extra)
        assert outcome == ("" if name in self.oracle else "RepositoryNotFoundException")
        if name in self.oracle:
            self.oracle[name].mode = mode

    # --- Layers ----------------------------------------------------------------------------------------

    @rule(name=names, blob=blobs, plane=planes)
    def push_layer(self, name: str, blob: bytes, plane: str) -> None:
        if name not in self.oracle:
            reply = self.registry.request("POST", f"/v2/{name}/blobs/uploads/")
            assert (reply.status, reply.error[0]) == (404, "NAME_UNKNOWN")
            return
        if plane == "registry":
            self.registry.push_blob(name, blob)
        else:
            self.push_layer_by_api(name, blob)
        self.oracle[name].layers.add(digest_of(blob))

    def push_layer_by_api(self, name: str, blob: bytes) -> None:
        upload = self.ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
        part = {"partFirstByte": 0, "partLastByte": len(blob) - 1, "layerPartBlob": blob}
        self.ecr.upload_layer_part(repositoryName=name, uploadId=upload, **part)
        outcome = self.call(
            "complete_layer_upload", repositoryName=name, uploadId=upload, layerDigests=[digest_of(blob)]
        )
        is_known = digest_of(blob) in self.oracle[name].layers
        assert outcome == ("LayerAlreadyExistsException" if is_known else "")

    @rule(name=names, source=names, blob=blobs)
    def mount(self, name: str, source: str, blob: bytes) -> None:
        digest = digest_of(blob)
        reply = self.registry.request("POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}")
        if name not in self.oracle:
            assert reply.status == 404
        elif source in self.oracle and digest in self.oracle[source].layers:
            assert reply.status == 201
            self.oracle[name].layers.add(digest)
        else:
            assert reply.status == 202

    @rule(name=names, blob=blobs)
    def delete_blob(self, name: str, blob: bytes) -> None:
        digest = digest_of(blob)
        status = self.registry.request("DELETE", f"/v2/{name}/blobs/{digest}").status
        repository = self.oracle.get(name, Oracle())
        if any(digest in needs(manifest)[0] for manifest in repository.images.values()):
            assert status == 405
        else:
            assert status == (202 if digest in repository.layers else 404)
            repository.layers.discard(digest)

    # --- Images ----------------------------------------------------------------------------------------

    @rule(name=names, manifest=manifests, tag=st.none() | tags, plane=planes)
    def push_image(self, name: str, manifest: bytes, tag: str | None, plane: str) -> None:
        expected = self.oracle[name].put(manifest, tag) if name in self.oracle else "no repository"
        media_type = OCI_INDEX if manifest in (*INDEXES, NESTED) else OCI_MANIFEST
        if plane == "registry":
            reply = self.registry.put_manifest(name, tag or digest_of(manifest), manifest, media_type)
            statuses = {"ok": 201, "known": 201, "missing": 404, "immutable": 400, "no repository": 404}
            assert reply.status == statuses[expected], reply.body
            return
        extra = {"imageTag": tag} if tag else {}
        outcome = self.call("put_image", repositoryName=name, imageManifest=manifest.decode(), **extra)
        missing = "LayersNotFoundException" if needs(manifest)[0] else "ReferencedImagesNotFoundException"
        codes = {
            "ok": "",
            "known": "ImageAlreadyExistsException",
            "missing": missing,
            "immutable": "ImageTagAlreadyExistsException",
            "no repository": "RepositoryNotFoundException",
        }
        assert outcome == codes[expected]

    @rule(name=names, manifest=manifests, plane=planes)
    def delete_image(self, name: str, manifest: bytes, plane: str) -> None:
        digest = digest_of(manifest)
        expected = self.oracle[name].delete(digest) if name in self.oracle else "missing"
        if plane == "registry":
            status = self.registry.request("DELETE", f"/v2/{name}/manifests/{digest}").status
            assert status == {"ok": 202, "missing": 404, "referenced": 405}[expected]
        elif name in self.oracle:
            self.delete_by_api(name, {"imageDigest": digest}, expected)

    @rule(name=names, tag=tags, plane=planes)
    def delete_tag(self, name: str, tag: str, plane: str) -> None:
        if name not in self.oracle:
            return
        if plane == "api":
            self.delete_by_api(name, {"imageTag": tag}, self.oracle[name].untag(tag))
            return
        # On the registry the image stays, untagged: docs/differences.md.
        was_there = self.oracle[name].tags.pop(tag, None) is not None
        status = self.registry.request("DELETE", f"/v2/{name}/manifests/{tag}").status
        assert status == (202 if was_there else 404)

    def delete_by_api(self, name: str, image_id: dict[str, str], expected: str) -> None:
        answer = self.ecr.batch_delete_image(repositoryName=name, imageIds=[image_id])
        codes = [failure["failureCode"] for failure in answer["failures"]]
        failures = {"missing": ["ImageNotFound"], "referenced": ["ImageReferencedByManifestList"]}
        assert codes == failures.get(expected, [])

    # --- What must always hold --------------------------------------------------------------------------

    @invariant()
    def both_planes_show_what_the_oracle_holds(self) -> None:
        shown = {one["repositoryName"] for one in self.ecr.describe_repositories()["repositories"]}
        assert shown == set(self.oracle)
        for name, repository in self.oracle.items():
            details = self.ecr.describe_images(repositoryName=name)["imageDetails"]
            assert {one["imageDigest"] for one in details} == set(repository.images)
            found = {tag: one["imageDigest"] for one in details for tag in one.get("imageTags", [])}
            assert found == repository.tags
            reply = self.registry.request("GET", f"/v2/{name}/tags/list")
            assert reply.json() == {"name": name, "tags": sorted(repository.tags)}
            for blob in BLOBS:
                status = self.registry.request("HEAD", f"/v2/{name}/blobs/{digest_of(blob)}").status
                assert status == (200 if digest_of(blob) in repository.layers else 404)

    @invariant()
    def every_image_is_served_byte_for_byte(self) -> None:
        for name, repository in self.oracle.items():
            for digest, manifest in repository.images.items():
                assert self.registry.request("GET", f"/v2/{name}/manifests/{digest}").body == manifest

    def call(self, operation: str, **request: Any) -> str:
        """The error code that an operation answers, or nothing."""
        try:
            getattr(self.ecr, operation)(**request)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""


@pytest.fixture
def machine(start: Callable[..., Running]) -> type[Planes]:
    """The machine on an emulator of its own; each run of it takes a fresh account."""
    emulator = start()
    return type("PlanesOfOneEmulator", (Planes,), {"emulator": emulator})


@pytest.mark.timeout(300)
def test_the_planes_never_disagree_with_the_oracle(machine: type[Planes]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
