"""Which advisories an image's packages have: OSV's evaluation (ossf.github.io/osv-schema, "Evaluation").

A version that its kind's order does not know, in the image or in an advisory, makes neither a finding nor
silence: it makes a Doubt, which says which package could not be compared with which advisory. `versions`
lists are compared as texts, so they also find packages with such a version.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ecr_emu.domain.findings import Finding
from ecr_emu.domain.inventory import SYSTEM_KINDS, Inventory, Package
from ecr_emu.scanner import ecosystems, folding
from ecr_emu.scanner.advisories import Database, Hit
from ecr_emu.scanner.folding import Match
from ecr_emu.scanner.osv import Condition
from ecr_emu.scanner.versions import InvalidVersion, key

# Packages by version, by name and ecosystem in which an advisory would name them.
_Asked = dict[tuple[str, str], dict[tuple[str, str], list[Package]]]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A package that an advisory names, and no telling whether it is affected."""

    package: Package
    advisory: str
    reason: str


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found; `doubts` could not be decided, `unread_vectors` are CVSS vectors that make no sense."""

    findings: list[Finding]
    doubts: list[Doubt]
    unread_vectors: int


def match(database: Database, inventory: Inventory, *, languages: bool, now: float) -> list[Finding]:
    """The findings, worst first, then by name (that AWS sorts by name within a severity is an inference).

    With `languages` also for packages of programming languages, as AWS's enhanced scanning has them. `now` is
    in seconds since 1970: an advisory that is withdrawn by then says nothing. Raises AdvisoryError.
    """
    return examine(database, inventory, languages=languages, now=now).findings


def examine(database: Database, inventory: Inventory, *, languages: bool, now: float) -> Matches:
    """As `match`, with what could not be decided."""
    asked = _asked(inventory, languages=languages)
    matches: list[Match] = []
    doubtful: list[tuple[Package, int, str]] = []
    for hit in database.affecting(asked, now):
        condition = Condition.load(hit.body)
        for (kind, version), packages in asked.get((hit.ecosystem, hit.name), {}).items():
            try:
                verdict = affected(kind, version, condition)
            except InvalidVersion as reason:
                doubtful += [(package, hit.record, str(reason)) for package in packages]
                continue
            if verdict.is_affected:
                matches += [_match(hit, package, verdict, condition) for package in packages]
    advisories = database.advisories({one.record for one in matches} | {record for _, record, _ in doubtful})
    findings, unread = folding.fold(matches, advisories)
    doubts = [Doubt(package, advisories[record].id, reason) for package, record, reason in doubtful]
    return Matches(findings, doubts, unread)


def kinds(inventory: Inventory, *, languages: bool) -> set[str]:
    """The kinds of packages that are to be compared: what `Database.covers` is asked about."""
    wanted = {*SYSTEM_KINDS, *(ecosystems.LANGUAGES if languages else ())}
    return {package.kind for package in inventory.packages} & wanted


def _asked(inventory: Inventory, *, languages: bool) -> _Asked:
    release = ecosystems.release_of(inventory.system) if inventory.system else None
    asked: _Asked = {}
    for package in inventory.packages:
        for ecosystem, name, version in _names(package, release, languages=languages):
            name = ecosystems.package_name(ecosystem, name)
            versions = asked.setdefault((ecosystem, name), {})
            versions.setdefault((package.kind, version), []).append(package)
    return asked


def _names(
    package: Package, release: ecosystems.Release | None, *, languages: bool
) -> Iterable[tuple[str, str, str]]:
    """Ecosystem, name and version under which advisories may mean a package."""
    if release and package.kind == release.kind:
        return [(one, name, version) for name, version in release.asked(package) for one in release.names]
    if languages and package.kind in ecosystems.LANGUAGES:
        return [(ecosystems.LANGUAGES[package.kind], package.name, package.version)]
    return []


class Verdict(NamedTuple):
    """Whether a version is affected, and the first version after it that is not, if one is known."""

    is_affected: bool
    fixed_in: str | None = None


_UNAFFECTED = Verdict(is_affected=False)


def affected(kind: str, version: str, condition: Condition) -> Verdict:
    """Whether a version meets a condition. Raises InvalidVersion if a range cannot be told."""
    doubt: InvalidVersion | None = None
    for events in condition.ranges:
        try:
            verdict = _in_range(kind, version, events)
        except InvalidVersion as reason:
            doubt = reason
            continue
        if verdict.is_affected:
            return verdict
    # Go's own versions have a v, OSV's have none.
    if version in condition.versions or (
        kind == "golang" and version.removeprefix("v") in condition.versions
    ):
        return Verdict(is_affected=True)
    if doubt:
        raise doubt
    return _UNAFFECTED


def _in_range(kind: str, version: str, events: list[list[str]]) -> Verdict:
    # "Every version" holds for one that has no place in the order, too.
    if events == [["introduced", "0"]]:
        return Verdict(is_affected=True)
    installed = key(kind, version)
    # What the distributions have throughout, and what most of the time goes into.
    if len(events) == 2 and events[0] == ["introduced", "0"] and events[1][0] == "fixed":
        fixed = events[1][1]
        return Verdict(is_affected=True, fixed_in=fixed) if installed < key(kind, fixed) else _UNAFFECTED
    limits = [text for name, text in events if name == "limit"]
    if limits and not any(text == "*" or installed < key(kind, text) for text in limits):
        return _UNAFFECTED
    is_affected, fixed_in = False, None
    for name, text, place in _timeline(kind, events):
        is_reached = place is None or installed >= place
        if name == "introduced":
            is_affected = is_affected or is_reached
        elif name == "fixed" and is_reached:
            is_affected = False
        elif name == "fixed":
            fixed_in = text
            break
        elif is_reached and installed != place:
            is_affected = False
    return Verdict(is_affected, fixed_in) if is_affected else _UNAFFECTED


def _timeline(kind: str, events: list[list[str]]) -> list[tuple[str, str, Any]]:
    """Events in the order of their versions, else as given; "0" is before any version and has no place."""
    placed: list[tuple[str, str, Any]] = [
        (name, text, None if name == "introduced" and text == "0" else key(kind, text))
        for name, text in events
        if name != "limit"
    ]
    first = [one for one in placed if one[2] is None]
    rest = [one for one in placed if one[2] is not None]
    return first + sorted(rest, key=lambda one: one[2]) if len(rest) > 1 else first + rest


def _match(hit: Hit, package: Package, verdict: Verdict, condition: Condition) -> Match:
    return Match(
        package, hit.record, hit.ecosystem, verdict.fixed_in, tuple(condition.vectors), tuple(condition.words)
    )
