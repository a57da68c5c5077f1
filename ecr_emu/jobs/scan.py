"""The job that looks into images: what is installed, and which advisories are about it.

Layers come from anywhere, so they are read by a process of its own (jobs/runner.py): one that dies with a
scan takes nobody along, and the scan has failed the second time.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core import scan_events
from ecr_emu.domain import injected_scans, manifests, scan_findings
from ecr_emu.domain.injected_scans import Result, Target
from ecr_emu.domain.inventory import Inventory
from ecr_emu.jobs import comparison
from ecr_emu.jobs.comparison import Compared, Refused
from ecr_emu.store import images, jobs, layers, repositories, scans
from ecr_emu.store import injected_scans as rows
from ecr_emu.store.database import Database
from ecr_emu.store.jobs import Job
from ecr_emu.store.scans import Due, Scan

if TYPE_CHECKING:
    from ecr_emu.domain.findings import Finding
    from ecr_emu.scanner.image import Layer

log = logging.getLogger(__name__)

# Of the words, COMPLETE's and UNSUPPORTED_IMAGE's (comparison.py) are AWS's (reference, 4.3; ECR user guide,
# Troubleshooting image scanning), CONTINUOUS those of its samples; the others are ours.
COMPLETE = "The scan was completed successfully."
CONTINUOUS = "Continuous scan is selected for image."
BROKE_OFF = "The scan broke off twice: reading this image ends the process that reads it."
BROKE = "The scan broke off: {reason}"
NO_LIBRARIES = "The image was not scanned: {name} is not installed; pip install 'ecr-emu[scan]'"
NO_MANIFEST = "The image was recorded without its manifest, so nobody knows its layers."
GONE = "The layer {digest} is kept elsewhere, so it was not read."

MAX_ATTEMPTS = 2
MAX_CONFIG_BYTES = 8 << 20
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scan comes to, with findings in the shape of the API, and the SBOM if the image was read."""

    scan: Scan
    findings: tuple[Any, ...] = ()
    sbom: bytes | None = None


def run(store: Database, blobs: FileBlobs, scanner: str, job: Job, until: float) -> dict[str, object] | None:
    """Do the scan that has waited longest, and let the job be due for the next one.

    `scanner` is the setting of that name.
    """
    with store.write() as transaction:
        due = scans.first_due(transaction, until)
        if due is None:
            jobs.take(transaction, job, scans.next_due_at(transaction))
            return None
        # Counted before the image is read: a process that dies has tried.
        scans.count_attempt(transaction, due)
    outcome = _outcome(store, blobs, scanner, due)
    _finish(store, job, due, outcome)
    return {"at": due.scan.due_at, **_names(due), "status": outcome.scan.status}


def _outcome(store: Database, blobs: FileBlobs, scanner: str, due: Due) -> Outcome:
    """Whatever happens, the scan is over: one that broke would hold up all others."""
    try:
        return _injected(store, blobs, due) or _look(store, blobs, scanner, due)
    except Exception as error:
        log.exception("the scan of %s in %s broke off", due.digest, due.repository)
        # Without the paths that errors of the operating system have.
        words = error.strerror if isinstance(error, OSError) and error.strerror else f"{error}"
        reason = f"{type(error).__name__}: {words}".splitlines()[0][:MAX_REASON]
        return _refused(due, "FAILED", BROKE.format(reason=reason))


def finish_injected(store: Database, blobs: FileBlobs, job: Job, until: float) -> list[dict[str, object]]:
    """Finish the scans that need no look into an image, because the user has said what they find."""
    with store.read() as connection:
        due = [
            one
            for registry in rows.registries(connection)
            for one in scans.all_due(connection, registry, until)
        ]
    reports: list[dict[str, object]] = []
    for one in due:
        outcome = _injected(store, blobs, one)
        if outcome is not None:
            _finish(store, job, one, outcome)
            reports.append({"at": one.scan.due_at, **_names(one), "status": outcome.scan.status})
    return reports


def _is_basic(due: Due) -> bool:
    return due.scan.scan_type == "BASIC"


def _names(due: Due) -> dict[str, object]:
    return {"repository": due.repository, "digest": due.digest}


def _finish(store: Database, job: Job, due: Due, outcome: Outcome) -> None:
    with store.write() as transaction:
        if scans.is_still(transaction, due):
            findings = _with_first_observed(transaction, due, outcome.findings)
            scan_events.ended(transaction, due, outcome.scan, findings)
            scans.put(transaction, due.image_id, outcome.scan, findings)
            if outcome.sbom is not None:
                languages = not _is_basic(due)
                scans.put_sbom(transaction, due.image_id, outcome.sbom, has_languages=languages)
        jobs.take(transaction, job, scans.next_due_at(transaction))


def _with_first_observed(connection: Any, due: Due, findings: tuple[Any, ...]) -> list[Any]:
    """A finding that was there before keeps the time at which it was seen first."""
    if _is_basic(due):
        return list(findings)
    first = scans.first_observed(connection, due.image_id)
    return [
        {**finding, "firstObservedAt": first.get(finding.get("findingArn"), finding.get("firstObservedAt"))}
        for finding in findings
    ]


# --- What the user says -----------------------------------------------------------------------------------


def _injected(store: Database, blobs: FileBlobs, due: Due) -> Outcome | None:
    """What the user wants to be found in this image, if anything."""
    config = _config(store, blobs, due)
    labels = _labels(config)
    wanted = _wanted(store, due, labels)
    if wanted is None:
        return None
    ready_at = due.scan.started_at + wanted.delay_seconds
    if due.scan.due_at is not None and due.scan.due_at < ready_at:
        return Outcome(replace(due.scan, due_at=ready_at, attempts=0))
    status = wanted.status or ("COMPLETE" if _is_basic(due) else "ACTIVE")
    has_findings = status in injected_scans.WITH_FINDINGS
    return Outcome(
        replace(
            due.scan,
            status=status,
            description=wanted.description or (COMPLETE if has_findings else "Injected by the user."),
            due_at=None,
            attempts=0,
            completed_at=due.scan.due_at if has_findings else None,
            source_updated_at=due.scan.due_at if has_findings else None,
            counts=wanted.counts if has_findings else {},
            is_injected=True,
            about=scan_findings.about_image(config, None),
        ),
        wanted.findings if has_findings else (),
    )


def _wanted(store: Database, due: Due, labels: Mapping[str, str]) -> Result | None:
    with store.read() as connection:
        found = rows.of_registry(connection, due.registry)
        tags = images.tags_of(connection, due.image_id) if found else ()
    target = Target(due.digest, tags, labels)
    for _, repository, body in found:
        document = orjson.loads(body)
        if repository == due.repository and injected_scans.matches(document, target):
            return injected_scans.result(document, is_basic=_is_basic(due))
    of_label = injected_scans.of_label(labels.get(injected_scans.LABEL), orjson.loads)
    return injected_scans.result(of_label, is_basic=_is_basic(due)) if of_label is not None else None


def _config(store: Database, blobs: FileBlobs, due: Due) -> Mapping[str, Any]:
    """The image's configuration; empty when it cannot be read."""
    if not due.manifest:
        return {}
    config = orjson.loads(due.manifest).get("config", {})
    with store.read() as connection:
        repository = repositories.of_id(connection, due.repository_id)
        blob = layers.find(connection, repository, config.get("digest", "")) if repository else None
    if blob is None or blob.size_bytes > MAX_CONFIG_BYTES:
        return {}
    try:
        found = orjson.loads(blobs.path(blob.file).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _labels(config: Mapping[str, Any]) -> Mapping[str, str]:
    inside = config.get("config")
    labels = inside.get("Labels") if isinstance(inside, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {name: value for name, value in labels.items() if isinstance(value, str)}


# --- What is there ----------------------------------------------------------------------------------------


def _look(store: Database, blobs: FileBlobs, scanner: str, due: Due) -> Outcome:
    """Read the image, or what is known of it already, and compare it with the advisories."""
    folder = store.path.parent
    try:
        # Before they are read: what is added meanwhile makes the scan an outdated one.
        due = replace(due, scan=replace(due.scan, revision=comparison.revision(scanner, folder)))
        if due.scan.attempts >= MAX_ATTEMPTS:
            raise Refused("FAILED", BROKE_OFF)
        inventory, sbom = _inventory(store, blobs, due)
        about = scan_findings.about_image(_config(store, blobs, due), inventory.system)
        outcome = _compared(scanner, folder, due, inventory)
        return replace(outcome, scan=replace(outcome.scan, about=about), sbom=sbom)
    except ImportError as reason:
        return _refused(due, "FAILED", NO_LIBRARIES.format(name=reason.name))
    except Refused as reason:
        return _refused(due, reason.status, reason.description)


def _compared(scanner: str, folder: Path, due: Due, inventory: Inventory) -> Outcome:
    """What is known of an inventory, or why nothing is. The inventory is kept in any case."""
    try:
        return _compare(scanner, folder, due, inventory)
    except Refused as reason:
        return _refused(due, reason.status, reason.description)


def _refused(due: Due, status: str, description: str) -> Outcome:
    return Outcome(
        replace(due.scan, status=status, description=description, due_at=None, attempts=0, counts={})
    )


def _inventory(store: Database, blobs: FileBlobs, due: Due) -> tuple[Inventory, bytes | None]:
    """What is installed; the second is the SBOM if the image was read for it now."""
    from ecr_emu.scanner import image, sbom

    languages = not _is_basic(due)
    with store.read() as connection:
        known = scans.sbom(connection, due.image_id, with_languages=languages)
    if known is not None:
        return sbom.read(known), None
    try:
        inventory = image.read(_layers(store, blobs, due), languages=languages)
    except image.Unreadable as reason:
        raise Refused("FAILED", str(reason)) from None
    name = f"{due.registry.account}.dkr.ecr.{due.registry.region}.amazonaws.com/{due.repository}"
    return inventory, sbom.write(inventory, name=name, digest=due.digest, at=due.scan.due_at or 0)


def _layers(store: Database, blobs: FileBlobs, due: Due) -> "list[Layer]":
    from ecr_emu.scanner.image import Layer

    if not due.manifest:
        raise Refused("FAILED", NO_MANIFEST)
    manifest = manifests.parse(due.manifest, None, orjson.loads)
    found = []
    with store.read() as connection:
        repository = repositories.of_id(connection, due.repository_id)
        # The first is the configuration.
        for layer in manifest.layers[1:]:
            blob = layers.find(connection, repository, layer.digest) if repository else None
            if blob is None:
                raise Refused("FAILED", GONE.format(digest=layer.digest))
            found.append(Layer(layer.digest, layer.media_type, _opener(blobs.path(blob.file))))
    return found


def _opener(path: Path) -> Any:
    def open_blob() -> BinaryIO:
        return path.open("rb")

    return open_blob


def _compare(scanner: str, folder: Path, due: Due, inventory: Inventory) -> Outcome:
    """The findings, or Refused when there is nothing to compare with."""
    languages, at = not _is_basic(due), due.scan.due_at or 0
    compared = comparison.compare(scanner, folder, inventory, languages=languages, at=at)
    shapes = _shapes(due, compared.findings, at)
    done = replace(
        due.scan,
        status="ACTIVE" if languages else "COMPLETE",
        description=_description(due.scan, compared, inventory),
        due_at=None,
        attempts=0,
        completed_at=at,
        source_updated_at=compared.updated_at,
        engine=compared.engine,
        counts=scan_findings.counts(shapes),
    )
    return Outcome(done, tuple(shapes))


def _shapes(due: Due, findings: "list[Finding]", at: float) -> list[Any]:
    if _is_basic(due):
        return scan_findings.basic(findings)
    return scan_findings.enhanced(findings, due.registry, due.digest, at)


def _description(scan: Scan, compared: Compared, inventory: Inventory) -> str:
    """AWS's sentence, and what the scan could not tell."""
    said = [CONTINUOUS if scan.is_continuous else COMPLETE, *compared.notes]
    if compared.engine != comparison.BUILTIN:
        said.append(f"Compared by {compared.engine}.")
    if inventory.unread:
        said.append(
            f"Files that could not be read: {len(inventory.unread)} ({next(iter(inventory.unread))})."
        )
    return " ".join(said)
