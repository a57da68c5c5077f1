"""What a push sets going, as the registry's settings say: scanning, replication, signing.

Scans and copies are made by the background (jobs/). This version makes no signatures: they fail with a reason
that says so.
"""

from collections.abc import Mapping
from sqlite3 import Connection

from ecr_emu.core import scan
from ecr_emu.domain import replication, signing
from ecr_emu.domain.limits import Limits
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, replications, signings
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository
from ecr_emu.store.signings import Signing

# Kinds of the registry's documents.
REPLICATION = "replication-configuration"
SIGNING = "signing-configuration"

NO_SIGNER = ("NotImplemented", "This version of ecr-emu does not sign images, so no signature was made.")

Settings = Mapping[str, str]


def find_settings(transaction: Connection, repository: Repository) -> Settings:
    """The documents that say what a push sets going, or RepositoryNotFoundException: one look-up for both."""
    return documents.beside(transaction, repository, (scan.CONFIGURATION, scan.COUNT, REPLICATION, SIGNING))


def replication_rules(connection: Connection, registry: Registry) -> tuple[replication.Rule, ...]:
    """Where the registry's images are to be copied now."""
    document = documents.find(connection, registry, REPLICATION)
    return replication.read(document.body if document else None)


def of_copy(settings: Settings) -> Settings:
    """What a copy sets going: it is not copied on (ECR user guide, Private image replication)."""
    return {kind: text for kind, text in settings.items() if kind != REPLICATION}


def start(
    transaction: Connection,
    now: float,
    repository: Repository,
    image: Image,
    settings: Settings,
    limits: Limits,
) -> bool:
    """Set going what follows a push: of an image that is new, restored, or got another tag.

    The tags of `image` are those that it got now, or all of them if it was restored.

    True when there is work for the background now.
    """
    is_due = False
    if repository.scan_on_push or scan.CONFIGURATION in settings:
        limit = limits["basic-scans-per-day"]
        is_due = scan.on_push(transaction, now, repository, image, settings, limit)
    if REPLICATION in settings:
        rules = replication.read(settings[REPLICATION])
        places = replication.destinations(rules, repository.name)
        replications.start(transaction, image, places, now)
        is_due = is_due or bool(places)
    if SIGNING in settings:
        profiles = signing.profiles(signing.read(settings[SIGNING]), repository.name, image.artifact_type)
        signings.put(transaction, image, [Signing(profile, "FAILED", *NO_SIGNER) for profile in profiles])
    return is_due
