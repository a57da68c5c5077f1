"""Manifests of images that never had bytes: true to format and digest, but their blobs are nowhere.

They are put together as text, which is several times quicker than a JSON encoder: media types, digests and
architectures hold nothing that JSON would escape (domain/record_members.py).
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from ecr_emu.domain.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

# Makes each manifest another one, and says where it is from.
ANNOTATION = "dev.ecr-emu.record"
_CONFIG_BYTES = 1_500

# Of an image: the types of its config and its layer. Of an index: the type of its images.
_PARTS = {
    OCI_MANIFEST: (
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    DOCKER_MANIFEST: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}
CHILD_TYPE = {OCI_INDEX: OCI_MANIFEST, DOCKER_LIST: DOCKER_MANIFEST}
MEDIA_TYPES = (*_PARTS, *CHILD_TYPE)


class Made(NamedTuple):
    """A manifest, and what a registry needs to know of it; `layers` are digests and media types."""

    digest: str
    media_type: str
    artifact_type: str | None
    body: bytes
    layers: tuple[tuple[str, str], ...] = ()
    children: tuple[str, ...] = ()


def image(
    seed: str, media_type: str, artifact_type: str | None, size_bytes: int, subject: str | None
) -> Made:
    """An image of so many bytes. The same seed makes the same image."""
    config_type, layer_type = _PARTS[media_type]
    config_type = artifact_type or config_type
    config_bytes = min(_CONFIG_BYTES, size_bytes)
    config, layer = _digest(f"config {seed}".encode()), _digest(f"layer {seed}".encode())
    blobs = (
        f'"config":{{{_descriptor(config_type, config, config_bytes)}}},'
        f'"layers":[{{{_descriptor(layer_type, layer, size_bytes - config_bytes)}}}]'
    )
    body = _body(media_type, blobs, subject, seed)
    layers = ((config, config_type), (layer, layer_type))
    return Made(_digest(body), media_type, config_type, body, layers)


def index(
    seed: str, media_type: str, artifact_type: str | None, images: Mapping[str, Made], subject: str | None
) -> Made:
    """An index of images, by their architecture."""
    entries = ",".join(
        f'{{{_descriptor(child.media_type, child.digest, len(child.body))},"platform":{{{_platform(name)}}}}}'
        for name, child in images.items()
    )
    kind = f'"artifactType":"{artifact_type}",' if artifact_type else ""
    body = _body(media_type, f'{kind}"manifests":[{entries}]', subject, seed)
    children = tuple(child.digest for child in images.values())
    return Made(_digest(body), media_type, artifact_type, body, children=children)


def _descriptor(media_type: str, digest: str, size_bytes: int) -> str:
    return f'"mediaType":"{media_type}","digest":"{digest}","size":{size_bytes}'


def _platform(architecture: str) -> str:
    name, _, variant = architecture.partition("/")
    return f'"architecture":"{name}","os":"linux"' + (f',"variant":"{variant}"' if variant else "")


def _body(media_type: str, members: str, subject: str | None, seed: str) -> bytes:
    # Of a subject only the digest is known.
    about = f',"subject":{{{_descriptor(OCI_MANIFEST, subject, 0)}}}' if subject else ""
    return (
        f'{{"schemaVersion":2,"mediaType":"{media_type}",{members}{about},'
        f'"annotations":{{"{ANNOTATION}":"{_digest(seed.encode())}"}}}}'
    ).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
