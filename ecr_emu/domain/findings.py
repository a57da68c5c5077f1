"""What a scan says: vulnerabilities of the packages of an image."""

from dataclasses import dataclass

from ecr_emu.domain.inventory import Package

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


@dataclass(frozen=True, slots=True)
class Score:
    """A CVSS score. `version` is "2.0", "3.0", "3.1" or "4.0"; `source` who gave it."""

    version: str
    vector: str
    score: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Affected:
    """A package that a vulnerability is in. `fixed_in` is None when no version is known to be good."""

    package: Package
    fixed_in: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One vulnerability, in all the packages of the image that have it.

    `name` is the CVE, or the advisory's own id if it has none; `advisories` are the ids of all records that
    say so. Times are seconds since 1970, or None. `source_severity` is the word of the source, if it has one.
    """

    name: str
    advisories: tuple[str, ...]
    severity: str
    affected: tuple[Affected, ...]
    description: str = ""
    url: str = ""
    references: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    source: str = ""
    source_severity: str = ""
    published_at: float | None = None
    modified_at: float | None = None
