"""trivy and grype: what they are told, what becomes of their answers, and what of their failures."""

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.domain.inventory import Inventory, Package, System
from ecr_emu.scanner.engines import ENGINES, EngineError, UnsupportedSystem, programs
from tests.scanner import fake_engines as fakes

ANSWERS = {
    "trivy": (fakes.TRIVY_VERSION, fakes.TRIVY_REPORT),
    "grype": (fakes.GRYPE_STATUS, fakes.GRYPE_REPORT),
}
both = pytest.mark.parametrize("name", list(ENGINES))


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def complaint(name: str, inventory: Inventory = fakes.INVENTORY) -> str:
    with pytest.raises(EngineError) as caught:
        ENGINES[name]().examine(inventory, languages=True)
    return str(caught.value)


@both
def test_findings_have_our_packages_and_the_engines_words(bin_folder: Path, name: str) -> None:
    fakes.put(bin_folder, name, *ANSWERS[name])
    findings = {one.name: one for one in ENGINES[name]().examine(fakes.INVENTORY, languages=True).findings}
    hole = findings["CVE-2024-0001"]
    assert hole.severity == "HIGH"
    assert [(one.package, one.fixed_in) for one in hole.affected] == [(fakes.LIBSSL, "3.0.15-1~deb12u1")]
    assert set(hole.advisories) == {"CVE-2024-0001", "DSA-1-1"}
    assert hole.description == "a hole in openssl"
    assert hole.references == ("https://example.org/1",)
    assert [(one.version, one.vector, one.score) for one in hole.scores] == [("3.1", fakes.VECTOR, 7.5)]
    assert ENGINES[name]().data().updated_at == 1_795_721_793.0


def test_an_advisory_of_github_is_a_finding_of_its_cve(bin_folder: Path) -> None:
    fakes.put(bin_folder, "grype", *ANSWERS["grype"])
    found = ENGINES["grype"]().examine(fakes.INVENTORY, languages=True).findings
    assert [(one.name, one.severity) for one in found] == [
        ("CVE-2024-0002", "CRITICAL"),
        ("CVE-2024-0001", "HIGH"),
    ]
    assert found[0].advisories == ("GHSA-aaaa-bbbb-cccc", "CVE-2024-0002")
    assert found[0].affected[0].package == fakes.REQUESTS


@both
@pytest.mark.parametrize("languages", [True, False])
def test_an_engine_is_told_the_source_packages_and_the_system(
    bin_folder: Path, name: str, languages: bool
) -> None:
    status, _ = ANSWERS[name]
    fakes.put(bin_folder, name, status, {"Results": [], "matches": []})
    ENGINES[name]().examine(fakes.INVENTORY, languages=languages)
    bill = json.loads((bin_folder / f"{name}.bill").read_text())
    parts = {part["name"]: part for part in bill["components"]}
    assert parts["debian"] == {
        "type": "operating-system",
        "bom-ref": "system",
        "name": "debian",
        "version": "12",
    }
    assert ("requests" in parts) is languages
    said = {one["name"]: one["value"] for one in parts["libssl3"]["properties"]}
    assert said.get("aquasecurity:trivy:SrcName", said.get("syft:metadata:source")) == "openssl"
    said = {one["name"]: one["value"] for one in parts["zlib1g"]["properties"]}
    if name == "trivy":
        assert said["aquasecurity:trivy:SrcVersion"] == "1.2.13.dfsg"
        assert (said["aquasecurity:trivy:SrcEpoch"], said["aquasecurity:trivy:SrcRelease"]) == ("1", "1")


@pytest.mark.parametrize(("ours", "theirs"), [("rhel", "redhat"), ("amzn", "amazon"), ("alpine", "alpine")])
def test_trivy_is_told_its_own_name_of_the_system(bin_folder: Path, ours: str, theirs: str) -> None:
    fakes.put(bin_folder, "trivy", fakes.TRIVY_VERSION, {"Results": []})
    package = Package("rpm", "openssl-libs", "1:3.0.7-1.el9", "x86_64", "openssl", "1:3.0.7-1.el9")
    ENGINES["trivy"]().examine(Inventory(System(ours, "9"), (package,)), languages=False)
    bill = json.loads((bin_folder / "trivy.bill").read_text())
    assert bill["components"][-1]["name"] == theirs


@both
def test_an_engine_is_kept_from_the_network_and_from_the_users_filters(
    bin_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_SEVERITY", "CRITICAL")
    monkeypatch.setenv("GRYPE_IGNORE", "everything")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    record = fakes.put(bin_folder, name, *ANSWERS[name])
    ENGINES[name]().examine(fakes.INVENTORY, languages=True)
    ((_, environment),) = fakes.calls(record)
    assert not {"TRIVY_SEVERITY", "GRYPE_IGNORE", "AWS_SECRET_ACCESS_KEY"} & set(environment)
    assert environment["HTTPS_PROXY"] == "http://127.0.0.1:9"
    wanted = "TRIVY_SKIP_DB_UPDATE" if name == "trivy" else "GRYPE_DB_AUTO_UPDATE"
    assert environment[wanted] == ("true" if name == "trivy" else "false")


# --- Failures ---------------------------------------------------------------------------------------------


@both
def test_an_engine_that_is_not_there_says_what_to_do(bin_folder: Path, name: str) -> None:
    assert complaint(name) == (
        f"{name} is not on the PATH of the server; install it, or choose another --scanner"
    )
    with pytest.raises(EngineError, match="install it"):
        ENGINES[name]().data()


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("trivy", {"Version": "0.74.0"}, "trivy has no vulnerability database; run `trivy image"),
        ("trivy", [], "trivy's answer about its version is not understood"),
        (
            "grype",
            {"valid": False, "error": "database does not exist"},
            "grype cannot use its database: database does not exist; run `grype db update`",
        ),
        (
            "grype",
            {"built": fakes.BUILT, "error": "the vulnerability database was built 6 weeks ago"},
            "grype cannot use its database: the vulnerability database was built 6 weeks ago; run",
        ),
        ("grype", "rubbish", "grype failed: it said nothing; run `grype db update`"),
    ],
)
def test_a_database_that_is_missing_or_old_says_what_to_do(
    bin_folder: Path, name: str, status: Any, expected: str
) -> None:
    fakes.put(bin_folder, name, status, {})
    with pytest.raises(EngineError) as caught:
        ENGINES[name]().data()
    assert str(caught.value).startswith(expected)


@both
@pytest.mark.parametrize(
    "report",
    [
        "rubbish",
        7,
        [],
        {"matches": 1, "Results": 1},
        {"matches": [{}], "Results": [{"Vulnerabilities": [{}]}]},
    ],
)
def test_rubbish_is_not_taken_for_a_clean_image(bin_folder: Path, name: str, report: Any) -> None:
    fakes.put(bin_folder, name, {}, report)
    assert complaint(name).startswith(f"{name}'s report is not understood")


@both
def test_a_package_that_it_was_not_asked_about_is_no_answer(bin_folder: Path, name: str) -> None:
    text = json.dumps(ANSWERS[name][1]).replace("package-0", "package-9")
    fakes.put(bin_folder, name, {}, json.loads(text))
    assert "KeyError: 'package-9'" in complaint(name)


@both
def test_a_crash_tells_its_last_line_only(bin_folder: Path, name: str) -> None:
    words = "sys.stderr.write('one\\n[0000] ERROR \\x1b[31mno \\x07luck\\x1b[0m\\n'); sys.exit(2)"
    fakes.put(bin_folder, name, {}, {}, words)
    assert complaint(name).startswith(f"{name} failed: no  luck; if that is about its database, run")


@both
def test_one_that_takes_too_long_is_stopped_with_its_children(
    bin_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MAX_SECONDS", 1.0)
    alive = bin_folder / "alive"
    fakes.put(
        bin_folder, name, {}, {}, f"os.fork(); time.sleep(4); open({str(alive)!r}, 'w'); time.sleep(60)"
    )
    began = time.monotonic()
    assert complaint(name) == f"{name} was stopped: it took longer than 1 seconds"
    assert time.monotonic() - began < 3.5
    time.sleep(max(0, began + 5 - time.monotonic()))
    assert not alive.exists()


@both
def test_one_that_says_too_much_is_stopped(
    bin_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MAX_OUTPUT_BYTES", 1 << 20)
    fakes.put(bin_folder, name, {}, {}, "[sys.stdout.write('x' * 65536) for _ in range(10_000)]")
    problem = complaint(name)
    assert "it said more than 1 MiB" in problem or "failed" in problem


@both
def test_one_that_takes_too_much_memory_fails(
    bin_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MAX_MEMORY_BYTES", 200 << 20)
    fakes.put(bin_folder, name, {}, {}, "time.sleep(0.3); b'x' * (400 << 20)")
    assert complaint(name).startswith(f"{name} failed: MemoryError")


@both
def test_a_file_that_is_no_program_says_so(bin_folder: Path, name: str) -> None:
    (bin_folder / name).write_bytes(b"\0\0no program")
    (bin_folder / name).chmod(0o755)
    assert complaint(name).startswith(f"{name} cannot be started (")


@pytest.mark.parametrize(
    ("name", "line", "kind"),
    [
        ("trivy", 'WARN Unsupported os family="fedora"', UnsupportedSystem),
        ("trivy", 'WARN This OS version is not on the EOL list family="debian" version="99"', EngineError),
        ("grype", "DEBUG no OS found in the DB for the given criteria os=debian@99", UnsupportedSystem),
    ],
)
def test_a_system_that_it_does_not_know_is_not_called_clean(
    bin_folder: Path, name: str, line: str, kind: type[Exception]
) -> None:
    fakes.put(bin_folder, name, {}, {"Results": [], "matches": []}, f"sys.stderr.write({line!r} + chr(10))")
    with pytest.raises(kind, match=r"ID=debian VERSION_ID=12"):
        ENGINES[name]().examine(fakes.INVENTORY, languages=True)


@both
def test_packages_of_nobody_knows_which_system_are_refused(bin_folder: Path, name: str) -> None:
    fakes.put(bin_folder, name, {}, {"Results": [], "matches": []})
    with pytest.raises(UnsupportedSystem, match="which operating system"):
        ENGINES[name]().examine(Inventory(None, (fakes.LIBSSL,)), languages=True)
    assert ENGINES[name]().examine(Inventory(None, (fakes.REQUESTS,)), languages=True).findings == []


@both
def test_a_package_without_a_package_url_is_told_of(bin_folder: Path, name: str) -> None:
    fakes.put(bin_folder, name, {}, {"Results": [], "matches": []})
    inventory = Inventory(System("debian", "12"), (fakes.LIBSSL, Package("pypi", "", "1.0")))
    (note,) = ENGINES[name]().examine(inventory, languages=True).notes
    assert note.startswith("Packages without a package URL, which were not compared: 1")


def test_unknown_words_and_vectors_are_left_open(bin_folder: Path) -> None:
    report = copy.deepcopy(fakes.TRIVY_REPORT)
    (one,) = report["Results"][0]["Vulnerabilities"]
    one.update(Severity="UNKNOWN", CVSS={"x": {"V3Vector": "nonsense"}}, FixedVersion="")
    fakes.put(bin_folder, "trivy", {}, report)
    (found,) = ENGINES["trivy"]().examine(fakes.INVENTORY, languages=True).findings
    assert (found.severity, found.scores, found.affected[0].fixed_in) == ("UNDEFINED", (), None)
