"""Matching: which packages have which vulnerabilities, compared with a slow and plain matcher.

Whole databases of real advisories are compared in conformance/test_advisories.py.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.findings import Finding
from ecr_emu.domain.inventory import Inventory, Package, System
from ecr_emu.scanner import matching
from ecr_emu.scanner.advisories import Database
from tests.scanner import slow_matcher
from tests.scanner.osv_files import ALPINE, DEBIAN, NOW, PYPI, Json, affected, record, span, until, zipped
from tests.scanner.slow_matcher import Triples, differences, triples

BULLSEYE = System("debian", "11")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "advisories.db")) as database:
        yield database


def load(database: Database, *records: Json) -> Database:
    database.add(zipped(database.path.parent / "all.zip", *records), now=NOW)
    return database


def python(name: str, version: str) -> Package:
    return Package("pypi", name, version)


def deb(name: str, version: str, source: str = "", source_version: str = "") -> Package:
    return Package("deb", name, version, source=source, source_version=source_version)


def found(database: Database, *packages: Package, system: System | None = BULLSEYE) -> list[Finding]:
    return matching.match(database, Inventory(system, packages), languages=True, now=NOW)


def names(findings: list[Finding]) -> list[str]:
    return [finding.name for finding in findings]


def test_an_advisory_of_five_cves_makes_five_findings(database: Database) -> None:
    load(database, *DEBIAN)
    package = deb("libssl1.1", "1.1.1n-0+deb11u3", "openssl", "1.1.1n-0+deb11u3")
    findings = found(database, package)
    assert names(findings) == [
        "CVE-2022-2097",
        "CVE-2022-4304",
        "CVE-2022-4450",
        "CVE-2023-0215",
        "CVE-2023-0286",
    ]
    first = findings[0]
    assert (first.advisories, first.severity, first.source) == (("DSA-5343-1",), "UNDEFINED", "Debian")
    assert first.url == "https://security-tracker.debian.org/tracker/CVE-2022-2097"
    assert first.references == ("https://security-tracker.debian.org/tracker/DSA-5343-1",)
    assert first.description == "openssl - security update"
    assert [(one.package, one.fixed_in) for one in first.affected] == [(package, "1.1.1n-0+deb11u4")]


def test_debians_advisories_name_the_source_package(database: Database) -> None:
    load(database, *DEBIAN)
    assert found(database, deb("openssl", "1.1.1n-0+deb11u3", "other", "1")) == []
    # The version that counts is the source's, too: gcc's packages have others than gcc.
    assert found(database, deb("libssl1.1", "9", "openssl", "1.1.1n-0+deb11u3"))
    assert found(database, deb("libssl1.1", "0", "openssl", "1.1.1n-0+deb11u4")) == []
    # A package without a source is its own.
    assert found(database, deb("openssl", "1.1.1n-0+deb11u3"))


def test_another_release_is_not_this_one(database: Database) -> None:
    load(database, *DEBIAN)
    package = deb("openssl", "1.1.1")
    assert found(database, package, system=System("debian", "12")) == []
    assert found(database, package, system=None) == []
    assert found(database, package, system=System("amzn", "2")) == []
    assert found(database, package, system=System("alpine", "3.11.2")) == []


def test_alpines_advisories_name_the_origin(database: Database) -> None:
    load(database, *ALPINE)
    package = Package("apk", "confuse-dev", "3.2.1-r0", source="confuse", source_version="3.2.1-r0")
    (finding,) = found(database, package, system=System("alpine", "3.11.6"))
    assert (finding.name, finding.affected[0].fixed_in) == ("CVE-2018-14447", "3.2.2-r0")
    assert finding.url == "https://security.alpinelinux.org/vuln/CVE-2018-14447"
    assert found(database, package, system=System("alpine", "3.9.6")) == []


@pytest.mark.parametrize("name", ["httpd", "httpd-tools"])
def test_rpm_advisories_may_name_the_package_or_its_source(database: Database, name: str) -> None:
    load(
        database, record("RLSA-1", until("Rocky Linux:9", name, "0:2.4.53-7.el9"), related=["CVE-2022-0001"])
    )
    package = Package("rpm", "httpd-tools", "2.4.51-7.el9", source="httpd", source_version="2.4.51-7.el9")
    (finding,) = found(database, package, system=System("rocky", "9.3"))
    assert (finding.name, finding.advisories) == ("CVE-2022-0001", ("RLSA-1",))
    assert [one.package for one in finding.affected] == [package]


def test_red_hats_repositories_are_all_looked_at(database: Database) -> None:
    load(database, record("RHSA-1", until("Red Hat:enterprise_linux:9::appstream", "a", "2-1.el9")))
    assert names(found(database, Package("rpm", "a", "1-1.el9"), system=System("rhel", "9.4"))) == ["RHSA-1"]


@pytest.mark.parametrize(
    ("kind", "ecosystem", "name", "installed", "fixed"),
    [
        ("pypi", "PyPI", "Foo_Bar", "1.0rc1", "1.0"),
        ("npm", "npm", "@angular/core", "1.0.0-rc.1", "1.0.0"),
        ("golang", "Go", "github.com/gorilla/mux", "v1.7.4", "1.8.0"),
        ("maven", "Maven", "org.slf4j:slf4j-api", "1.7.30", "1.7.31.Final"),
        ("gem", "RubyGems", "rails", "5.0.0.1", "5.0.0.2"),
        ("cargo", "crates.io", "time", "0.1.42", "0.1.43"),
    ],
)
def test_packages_of_languages(
    database: Database, kind: str, ecosystem: str, name: str, installed: str, fixed: str
) -> None:
    load(database, record("GHSA-1", affected(ecosystem, name, span(("introduced", "0"), ("fixed", fixed)))))
    inventory = Inventory(BULLSEYE, (Package(kind, name, installed),))
    (finding,) = matching.match(database, inventory, languages=True, now=NOW)
    assert (finding.name, finding.source, finding.affected[0].fixed_in) == ("GHSA-1", ecosystem, fixed)
    assert matching.match(database, inventory, languages=False, now=NOW) == []
    assert found(database, Package(kind, name, fixed)) == []


# Events of a range, installed version, whether it is affected, and the fix.
RANGES: list[tuple[list[tuple[str, str]], str, bool, str | None]] = [
    ([("introduced", "0")], "0.0.1", True, None),
    ([("introduced", "0"), ("fixed", "1.0")], "0.9", True, "1.0"),
    ([("introduced", "0"), ("fixed", "1.0")], "1.0", False, None),
    ([("introduced", "1.0"), ("fixed", "2.0")], "0.9", False, None),
    ([("introduced", "1.0"), ("fixed", "2.0")], "1.0", True, "2.0"),
    ([("introduced", "0"), ("last_affected", "1.0")], "1.0", True, None),
    ([("introduced", "0"), ("last_affected", "1.0")], "1.0.post1", False, None),
    # In any order; the smallest fix above.
    ([("fixed", "3.0"), ("fixed", "1.0"), ("introduced", "2.0"), ("introduced", "0")], "0.5", True, "1.0"),
    ([("fixed", "3.0"), ("fixed", "1.0"), ("introduced", "2.0"), ("introduced", "0")], "1.5", False, None),
    ([("fixed", "3.0"), ("fixed", "1.0"), ("introduced", "2.0"), ("introduced", "0")], "2.5", True, "3.0"),
    ([("introduced", "0"), ("limit", "1.0")], "0.9", True, None),
    ([("introduced", "0"), ("limit", "1.0")], "1.0", False, None),
    ([("introduced", "0"), ("limit", "1.0"), ("limit", "2.0")], "1.5", True, None),
    ([("introduced", "0"), ("limit", "*")], "9", True, None),
    # Fixed and introduced again in the same version.
    ([("introduced", "0"), ("fixed", "1.0"), ("introduced", "1.0"), ("fixed", "2.0")], "1.5", True, "2.0"),
    # Nothing was ever introduced.
    ([("fixed", "1.0")], "0.5", False, None),
    ([], "1.0", False, None),
]


@pytest.mark.parametrize(("events", "installed", "is_affected", "fixed_in"), RANGES)
@pytest.mark.parametrize("kind", ["ECOSYSTEM", "SEMVER"])
def test_events_of_a_range(
    database: Database,
    events: list[tuple[str, str]],
    installed: str,
    is_affected: bool,
    fixed_in: str | None,
    kind: str,
) -> None:
    load(database, record("X-1", affected("PyPI", "a", span(*events, kind=kind))), PYPI[0])
    fixes = [one.fixed_in for finding in found(database, python("a", installed)) for one in finding.affected]
    assert fixes == ([fixed_in] if is_affected else [])


def test_ranges_of_commits_say_nothing(database: Database) -> None:
    commits = span(("introduced", "0"), kind="GIT")
    load(database, record("X-1", affected("PyPI", "a", commits)), record("X-2", until("PyPI", "a", "1")))
    assert names(found(database, python("a", "0.5"))) == ["X-2"]


def test_versions_that_are_listed(database: Database) -> None:
    listed = affected("PyPI", "a", versions=["1.0", "odd one"])
    both = affected("PyPI", "a", span(("introduced", "2.0"), ("fixed", "2.1")), versions=["0.1"])
    load(database, record("X-1", listed), record("X-2", both))
    assert names(found(database, python("a", "1.0"))) == ["X-1"]
    assert names(found(database, python("a", "0.1"))) == ["X-2"]
    assert names(found(database, python("a", "2.0"))) == ["X-2"]
    assert names(found(database, python("a", "odd one"))) == ["X-1"]


def test_versions_of_go_are_listed_without_their_v(database: Database) -> None:
    load(database, record("GO-1", affected("Go", "example.org/a", versions=["1.2.3"])))
    assert names(found(database, Package("golang", "example.org/a", "v1.2.3"))) == ["GO-1"]


def test_what_cannot_be_compared_is_neither_a_finding_nor_nothing(database: Database) -> None:
    odd = affected("PyPI", "b", span(("introduced", "0"), ("fixed", "soon")))
    always = affected("PyPI", "a", span(("introduced", "0")))
    load(database, record("X-1", until("PyPI", "a", "2")), record("X-2", odd), record("X-3", always))
    bad, good = python("a", "unknown"), python("b", "1.0")
    matches = matching.examine(database, Inventory(None, (bad, good)), languages=True, now=NOW)
    assert names(matches.findings) == ["X-3"]
    assert [(one.package, one.advisory, one.reason) for one in matches.doubts] == [
        (bad, "X-1", "'unknown' is no version of kind pypi"),
        (good, "X-2", "'soon' is no version of kind pypi"),
    ]


def test_a_doubtful_range_does_not_hide_a_clear_one(database: Database) -> None:
    entry = affected(
        "PyPI", "a", span(("introduced", "x"), ("fixed", "y")), span(("introduced", "0"), ("fixed", "2"))
    )
    load(database, record("X-1", entry))
    matches = matching.examine(database, Inventory(None, (python("a", "1"),)), languages=True, now=NOW)
    assert (names(matches.findings), matches.doubts) == (["X-1"], [])


def test_withdrawn_records_say_nothing_from_then_on(database: Database) -> None:
    load(database, record("X-1", until("PyPI", "a", "2"), withdrawn="2023-06-01T00:00:00Z"), PYPI[0])
    inventory = Inventory(None, (python("a", "1"),))
    before, after = 1_685_577_599.0, 1_685_577_600.0
    assert names(matching.match(database, inventory, languages=True, now=before)) == ["X-1"]
    assert matching.match(database, inventory, languages=True, now=after) == []


def test_advisories_of_one_cve_are_one_finding(database: Database) -> None:
    load(
        database,
        record(
            "GHSA-1", until("PyPI", "a", "1.2"), aliases=["CVE-2023-0001"], details="Long.", summary="Short."
        ),
        record("PYSEC-1", until("PyPI", "a", "1.3"), aliases=["CVE-2023-0001", "GHSA-1"]),
    )
    (finding,) = found(database, python("a", "1.0"))
    assert (finding.name, set(finding.advisories)) == ("CVE-2023-0001", {"GHSA-1", "PYSEC-1"})
    assert finding.description == "Long."
    # After 1.2 one of the two still says that it is there.
    assert [one.fixed_in for one in finding.affected] == ["1.3"]


def test_a_fix_that_one_advisory_knows_is_told(database: Database) -> None:
    load(
        database,
        record("X-1", affected("PyPI", "a", span(("introduced", "0"))), aliases=["CVE-2023-0001"]),
        record("X-2", until("PyPI", "a", "1.3"), aliases=["CVE-2023-0001"]),
    )
    (finding,) = found(database, python("a", "1.0"))
    assert [one.fixed_in for one in finding.affected] == ["1.3"]


def test_aliases_are_symmetric_and_transitive(database: Database) -> None:
    load(
        database,
        record("GHSA-1", until("PyPI", "a", "2"), aliases=["PYSEC-1"]),
        record("PYSEC-1", until("PyPI", "a", "2"), aliases=["OSV-1"]),
        record("OSV-1", until("PyPI", "a", "2"), aliases=["CVE-2023-0001"]),
    )
    (finding,) = found(database, python("a", "1"))
    assert (finding.name, sorted(finding.advisories)) == ("CVE-2023-0001", ["GHSA-1", "OSV-1", "PYSEC-1"])


def test_without_a_cve_the_own_id_is_the_name(database: Database) -> None:
    load(
        database,
        record("MAL-1", until("PyPI", "a", "2")),
        record("PYSEC-1", until("PyPI", "b", "2"), aliases=["GHSA-1"]),
        record("GHSA-1", until("PyPI", "b", "2")),
    )
    assert names(found(database, python("a", "1"), python("b", "1"))) == ["GHSA-1", "MAL-1"]


def test_where_a_distribution_names_the_cve(database: Database) -> None:
    load(
        database,
        record("DEBIAN-CVE-2023-0001", until("Debian:11", "a", "2")),
        record("DSA-1-1", until("Debian:11", "b", "2"), related=["CVE-2023-0002"]),
        record("GHSA-1", until("PyPI", "c", "2"), related=["CVE-2023-0003"]),
        record("DSA-2-1", until("Debian:11", "d", "2"), upstream=["UBUNTU-CVE-2023-0004"]),
    )
    packages = deb("a", "1"), deb("b", "1"), python("c", "1"), deb("d", "1")
    assert names(found(database, *packages)) == ["CVE-2023-0001", "CVE-2023-0002", "CVE-2023-0004", "GHSA-1"]


def test_one_finding_has_all_packages(database: Database) -> None:
    load(
        database,
        record("DSA-1-1", until("Debian:11", "openssl", "2"), upstream=["CVE-2023-0001"]),
        record("GHSA-1", until("PyPI", "cryptography", "3"), aliases=["CVE-2023-0001"], summary="Short."),
    )
    packages = deb("libssl", "1", "openssl", "1"), deb("openssl", "1"), python("cryptography", "1")
    (finding,) = found(database, *packages)
    assert [(one.package.name, one.fixed_in) for one in finding.affected] == [
        ("cryptography", "3"),
        ("libssl", "2"),
        ("openssl", "2"),
    ]
    # The system's word comes first, and what it does not say the others do.
    assert (finding.source, finding.description) == ("Debian", "Short.")


def test_worst_first_then_by_name(database: Database) -> None:
    words = ["LOW", "CRITICAL", "MODERATE", "CRITICAL", "", "HIGH", "unimportant"]
    records = [
        record(f"X-{number}", until("PyPI", "a", "2"), database_specific={"severity": word})
        for number, word in enumerate(words)
    ]
    findings = found(load(database, *records), python("a", "1"))
    assert [(one.severity, one.name) for one in findings] == [
        ("CRITICAL", "X-1"),
        ("CRITICAL", "X-3"),
        ("HIGH", "X-5"),
        ("MEDIUM", "X-2"),
        ("LOW", "X-0"),
        ("INFORMATIONAL", "X-6"),
        ("UNDEFINED", "X-4"),
    ]


def test_severity_of_vectors_and_words_wherever_they_stand(database: Database) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    given_to = {"severity": [{"type": "CVSS_V3", "score": vector}, {"type": "CVSS_V3", "score": "nonsense"}]}
    priority = {"severity": [{"type": "Ubuntu", "score": "medium"}]}
    load(
        database,
        record("GHSA-1", until("PyPI", "a", "2"), **given_to),
        record("GHSA-2", until("PyPI", "a", "2") | given_to),
        record("X-3", until("PyPI", "a", "2") | {"ecosystem_specific": {"urgency": "unimportant"}}),
        record("X-4", until("PyPI", "a", "2") | {"database_specific": {"severity": "Important"}}),
        record("X-5", until("PyPI", "a", "2"), **priority),
        record("X-6", until("PyPI", "a", "2"), database_specific={"severity": 7.5}),
        record("X-7", until("PyPI", "a", "2"), database_specific=["HIGH"]),
    )
    matches = matching.examine(database, Inventory(None, (python("a", "1"),)), languages=True, now=NOW)
    by_name = {finding.name: finding for finding in matches.findings}
    assert {name: one.severity for name, one in by_name.items()} == {
        "GHSA-1": "CRITICAL",
        "GHSA-2": "CRITICAL",
        "X-3": "INFORMATIONAL",
        "X-4": "HIGH",
        "X-5": "MEDIUM",
        "X-6": "UNDEFINED",
        "X-7": "UNDEFINED",
    }
    (score,) = by_name["GHSA-1"].scores
    assert (score.version, score.vector, score.score, score.source) == ("3.1", vector, 9.8, "GHSA")
    assert by_name["X-4"].source_severity == "Important"
    assert matches.unread_vectors == 1


def test_times_and_pages(database: Database) -> None:
    load(
        database,
        *PYPI,
        record("UBUNTU-CVE-2023-0001", until("Ubuntu:22.04:LTS", "a", "2"), published="2023-01-02T00:00:00Z"),
        record("PYSEC-9", until("PyPI", "b", "2")),
        record(
            "PYSEC-8", until("PyPI", "c", "2"), references=[{"type": "WEB", "url": "https://example.org/8"}]
        ),
        record("DLA-1-1", until("Debian:11", "d", "2")),
    )
    packages = [python("rasa", "2.0"), python("b", "1"), python("c", "1")]
    pages = {one.name: one.url for one in found(database, *packages, deb("d", "1"))}
    assert pages == {
        "CVE-2021-41127": "https://github.com/RasaHQ/rasa/security/advisories/GHSA-4365-fhm5-qcrx",
        "PYSEC-9": "https://osv.dev/vulnerability/PYSEC-9",
        "PYSEC-8": "https://example.org/8",
        "DLA-1-1": "https://security-tracker.debian.org/tracker/DLA-1-1",
    }
    (ubuntu,) = found(database, deb("a", "1"), system=System("ubuntu", "22.04"))
    assert ubuntu.url == "https://ubuntu.com/security/CVE-2023-0001"
    assert (ubuntu.published_at, ubuntu.modified_at) == (1_672_617_600.0, 1_672_531_200.0)


def test_odd_names_find_nothing(database: Database) -> None:
    load(database, *PYPI)
    assert found(database, python("trac\x00", "0.1"), python("trac\udcff", "0.1"), python("", "")) == []


def test_kinds_that_coverage_is_asked_about() -> None:
    inventory = Inventory(BULLSEYE, (deb("a", "1"), python("b", "1"), Package("conan", "c", "1")))
    assert matching.kinds(inventory, languages=True) == {"deb", "pypi"}
    assert matching.kinds(inventory, languages=False) == {"deb"}


def test_nothing_is_found_in_nothing(database: Database) -> None:
    assert found(database, python("a", "1")) == []
    assert found(load(database, *PYPI)) == []


# Records made by chance: few names and versions, so that much matches.
VERSIONS = st.sampled_from(["0", "0.5", "1.0rc1", "1.0", "1.0.post1", "1.5", "2.0", "2.0.1", "10.0", "odd"])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["introduced", "introduced", "fixed", "fixed", "last_affected", "limit"]), VERSIONS
    ),
    max_size=5,
)
CVES = st.lists(st.sampled_from([f"CVE-2023-{number:04}" for number in range(6)]), max_size=3, unique=True)


@st.composite
def some_records(draw: st.DrawFn) -> list[Json]:
    made = []
    for number in range(draw(st.integers(1, 6))):
        entries = [
            affected(
                "PyPI",
                draw(st.sampled_from("ab")),
                *(span(*draw(EVENTS)) for _ in range(draw(st.integers(0, 2)))),
                versions=draw(st.lists(VERSIONS, max_size=2)),
            )
            for _ in range(draw(st.integers(1, 2)))
        ]
        withdrawn = {"withdrawn": "2020-01-01T00:00:00Z"} if draw(st.integers(0, 4)) == 0 else {}
        made.append(record(f"X-{number}", *entries, aliases=draw(CVES), **withdrawn))
    return made


INVENTORIES = st.lists(st.tuples(st.sampled_from("ab"), VERSIONS), max_size=4, unique=True)


def matched(folder: Path, records: list[Json], asked: list[tuple[str, str]]) -> Triples:
    folder.mkdir(exist_ok=True)
    for name in folder.glob("advisories.db*"):
        name.unlink()
    database = load(Database(folder / "advisories.db"), *records)
    answer = triples(found(database, *(python(*one) for one in asked)))
    database.close()
    return answer


@given(some_records(), INVENTORIES)
def test_generated_records_as_the_slow_matcher_has_them(
    tmp_path_factory: pytest.TempPathFactory, records: list[Json], asked: list[tuple[str, str]]
) -> None:
    ours = matched(tmp_path_factory.getbasetemp() / "slow", records, asked)
    theirs = slow_matcher.find(records, [("pypi", "PyPI", name, version) for name, version in asked])
    assert differences(ours, theirs) == []


@given(some_records(), some_records(), INVENTORIES)
def test_more_records_never_take_findings_away(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[Json],
    others: list[Json],
    asked: list[tuple[str, str]],
) -> None:
    folder = tmp_path_factory.getbasetemp() / "more"
    before = matched(folder, records, asked)
    more = [one | {"id": f"Y-{number}"} for number, one in enumerate(others)]
    after = matched(folder, records + more, asked)
    assert before.keys() <= after.keys()
    assert all(before[key][0] <= after[key][0] for key in before)


@given(some_records(), INVENTORIES)
def test_folding_keeps_every_cve_and_withdrawn_records_never_match(
    tmp_path_factory: pytest.TempPathFactory, records: list[Json], asked: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "kept"
    told = {advisory for ids, _ in matched(folder, records, asked).values() for advisory in ids}
    named = {name for name, _, _ in matched(folder, records, asked)}
    for one in records:
        assert not ("withdrawn" in one and one["id"] in told)
        if one["id"] in told:
            assert set(one["aliases"] or [one["id"]]) <= named


# Versions of Debian and Alpine, with the machine's dpkg as the judge.
@pytest.mark.parametrize(
    ("kind", "system", "ecosystem", "versions"),
    [
        pytest.param(
            "deb",
            BULLSEYE,
            "Debian:11",
            ["1.0~rc1-1", "1.0-1", "1.0-1+deb11u1", "1:0.9-1", "1.0+git1-1", "1.10-1"],
            marks=pytest.mark.skipif(shutil.which("dpkg") is None, reason="there is no dpkg here"),
        ),
        (
            "apk",
            System("alpine", "3.11.2"),
            "Alpine:v3.11",
            ["1.0_rc1-r0", "1.0-r0", "1.0_git1-r0", "1.0a-r1"],
        ),
    ],
)
def test_distributions_as_the_slow_matcher_has_them(
    database: Database, kind: str, system: System, ecosystem: str, versions: list[str]
) -> None:
    pairs = [(left, right) for left in ["0", *versions] for right in versions]
    records = [
        record(
            f"X-{number}",
            affected(ecosystem, "a", span(("introduced", start), ("fixed", end))),
            upstream=[f"CVE-2023-{number:04}"],
        )
        for number, (start, end) in enumerate(pairs)
    ]
    load(database, *records)
    packages = [Package(kind, "a", version, source="a", source_version=version) for version in versions]
    ours = triples(found(database, *packages, system=system))
    theirs = slow_matcher.find(records, [(kind, ecosystem, "a", version) for version in versions])
    assert len(theirs) > len(versions)
    assert differences(ours, theirs) == []
