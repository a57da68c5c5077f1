"""Which repositories are scanned when, and which images can be scanned at all (Amazon ECR user guide, Image
scanning).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecr_emu.domain import manifests
from ecr_emu.domain.wildcards import matches

# One scan of an image in this time, whoever starts it (StartImageScan).
INTERVAL_SECONDS = 24 * 3600

# What each kind of scanning can do; where several rules match, the earlier frequency wins.
FREQUENCIES = {
    "BASIC": ("SCAN_ON_PUSH", "MANUAL"),
    "ENHANCED": ("CONTINUOUS_SCAN", "SCAN_ON_PUSH"),
}

_SCANNABLE_MANIFESTS = {manifests.OCI_MANIFEST, manifests.DOCKER_MANIFEST}
_SCANNABLE_CONFIGS = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
}
_SCANNABLE_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
}

_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Rule:
    """How often to scan the repositories that one of the filters matches."""

    frequency: str
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """A registry's scanning configuration; without one it is BASIC and has no rules."""

    scan_type: str = "BASIC"
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often a repository is scanned, and the filters that say so."""

    name: str = "MANUAL"
    filters: tuple[str, ...] = ()

    @property
    def is_on_push(self) -> bool:
        return self.name != "MANUAL"


def matches_name(pattern: str, name: str) -> bool:
    """True when the name contains the filter or, if the filter has a *, fits it as a whole."""
    return matches(pattern, name) if "*" in pattern else pattern in name


def frequency(configuration: Configuration, scan_on_push: bool, name: str) -> Frequency:
    """How often the repository `name` is scanned. Its own setting counts while there are no rules."""
    if not configuration.rules and configuration.scan_type == "BASIC":
        return Frequency("SCAN_ON_PUSH" if scan_on_push else "MANUAL")
    for wanted in FREQUENCIES[configuration.scan_type]:
        applied = tuple(
            pattern
            for rule in configuration.rules
            if rule.frequency == wanted
            for pattern in rule.filters
            if matches_name(pattern, name)
        )
        if applied:
            return Frequency(wanted, applied)
    return Frequency()


def check(configuration: Configuration) -> str | None:
    """The constraint that scan type and rules break together, or None."""
    used = [rule.frequency for rule in configuration.rules]
    for given in used:
        if given not in FREQUENCIES[configuration.scan_type]:
            return f"Scan frequency {given} is not supported for scan type {configuration.scan_type}"
    if len(set(used)) < len(used):
        return "Each scan frequency can have one rule only"
    return None


def is_scannable(media_type: str, artifact_type: str | None, blob_types: Iterable[str]) -> bool:
    """True for an image of a file system; `blob_types` are the media types of its config and layers."""
    return (
        media_type in _SCANNABLE_MANIFESTS
        and artifact_type in _SCANNABLE_CONFIGS
        and set(blob_types) <= _SCANNABLE_CONFIGS | _SCANNABLE_LAYERS
    )


def recent_scans(text: str | None, now: float) -> int:
    """How many basic scans of a registry began in the last 24 hours, this one and the 23 before it."""
    return sum(_recent_hours(text, now).values())


def with_scan(text: str | None, now: float) -> str:
    """The same count, kept by the hour, with one scan more."""
    hours, hour = _recent_hours(text, now), int(now // _HOUR_SECONDS)
    return json.dumps({**hours, hour: hours.get(hour, 0) + 1})


def _recent_hours(text: str | None, now: float) -> dict[int, int]:
    this_hour, kept = int(now // _HOUR_SECONDS), INTERVAL_SECONDS // _HOUR_SECONDS
    hours = {int(hour): count for hour, count in json.loads(text or "{}").items()}
    return {hour: count for hour, count in hours.items() if this_hour - kept < hour <= this_hour}


def write(configuration: Configuration) -> str:
    """The configuration as it is stored."""
    rules: Sequence[object] = [[rule.frequency, rule.filters] for rule in configuration.rules]
    return json.dumps([configuration.scan_type, rules])


def read(text: str | None) -> Configuration:
    """What `write` wrote; the default configuration for None."""
    if text is None:
        return Configuration()
    scan_type, rules = json.loads(text)
    return Configuration(scan_type, tuple(Rule(name, tuple(filters)) for name, filters in rules))
