"""Copies of images in other registries of this emulator, and what the destination decides about them.

Blobs are linked, not copied: all registries share the blob store. One transaction makes one copy, with the
repository, the images that an index lists and the tags: all of it arrives, or nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from ecr_emu.context import Call, Emulator, root_principal
from ecr_emu.core import create, delete, push, quotas
from ecr_emu.core.push import Incoming
from ecr_emu.domain import templates
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import images, layers, repositories
from ecr_emu.store.images import Content, Image
from ecr_emu.store.repositories import Repository

# With this header a push or a deletion is what replication brings from another emulator: it goes no further,
# and the caller must be allowed ecr:ReplicateImage (docs/replication.md).
COPY_HEADER = "X-Ecr-Emu-Replication"


class NotCopied(Exception):
    """Why an image was not copied, and why images that it lists were not: codes of errors."""

    def __init__(self, code: str, sub_codes: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.sub_codes = tuple(dict.fromkeys(sub_codes))


def code_of(error: EcrError) -> str:
    """The failure code of an error. AWS's own codes are not known; these are the names of its exceptions."""
    return error.code.removesuffix("Exception")


@dataclass(frozen=True, slots=True)
class Errand:
    """One copy: the `call` is that of the source's account at the destination."""

    call: Call
    transaction: Connection
    source: Repository
    destination: Repository

    def bring(self, image: Image, tags: Sequence[str]) -> bool:
        """Store the image at the destination, what it lists first. True when the background has work then.

        Raises NotCopied.
        """
        transaction = self.transaction
        body = images.body(transaction, image.digest)
        if not body:
            # Known by a record alone: nobody has the bytes.
            raise NotCopied("ImageNotFound")
        try:
            manifest = push.parse(body, image.media_type)
            is_due = self._bring_children(manifest.children)
            for layer in manifest.layers:
                self._link(layer.digest)
            content = Content(image.digest, image.media_type, body)
            incoming = Incoming(manifest, content, tags, self.source.registry)
            limits = quotas.of(self.call)
            _, is_news = push.store(transaction, self.call.now, self.destination, incoming, limits)
        except EcrError as error:
            raise NotCopied(code_of(error)) from None
        return is_due or is_news

    def _bring_children(self, digests: Sequence[str]) -> bool:
        is_due, codes = False, list[str]()
        for digest in digests:
            try:
                child = images.find(self.transaction, self.source, digest)
                if child is None:
                    raise NotCopied("ImageNotFound")
                is_due = self.bring(child, ()) or is_due
            except NotCopied as reason:
                codes += reason.sub_codes or [reason.code]
        if codes:
            raise NotCopied("ReferencedImagesNotFound", codes)
        return is_due

    def _link(self, digest: str) -> None:
        """Let the destination serve the blob, if the source has it."""
        if layers.find(self.transaction, self.source, digest) is not None:
            layers.add(self.transaction, self.destination, digest, self.call.now)


def caller(emulator: Emulator, account: str, destination: Registry, now: float) -> Call:
    """The call by which an account replicates to a registry."""
    return Call(emulator, root_principal(account), destination, "", now)


def copy(call: Call, transaction: Connection, source: Repository, image: Image, tags: Sequence[str]) -> bool:
    """Copy an image with those of the tags that are still its own to the registry of the call.

    True when the background has work then. Raises NotCopied; then the transaction must be rolled back.
    """
    held = [tag for tag in tags if tag in image.tags]
    try:
        authorize(call, source.name)
        destination = _destination(call, transaction, source.name)
    except EcrError as error:
        raise NotCopied(code_of(error)) from None
    return Errand(call, transaction, source, destination).bring(image, held)


def authorize(call: Call, name: str) -> None:
    """Ask the destination's registry policy; inside of an account nobody is asked.

    Raises AccessDeniedException.
    """
    if call.principal.account != call.registry.account:
        call.authorize("ecr:ReplicateImage", call.registry, name)


def repository_for_copy(call: Call, name: str) -> Repository:
    """Where a copy of another emulator goes; the repository is made if it is not there.

    Raises AccessDeniedException, and the errors of a template.
    """
    call.authorize("ecr:ReplicateImage", call.registry, name)
    with call.store.read() as connection:
        repository = repositories.find(connection, call.registry, name)
    if repository is not None:
        return repository
    with call.store.write() as transaction:
        return _destination(call, transaction, name)


def _destination(call: Call, transaction: Connection, name: str) -> Repository:
    """The repository in the registry of the call, by a template for REPLICATION if it must be made."""
    repository = repositories.find(transaction, call.registry, name)
    if repository is not None:
        return repository
    call.authorize("ecr:CreateRepository", call.registry, name)
    found = create.find_template(transaction, call.registry, name, templates.REPLICATION)
    template = found or templates.DEFAULTS
    return create.by_template(transaction, template, call.registry, name, call.now, call.emulator.settings)


def delete_copy(
    transaction: Connection, registry: Registry, name: str, digest: str, tag: str, now: float
) -> None:
    """Delete in a registry what was deleted at the source: a tag of the image, or without one the image.

    What is not there is deleted already. Raises ImageReferencedByManifestList.
    """
    repository = repositories.find(transaction, registry, name)
    image = images.find(transaction, repository, digest) if repository else None
    if repository is None or image is None:
        return
    if not tag:
        delete.delete_copy(transaction, repository, image, now)
    elif tag in image.tags:
        delete.untag_copy(transaction, repository, image, tag, now)
