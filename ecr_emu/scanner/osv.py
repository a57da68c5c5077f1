"""Reading one OSV record (ossf.github.io/osv-schema, 1.7), and the form in which the database keeps it.

What cannot be read makes the whole record malformed: half a record would hide a vulnerability. `null` is the
same as a member that is not there, as the Go programs that write these files have it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from ecr_emu.domain import timestamps
from ecr_emu.scanner import ecosystems

# Ranges of git commits say nothing about the version of a package.
_RANGES = ("ECOSYSTEM", "SEMVER")
_EVENTS = ("introduced", "fixed", "last_affected", "limit")
_CVSS = ("CVSS_V2", "CVSS_V3", "CVSS_V4")
_CVE = re.compile(r"(?:^|-)(CVE-[0-9]{4}-[0-9]{4,})$")


class MalformedRecord(ValueError):
    """The text is no OSV record."""


@dataclass(frozen=True, slots=True)
class AffectedPackage:
    """One entry of `affected`. `body` is what `Condition.load` reads."""

    ecosystem: str
    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a record. `body` is what `Advisory.load` reads; times are seconds since 1970."""

    id: str
    modified_at: float
    withdrawn_at: float | None
    body: bytes
    affected: tuple[AffectedPackage, ...]
    # Ecosystems that it is about, also where no version can be told.
    ecosystems: frozenset[str]


class Condition(NamedTuple):
    """Which versions are affected. Events are pairs: ("introduced", "0"), ("fixed", "1.2")."""

    ranges: list[list[list[str]]]
    versions: list[str]
    vectors: list[str]
    words: list[str]

    @classmethod
    def load(cls, body: bytes) -> "Condition":
        return cls(*orjson.loads(body))


class Advisory(NamedTuple):
    """What an advisory says, whatever the package.

    `cves` are those that it is about; `references` are pairs of type and URL.
    """

    id: str
    summary: str
    details: str
    aliases: list[str]
    cves: list[str]
    references: list[list[str]]
    vectors: list[str]
    words: list[str]
    modified_at: float
    published_at: float | None

    @classmethod
    def load(cls, body: bytes) -> "Advisory":
        return cls(*orjson.loads(body))


def read(text: bytes) -> Record:
    """The record in a JSON text. Raises MalformedRecord with the reason."""
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as reason:
        raise MalformedRecord("it is no JSON") from reason
    if not isinstance(record, dict):
        raise MalformedRecord("it is no JSON object")
    name, modified_at = _text(record, "id"), _time(record, "modified")
    if not name or modified_at is None:
        raise MalformedRecord("it has no id, or no modified")
    entries = [entry for entry in _objects(record, "affected") if entry.get("package") is not None]
    affected = tuple(one for entry in entries if (one := _affected(entry)))
    about = frozenset(_package(entry)[0] for entry in entries)
    is_of_a_system = about.isdisjoint(ecosystems.LANGUAGES.values())
    return Record(
        name,
        modified_at,
        _time(record, "withdrawn"),
        _advisory(record, name, modified_at, is_of_a_system=is_of_a_system),
        affected,
        about,
    )


def _advisory(record: dict[str, Any], name: str, modified_at: float, *, is_of_a_system: bool) -> bytes:
    vectors, words = _severities(record)
    return orjson.dumps(
        [
            name,
            _text(record, "summary"),
            _text(record, "details"),
            _texts(record, "aliases"),
            _cves(record, name, is_of_a_system),
            [[_text(one, "type"), _text(one, "url")] for one in _objects(record, "references")],
            vectors,
            words + _words(record, "database_specific"),
            modified_at,
            _time(record, "published"),
        ]
    )


def _affected(entry: dict[str, Any]) -> AffectedPackage | None:
    """None for an entry that no version can be compared with."""
    ecosystem, name = _package(entry)
    ranges = [
        [event for one in _objects(each, "events") for event in _event(one)]
        for each in _objects(entry, "ranges")
        if _text(each, "type") in _RANGES
    ]
    versions = _texts(entry, "versions")
    if not (ranges or versions):
        return None
    vectors, words = _severities(entry)
    words += _words(entry, "ecosystem_specific") + _words(entry, "database_specific")
    return AffectedPackage(ecosystem, name, orjson.dumps([ranges, versions, vectors, words]))


def _package(entry: dict[str, Any]) -> tuple[str, str]:
    package = entry["package"]
    if not isinstance(package, dict):
        raise MalformedRecord("package is no object")
    ecosystem, name = _text(package, "ecosystem"), _text(package, "name")
    if not (ecosystem and name):
        raise MalformedRecord("a package has no name or no ecosystem")
    ecosystem = ecosystems.canonical(ecosystem)
    return ecosystem, ecosystems.package_name(ecosystem, name)


def _event(event: dict[str, Any]) -> Iterator[list[str]]:
    """The schema allows one member for each event; more are read as several events."""
    for name in _EVENTS:
        if version := _text(event, name):
            yield [name, version]


def _severities(holder: dict[str, Any]) -> tuple[list[str], list[str]]:
    """CVSS vectors, and words that are a severity already (Ubuntu's priorities)."""
    given = [(_text(one, "type"), _text(one, "score")) for one in _objects(holder, "severity")]
    vectors = [score for kind, score in given if kind in _CVSS and score]
    return vectors, [score for kind, score in given if kind not in _CVSS and score]


def _words(holder: dict[str, Any], member: str) -> list[str]:
    """What a source calls it: GitHub, Red Hat `severity`; Debian `urgency`. Anything may be in there."""
    specific = holder.get(member)
    found = [specific.get(name) for name in ("severity", "urgency")] if isinstance(specific, dict) else []
    return [word for word in found if isinstance(word, str) and word]


def _cves(record: dict[str, Any], name: str, is_of_a_system: bool) -> list[str]:
    """The CVEs that a record is about.

    `aliases` are other names of it; `upstream` is where a distribution's advisory names them, several at
    once. Before that was in the schema distributions wrote them into `related`, which is something else in
    the databases of the languages.
    """
    found = _cves_in([name, *_texts(record, "aliases"), *_texts(record, "upstream")])
    related = _cves_in(_texts(record, "related"))
    return found or (related if is_of_a_system else [])


def _cves_in(names: list[str]) -> list[str]:
    return list(dict.fromkeys(match[1] for name in names if (match := _CVE.search(name))))


def _time(record: dict[str, Any], member: str) -> float | None:
    text = _text(record, member)
    if not text:
        return None
    try:
        return timestamps.parse(text)
    except ValueError as reason:
        raise MalformedRecord(f"{member} is no time") from reason


def _text(holder: dict[str, Any], member: str) -> str:
    value = holder.get(member)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedRecord(f"{member} is no text")
    return value


def _texts(holder: dict[str, Any], member: str) -> list[str]:
    values = holder.get(member) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MalformedRecord(f"{member} is no list of texts")
    return values


def _objects(holder: dict[str, Any], member: str) -> list[dict[str, Any]]:
    values = holder.get(member) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise MalformedRecord(f"{member} is no list of objects")
    return values


def page(name: str, advisory: Advisory, ecosystem: str) -> str:
    """Where to read more: the distribution's page, of the form in the OSV schema, else a reference."""
    if ecosystem.startswith("Debian:"):
        return f"https://security-tracker.debian.org/tracker/{name}"
    if ecosystem.startswith("Alpine:") and name.startswith("CVE-"):
        return f"https://security.alpinelinux.org/vuln/{name}"
    if ecosystem.startswith("Ubuntu:") and name.startswith("CVE-"):
        return f"https://ubuntu.com/security/{name}"
    for kind in ("ADVISORY", "WEB"):
        for given, url in advisory.references:
            if given == kind and url:
                return url
    return f"https://osv.dev/vulnerability/{advisory.id}"
