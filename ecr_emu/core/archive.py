"""Archiving images and taking them back: what UpdateImageStorageClass and lifecycle policies do."""

from sqlite3 import Connection

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.core import after_push, events, quotas, scan
from ecr_emu.store import images
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository


def archive(transaction: Connection, repository: Repository, image: Image, now: float) -> None:
    """Archive the image, or ImageStorageClassUpdateNotSupportedException.

    An index that can be pulled keeps its images (inferred; reference, control plane 4.5). An image that is
    archived already stays so.
    """
    status = image.status_at(now)
    is_needed = images.parents(transaction, repository, image.digest, archived=False)
    if status == "ACTIVATING" or (status == "ACTIVE" and is_needed):
        raise errors.storage_class_not_supported(image.digest, None, "ARCHIVE")
    if status == "ACTIVE":
        images.archive(transaction, image, now)
        scan.archive(transaction, image, now)
        events.archived(transaction, repository, image, now)


def restore(call: Call, transaction: Connection, repository: Repository, image: Image) -> bool:
    """Take the image back, which sets going what a push does (ECR user guide, Restoring an image).

    True when there is work for the background now.
    """
    activated_at = call.now + call.emulator.settings.restore_seconds
    images.restore(transaction, image, activated_at)
    events.restored(transaction, repository, image, activated_at, call.now)
    scan.restore(transaction, image)
    settings = after_push.find_settings(transaction, repository)
    is_due = after_push.start(transaction, call.now, repository, image, settings, quotas.of(call))
    return after_push.sign(call, transaction, repository, image, settings) or is_due
