"""Deleting images and tags, as BatchDeleteImage and DELETE of a manifest do, and emptying repositories."""

from sqlite3 import Connection

from ecr_emu import errors
from ecr_emu.core import after_push, events, pieces
from ecr_emu.domain import replication
from ecr_emu.store import deletions, images, layers, previews, repositories
from ecr_emu.store.database import Database
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository

# A repository with more images is emptied before it goes.
MANY_IMAGES = 500
# Of a repository that is emptied: few enough that a piece does not take much longer than it shall.
_IMAGES, _ROWS = 20, 100


def empty(store: Database, repository: Repository) -> None:
    """Delete what a large repository has, piece by piece, so that little is left to go with it.

    What is pushed meanwhile may stay. A crash leaves a repository with fewer images, all of them whole.
    """
    with store.read() as connection:
        if repositories.image_count(connection, repository) <= MANY_IMAGES:
            return
    pieces.until_done(store, lambda tx: images.delete_youngest(tx, repository, _IMAGES) == _IMAGES)
    pieces.until_done(store, lambda tx: layers.remove_unneeded(tx, repository, _ROWS) == _ROWS)
    pieces.until_done(store, lambda tx: previews.clear(tx, repository.id, _ROWS) == _ROWS)


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
