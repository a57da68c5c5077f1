"""Finding what a pull needs: one look-up each, and a second only to say what is missing."""

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.domain.registries import Registry
from ecr_emu.store import images, layers, repositories
from ecr_emu.store.images import Content
from ecr_emu.store.layers import Blob


def manifest(call: Call, registry: Registry, name: str, reference: str) -> Content:
    """The manifest behind a tag or digest, or RepositoryNotFoundException or ImageNotFound."""
    call.authorize("ecr:BatchGetImage", registry, name)
    with call.store.read() as connection:
        content = images.content(connection, registry, name, reference)
        if content is None:
            repositories.get(connection, registry, name)
            raise errors.requested_image_not_found()
    return content


def blob(call: Call, registry: Registry, name: str, digest: str, action: str) -> Blob:
    """The blob, if the repository holds it, or RepositoryNotFoundException or BlobUnknown."""
    call.authorize(action, registry, name)
    with call.store.read() as connection:
        found = layers.locate(connection, registry, name, digest)
        if found is None:
            repositories.get(connection, registry, name)
            raise errors.blob_unknown(digest)
    return found
