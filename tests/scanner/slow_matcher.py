"""An own reading of OSV's evaluation, slow and plain, to compare the matcher with.

It shares nothing with ecr_emu.scanner: dpkg itself orders Debian's versions, `packaging` Python's, and
Alpine's are split by hand. It knows records as the JSON of their files.
"""

import re
import subprocess
from functools import cache, cmp_to_key
from typing import Any

from packaging.version import InvalidVersion, Version

from ecr_emu.domain.findings import Finding

# CVE, package and version, with the advisories and the fix that a matcher says.
Triples = dict[tuple[str, str, str], tuple[set[str], str | None]]


@cache
def dpkg_order(left: str, right: str) -> int:
    for operator, answer in (("lt", -1), ("gt", 1)):
        if subprocess.run(["dpkg", "--compare-versions", left, operator, right], check=False).returncode == 0:
            return answer
    return 0


def dpkg_orders(pairs: list[tuple[str, str]]) -> list[str]:
    """What dpkg says of each pair: "-1", "0", "1", or "x" where one is no version. One shell for all."""
    # dpkg answers 2 where one is no version.
    script = (
        'while read -r a b; do dpkg --compare-versions "$a" lt "$b" 2>/dev/null; case $? in 0) echo -1;;'
        ' 1) if dpkg --compare-versions "$a" eq "$b"; then echo 0; else echo 1; fi;; *) echo x;; esac; done'
    )
    text = "".join(f"{left} {right}\n" for left, right in pairs)
    answer = subprocess.run(["sh", "-c", script], input=text, capture_output=True, text=True, check=True)
    return answer.stdout.split()


def python_order(left: str, right: str) -> int:
    one, other = Version(left), Version(right)
    return (one > other) - (one < other)


def apk_order(left: str, right: str) -> int:
    """Numbers, a letter, suffixes and the revision, one after the other."""
    ours = r"^(\d+(?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(?:-r(\d+))?$"
    one, other = re.match(ours, left), re.match(ours, right)
    if not one or not other:
        raise ValueError(left, right)
    numbers = _apk_numbers(one[1].split("."), other[1].split("."))
    if numbers:
        return numbers
    if one[2] != other[2]:
        return 1 if one[2] > other[2] else -1
    suffixes = _apk_suffixes(one[3], other[3])
    if suffixes:
        return suffixes
    revisions = int(one[4] or -1), int(other[4] or -1)
    return (revisions[0] > revisions[1]) - (revisions[0] < revisions[1])


def _apk_numbers(left: list[str], right: list[str]) -> int:
    for place, (one, other) in enumerate(zip(left, right, strict=False)):
        if one == other:
            continue
        if place and (one.startswith("0") or other.startswith("0")):
            return 1 if one > other else -1
        if int(one) != int(other):
            return 1 if int(one) > int(other) else -1
    return (len(left) > len(right)) - (len(left) < len(right))


def _apk_suffixes(left: str, right: str) -> int:
    words = ["alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"]
    ones, others = (re.findall(r"_([a-z]+)(\d*)", text) for text in (left, right))
    for place in range(max(len(ones), len(others))):
        one = ones[place] if place < len(ones) else ("", "")
        other = others[place] if place < len(others) else ("", "")
        a, b = ((words.index(word), int(number or -1)) for word, number in (one, other))
        if a != b:
            return 1 if a > b else -1
    return 0


ORDERS = {"deb": dpkg_order, "apk": apk_order, "pypi": python_order}


def is_vulnerable(kind: str, version: str, entry: dict[str, Any]) -> tuple[bool, str | None]:
    """IsVulnerable of the schema for one `affected` entry, and the fix that follows."""
    order = ORDERS[kind]
    for one in entry.get("ranges", []):
        if one["type"] == "GIT":
            continue
        try:
            is_in, fix = _included(order, version, one["events"])
        except (InvalidVersion, ValueError):
            continue
        if is_in:
            return True, fix
    return version in entry.get("versions", []), None


def _included(order: Any, version: str, events: list[dict[str, str]]) -> tuple[bool, str | None]:
    def place(left: str, right: str) -> int:
        # "0" as an introduction is before everything.
        if left == right:
            return 0
        if left == "0!" or right == "0!":
            return -1 if left == "0!" else 1
        return int(order(left, right))

    limits = [event["limit"] for event in events if "limit" in event]
    if limits and not any(limit == "*" or place(version, limit) < 0 for limit in limits):
        return False, None
    rows = sorted(_rows(events), key=cmp_to_key(lambda one, other: place(one[1], other[1])))
    vulnerable = False
    for word, text in rows:
        side = place(version, text)
        if word == "introduced" and side >= 0:
            vulnerable = True
        if (word == "fixed" and side >= 0) or (word == "last_affected" and side > 0):
            vulnerable = False
    later = [text for word, text in rows if word == "fixed" and place(text, version) > 0]
    return vulnerable, later[0] if vulnerable and later else None


def _rows(events: list[dict[str, str]]) -> list[tuple[str, str]]:
    """Pairs of word and version; "0!" is the introduction that is before everything."""
    return [
        (word, "0!" if (word, event[word]) == ("introduced", "0") else event[word])
        for event in events
        for word in ("introduced", "fixed", "last_affected")
        if word in event
    ]


def find(
    records: list[dict[str, Any]], packages: list[tuple[str, str, str, str]]
) -> dict[tuple[str, str, str], tuple[set[str], set[str | None]]]:
    """CVE, package and version, with advisories and fixes, for packages (kind, ecosystem, name, version).

    Every record is looked at for every package: nothing is indexed.
    """
    found: dict[tuple[str, str, str], tuple[set[str], set[str | None]]] = {}
    for record in records:
        if record.get("withdrawn"):
            continue
        names = [
            one for one in record.get("aliases", []) + record.get("upstream", []) if one.startswith("CVE-")
        ]
        for kind, ecosystem, name, version in packages:
            for entry in record.get("affected", []):
                if (entry["package"]["ecosystem"], entry["package"]["name"]) != (ecosystem, name):
                    continue
                is_affected, fix = is_vulnerable(kind, version, entry)
                if is_affected:
                    for cve in names or [record["id"]]:
                        ids, fixes = found.setdefault((cve, name, version), (set(), set()))
                        ids.add(record["id"])
                        fixes.add(fix)
    return found


def triples(findings: list[Finding]) -> Triples:
    """What the matcher under test says, to compare with `find`."""
    return {
        (finding.name, one.package.name, one.package.version): (set(finding.advisories), one.fixed_in)
        for finding in findings
        for one in finding.affected
    }


def differences(
    ours: Triples, theirs: dict[tuple[str, str, str], tuple[set[str], set[str | None]]]
) -> list[Any]:
    """What one of two matchers says and the other does not."""
    wrong: list[Any] = [("only one", key) for key in ours.keys() ^ theirs.keys()]
    for key in ours.keys() & theirs.keys():
        (advisories, fix), (others, fixes) = ours[key], theirs[key]
        if not (others <= advisories and fix in fixes):
            wrong.append((key, ours[key], theirs[key]))
    return wrong
