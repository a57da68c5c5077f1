"""Images made from nothing: the tests pull no image from anywhere."""

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# For each kind of manifest: the media types of its config and of its layers.
PARTS = {
    DOCKER_MANIFEST: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
    OCI_MANIFEST: (
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
}


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def write_context(directory: Path, files: dict[str, bytes]) -> Path:
    """A Dockerfile that makes one layer per file."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = ["FROM scratch"]
    for name, content in files.items():
        (directory / name).write_bytes(content)
        lines.append(f"COPY {name} /{name}")
    (directory / "Dockerfile").write_text("\n".join(lines) + "\n")
    return directory


@dataclass(frozen=True)
class Image:
    """One image as the bytes that a registry stores."""

    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    def write_layout(self, directory: Path) -> Path:
        """Write an OCI image layout, which crane and skopeo read."""
        blobs = directory / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for blob in (self.layer, self.config, self.manifest):
            (blobs / hashlib.sha256(blob).hexdigest()).write_bytes(blob)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        index = {"schemaVersion": 2, "manifests": [_descriptor(OCI_MANIFEST, self.manifest)]}
        (directory / "index.json").write_text(json.dumps(index))
        return directory


def make_image(name: str, content: bytes, media_type: str = OCI_MANIFEST) -> Image:
    """An image of one layer that holds one file."""
    tar = _tar(name, content)
    # Level 1: the tests' contents are random and do not get smaller.
    layer = gzip.compress(tar, compresslevel=1, mtime=0)
    root = {"type": "layers", "diff_ids": [digest_of(tar)]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": root}
    config_bytes = json.dumps(config | {"history": [{"created_by": "test"}]}).encode()
    config_type, layer_type = PARTS[media_type]
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _descriptor(config_type, config_bytes),
        "layers": [_descriptor(layer_type, layer)],
    }
    return Image(layer, config_bytes, json.dumps(manifest).encode())


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _tar(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        member.mode = 0o644
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
