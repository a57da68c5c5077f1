"""grype (github.com/anchore/grype): `grype sbom:FILE -o json`, with the database that it has.

Members of its report: its package grype/presenter/models, version 0.121.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecr_emu.domain.findings import Score
from ecr_emu.domain.inventory import SYSTEM_KINDS, Inventory, Package
from ecr_emu.scanner import severity
from ecr_emu.scanner.engines import bills, programs
from ecr_emu.scanner.engines.answers import (
    Answer,
    Data,
    EngineError,
    Report,
    UnsupportedSystem,
    cves,
    fold,
    text_of,
    texts_of,
    time_of,
)

FETCH = "run `grype db update`, or `grype db import FILE`"

_ENVIRONMENT = {
    "GRYPE_DB_AUTO_UPDATE": "false",
    "GRYPE_DB_REQUIRE_UPDATE_CHECK": "false",
    "GRYPE_CHECK_FOR_APP_UPDATE": "false",
}
_STATUS_SECONDS = 60.0
# An empty file in place of the user's own, which may hide findings.
_SETTINGS = "grype.yaml"


class Grype:
    """The program `grype` on PATH."""

    name = "grype"

    def data(self) -> Data:
        """When its database was made. It refuses one that is older than five days, unless told otherwise."""
        ended = _run(["db", "status", "-o", "json"], {}, _STATUS_SECONDS)
        try:
            about = json.loads(ended.output)
            problem, built = text_of(about, "error"), text_of(about, "built")
            updated_at = time_of(built)
        except (ValueError, TypeError, AttributeError):
            raise EngineError(f"grype failed: {ended.complaint}; {FETCH}") from None
        if problem or ended.code or updated_at is None:
            raise EngineError(f"grype cannot use its database: {problem or ended.complaint}; {FETCH}")
        return Data(updated_at, f"grype {updated_at!r}")

    def examine(self, inventory: Inventory, *, languages: bool) -> Answer:
        """What it finds in the packages of an image."""
        system = inventory.system
        if system is None and any(package.kind in SYSTEM_KINDS for package in inventory.packages):
            raise UnsupportedSystem("nothing says which operating system this is")
        bill = bills.write(inventory, system, languages=languages, properties=_properties)
        ended = _run(["sbom:bill.cdx.json", "-o", "json", "-vv"], {"bill.cdx.json": bill.content})
        if ended.code:
            raise EngineError(f"grype failed: {ended.complaint}; if that is about its database, {FETCH}")
        # It says so in its log only, and finds nothing.
        if "no OS found in the DB" in ended.log and system is not None:
            release = f"ID={system.id} VERSION_ID={system.version}"
            raise UnsupportedSystem(f"grype's database has nothing about this release ({release})")
        try:
            findings = fold(_reports(json.loads(ended.output), bill.packages))
        except (ValueError, LookupError, TypeError, AttributeError) as reason:
            raise EngineError(
                f"grype's report is not understood ({type(reason).__name__}: {reason}); use version 0.121"
            ) from None
        return Answer(findings, bill.notes)


def _run(words: list[str], files: Mapping[str, bytes], max_seconds: float | None = None) -> programs.Finished:
    with tempfile.TemporaryDirectory(prefix="ecr-emu-grype-") as name:
        folder = Path(name)
        for file, content in {_SETTINGS: b"{}\n", **files}.items():
            (folder / file).write_bytes(content)
        return programs.run(["grype", *words, "--config", _SETTINGS], folder, _ENVIRONMENT, max_seconds)


def _properties(package: Package) -> Mapping[str, str]:
    """The source package, as syft writes it, of whose bills grype reads everything."""
    source, version = package.source, package.source_version
    if package.kind == "deb" and source:
        said = {"source": source, "sourceVersion": version if version != package.version else ""}
        return _metadata("dpkg-db-entry", said)
    if package.kind == "apk" and source:
        return _metadata("apk-db-entry", {"originPackage": source})
    if package.kind == "rpm" and source:
        # Only the name is looked at.
        release = (version or package.version).rpartition(":")[2]
        return _metadata("rpm-db-entry", {"sourceRpm": f"{source}-{release}.src.rpm"})
    return {}


def _metadata(kind: str, values: Mapping[str, str]) -> Mapping[str, str]:
    said = {f"syft:metadata:{key}": value for key, value in values.items() if value}
    return {"syft:package:metadataType": kind, **said}


def _reports(report: Any, packages: Mapping[str, Package]) -> Iterator[Report]:
    for match in report["matches"]:
        package = packages[match["artifact"]["id"]]
        yield from _of_match(match["vulnerability"], match.get("relatedVulnerabilities") or (), package)


def _of_match(one: Mapping[str, Any], related: Any, package: Package) -> Iterator[Report]:
    """One report for each CVE of an advisory, as ECR has it; one if it has none."""
    own = text_of(one, "id")
    if not own:
        raise ValueError("a vulnerability has no id")
    told = [one, *related]
    versions = texts_of(one.get("fix") or {}, "versions")
    advisories = tuple(text_of(each, "id") for each in one.get("advisories") or ())
    for name in cves([own]) or cves(text_of(each, "id") for each in related) or [own]:
        about = [one, *(each for each in related if text_of(each, "id") == name)]
        yield Report(
            name=name,
            package=package,
            word=next((word for each in about if (word := text_of(each, "severity"))), ""),
            fixed_in=", ".join(versions) or None,
            advisories=(own, *advisories),
            description=next((text for each in about if (text := text_of(each, "description"))), ""),
            url=text_of(one, "dataSource"),
            references=tuple(dict.fromkeys(url for each in told for url in texts_of(each, "urls"))),
            scores=tuple(score for each in about for score in _scores(each)),
            source=text_of(one, "namespace"),
        )


def _scores(one: Mapping[str, Any]) -> Iterator[Score]:
    for each in one.get("cvss") or ():
        vector = text_of(each, "vector")
        score = severity.score(vector, text_of(each, "source")) if vector else None
        if score is not None:
            yield score
