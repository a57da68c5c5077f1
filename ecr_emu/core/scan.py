"""Scans from a push and from StartImageScan to the job that looks into the image (jobs/scan.py)."""

from collections.abc import Mapping
from sqlite3 import Connection

from ecr_emu.core import events
from ecr_emu.domain import scanning
from ecr_emu.domain.events import FrequencyChange, scan_frequency_changed
from ecr_emu.domain.registries import Registry
from ecr_emu.store import documents, repositories, scans
from ecr_emu.store.images import Image
from ecr_emu.store.repositories import Repository
from ecr_emu.store.scans import IN_PROGRESS, Scan

# Kinds of the registry's documents: how it is scanned, and how many basic scans there were, by the hour.
CONFIGURATION = "scanning-configuration"
COUNT = "scan-count"

# EventBridge takes events of up to 256 KiB; with names of 256 letters, this many repositories fit.
CHANGES_PER_EVENT = 200

ARCHIVED = "IMAGE_ARCHIVED"
# Words of ours: AWS's are not known.
WAITS = "The scan is in progress."
TOO_MANY = "The registry has used up its {limit:,} basic scans of 24 hours."
WAS_ARCHIVED = "The specified image is archived and cannot be scanned."

Settings = Mapping[str, str]


def configuration(connection: Connection, registry: Registry) -> scanning.Configuration:
    """How the registry's images are to be scanned now."""
    document = documents.find(connection, registry, CONFIGURATION)
    return scanning.read(document.body if document else None)


def report_changes(
    transaction: Connection, registry: Registry, chosen: scanning.Configuration, now: float
) -> None:
    """Write down which repositories are scanned at another frequency by the configuration that comes.

    ECR tells it of enhanced scanning (ECR user guide, EventBridge events sent for enhanced scanning).
    """
    if chosen.scan_type != "ENHANCED":
        return
    before, last = configuration(transaction, registry), ""
    while found := repositories.page(transaction, registry, last, CHANGES_PER_EVENT):
        last = found[-1].name
        pairs = [(one.name, _frequency(chosen, one), _frequency(before, one)) for one in found]
        changes = [FrequencyChange(*pair) for pair in pairs if pair[1] != pair[2]]
        if changes:
            event = scan_frequency_changed(registry, changes, chosen.scan_type)
            events.record(transaction, registry, event, now)


def _frequency(chosen: scanning.Configuration, repository: Repository) -> str:
    return scanning.frequency(chosen, repository.scan_on_push, repository.name).name


def on_push(
    transaction: Connection,
    now: float,
    repository: Repository,
    image: Image,
    settings: Settings,
    limit: int,
) -> bool:
    """Begin the scan that a push sets going, if it does. True when there is one to do.

    `limit` is how many basic scans the registry may begin in 24 hours; beyond it the scan says so.
    """
    chosen = scanning.read(settings.get(CONFIGURATION))
    frequency = scanning.frequency(chosen, repository.scan_on_push, repository.name)
    if not (frequency.is_on_push and is_scannable(transaction, image) and may_begin(transaction, image, now)):
        return False
    if chosen.scan_type == "BASIC" and count(settings, now) >= limit:
        scans.put(transaction, image.id, Scan("LIMIT_EXCEEDED", TOO_MANY.format(limit=limit), now))
        return False
    begin(transaction, now, repository, image, settings)
    return True


def begin(
    transaction: Connection, now: float, repository: Repository, image: Image, settings: Settings
) -> Scan:
    """Let the image be scanned as its registry says; it waits for the background work."""
    chosen = scanning.read(settings.get(CONFIGURATION))
    frequency = scanning.frequency(chosen, repository.scan_on_push, repository.name)
    scan = Scan(
        IN_PROGRESS,
        WAITS,
        now,
        chosen.scan_type,
        due_at=now,
        is_continuous=frequency.name == "CONTINUOUS_SCAN",
    )
    scans.put(transaction, image.id, scan)
    if chosen.scan_type == "BASIC":
        more = scanning.with_scan(settings.get(COUNT), now)
        documents.put(transaction, repository.registry, COUNT, "", more, now)
    return scan


def count(settings: Settings, now: float) -> int:
    """How many basic scans of the registry began in the last 24 hours."""
    return scanning.recent_scans(settings.get(COUNT), now)


def is_scannable(connection: Connection, image: Image) -> bool:
    return scanning.is_scannable(image.media_type, image.artifact_type, scans.blob_types(connection, image))


def may_begin(connection: Connection, image: Image, now: float) -> bool:
    """True unless the image was scanned in the last 24 hours."""
    last = scans.find(connection, image)
    if last is None or last.status == ARCHIVED:
        return True
    return now >= last.started_at + scanning.INTERVAL_SECONDS


def archive(transaction: Connection, image: Image, now: float) -> None:
    """An archived image is not scanned, and what was found in it is gone (ECR user guide)."""
    if scans.find(transaction, image) is not None:
        scans.put(transaction, image.id, Scan(ARCHIVED, WAS_ARCHIVED, now))


def restore(transaction: Connection, image: Image) -> None:
    """A restored image has no scan until there is a new one."""
    last = scans.find(transaction, image)
    if last is not None and last.status == ARCHIVED:
        scans.delete(transaction, image)
