"""Order of versions, for each kind of package.

deb, apk and Maven are in version_orders.py, and why; PEP 440 is `packaging`'s. Semantic versions (npm,
Go, crates.io) are python-semver's: univers 32.0.1 lets build metadata count. rpm and RubyGems are univers'.

A text that is not a version in its kind's order has no place in it: `key` raises InvalidVersion and the
matcher says so in place of a finding (matching.Doubt).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ecr_emu.scanner.version_orders import apk_key, dpkg_key, maven_key

# Longer ones are nobody's version; numbers in them would take quadratic time to read.
MAX_LENGTH = 512


class InvalidVersion(ValueError):
    """The text has no place in the order of its kind."""


def compare(kind: str, left: str, right: str) -> int:
    """-1, 0 or 1. Raises InvalidVersion, and KeyError for a kind that is not in domain.inventory."""
    one, other = key(kind, left), key(kind, right)
    if one == other:
        return 0
    return -1 if one < other else 1


@lru_cache(maxsize=65_536)
def key(kind: str, text: str) -> Any:
    """What sorts as the versions of `kind` do; keys of one kind compare with each other only."""
    order = _ORDERS[kind]
    try:
        if len(text) > MAX_LENGTH:
            raise ValueError("too long")
        return order(text)
    except (ValueError, TypeError) as reason:
        raise InvalidVersion(f"{text[:80]!r} is no version of kind {kind}") from reason


def _rpm(text: str) -> Any:
    from univers.rpm import RpmVersion

    if not text or " " in text or not text.isascii():
        raise ValueError(text)
    return RpmVersion.from_string(text)  # type: ignore[no-untyped-call]


def _pep440(text: str) -> Any:
    from packaging.version import Version

    return Version(text)


def _semver(text: str) -> Any:
    """Semantic version 2.0; 1.2 is 1.2.0, and a leading v (Go) is no part of it."""
    from semver import Version

    return Version.parse(text.removeprefix("v"), optional_minor_and_patch=True)


def _gem(text: str) -> Any:
    from univers.gem import GemVersion

    if not text.strip() or not GemVersion.is_correct(text):
        raise ValueError(text)
    return GemVersion(text)  # type: ignore[no-untyped-call]


_ORDERS: dict[str, Callable[[str], Any]] = {
    "deb": dpkg_key,
    "apk": apk_key,
    "rpm": _rpm,
    "pypi": _pep440,
    "npm": _semver,
    "golang": _semver,
    "cargo": _semver,
    "maven": maven_key,
    "gem": _gem,
}
