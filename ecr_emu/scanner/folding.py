"""From advisories to findings: one for each CVE, in all packages, with all the advisories that say so.

AWS lists CVEs, so an advisory with five CVEs makes five findings, and three advisories of one CVE make one.
An advisory without a CVE has those of the advisories that it is an alias of; if none of them has one, they
are one finding with the first of their ids as its name.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ecr_emu.domain.findings import SEVERITIES, Affected, Finding, Score
from ecr_emu.domain.inventory import Package
from ecr_emu.scanner import ecosystems, osv, severity
from ecr_emu.scanner.osv import Advisory
from ecr_emu.scanner.versions import compare


class Match(NamedTuple):
    """A package that a record affects; vectors and words are the record's for this package."""

    package: Package
    record: int
    ecosystem: str
    fixed_in: str | None
    vectors: tuple[str, ...]
    words: tuple[str, ...]


class _Content(NamedTuple):
    """What findings with the same matches have in common: an advisory of ten CVEs makes ten of them."""

    advisory: Advisory
    ecosystem: str
    severity: str
    word: str
    advisories: tuple[str, ...]
    affected: tuple[Affected, ...]
    description: str
    references: tuple[str, ...]
    scores: tuple[Score, ...]
    published_at: float | None
    modified_at: float


def fold(matches: list[Match], advisories: dict[int, Advisory]) -> tuple[list[Finding], int]:
    """Findings, worst first, then by name; and how many CVSS vectors could not be read."""
    names = _names(matches, advisories)
    by_name: dict[str, list[int]] = {}
    for number, one in enumerate(matches):
        for name in names[one.record]:
            by_name.setdefault(name, []).append(number)
    by_matches: dict[tuple[int, ...], list[str]] = {}
    for name, numbers in by_name.items():
        by_matches.setdefault(tuple(numbers), []).append(name)
    findings: list[Finding] = []
    for same, found in by_matches.items():
        content = _content([matches[number] for number in same], advisories)
        findings += [_finding(name, content) for name in found]
    vectors = {vector for one in matches for vector in (*one.vectors, *advisories[one.record].vectors)}
    unread = sum(severity.score(vector) is None for vector in vectors)
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.name)), unread


def _names(matches: list[Match], advisories: dict[int, Advisory]) -> dict[int, list[str]]:
    """The names of the findings that each record makes."""
    names: dict[int, list[str]] = {}
    for one in matches:
        names[one.record] = advisories[one.record].cves
    unnamed = [record for record, found in names.items() if not found]
    if unnamed:
        groups = _groups([advisories[record] for record in names])
        ids = {advisories[record].id: found for record, found in names.items()}
        for record in unnamed:
            same = groups[advisories[record].id]
            cves = sorted({cve for name in same for cve in ids.get(name, [])})
            names[record] = cves or [min(name for name in same if name in ids)]
    return names


def _groups(advisories: Iterable[Advisory]) -> dict[str, set[str]]:
    """Ids that mean the same, for each id: aliases are symmetric and transitive."""
    groups: dict[str, set[str]] = {}
    for advisory in advisories:
        merged = {advisory.id, *advisory.aliases}
        for one in list(merged):
            merged |= groups.get(one, set())
        groups.update(dict.fromkeys(merged, merged))
    return groups


def _finding(name: str, content: _Content) -> Finding:
    return Finding(
        name=name,
        advisories=content.advisories,
        severity=content.severity,
        affected=content.affected,
        description=content.description,
        url=osv.page(name, content.advisory, content.ecosystem),
        references=content.references,
        scores=content.scores,
        source=ecosystems.family(content.ecosystem),
        source_severity=content.word,
        published_at=content.published_at,
        modified_at=content.modified_at,
    )


def _content(matches: list[Match], advisories: dict[int, Advisory]) -> _Content:
    ecosystem_of = {one.record: one.ecosystem for one in matches}
    said = sorted(ecosystem_of, key=lambda record: _order(advisories[record], ecosystem_of[record]))
    told = [advisories[record] for record in said]
    scores = _scores(matches, advisories)
    words = [word for one in matches for word in (*one.words, *advisories[one.record].words)]
    worst, word = severity.severity(scores, words)
    return _Content(
        advisory=told[0],
        ecosystem=ecosystem_of[said[0]],
        severity=worst,
        word=word,
        advisories=tuple(dict.fromkeys(one.id for one in told)),
        affected=_affected(matches),
        description=_description(told),
        references=tuple(dict.fromkeys(url for one in told for _, url in one.references if url)),
        scores=tuple(scores),
        published_at=min((one.published_at for one in told if one.published_at is not None), default=None),
        modified_at=max(one.modified_at for one in told),
    )


def _order(advisory: Advisory, ecosystem: str) -> tuple[object, ...]:
    """The system's word before a language's, few CVEs before many, then the newest."""
    is_language = ecosystem in ecosystems.LANGUAGES.values()
    return is_language, len(advisory.cves), -advisory.modified_at, advisory.id


def _description(told: list[Advisory]) -> str:
    texts = [one.details for one in told] + [one.summary for one in told]
    return next((text for text in texts if text), "")


def _scores(matches: list[Match], advisories: dict[int, Advisory]) -> list[Score]:
    """Every readable vector once, newest CVSS version first; the source is the database ("GHSA")."""
    given = {
        (vector, advisories[one.record].id.partition("-")[0])
        for one in matches
        for vector in (*one.vectors, *advisories[one.record].vectors)
    }
    read = [score for vector, source in sorted(given) if (score := severity.score(vector, source))]
    return sorted(read, key=lambda one: (one.version, one.score), reverse=True)


def _affected(matches: list[Match]) -> tuple[Affected, ...]:
    """Each package once. Where several records know a fix, only the last of them is without all."""
    fixes: dict[Package, str | None] = {}
    for one in matches:
        known = fixes.get(one.package)
        fixes[one.package] = _later(one.package.kind, known, one.fixed_in)
    found = [Affected(package, fixed_in) for package, fixed_in in fixes.items()]
    return tuple(sorted(found, key=lambda one: (one.package.name, one.package.version, one.package.path)))


def _later(kind: str, left: str | None, right: str | None) -> str | None:
    if left is None or right is None:
        return left or right
    # Both have a place in the order: they were compared with the package's.
    return left if compare(kind, left, right) >= 0 else right
