"""What an engine says, and how it becomes findings."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecr_emu.domain.findings import SEVERITIES, Affected, Finding, Score
from ecr_emu.domain.inventory import Package
from ecr_emu.scanner import severity

_CVE = re.compile(r"CVE-\d{4}-\d{4,}", re.ASCII)


class EngineError(Exception):
    """Why an engine found nothing out, in one sentence that says what to do."""


class UnsupportedSystem(EngineError):
    """The engine knows nothing of the image's operating system."""


@dataclass(frozen=True, slots=True)
class Data:
    """An engine's database: when it was made, in seconds since 1970, and what changes when it does."""

    updated_at: float
    revision: str


@dataclass(frozen=True, slots=True)
class Report:
    """One vulnerability in one package. `word` is the engine's own of how bad it is."""

    name: str
    package: Package
    word: str
    fixed_in: str | None = None
    advisories: tuple[str, ...] = ()
    description: str = ""
    url: str = ""
    references: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    source: str = ""
    published_at: float | None = None
    modified_at: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The findings, worst first, then by name. `notes` are sentences about what the engine could not do."""

    findings: list[Finding]
    notes: tuple[str, ...] = ()


def fold(reports: Iterable[Report]) -> list[Finding]:
    """One finding for each name, in all packages that have it."""
    by_name: dict[str, list[Report]] = {}
    for report in reports:
        by_name.setdefault(report.name, []).append(report)
    found = [_finding(name, same) for name, same in by_name.items()]
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), one.name))


def _finding(name: str, reports: list[Report]) -> Finding:
    """What the report says that makes most of it; the engines rate a CVE for each package."""
    told = sorted(reports, key=lambda one: SEVERITIES.index(severity.of_word(one.word)))
    worst = told[0]
    fixes = {one.package: one.fixed_in for one in reversed(told)}
    affected = [Affected(package, fixed_in) for package, fixed_in in fixes.items()]
    scores = sorted({score for one in told for score in one.scores}, key=_order, reverse=True)
    return Finding(
        name=name,
        advisories=tuple(dict.fromkeys(text for one in told for text in (*one.advisories, name) if text)),
        severity=severity.of_word(worst.word),
        affected=tuple(sorted(affected, key=lambda one: (one.package.name, one.package.version))),
        description=next((one.description for one in told if one.description), ""),
        url=worst.url,
        references=tuple(dict.fromkeys(text for one in told for text in one.references)),
        scores=tuple(scores),
        source=worst.source,
        source_severity=worst.word,
        published_at=worst.published_at,
        modified_at=worst.modified_at,
    )


def _order(score: Score) -> tuple[str, float, str, str]:
    return score.version, score.score, score.source, score.vector


def cves(texts: Iterable[str]) -> list[str]:
    """Those of the texts that are names of CVEs, each once."""
    return list(dict.fromkeys(text for text in texts if _CVE.fullmatch(text)))


def text_of(members: Mapping[str, Any], name: str) -> str:
    """A member that must be text if it is there. Raises TypeError."""
    value = members.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def texts_of(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A member that must be a list of texts if it is there. Raises TypeError."""
    values = members.get(name) or ()
    if not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} are no texts")
    return tuple(values)


def time_of(text: str) -> float | None:
    """Seconds since 1970 of a time in ISO 8601; None for "". Raises ValueError."""
    return datetime.fromisoformat(text).timestamp() if text else None
