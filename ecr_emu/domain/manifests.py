"""Reading a manifest: what kind it is and what it refers to.

Formats: OCI image-spec 1.1 (manifest, index, artifact use), the older OCI artifact manifest, and Docker
image manifest version 2, schema 2. Docker schema 1 is refused: no client makes it any more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu.domain import names

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

MAX_MANIFEST_BYTES = 4_194_304
MAX_SIZE_BYTES = 2**63 - 1


class InvalidManifest(ValueError):
    """Not a manifest; the argument says why."""


class UnknownMediaType(ValueError):
    """A manifest of a kind that is not stored; the argument is the media type, or what stands for it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob that a manifest needs: its digest, its size and the media type the manifest gives it."""

    digest: str
    size_bytes: int
    media_type: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a registry needs to know of a manifest. `artifact_type` is ECR's artifactMediaType."""

    media_type: str
    layers: tuple[Layer, ...]
    children: tuple[str, ...]
    subject: str | None
    artifact_type: str | None

    @property
    def is_index(self) -> bool:
        return self.media_type in (OCI_INDEX, DOCKER_LIST)

    @property
    def layers_size_bytes(self) -> int:
        """Config and layers together, compressed, as the manifest states them: imageSizeInBytes."""
        return sum(layer.size_bytes for layer in self.layers)


def parse(body: bytes, media_type: str | None, loads: Callable[[bytes], Any]) -> Manifest:
    """Read the exact bytes of a manifest. `media_type` is what the client announced, if anything.

    `loads` reads JSON; it must take UTF-8 only, because the JSON API hands the bytes out as text.

    Raises InvalidManifest, or UnknownMediaType when neither client nor manifest names a known kind.
    """
    try:
        document = loads(body)
    except ValueError:
        raise InvalidManifest("Invalid JSON syntax") from None
    if not isinstance(document, dict):
        raise InvalidManifest("Invalid JSON syntax")
    kind = _media_type(document, media_type)
    if document.get("schemaVersion", 2) != 2:
        raise InvalidManifest("schemaVersion must be 2")
    children = _children(document) if kind in (OCI_INDEX, DOCKER_LIST) else ()
    layers = () if kind in (OCI_INDEX, DOCKER_LIST) else _layers(document, kind)
    if sum(layer.size_bytes for layer in layers) > MAX_SIZE_BYTES:
        raise InvalidManifest("the sizes of the layers add up to more than any disk holds")
    subject = document.get("subject")
    return Manifest(
        kind,
        layers,
        children,
        _descriptor(subject, "subject")[0] if subject is not None else None,
        _artifact_type(document),
    )


def annotations(body: bytes, loads: Callable[[bytes], Any]) -> dict[str, str]:
    """The annotations of a stored manifest, read by the `loads` that parsed it: strings by strings."""
    found = loads(body).get("annotations")
    entries = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in entries if isinstance(value, str)}


def _media_type(document: Mapping[str, Any], announced: str | None) -> str:
    inside = document.get("mediaType")
    if inside is not None and not isinstance(inside, str):
        raise InvalidManifest("mediaType must be a string")
    announced = announced.partition(";")[0].strip() if announced else None
    kind = announced or inside
    if kind is None:
        raise UnknownMediaType("none")
    if inside is not None and inside != kind:
        raise InvalidManifest(f"mediaType is {inside} in the manifest and {kind} in the request")
    if kind not in (OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT, DOCKER_MANIFEST, DOCKER_LIST):
        raise UnknownMediaType(kind)
    # A document that is both would be read as one thing here and as another there.
    other = ("layers", "config") if kind in (OCI_INDEX, DOCKER_LIST) else ("manifests",)
    if any(member in document for member in other):
        raise InvalidManifest(f"a manifest of type {kind} has no {other[0]}")
    return kind


def _layers(document: Mapping[str, Any], kind: str) -> tuple[Layer, ...]:
    found = []
    if kind != OCI_ARTIFACT:
        if "config" not in document:
            raise InvalidManifest("config is missing")
        found.append(_layer(document["config"], "config"))
    member = "blobs" if kind == OCI_ARTIFACT else "layers"
    for number, entry in enumerate(_list(document, member)):
        found.append(_layer(entry, f"{member}[{number}]"))
    return tuple(found)


def _layer(entry: object, where: str) -> Layer:
    digest, size, media_type = _descriptor(entry, where)
    return Layer(digest, size, media_type, required=not is_foreign(media_type))


def is_foreign(media_type: str) -> bool:
    """True for layers that are fetched from elsewhere and never pushed."""
    return "nondistributable" in media_type or ".foreign." in media_type


def _children(document: Mapping[str, Any]) -> tuple[str, ...]:
    entries = _list(document, "manifests")
    return tuple(_descriptor(entry, f"manifests[{n}]")[0] for n, entry in enumerate(entries))


def _list(document: Mapping[str, Any], member: str) -> list[Any]:
    entries = document.get(member)
    # Go programs write an empty list as null.
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise InvalidManifest(f"{member} must be a list")
    return entries


def _descriptor(entry: object, where: str) -> tuple[str, int, str]:
    """Digest, size and media type of a descriptor."""
    if not isinstance(entry, dict):
        raise InvalidManifest(f"{where} must be a descriptor")
    digest, size, media_type = entry.get("digest"), entry.get("size", 0), entry.get("mediaType", "")
    if not isinstance(digest, str) or not names.is_digest(digest):
        raise InvalidManifest(f"{where}.digest must be a sha256 or sha512 digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE_BYTES:
        raise InvalidManifest(f"{where}.size must be a number of bytes")
    if not isinstance(media_type, str):
        raise InvalidManifest(f"{where}.mediaType must be a string")
    return digest, size, media_type


def _artifact_type(document: Mapping[str, Any]) -> str | None:
    """`artifactType`, else the media type of the config (OCI distribution-spec 1.1, referrers)."""
    own = document.get("artifactType")
    if own is not None and not isinstance(own, str):
        raise InvalidManifest("artifactType must be a string")
    if own:
        return own
    config = document.get("config")
    media_type = config.get("mediaType") if isinstance(config, dict) else None
    # The older artifact manifest has no config, so nobody looked at what stands there.
    return media_type if isinstance(media_type, str) and media_type else None
