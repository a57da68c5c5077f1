"""What a push sets going, as the registry's settings say: scanning, replication, signing.

Scans, copies and signatures are made by the background (jobs/).
"""

from collections.abc import Mapping
from sqlite3 import Connection

from ecr_emu.context import Call
from ecr_emu.core import scan, signatures
from ecr_emu.domain import replication, signing
from ecr_emu.domain.limits import Limits
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, replications
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository

# Kinds of the registry's documents.
REPLICATION = "replication-configuration"
SIGNING = "signing-configuration"

Settings = Mapping[str, str]


def find_settings(transaction: Connection, repository: Repository) -> Settings:
    """The documents that say what a push sets going, or RepositoryNotFoundException: one look-up for both."""
    return documents.beside(transaction, repository, (scan.CONFIGURATION, scan.COUNT, REPLICATION, SIGNING))


def replication_rules(connection: Connection, registry: Registry) -> tuple[replication.Rule, ...]:
    """Where the registry's images are to be copied now."""
    document = documents.find(connection, registry, REPLICATION)
    return replication.read(document.body if document else None)


def of_copy(settings: Settings) -> Settings:
    """What a copy sets going: it is not copied on (ECR user guide, Private image replication).

    It is not signed either: the signatures of what it is a copy of are copied, too (inferred).
    """
    return {kind: text for kind, text in settings.items() if kind not in (REPLICATION, SIGNING)}


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
    return is_due


def sign(
    call: Call, transaction: Connection, repository: Repository, image: Image, settings: Settings
) -> bool:
    """Let the image be signed, in the name of whoever pushed it or took it back.

    True when there is work for the background now.
    """
    if SIGNING not in settings:
        return False
    profiles = signing.profiles(signing.read(settings[SIGNING]), repository.name, image.artifact_type)
    return signatures.start(call, transaction, repository, image, profiles)
