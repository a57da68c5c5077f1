"""How a copy gets to its destination; this file has the way inside of this emulator.

Another way is that to the emulator that plays a region: jobs/peers.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Protocol

from ecr_emu.context import Emulator
from ecr_emu.core import replicate
from ecr_emu.core.replicate import NotCopied
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import replications
from ecr_emu.store.deletions import Deletion

# Writes down that something is done; it may raise to have a copy in this emulator undone.
Done = Callable[[Connection], object]


class NotNow(Exception):
    """A copy that may be made later. `is_general` when nothing else can be copied there now either."""

    def __init__(self, code: str, *, is_general: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_general = is_general


@dataclass(frozen=True, slots=True)
class Load:
    """An image that is to be copied, and the time that counts as that of its push there."""

    image_id: int
    tags: tuple[str, ...]
    destination: Registry
    at: float


class Carrier(Protocol):
    """Raises NotCopied for what is refused for good, and NotNow for what is not."""

    def carry(self, load: Load, done: Done) -> None:
        """Make a copy. Nothing is done when the image has gone."""

    def delete(self, deletion: Deletion, done: Done) -> None:
        """Delete what was deleted at the source."""

    def close(self) -> None:
        """Break off what takes long: the server stops."""


class Here:
    """Copies to other registries of this emulator: one transaction with the note that it is done."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def carry(self, load: Load, done: Done) -> None:
        emulator = self._emulator
        with emulator.store.write() as transaction:
            found = replications.source(transaction, load.image_id)
            if found is None:
                return
            repository, image = found
            account = repository.registry.account
            call = replicate.caller(emulator, account, load.destination, load.at)
            is_due = replicate.copy(call, transaction, repository, image, load.tags)
            done(transaction)
        if is_due:
            emulator.wake.set()

    def delete(self, deletion: Deletion, done: Done) -> None:
        emulator = self._emulator
        account = deletion.source.account
        call = replicate.caller(emulator, account, deletion.destination, emulator.clock())
        try:
            replicate.authorize(call, deletion.repository)
            with emulator.store.write() as transaction:
                named = (deletion.repository, deletion.digest, deletion.tag)
                replicate.delete_copy(transaction, deletion.destination, *named, now=call.now)
                done(transaction)
        except EcrError as error:
            raise NotCopied(replicate.code_of(error)) from None

    def close(self) -> None:
        """Nothing here takes long."""
