"""The matcher over whole databases of real advisories: what it finds, and how quickly."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from conformance import advisories
from ecr_emu.domain.findings import SEVERITIES
from ecr_emu.domain.inventory import Inventory, Package, System
from ecr_emu.scanner import matching
from ecr_emu.scanner.advisories import Database
from tests.scanner import slow_matcher
from tests.scanner.osv_files import NOW

# Three times what was measured on a machine that had other things to do.
MAX_SECONDS = 0.15


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with closing(Database(tmp_path_factory.mktemp("advisories") / "advisories.db")) as database:
        database.add(advisories.folder(), now=NOW)
        yield database


@pytest.mark.parametrize(
    ("kind", "system", "ecosystem", "zip_name"),
    [
        ("deb", System("debian", "11"), "Debian:11", "Debian"),
        ("deb", System("debian", "8"), "Debian:8", "Debian"),
        ("apk", System("alpine", "3.11.6"), "Alpine:v3.11", "Alpine"),
        ("apk", System("alpine", "3.8.5"), "Alpine:v3.8", "Alpine"),
        ("pypi", None, "PyPI", "PyPI"),
    ],
)
def test_real_advisories_as_the_slow_matcher_has_them(
    database: Database, kind: str, system: System | None, ecosystem: str, zip_name: str
) -> None:
    records = advisories.records(zip_name)
    asked = [(kind, ecosystem, *one) for one in advisories.named_packages(records, ecosystem, 80)]
    packages = [Package(one, name, version) for one, _, name, version in asked]
    ours = matching.match(database, Inventory(system, tuple(packages)), languages=True, now=NOW)
    theirs = slow_matcher.find(records, asked)
    assert theirs
    assert slow_matcher.differences(slow_matcher.triples(ours), theirs) == []


def test_five_hundred_packages_are_compared_at_once(database: Database) -> None:
    system = advisories.named_packages(advisories.records("Debian"), "Debian:8", 400)
    languages = advisories.named_packages(advisories.records("PyPI"), "PyPI", 100)
    packages = [Package("deb", *one) for one in system] + [Package("pypi", *one) for one in languages]
    inventory = Inventory(System("debian", "8"), tuple(packages))
    took = []
    for _ in range(3):
        start = time.perf_counter()
        findings = matching.match(database, inventory, languages=True, now=NOW)
        took.append(time.perf_counter() - start)
    assert len(packages) == 500
    assert {finding.severity for finding in findings} <= set(SEVERITIES)
    assert min(took) < MAX_SECONDS
