"""One client: it pushes, tags, deletes, archives, and writes down what it was told.

All clients share a few repositories and the bytes of their layers; images and tags there are each client's
own. One repository is a client's alone, and in it the layers are written down as well.
"""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from conformance.crash.oracle import Changes, Ledger, Unanswered
from conformance.crash.uploads import Uploads
from conformance.crash.wire import Wire, digest_of

SHARED = tuple(f"shared/r{number}" for number in range(4))
IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
# Of one client in one repository.
MOST_IMAGES, TAGS = 6, 6
MOST_LAYERS = 3


class Refused(Exception):
    """An answer that the client has to expect: another one deleted the last image that held a layer."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was pushed; `needs` are the digests of its blobs, `children` those of an index."""

    body: bytes
    media_type: str
    needs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()


@dataclass(slots=True)
class Client:
    """`number` names it; `pool` are blobs that all clients push."""

    number: int
    random: random.Random
    pool: dict[str, bytes]
    ledger: Ledger = field(default_factory=Ledger)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    uploads: Uploads = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.ledger, self.random)

    @property
    def own(self) -> str:
        return f"own/c{self.number}"

    def run(self, wire: Wire) -> None:
        """Work until the server is gone."""
        try:
            while True:
                self.work(wire, 1)
        except Unanswered:
            return
        finally:
            wire.close()

    def work(self, wire: Wire, deeds: int) -> None:
        """Do so many things by chance. Raises Unanswered."""
        self.uploads.wire = wire
        ways: tuple[tuple[Callable[[Wire], None], int], ...] = (
            (self.push_image, 30),
            (self.push_index, 4),
            (self.retag, 14),
            (self.delete_images, 12),
            (self.delete_tag, 10),
            (self.archive, 10),
            (self.restore, 8),
            (self.leave_upload, 5),
            (self.go_on_with_upload, 6),
            (self.repository, 3),
            (self.pull, 8),
        )
        choices, weights = zip(*ways, strict=True)
        for deed in self.random.choices(choices, weights, k=deeds):
            try:
                deed(wire)
            except Refused:
                self.ledger.acknowledged["refused: a layer is gone"] += 1

    # --- Pushing ---------------------------------------------------------------------------------------

    def push_image(self, wire: Wire) -> None:
        repository = self._place()
        if repository is None or len(self._images(repository)) >= MOST_IMAGES:
            return
        config = json.dumps({"os": "linux", "architecture": "amd64", "author": self._name()}).encode()
        layers = self.random.sample(sorted(self.pool), self.random.randint(1, MOST_LAYERS))
        blobs = {digest_of(config): config, **{digest: self.pool[digest] for digest in layers}}
        for digest, content in blobs.items():
            if not self._has(wire, repository, digest):
                self.uploads.push(repository, content, self.own, SHARED)
        body = {
            "schemaVersion": 2,
            "mediaType": IMAGE_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": [_descriptor(LAYER_TYPE, self.pool[digest]) for digest in layers],
        }
        manifest = Manifest(json.dumps(body).encode(), IMAGE_TYPE, tuple(blobs))
        self._put(wire, repository, manifest, self._tag())

    def push_index(self, wire: Wire) -> None:
        repository = self._place()
        if repository is None:
            return
        children = [
            digest
            for digest in self._images(repository, "ACTIVE")
            if self.manifests[digest].media_type == IMAGE_TYPE
        ]
        if len(children) < 2 or len(self._images(repository)) >= MOST_IMAGES:
            return
        children = self.random.sample(children, 2)
        body = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [_descriptor(IMAGE_TYPE, self.manifests[digest].body) for digest in children],
            "annotations": {"name": self._name()},
        }
        manifest = Manifest(json.dumps(body).encode(), INDEX_TYPE, children=tuple(children))
        self._put(wire, repository, manifest, self._tag())

    def retag(self, wire: Wire) -> None:
        """Let a tag point at an image that is there; one that is archived comes back by that."""
        repository, digest = self._some_image()
        if digest:
            self._put(wire, repository, self.manifests[digest], self._tag())

    def _put(self, wire: Wire, repository: str, manifest: Manifest, tag: str) -> None:
        digest = digest_of(manifest.body)
        # Before it is sent: it may be there although nobody said so.
        self.manifests[digest] = manifest
        changes: Changes = {("image", repository, digest): "ACTIVE", ("tag", repository, tag): digest}
        kind = "index" if manifest.children else "image"
        if self.random.random() < 0.5:
            with self.ledger.promise(f"PutImage, {kind}", changes):
                document = wire.call(
                    "PutImage",
                    "LayersNotFoundException",
                    "ImageAlreadyExistsException",
                    repositoryName=repository,
                    imageManifest=manifest.body.decode(),
                    imageTag=tag,
                )
                if document.get("refused") == "LayersNotFoundException":
                    raise Refused
            return
        reference = tag if self.random.random() < 0.6 else f"{digest}?tag={tag}"
        with self.ledger.promise(f"PUT manifest, {kind}", changes):
            path = f"/v2/{repository}/manifests/{reference}"
            answer = wire.ask("PUT", path, manifest.body, (201, 404), Content_Type=manifest.media_type)
            if answer.status == 404:
                raise Refused

    # --- Taking away -----------------------------------------------------------------------------------

    def delete_images(self, wire: Wire) -> None:
        """One by its digest through either plane, or several in one call: all of them or none."""
        repository = self._place()
        if repository is None:
            return
        free = self._unreferenced(repository)
        if len(free) < 2:
            return
        chosen = self.random.sample(free, self.random.randint(1, min(3, len(free))))
        changes = self._without(repository, chosen)
        if len(chosen) == 1 and self.random.random() < 0.5:
            with self.ledger.promise("DELETE manifest", changes):
                wire.ask("DELETE", f"/v2/{repository}/manifests/{chosen[0]}", b"", (202,))
            return
        ids = [{"imageDigest": digest} for digest in chosen]
        with self.ledger.promise(f"BatchDeleteImage, {len(ids)}", changes):
            self._batch_delete(wire, repository, ids)

    def delete_tag(self, wire: Wire) -> None:
        """The registry takes the tag away; BatchDeleteImage takes the image with its last tag."""
        repository = self._place()
        tags = self.ledger.of("tag", repository) if repository else []
        if repository is None or not tags:
            return
        key = self.random.choice(tags)
        tag, digest = key[2], self.ledger.facts[key]
        if self.random.random() < 0.5:
            with self.ledger.promise("DELETE tag", {key: None}):
                wire.ask("DELETE", f"/v2/{repository}/manifests/{tag}", b"", (202,))
            return
        is_last = sum(self.ledger.facts[other] == digest for other in tags) == 1
        if is_last and digest not in self._unreferenced(repository):
            return
        changes = self._without(repository, [digest]) if is_last else {key: None}
        with self.ledger.promise("BatchDeleteImage, tag", changes):
            self._batch_delete(wire, repository, [{"imageTag": tag}])

    @staticmethod
    def _batch_delete(wire: Wire, repository: str, ids: list[dict[str, str]]) -> None:
        document = wire.call("BatchDeleteImage", repositoryName=repository, imageIds=ids)
        assert document["failures"] == [], document

    def archive(self, wire: Wire) -> None:
        repository, digest = self._some_image("ACTIVE")
        if digest and digest in self._unreferenced(repository):
            self._move(wire, repository, digest, "ARCHIVE", "ARCHIVED")

    def restore(self, wire: Wire) -> None:
        repository, digest = self._some_image("ARCHIVED")
        if digest:
            self._move(wire, repository, digest, "STANDARD", "ACTIVE")

    def _move(self, wire: Wire, repository: str, digest: str, target: str, status: str) -> None:
        with self.ledger.promise(
            f"UpdateImageStorageClass, {target}", {("image", repository, digest): status}
        ):
            wire.call(
                "UpdateImageStorageClass",
                repositoryName=repository,
                imageId={"imageDigest": digest},
                targetStorageClass=target,
            )

    def repository(self, wire: Wire) -> None:
        """Make the client's own repository, or delete it with all that is in it."""
        if ("repository", self.own) not in self.ledger.facts:
            with self.ledger.promise("CreateRepository", {("repository", self.own): True}):
                wire.call("CreateRepository", repositoryName=self.own)
        elif self.random.random() < 0.3:
            changes: Changes = dict.fromkeys(key for key in self.ledger.facts if key[1] == self.own)
            with self.ledger.promise("DeleteRepository", changes):
                wire.call("DeleteRepository", repositoryName=self.own, force=True)

    # --- Uploads, and reading ---------------------------------------------------------------------------

    def leave_upload(self, wire: Wire) -> None:
        """Begin an upload and send some of it; another deed, or a time after a restart, goes on with it."""
        repository = self._place()
        if repository and len(self.ledger.of("upload")) < 2:
            self.uploads.begin_and_leave(repository, self.pool[self.random.choice(sorted(self.pool))])

    def go_on_with_upload(self, wire: Wire) -> None:
        found = self.ledger.of("upload")
        if found:
            self.uploads.go_on(self.random.choice(found))

    def pull(self, wire: Wire) -> None:
        repository, digest = self._some_image("ACTIVE")
        if digest:
            manifest = self.manifests[digest]
            read(wire, repository, digest, self.random.sample(manifest.needs, min(1, len(manifest.needs))))
            self.ledger.acknowledged["pull"] += 1

    # --- What is there ---------------------------------------------------------------------------------

    def _name(self) -> str:
        return f"c{self.number}-{self.random.getrandbits(64):x}"

    def _tag(self) -> str:
        return f"c{self.number}-{self.random.randrange(TAGS)}"

    def _place(self) -> str | None:
        """A shared repository, or the client's own, if there is one."""
        if self.random.random() < 0.5:
            return self.random.choice(SHARED)
        return self.own if ("repository", self.own) in self.ledger.facts else None

    def _has(self, wire: Wire, repository: str, digest: str) -> bool:
        if repository == self.own:
            return ("layer", repository, digest) in self.ledger.facts
        return wire.ask("HEAD", f"/v2/{repository}/blobs/{digest}", b"", (200, 404)).status == 200

    def _images(self, repository: str, status: str | None = None) -> list[str]:
        keys = self.ledger.of("image", repository)
        return [key[2] for key in keys if status in (None, self.ledger.facts[key])]

    def _some_image(self, status: str | None = None) -> tuple[str, str]:
        """Repository and digest of an image, or "" for the digest."""
        repository = self._place()
        found = self._images(repository, status) if repository else []
        return repository or "", self.random.choice(found) if found else ""

    def _unreferenced(self, repository: str) -> list[str]:
        images = self._images(repository)
        listed = {child for digest in images for child in self.manifests[digest].children}
        return [digest for digest in images if digest not in listed]

    def _without(self, repository: str, digests: Iterable[str]) -> Changes:
        """What changes when images go: their tags, and the layers that no other image needs."""
        gone = list(dict.fromkeys(digests))
        changes: Changes = {("image", repository, digest): None for digest in gone}
        for key in self.ledger.of("tag", repository):
            if self.ledger.facts[key] in gone:
                changes[key] = None
        came = {key: number for number, key in enumerate(self.ledger.facts)}
        left = self._images(repository)
        for digest in gone:
            left.remove(digest)
            kept = {need for image in left for need in self.manifests[image].needs}
            for need in self.manifests[digest].needs:
                key = ("layer", repository, need)
                # One that was pushed again after the image stays: another image may be about to come.
                if key in came and need not in kept and came[key] < came["image", repository, digest]:
                    changes[key] = None
        return changes


def read(wire: Wire, repository: str, digest: str, layers: Iterable[str]) -> None:
    """Pull a manifest and blobs, and compare each with its digest."""
    manifest = wire.ask("GET", f"/v2/{repository}/manifests/{digest}").body
    assert digest_of(manifest) == digest, f"{repository}@{digest} has other bytes"
    for layer in layers:
        content = wire.ask("GET", f"/v2/{repository}/blobs/{layer}").body
        assert digest_of(content) == layer, f"{layer} in {repository} has other bytes"


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
