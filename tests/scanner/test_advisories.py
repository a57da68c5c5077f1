"""The advisory database: what is added, what it says of itself, what it covers, and what it refuses."""

import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.inventory import System
from ecr_emu.scanner import advisories, advisory_files, osv
from ecr_emu.scanner.advisories import AdvisoryError, Database
from tests.scanner.osv_files import (
    ALPINE,
    DEBIAN,
    NOW,
    PYPI,
    Json,
    affected,
    record,
    span,
    until,
    zip_bytes,
    zipped,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "advisories.db")) as database:
        yield database


@pytest.fixture
def full(database: Database, tmp_path: Path) -> Database:
    folder = tmp_path / "zips"
    folder.mkdir()
    for name, records in (("Debian", DEBIAN), ("Alpine", ALPINE), ("PyPI", PYPI)):
        zipped(folder / f"{name}.zip", *records)
    database.add(folder, now=NOW)
    return database


def named(database: Database, ecosystem: str, name: str) -> set[str]:
    hits = list(database.affecting([(ecosystem, name)], NOW))
    return {one.id for one in database.advisories({hit.record for hit in hits}).values()}


def test_a_database_that_is_not_there_is_empty_and_stays_away(database: Database) -> None:
    assert not database.is_there
    assert (database.sources(), database.revision, database.updated_at) == ([], "", None)
    assert database.covers(System("debian", "12"), {"deb"}).missing == ("Debian:12",)
    assert named(database, "PyPI", "trac") == set()
    assert not database.path.exists()


def test_sources_say_what_was_added(full: Database) -> None:
    alpine, debian, pypi = full.sources()
    assert (alpine.ecosystem, alpine.origin, alpine.records) == ("Alpine", "Alpine.zip", 2)
    assert alpine.releases == ("Alpine:v3.10", "Alpine:v3.11")
    assert debian.releases == ("Debian:6", "Debian:7", "Debian:11")
    assert (debian.records, debian.withdrawn, debian.packages) == (3, 0, 3)
    assert (pypi.added_at, pypi.modified_at) == (NOW, 1_672_531_200.0)
    assert full.updated_at == NOW


def test_counts_of_withdrawn_records(database: Database, tmp_path: Path) -> None:
    gone = record("PYSEC-1", until("PyPI", "a", "1"), withdrawn="2022-01-01T00:00:00Z")
    (added,) = database.add(zipped(tmp_path / "PyPI.zip", gone, *PYPI), now=NOW)
    assert (added.records, added.withdrawn) == (3, 1)
    assert [source.withdrawn for source in database.sources()] == [1]
    assert named(database, "PyPI", "a") == set()


def test_a_file_of_the_same_name_replaces_the_last_one(full: Database, tmp_path: Path) -> None:
    newer = record("DSA-9999-1", until("Debian:12", "openssl", "3.0.11-1"), upstream=["CVE-2023-1"])
    full.add(zipped(tmp_path / "Debian.zip", newer), now=NOW + 1)
    (debian,) = [source for source in full.sources() if source.ecosystem == "Debian"]
    assert (debian.releases, debian.records, debian.added_at) == (("Debian:12",), 1, NOW + 1)
    assert named(full, "Debian:11", "openssl") == set()
    assert named(full, "PyPI", "trac") == {"PYSEC-2006-3"}
    assert full.covers(System("debian", "11"), {"deb"}).missing == ("Debian:11",)


def test_a_file_of_the_same_name_about_something_else_is_another_file(
    database: Database, tmp_path: Path
) -> None:
    database.add(zipped(tmp_path / "all.zip", *DEBIAN), now=NOW)
    database.add(zipped(tmp_path / "all.zip", *PYPI), now=NOW)
    assert [source.ecosystem for source in database.sources()] == ["Debian", "PyPI"]


def test_files_of_two_names_are_both_kept(database: Database, tmp_path: Path) -> None:
    database.add(zipped(tmp_path / "one.zip", PYPI[0]), now=NOW)
    database.add(zipped(tmp_path / "two.zip", PYPI[1]), now=NOW)
    assert [source.origin for source in database.sources()] == ["one.zip", "two.zip"]
    assert named(database, "PyPI", "trac") == {"PYSEC-2006-3"}
    assert named(database, "PyPI", "rasa") == {"PYSEC-2021-381"}


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_two_records_with_one_id_the_later_modified_counts(
    database: Database, tmp_path: Path, newest_first: bool
) -> None:
    old = record("GHSA-1", until("PyPI", "a", "1"))
    new = record("GHSA-1", until("PyPI", "b", "1"), modified="2023-06-01T00:00:00Z")
    for number, one in enumerate([new, old] if newest_first else [old, new]):
        database.add(zipped(tmp_path / f"{number}.zip", one), now=NOW)
    assert (named(database, "PyPI", "a"), named(database, "PyPI", "b")) == (set(), {"GHSA-1"})


def test_an_older_record_counts_again_when_the_newer_one_goes(database: Database, tmp_path: Path) -> None:
    database.add(zipped(tmp_path / "old.zip", record("GHSA-1", until("PyPI", "a", "1"))), now=NOW)
    new = record("GHSA-1", until("PyPI", "b", "1"), modified="2023-06-01T00:00:00Z")
    database.add(zipped(tmp_path / "new.zip", new), now=NOW)
    assert named(database, "PyPI", "a") == set()
    database.add(zipped(tmp_path / "new.zip", PYPI[0]), now=NOW)
    assert named(database, "PyPI", "a") == {"GHSA-1"}


def test_a_folder_of_single_records(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    folder.mkdir()
    for one in PYPI:
        (folder / f"{one['id']}.json").write_text(json.dumps(one))
    (folder / "notes.txt").write_text("no record")
    (added,) = database.add(folder, now=NOW)
    assert (added.origin, added.records) == ("records", 2)
    assert named(database, "PyPI", "trac") == {"PYSEC-2006-3"}


def test_a_single_record(database: Database, tmp_path: Path) -> None:
    (tmp_path / "PYSEC-2006-3.json").write_text(json.dumps(PYPI[0]))
    (added,) = database.add(tmp_path / "PYSEC-2006-3.json", now=NOW)
    assert (added.origin, added.ecosystems, added.records) == ("PYSEC-2006-3.json", ("PyPI",), 1)


def test_the_revision_changes_with_the_data_only(full: Database, tmp_path: Path) -> None:
    before = full.revision
    full.add(zipped(tmp_path / "PyPI.zip", *reversed(PYPI)), now=NOW + 5)
    assert (full.revision, full.updated_at) == (before, NOW + 5)
    full.add(zipped(tmp_path / "PyPI.zip", PYPI[0]), now=NOW + 6)
    assert full.revision != before


MALFORMED: list[tuple[str, str]] = [
    ("nothing", ""),
    ("no JSON", "{"),
    ("a list", "[]"),
    ("no id", json.dumps({"modified": "2023-01-01T00:00:00Z"})),
    ("no modified", json.dumps({"id": "X-1"})),
    ("a wrong time", json.dumps({"id": "X-1", "modified": "yesterday"})),
    ("an id of numbers", json.dumps({"id": 5, "modified": "2023-01-01T00:00:00Z"})),
    ("affected is a text", json.dumps(record("X-1") | {"affected": "all"})),
    ("affected of texts", json.dumps(record("X-1") | {"affected": ["all"]})),
    ("a package without a name", json.dumps(record("X-1", {"package": {"ecosystem": "PyPI"}}))),
    ("a package that is a text", json.dumps(record("X-1", {"package": "PyPI"}))),
    ("events of numbers", json.dumps(record("X-1", affected("PyPI", "a", span(("introduced", 0)))))),  # type: ignore[arg-type]
    ("versions of numbers", json.dumps(record("X-1", affected("PyPI", "a", versions=[1.0])))),
    ("aliases is a text", json.dumps(record("X-1", aliases="CVE-1"))),
    ("too deep", "[" * 100_000),
    ("bytes that are no text", "\udcff"),
]


@pytest.mark.parametrize("text", [text for _, text in MALFORMED], ids=[name for name, _ in MALFORMED])
def test_a_malformed_record_is_counted_and_named(database: Database, tmp_path: Path, text: str) -> None:
    with zipfile.ZipFile(tmp_path / "PyPI.zip", "w") as archive:
        archive.writestr("X-1.json", text.encode(errors="surrogateescape"))
        archive.writestr("PYSEC-2006-3.json", json.dumps(PYPI[0]))
    (added,) = database.add(tmp_path / "PyPI.zip", now=NOW)
    assert (added.records, added.malformed) == (1, 1)
    assert added.examples[0].startswith("X-1.json: ")
    assert named(database, "PyPI", "trac") == {"PYSEC-2006-3"}


def test_null_is_the_same_as_nothing(database: Database, tmp_path: Path) -> None:
    nulls: Json = dict.fromkeys(("aliases", "references", "severity", "details", "withdrawn", "published"))
    one = record("PYSEC-1", affected("PyPI", "a", span(("introduced", "0")), versions=None), **nulls)
    (added,) = database.add(zipped(tmp_path / "PyPI.zip", one), now=NOW)
    assert (added.records, added.malformed) == (1, 0)
    assert named(database, "PyPI", "a") == {"PYSEC-1"}


def test_only_the_first_malformed_records_are_named(database: Database, tmp_path: Path) -> None:
    many = [{"id": f"X-{number}"} for number in range(50)]
    (added,) = database.add(zipped(tmp_path / "PyPI.zip", *many, *PYPI), now=NOW)
    assert (added.malformed, len(added.examples)) == (50, 5)


def test_a_damaged_record_does_not_end_the_whole(database: Database, tmp_path: Path) -> None:
    damaged = bytearray(zip_bytes(record("X-1", until("PyPI", "a", "1")), PYPI[0]))
    start = damaged.find(b"X-1.json") + len("X-1.json") + 10
    damaged[start : start + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "PyPI.zip").write_bytes(damaged)
    (added,) = database.add(tmp_path / "PyPI.zip", now=NOW)
    assert (added.records, added.examples) == (1, ("X-1.json: it is damaged or too large",))


def test_a_record_that_is_too_large_is_left_out(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advisory_files, "MAX_RECORD_BYTES", 1_000)
    large = record("X-1", until("PyPI", "a", "1"), details="x" * 1_000)
    (added,) = database.add(zipped(tmp_path / "PyPI.zip", large, PYPI[0]), now=NOW)
    assert (added.records, added.examples) == (1, ("X-1.json: it is damaged or too large",))


def test_who_adds_waits_for_another_and_then_says_so(
    full: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advisories, "_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(full.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(AdvisoryError, match=r"cannot write .*advisories\.db: database is locked"):
            full.add(zipped(tmp_path / "PyPI.zip", *PYPI), now=NOW)
    full.add(zipped(tmp_path / "PyPI.zip", *PYPI), now=NOW)


def test_a_database_without_its_tables_is_one_line(full: Database) -> None:
    with closing(sqlite3.connect(full.path)) as other:
        other.execute("DROP TABLE content")
    with pytest.raises(AdvisoryError, match=r"cannot read .*: no such table: content"):
        full.sources()


def no_zip(path: Path) -> None:
    path.write_text("hello")


def half_a_zip(path: Path) -> None:
    path.write_bytes(zip_bytes(*DEBIAN)[:-40])


def without_records(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.md", "hello")


def without_good_records(path: Path) -> None:
    zipped(path, {"id": "X-1"})


def encrypted(path: Path) -> None:
    content = bytearray(zip_bytes(PYPI[0]))
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def bomb(path: Path) -> None:
    content = bytearray(zip_bytes(PYPI[0]))
    place = content.find(b"PK\x01\x02") + 24
    content[place : place + 4] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(content)


def oddly_packed(path: Path) -> None:
    content = bytearray(zip_bytes(PYPI[0]))
    content[content.find(b"PK\x01\x02") + 10] = 99
    content[8] = 99
    path.write_bytes(content)


def nothing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (no_zip, "is no zip that can be read: File is not a zip file"),
        (half_a_zip, "is no zip that can be read"),
        (without_records, "has no OSV record in it: no <ID>.json"),
        (
            without_good_records,
            "has no OSV record that names a package, as X-1.json: it has no id, or no mod",
        ),
        (encrypted, "is encrypted; unpack it, and add the folder"),
        (bomb, "would unpack to 4,000,000,000 bytes in 1 files: refused"),
        (oddly_packed, "is packed in a way that cannot be read"),
        (nothing, "cannot read"),
    ],
)
def test_a_file_that_cannot_be_added_changes_nothing(
    full: Database, tmp_path: Path, make: object, told: str
) -> None:
    before = full.revision
    path = tmp_path / "zips" / "Debian.zip"
    make(path)  # type: ignore[operator]
    with pytest.raises(AdvisoryError, match=r"\A[^\n]*\Z") as error:
        full.add(path, now=NOW)
    assert told in str(error.value)
    assert full.revision == before


def test_a_folder_is_added_whole_or_not_at_all(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "zips"
    folder.mkdir()
    zipped(folder / "a.zip", *PYPI)
    (folder / "b.zip").write_text("hello")
    with pytest.raises(AdvisoryError, match=r"b\.zip is no zip"):
        database.add(folder, now=NOW)
    assert database.sources() == []


def test_a_folder_with_nothing_in_it(database: Database, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AdvisoryError, match=r"has no OSV zip and no <ID>\.json"):
        database.add(tmp_path / "empty", now=NOW)


def test_what_another_version_made_is_refused(database: Database) -> None:
    with sqlite3.connect(database.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(AdvisoryError, match=r"of another version of ecr-emu; delete it, and add again"):
        database.sources()


def test_what_is_no_database_is_refused(database: Database) -> None:
    database.path.write_bytes(b"hello" * 1000)
    with pytest.raises(AdvisoryError, match=r"cannot open .* not a database"):
        database.sources()


def test_a_database_that_was_deleted_and_made_again_is_seen(full: Database, tmp_path: Path) -> None:
    assert len(full.sources()) == 3
    other = Database(tmp_path / "other.db")
    other.add(zipped(tmp_path / "PyPI.zip", *PYPI), now=NOW)
    other.close()
    for name in tmp_path.glob("advisories.db*"):
        name.unlink()
    assert full.sources() == []
    (tmp_path / "other.db").replace(full.path)
    assert [source.ecosystem for source in full.sources()] == ["PyPI"]


def test_readers_see_the_old_data_until_the_new_is_whole(full: Database, tmp_path: Path) -> None:
    seen: list[set[str]] = []

    def look(text: str) -> None:
        seen.append(named(full, "PyPI", "trac"))

    newer = record("PYSEC-NEW", until("PyPI", "trac", "1.0"))
    writer = Database(full.path)
    thread = threading.Thread(
        target=lambda: writer.add(zipped(tmp_path / "PyPI.zip", newer), now=NOW, progress=look)
    )
    thread.start()
    thread.join()
    assert seen
    assert set(map(frozenset, seen)) == {frozenset({"PYSEC-2006-3"})}
    assert named(full, "PyPI", "trac") == {"PYSEC-NEW"}


@pytest.mark.parametrize(
    ("system", "ecosystem"),
    [
        (System("debian", "11"), None),
        (System("debian", "13"), "Debian:13"),
        (System("ubuntu", "22.04"), "Ubuntu:22.04:LTS"),
        (System("ubuntu", "23.10"), "Ubuntu:23.10"),
        (System("ubuntu", "23.04"), "Ubuntu:23.04"),
        (System("alpine", "3.11.6"), None),
        (System("alpine", "3.19.1"), "Alpine:v3.19"),
        (System("alpine", "3.20.0_alpha20231219"), "Alpine:edge"),
        (System("rocky", "9.3"), "Rocky Linux:9"),
        (System("almalinux", "8.10"), "AlmaLinux:8"),
        (System("rhel", "9.4"), "Red Hat:enterprise_linux:9::baseos"),
        (System("wolfi", "20230201"), "Wolfi"),
        (System("chainguard", "20230214"), "Chainguard"),
        (System("minimos", "20240101"), "MinimOS"),
        (System("azurelinux", "3.0"), "Azure Linux:3"),
        (System("photon", "5.0"), "Photon OS:5.0"),
        (System("opensuse-leap", "15.5"), "openSUSE:Leap 15.5"),
        (System("opensuse-tumbleweed", "20240101"), "openSUSE:Tumbleweed"),
        (System("sles", "15.5"), "SUSE:Linux Enterprise Server 15 SP5"),
        (System("sles", "15"), "SUSE:Linux Enterprise Server 15"),
    ],
)
def test_which_ecosystem_answers_for_a_system(full: Database, system: System, ecosystem: str | None) -> None:
    coverage = full.covers(system, {"deb", "apk", "rpm"})
    assert coverage.missing == (() if ecosystem is None else (ecosystem,))
    assert coverage.unsupported == ""
    assert coverage.is_complete == (ecosystem is None)


def test_missing_advisories_are_said_in_words(full: Database) -> None:
    assert full.covers(System("debian", "13"), {"deb"}).description == (
        "no advisories for Debian:13; load them with `ecr-emu advisories add FILE`"
        " or `ecr-emu advisories fetch Debian`"
    )
    assert full.covers(System("rocky", "9.3"), {"rpm", "npm"}).description == (
        "no advisories for Rocky Linux:9, npm; load them with `ecr-emu advisories add FILE`"
        ' or `ecr-emu advisories fetch "Rocky Linux" npm`'
    )
    assert full.covers(System("debian", "11"), {"deb", "pypi"}).description == ""


@pytest.mark.parametrize(
    ("system", "told"),
    [
        (
            System("amzn", "2023", "Amazon Linux 2023"),
            "there are no advisories for Amazon Linux 2023 (ID=amzn",
        ),
        (System("fedora", "39"), "there are no advisories for fedora 39"),
        (System("debian", ""), "there are no advisories for debian (ID=debian VERSION_ID=)"),
        (System("sles", ""), "there are no advisories for sles"),
        (System("ubuntu", "rolling"), "there are no advisories for ubuntu rolling"),
        (None, "nothing says which operating system this is"),
    ],
)
def test_a_system_without_advisories_is_unsupported_and_not_missing(
    full: Database, system: System | None, told: str
) -> None:
    coverage = full.covers(system, {"deb"})
    assert coverage.missing == ()
    assert coverage.description.startswith(told)
    assert not coverage.is_complete


def test_an_image_without_a_system_needs_the_languages_only(full: Database) -> None:
    assert full.covers(None, {"pypi"}).is_complete
    assert full.covers(None, {"golang"}).missing == ("Go",)
    # Nothing was found at all: it cannot be called covered.
    assert not full.covers(None, set()).is_complete


def test_a_zip_of_npm_that_names_packages_of_pypi_does_not_cover_pypi(
    database: Database, tmp_path: Path
) -> None:
    both = record("GHSA-1", until("npm", "a", "1.0.0"), until("PyPI", "a", "1.0"))
    database.add(zipped(tmp_path / "npm.zip", both, record("GHSA-2", until("npm", "b", "1.0.0"))), now=NOW)
    assert database.covers(None, {"npm", "pypi"}).missing == ("PyPI",)
    assert [source.ecosystem for source in database.sources()] == ["npm"]
    # What it says of PyPI is said all the same.
    assert named(database, "PyPI", "a") == {"GHSA-1"}


def test_names_of_python_are_normalized_and_mavens_repositories_are_one(
    database: Database, tmp_path: Path
) -> None:
    records = [
        record("X-1", until("PyPI", "Foo_Bar.baz", "1")),
        record("X-2", until("Maven:https://maven.google.com", "androidx.a:b", "1")),
    ]
    database.add(zipped(tmp_path / "a.zip", *records), now=NOW)
    assert named(database, "PyPI", "foo-bar-baz") == {"X-1"}
    assert named(database, "Maven", "androidx.a:b") == {"X-2"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = [
    "id",
    "modified",
    "withdrawn",
    "aliases",
    "upstream",
    "related",
    "references",
    "severity",
    "details",
]


def read(one: Json) -> osv.Record | None:
    """None for a malformed record; anything else that goes wrong is thrown."""
    try:
        return osv.read(json.dumps(one).encode())
    except osv.MalformedRecord:
        return None


@given(st.sampled_from([*MEMBERS, "affected", "database_specific"]), JSON)
def test_whatever_a_member_is_the_record_is_read_or_malformed(member: str, value: object) -> None:
    one = read(PYPI[0] | {member: value})
    assert one is None or osv.Advisory.load(one.body).id == one.id


@given(st.sampled_from(["package", "ranges", "versions", "severity", "ecosystem_specific"]), JSON)
def test_whatever_is_affected_the_record_is_read_or_malformed(member: str, value: object) -> None:
    one = read(record("X-1", until("PyPI", "a", "1") | {member: value}))
    assert one is None or all(osv.Condition.load(entry.body) for entry in one.affected)


def test_names_that_are_no_text_find_nothing(full: Database) -> None:
    assert named(full, "PyPI", "trac\udcff") == set()
    assert named(full, "PyPI", "trac\x00") == set()
    assert named(full, "PyPI", "trac'; --") == set()
