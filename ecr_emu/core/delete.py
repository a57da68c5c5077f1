"""Deleting images and tags: what BatchDeleteImage and DELETE /v2/<name>/manifests/<reference> both do."""

from sqlite3 import Connection

from ecr_emu import errors
from ecr_emu.core import after_push, events
from ecr_emu.domain import replication
from ecr_emu.store import deletions, images, layers
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository


def delete_image(transaction: Connection, repository: Repository, image: Image, now: float) -> None:
    """Delete an image with all its tags, or ImageReferencedByManifestList.

    The repository gives up the layers that no other image of it needs, but for those that were pushed again
    after this one: an image that needs them may be about to come. The sweeper takes them an hour later, and
    frees the bytes that no repository holds. Where a rule replicates deletions, the image is to be deleted as
    well.
    """
    delete_copy(transaction, repository, image, now)
    _replicate(transaction, repository, image, "")


def delete_copy(transaction: Connection, repository: Repository, image: Image, now: float) -> None:
    """The same for an image that replication brought here: this goes no further."""
    parents = images.parents(transaction, repository, image.digest)
    if parents:
        raise errors.image_referenced_by_list(parents)
    needed = layers.of_image(transaction, image.id)
    images.delete(transaction, image)
    layers.remove_unused(transaction, repository.id, needed, image.pushed_at)
    events.deleted(transaction, repository, image, image.tags, now)


def delete_tag(transaction: Connection, repository: Repository, image: Image, tag: str, now: float) -> None:
    """Delete a tag; with its last tag the image goes too (ECR, BatchDeleteImage)."""
    if image.tags == (tag,):
        delete_image(transaction, repository, image, now)
    else:
        untag(transaction, repository, image, tag, now)


def untag(transaction: Connection, repository: Repository, image: Image, tag: str, now: float) -> None:
    """Take a tag away; the image stays, with or without others (OCI distribution-spec, Deleting tags)."""
    untag_copy(transaction, repository, image, tag, now)
    _replicate(transaction, repository, image, tag)


def untag_copy(transaction: Connection, repository: Repository, image: Image, tag: str, now: float) -> None:
    """The same for what replication takes away here."""
    images.delete_tag(transaction, repository, tag)
    events.deleted(transaction, repository, image, (tag,), now)


def _replicate(transaction: Connection, repository: Repository, image: Image, tag: str) -> None:
    """ECR user guide, Replicating image deletions."""
    rules = after_push.replication_rules(transaction, repository.registry)
    places = replication.deletes_at(rules, repository.name)
    deletions.put(transaction, repository, image.digest, tag, places)
