"""Archiving images and taking them back."""

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.images import get_image
from ecr_emu.core import after_push
from ecr_emu.store import images
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository


@operation
def update_image_storage_class(call: Call, request: Mapping[str, Any]) -> Answer:
    registry = call.target(request.get("registryId"))
    repository = call.repository("ecr:UpdateImageStorageClass", registry, request["repositoryName"])
    image_id, target = request["imageId"], request["targetStorageClass"]
    with call.store.write() as transaction:
        image = get_image(transaction, repository, image_id)
        # Asking for the class that an image has already changes nothing (AWS's answer is unverified).
        if target == "ARCHIVE":
            _archive(transaction, call, repository, image)
        elif image.status_at(call.now) == "ARCHIVED":
            _restore(transaction, call, repository, image)
        image = get_image(transaction, repository, {"imageDigest": image.digest})
    return {
        "registryId": registry.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, "imageTag": image_id.get("imageTag")},
        "imageStatus": image.status_at(call.now),
    }


def _archive(transaction: Connection, call: Call, repository: Repository, image: Image) -> None:
    """Archive the image; an index that can be pulled keeps its images (inferred; reference 4.5)."""
    status = image.status_at(call.now)
    is_needed = images.parents(transaction, repository, image.digest, archived=False)
    if status == "ACTIVATING" or (status == "ACTIVE" and is_needed):
        raise errors.storage_class_not_supported(image.digest, None, "ARCHIVE")
    if status == "ACTIVE":
        images.archive(transaction, image, call.now)


def _restore(transaction: Connection, call: Call, repository: Repository, image: Image) -> None:
    """Take the image back, which sets going what a push does (ECR user guide, Restoring an image)."""
    images.restore(transaction, image, call.now + call.emulator.settings.restore_seconds)
    settings = after_push.find_settings(transaction, repository)
    after_push.start(transaction, call.now, repository, image, settings)
