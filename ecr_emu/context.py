"""What a request knows: who asks, which registry is meant, when, and the stores to use."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecr_emu import errors
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.domain.registries import HostNames, Registry
from ecr_emu.settings import Settings
from ecr_emu.store import repositories
from ecr_emu.store.database import Database

if TYPE_CHECKING:
    from ecr_emu.core.keys import Keys

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Emulator:
    """One emulator: its settings and its state. Nothing of it is global, so several fit in a process."""

    settings: Settings
    store: Database
    blobs: FileBlobs
    hosts: HostNames
    keys: "Keys"
    clock: Clock = time.time


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    account: str
    arn: str


def root_principal(account: str) -> Principal:
    """The account itself: whom an unverified signature stands for."""
    return Principal(account, f"arn:aws:iam::{account}:root")


@dataclass(frozen=True, slots=True)
class Call:
    """One request on either plane. `registry` is the one spoken to, `origin` the http://host asked."""

    emulator: Emulator
    principal: Principal
    registry: Registry
    origin: str
    now: float
    request_id: str = ""

    @property
    def store(self) -> Database:
        return self.emulator.store

    @property
    def blobs(self) -> FileBlobs:
        return self.emulator.blobs

    def target(self, registry_id: str | None) -> Registry:
        """The registry that a `registryId` means in this region; none means the caller's own."""
        if registry_id is None or registry_id == self.registry.account:
            return self.registry
        return Registry(registry_id, self.registry.region)

    def authorize(self, action: str, registry: Registry, repository: str) -> None:
        """Let the action on a repository pass, or raise AccessDeniedException.

        Other accounts get in by a repository policy only, and there are none yet.
        """
        if self.principal.account != registry.account:
            because = f"because no resource-based policy allows the {action} action"
            arn = registry.repository_arn(repository)
            raise errors.access_denied(self.principal.arn, action, arn, because)

    def repository(self, action: str, registry: Registry, name: str) -> repositories.Repository:
        """The repository, if the caller may do this to it and it exists: authorization comes first."""
        self.authorize(action, registry, name)
        with self.store.read() as connection:
            return repositories.get(connection, registry, name)
