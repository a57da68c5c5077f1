"""Archiving images and taking them back."""

from collections.abc import Mapping
from typing import Any

from ecr_emu.context import Call
from ecr_emu.control.operations import Answer, operation
from ecr_emu.control.operations.images import get_image
from ecr_emu.core.archive import archive, restore


@operation
def update_image_storage_class(call: Call, request: Mapping[str, Any]) -> Answer:
    registry = call.target(request.get("registryId"))
    repository = call.repository("ecr:UpdateImageStorageClass", registry, request["repositoryName"])
    image_id, target = request["imageId"], request["targetStorageClass"]
    is_due = False
    with call.store.write() as transaction:
        image = get_image(transaction, repository, image_id)
        # Asking for the class that an image has already changes nothing (AWS's answer is unverified).
        if target == "ARCHIVE":
            archive(transaction, repository, image, call.now)
        elif image.status_at(call.now) == "ARCHIVED":
            is_due = restore(call, transaction, repository, image)
        image = get_image(transaction, repository, {"imageDigest": image.digest})
    if is_due:
        call.emulator.wake.set()
    return {
        "registryId": registry.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, "imageTag": image_id.get("imageTag")},
        "imageStatus": image.status_at(call.now),
    }
