"""An image's SBOM as an artifact of the registry: OCI image-spec 1.1, a manifest with `subject`."""

import hashlib
import io
import json

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.core import push, upload
from ecr_emu.core.push import Pushed
from ecr_emu.core.upload import Chunk
from ecr_emu.domain import manifests
from ecr_emu.store import images, layers
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository

ARTIFACT_TYPE = "application/vnd.cyclonedx+json"
# What stands for a configuration where there is none (OCI image-spec 1.1, manifest.md).
EMPTY_TYPE, EMPTY = "application/vnd.oci.empty.v1+json", b"{}"


def attach(call: Call, repository: Repository, image: Image, sbom: bytes) -> Pushed:
    """Push the SBOM with the image as its subject. The same SBOM again is the same artifact: no news.

    Raises what a push raises.
    """
    with call.store.read() as connection:
        body = images.body(connection, image.digest)
    if not body:
        raise errors.image_without_manifest()
    manifest = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_MANIFEST,
        "artifactType": ARTIFACT_TYPE,
        "config": _blob(call, repository, EMPTY_TYPE, EMPTY),
        "layers": [_blob(call, repository, ARTIFACT_TYPE, sbom)],
        "subject": {"mediaType": image.media_type, "digest": image.digest, "size": len(body)},
    }
    content = json.dumps(manifest).encode()
    return push.put_image(call, repository, content, manifests.OCI_MANIFEST, None, [])


def _blob(call: Call, repository: Repository, media_type: str, content: bytes) -> dict[str, object]:
    """The descriptor of a blob that the repository has from now on."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with call.store.read() as connection:
        is_there = layers.find(connection, repository, digest) is not None
    if not is_there:
        upload_id = upload.start(call, repository)
        chunk = Chunk(io.BytesIO(content), len(content))
        upload.complete(call, repository, upload_id, lambda compute: compute("sha256"), chunk)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}
