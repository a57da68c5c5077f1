"""What a request knows: who asks, which registry is meant, when, and the stores to use."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.clock import UserClock
from ecr_emu.decisions import Decisions
from ecr_emu.domain.registries import HostNames, Registry
from ecr_emu.metrics import Metrics
from ecr_emu.settings import Settings
from ecr_emu.store import repositories
from ecr_emu.store.database import Database
from ecr_emu.upstream.flights import Flights

if TYPE_CHECKING:
    from ecr_emu.access import Context
    from ecr_emu.core.keys import Keys
    from ecr_emu.domain.iam.requests import Principal
    from ecr_emu.domain.principals import Credential

# Policies, and what decides by them, are imported by the first request that asks: no start needs them.


@dataclass(frozen=True, slots=True)
class Emulator:
    """One emulator: its settings and its state. Nothing of it is global, so several fit in a process.

    `wake` is set when a job was put that is due at once.
    """

    settings: Settings
    store: Database
    blobs: FileBlobs
    hosts: HostNames
    keys: "Keys"
    clock: UserClock
    wake: threading.Event = field(default_factory=threading.Event)
    decisions: Decisions = field(default_factory=Decisions)
    metrics: Metrics = field(default_factory=Metrics)
    flights: Flights = field(default_factory=Flights)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from, as far as policies ask."""

    address: str = ""
    agent: str = ""
    is_secure: bool = False

    @property
    def context(self) -> "Context":
        """Condition keys (IAM user guide, Global condition context keys)."""
        known = {"aws:sourceip": self.address, "aws:useragent": self.agent}
        found = {key: (value,) for key, value in known.items() if value}
        return {**found, "aws:securetransport": (str(self.is_secure).lower(),)}


UNKNOWN_CLIENT = Client()


def root_principal(account: str) -> "Principal":
    """The account itself: whom an unverified signature stands for."""
    from ecr_emu.domain.iam.requests import Principal

    return Principal(f"arn:aws:iam::{account}:root", account, "root")


@dataclass(frozen=True, slots=True)
class Call:
    """One request on either plane. `registry` is the one spoken to, `origin` the http://host asked.

    `credential` is what is known of the caller; None when access keys are believed.
    """

    emulator: Emulator
    principal: "Principal"
    registry: Registry
    origin: str
    now: float
    request_id: str = ""
    client: Client = UNKNOWN_CLIENT
    credential: "Credential | None" = None

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

    def authorize(
        self, action: str, registry: Registry, repository: str, more: "Context | None" = None
    ) -> None:
        """Let the action on a repository ("*" for all) pass, or raise AccessDeniedException."""
        from ecr_emu import access

        access.check(self, action, registry, repository, more or access.NOTHING_MORE)

    def repository(self, action: str, registry: Registry, name: str) -> repositories.Repository:
        """The repository, if the caller may do this to it and it exists: authorization comes first."""
        self.authorize(action, registry, name)
        with self.store.read() as connection:
            return repositories.get(connection, registry, name)
