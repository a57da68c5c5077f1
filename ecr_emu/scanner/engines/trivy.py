"""trivy (github.com/aquasecurity/trivy): `trivy sbom --format json`, with the database that it has.

Members of its report: trivy's documentation, "Report formats", and what version 0.74 prints.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecr_emu.domain.findings import Score
from ecr_emu.domain.inventory import SYSTEM_KINDS, Inventory, Package, System, split_version
from ecr_emu.scanner import severity
from ecr_emu.scanner.engines import bills, programs
from ecr_emu.scanner.engines.answers import (
    Answer,
    Data,
    EngineError,
    Report,
    UnsupportedSystem,
    fold,
    text_of,
    texts_of,
    time_of,
)

FETCH = "run `trivy image --download-db-only`"

# What trivy calls a system that os-release calls otherwise.
_SYSTEMS = {
    "almalinux": "alma",
    "amzn": "amazon",
    "mariner": "cbl-mariner",
    "ol": "oracle",
    "rhel": "redhat",
    "sl-micro": "slem",
}
_ENVIRONMENT = {
    "TRIVY_SKIP_DB_UPDATE": "true",
    "TRIVY_SKIP_JAVA_DB_UPDATE": "true",
    "TRIVY_SKIP_VERSION_CHECK": "true",
    "TRIVY_DISABLE_TELEMETRY": "true",
    "TRIVY_OFFLINE_SCAN": "true",
    "TRIVY_NO_PROGRESS": "true",
}
_STATUS_SECONDS = 30.0
_PROPERTY = "aquasecurity:trivy:"
_VECTORS = ("V40Vector", "V3Vector", "V2Vector")


class Trivy:
    """The program `trivy` on PATH."""

    name = "trivy"

    def data(self) -> Data:
        """When its database was made."""
        with tempfile.TemporaryDirectory(prefix="ecr-emu-trivy-") as folder:
            words = ["trivy", "version", "--format", "json"]
            ended = programs.run(words, Path(folder), _ENVIRONMENT, _STATUS_SECONDS)
        if ended.code:
            raise EngineError(f"trivy failed: {ended.complaint}")
        try:
            about = json.loads(ended.output).get("VulnerabilityDB")
            updated_at = time_of(text_of(about, "UpdatedAt")) if about else None
        except (ValueError, TypeError, AttributeError):
            raise EngineError("trivy's answer about its version is not understood; use a newer one") from None
        if updated_at is None:
            raise EngineError(f"trivy has no vulnerability database; {FETCH}")
        return Data(updated_at, f"trivy {updated_at!r}")

    def examine(self, inventory: Inventory, *, languages: bool) -> Answer:
        """What it finds in the packages of an image."""
        system = _system(inventory)
        bill = bills.write(inventory, system, languages=languages, properties=_properties)
        with tempfile.TemporaryDirectory(prefix="ecr-emu-trivy-") as name:
            folder = Path(name)
            file = folder / "bill.cdx.json"
            file.write_bytes(bill.content)
            words = ["trivy", "sbom", "--format", "json", "--scanners", "vuln", "--cache-backend", "memory"]
            ended = programs.run([*words, str(file)], folder, _ENVIRONMENT)
        _check(ended, inventory.system)
        try:
            findings = fold(_reports(json.loads(ended.output), bill.packages))
        except (ValueError, LookupError, TypeError, AttributeError) as reason:
            raise EngineError(
                f"trivy's report is not understood ({type(reason).__name__}: {reason}); use version 0.74"
            ) from None
        return Answer(findings, bill.notes)


def _system(inventory: Inventory) -> System | None:
    """The system in trivy's words; None for an image that has none, nor packages of one."""
    system = inventory.system
    if system is None:
        if any(package.kind in SYSTEM_KINDS for package in inventory.packages):
            raise UnsupportedSystem("nothing says which operating system this is")
        return None
    return System(_SYSTEMS.get(system.id, system.id), system.version)


def _properties(package: Package) -> Mapping[str, str]:
    """The source package, whose name the advisories of most systems have."""
    if package.kind not in SYSTEM_KINDS:
        return {_PROPERTY + "FilePath": package.path} if package.path else {}
    version = package.source_version or package.version
    epoch, upstream, release = split_version(package.kind, version)
    said = {"SrcName": package.source or package.name, "SrcVersion": upstream, "SrcRelease": release}
    if epoch:
        said["SrcEpoch"] = str(epoch)
    return {_PROPERTY + key: value for key, value in said.items() if value}


def _check(ended: programs.Finished, system: System | None) -> None:
    """Refuse what is no answer, and one about a system of which trivy knows nothing."""
    if ended.code:
        raise EngineError(f"trivy failed: {ended.complaint}; if that is about its database, {FETCH}")
    if system is None:
        return
    name = f"ID={system.id} VERSION_ID={system.version}"
    if re.search(r"Unsupported os", ended.log):
        raise UnsupportedSystem(f"trivy does not know this operating system ({name})")
    # It looks for advisories of a release that it has never heard of, and finds none.
    if re.search(r"This OS version is not on the EOL list", ended.log):
        raise EngineError(f"trivy does not know this release ({name}); use a newer trivy")


def _reports(report: Any, packages: Mapping[str, Package]) -> Iterator[Report]:
    for result in report.get("Results") or ():
        for one in result.get("Vulnerabilities") or ():
            yield _report(one, packages)


def _report(one: Mapping[str, Any], packages: Mapping[str, Package]) -> Report:
    name = text_of(one, "VulnerabilityID")
    source = one.get("DataSource") or {}
    if not name:
        raise ValueError("a vulnerability has no id")
    return Report(
        name=name,
        package=packages[one["PkgIdentifier"]["BOMRef"]],
        word=text_of(one, "Severity"),
        # For several branches it names several: 1.2.3, 2.0.1.
        fixed_in=text_of(one, "FixedVersion") or None,
        advisories=texts_of(one, "VendorIDs"),
        description=text_of(one, "Description") or text_of(one, "Title"),
        url=text_of(one, "PrimaryURL"),
        references=texts_of(one, "References"),
        scores=tuple(_scores(one.get("CVSS") or {})),
        source=text_of(source, "Name"),
        published_at=time_of(text_of(one, "PublishedDate")),
        modified_at=time_of(text_of(one, "LastModifiedDate")),
    )


def _scores(given: Mapping[str, Any]) -> Iterator[Score]:
    for source, vectors in given.items():
        for member in _VECTORS:
            vector = text_of(vectors, member)
            score = severity.score(vector, source.upper()) if vector else None
            if score is not None:
                yield score
