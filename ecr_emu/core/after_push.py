"""What a push sets going, as the registry's settings say: scanning, replication, signing.

This version does none of the three. Scans and signatures fail with a reason that says so, and a replication
stays in progress; nothing is ever said to be complete.
"""

from collections.abc import Mapping
from sqlite3 import Connection

from ecr_emu.domain import replication, scanning, signing
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, replications, scans, signings
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository
from ecr_emu.store.scans import Scan
from ecr_emu.store.signings import Signing

# Kinds of the registry's documents.
SCANNING = "scanning-configuration"
REPLICATION = "replication-configuration"
SIGNING = "signing-configuration"
# How many basic scans there were, by the hour.
SCAN_COUNT = "scan-count"

NO_SCANNER = "This version of ecr-emu has no scan engine, so the image was not scanned."
NO_SIGNER = ("NotImplemented", "This version of ecr-emu does not sign images, so no signature was made.")

Settings = Mapping[str, str]


def find_settings(transaction: Connection, repository: Repository) -> Settings:
    """The documents that say what a push sets going, or RepositoryNotFoundException: one look-up for both."""
    return documents.beside(transaction, repository, (SCANNING, REPLICATION, SIGNING, SCAN_COUNT))


def replication_rules(connection: Connection, registry: Registry) -> tuple[replication.Rule, ...]:
    """Where the registry's images are to be copied now."""
    document = documents.find(connection, registry, REPLICATION)
    return replication.read(document.body if document else None)


def scanning_configuration(connection: Connection, registry: Registry) -> scanning.Configuration:
    """How the registry's images are to be scanned now."""
    document = documents.find(connection, registry, SCANNING)
    return scanning.read(document.body if document else None)


def start(
    transaction: Connection, now: float, repository: Repository, image: Image, settings: Settings
) -> None:
    """Set going what follows a push: of an image that is new, restored, or got another tag."""
    if repository.scan_on_push or SCANNING in settings:
        _scan(transaction, now, repository, image, settings)
    if REPLICATION in settings:
        rules = replication.read(settings[REPLICATION])
        replications.start(transaction, image, replication.destinations(rules, repository.name))
    if SIGNING in settings:
        profiles = signing.profiles(signing.read(settings[SIGNING]), repository.name, image.artifact_type)
        signings.put(transaction, image, [Signing(profile, "FAILED", *NO_SIGNER) for profile in profiles])


def record_scan(
    transaction: Connection, now: float, repository: Repository, image: Image, settings: Settings
) -> Scan:
    """Scan an image: there is no engine, so the scan has failed as soon as it starts."""
    scan = Scan("FAILED", NO_SCANNER, now)
    scans.put(transaction, image, scan)
    count = scanning.with_scan(settings.get(SCAN_COUNT), now)
    documents.put(transaction, repository.registry, SCAN_COUNT, "", count, now)
    return scan


def is_scannable(connection: Connection, image: Image) -> bool:
    return scanning.is_scannable(image.media_type, image.artifact_type, scans.blob_types(connection, image))


def may_be_scanned(connection: Connection, image: Image, now: float) -> bool:
    """True unless the image was scanned in the last 24 hours."""
    last = scans.find(connection, image)
    return last is None or now >= last.started_at + scanning.INTERVAL_SECONDS


def _scan(
    transaction: Connection, now: float, repository: Repository, image: Image, settings: Settings
) -> None:
    configuration = scanning.read(settings.get(SCANNING))
    frequency = scanning.frequency(configuration, repository.scan_on_push, repository.name)
    if frequency.is_on_push and is_scannable(transaction, image) and may_be_scanned(transaction, image, now):
        record_scan(transaction, now, repository, image, settings)
