"""Version orders that no maintained Python library has right: dpkg, apk and Maven.

Each function turns a version into a key that sorts as the package manager does, or raises ValueError.

- dpkg: univers 32.0.1 has the order, at 17 µs a comparison and not for versions that start with a letter;
  a kernel has thousands of advisories. The order is that of deb-version(7), asked of dpkg in the tests.
- apk: univers takes Gentoo's order for it and refuses `_git` suffixes and leading zeros. The order is that of
  apk-tools 3; it differs from apk-tools 2 only in parts that start with a zero.
- Maven: univers does not know `release`, and puts 1.0.RC2 after 1.0-RC3. The order is that of Maven 3.8's
  ComparableVersion (maven.apache.org/pom.html#Version_Order_Specification), asked of Maven in the tests.
"""

import re
from functools import cmp_to_key
from typing import Any

_DPKG = re.compile(r"(?:([0-9]+):)?([!-,./-9:;<=>?@-~-]+)")
_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
# dpkg's order within a part: ~, then its end, then letters, then everything else.
_END = "\x01"
_DPKG_ORDER = {code: chr(code + 256) for code in range(33, 127) if not chr(code).isalpha()} | {
    ord("~"): "\x00"
}


def dpkg_key(version: str) -> Any:
    """`[epoch:]upstream[-revision]`; as dpkg does, this takes characters that the policy does not allow."""
    found = _DPKG.fullmatch(version)
    if found is None or (found[1] is None and ":" in version):
        raise ValueError(version)
    upstream, hyphen, revision = found[2].rpartition("-") if "-" in found[2] else (found[2], "", "")
    if not upstream or (hyphen and not revision):
        raise ValueError(version)
    return int(found[1] or 0), _dpkg_parts(upstream), _dpkg_parts(revision)


def _dpkg_parts(text: str) -> list[str | int]:
    parts: list[str | int] = []
    for letters, digits in _PARTS.findall(text):
        parts += letters.translate(_DPKG_ORDER) + _END, int(digits or 0)
    # The end is as good as a zero with nothing before it, but every text starts with one such pair.
    while len(parts) > 2 and parts[-2:] == [_END, 0]:
        del parts[-2:]
    return [*parts, _END]


_APK = re.compile(
    r"([0-9]+)((?:\.[0-9]+)*)([a-z]?)"
    r"((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)"
    r"(~[0-9a-f]+)?(?:-r([0-9]+))?"
)
_APK_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")
_APK_SUFFIXES = ("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p")
# What comes next decides when all before is equal: 1.1.1 > 1.1a > 1.1_p1 > 1.1~ab > 1.1-r1 > 1.1 > 1.1_rc1.
_DIGITS, _LETTER, _SUFFIX, _COMMIT, _REVISION, _NOTHING, _EARLY = 6, 5, 4, 2, 1, 0, -1


def apk_key(version: str) -> Any:
    """`1.2.3a_rc1_p2~c0ffee-r4`."""
    found = _APK.fullmatch(version)
    if found is None:
        raise ValueError(version)
    first, digits, letter, suffixes, commit, revision = found.groups()
    key: list[Any] = [int(first)]
    for part in digits.split(".")[1:]:
        # Parts with a leading zero are fractions: 1.02 < 1.1, and 1.010 < 1.02.
        key.append((_DIGITS, (0, part) if part[0] == "0" else (1, int(part))))
    if letter:
        key.append((_LETTER, letter))
    for word, number in _APK_SUFFIX.findall(suffixes):
        place = _APK_SUFFIXES.index(word) - _APK_SUFFIXES.index("")
        key.append((_SUFFIX if place > 0 else _EARLY, place, int(number or -1)))
    if commit:
        key.append((_COMMIT, commit))
    if revision is not None:
        key.append((_REVISION, int(revision)))
    key.append((_NOTHING,))
    return key


_MAVEN = re.compile(r"[0-9]+|[^0-9.-]+|[.-]")
_MAVEN_WORDS = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_MAVEN_ALIASES = {"ga": "", "final": "", "release": "", "cr": "rc"}
_MAVEN_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}

# Lists are compared by recursion.
_MAVEN_MAX_DEPTH = 64

# A number, a word, or a list of them: what follows a hyphen is a list of its own.
_Item = int | str | list[Any]


def maven_key(version: str) -> Any:
    """Any text is a version of Maven's, but an empty one and one with hyphens without end."""
    if not version.strip():
        raise ValueError(version)
    return _maven_sortable(_maven_items(version.strip().lower()))


def _maven_items(version: str) -> list[_Item]:
    """The parts of a version as nested lists, without the zeros and releases that say nothing."""
    parts = _MAVEN.findall(version)
    root: list[_Item] = []
    lists, at_start = [root], True
    for index, part in enumerate(parts):
        after = parts[index + 1] if index + 1 < len(parts) else ""
        if part in ".-":
            if at_start:
                lists[-1].append(0)
            at_start = True
            if part == "-":
                _open(lists)
            continue
        at_start = False
        if part[0].isdigit():
            lists[-1].append(int(part))
            if after not in ("", ".", "-"):
                _open(lists)
            continue
        # A word before a digit, or at the end, is as if a hyphen were before it.
        if lists[-1] and (not after or after[0].isdigit()):
            _open(lists)
        lists[-1].append(_maven_word(part, after))
        if after[:1].isdigit():
            _open(lists)
    for one in reversed(lists):
        _trim(one)
    return root


def _open(lists: list[list[_Item]]) -> None:
    if len(lists) > _MAVEN_MAX_DEPTH:
        raise ValueError("too many hyphens")
    inner: list[_Item] = []
    lists[-1].append(inner)
    lists.append(inner)


def _maven_word(word: str, after: str) -> str:
    if after[:1].isdigit():
        word = _MAVEN_SHORT.get(word, word)
    return _MAVEN_ALIASES.get(word, word)


def _trim(items: list[_Item]) -> None:
    """Take away what says nothing (0, "", an empty list) from the end, and from before the lists there."""
    for index in range(len(items) - 1, -1, -1):
        if not items[index]:
            del items[index]
        elif not isinstance(items[index], list):
            return


def _maven_compare(left: _Item | None, right: _Item | None) -> int:
    """Negative, 0 or positive. None is an item that is not there."""
    if left is None or right is None:
        return _maven_sign(left) - _maven_sign(right)
    if isinstance(left, list) and isinstance(right, list):
        for index in range(max(len(left), len(right))):
            pair = (items[index] if index < len(items) else None for items in (left, right))
            if result := _maven_compare(*pair):
                return result
        return 0
    if isinstance(left, int) and isinstance(right, int):
        return (left > right) - (left < right)
    if isinstance(left, str) and isinstance(right, str):
        one, other = _maven_rank(left), _maven_rank(right)
        return (one > other) - (one < other)
    return _maven_class(left) - _maven_class(right)


def _maven_sign(item: _Item | None) -> int:
    """Whether an item makes a version later (1), earlier (-1: rc and the like) or neither."""
    if isinstance(item, list):
        return next(filter(None, map(_maven_sign, item)), 0)
    if isinstance(item, str):
        rank, release = _maven_rank(item), _maven_rank("")
        return (rank > release) - (rank < release)
    return 1 if item else 0


def _maven_rank(word: str) -> tuple[int, str]:
    return (_MAVEN_WORDS.index(word), "") if word in _MAVEN_WORDS else (len(_MAVEN_WORDS), word)


def _maven_class(item: _Item) -> int:
    """A word is before a list, a list before a number: 1.any < 1-1 < 1.1."""
    return (str, list, int).index(type(item))


_maven_sortable = cmp_to_key(_maven_compare)
