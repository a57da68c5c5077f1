"""The job that scans, in this process: what goes wrong with one image, and advisories that change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.jobs import rematch, scan
from ecr_emu.scanner import advisories, matching
from ecr_emu.store import scans
from tests.clients import Clock, Registry, Running, digest_of
from tests.scanner import osv_files
from tests.scanning import (
    NAME,
    OLD,
    OPENSSL,
    add_advisories,
    configure,
    data_folder,
    debian,
    run_scans,
)

COMPLETE = "The scan was completed successfully."
BASH = osv_files.record("DSA-9999-1", osv_files.until("Debian:11", "bash", "5.2"), upstream=["CVE-2099-0001"])


@pytest.fixture
def ecr(emulator: Running) -> Any:
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
    return ecr


@pytest.fixture
def folder(emulator: Running) -> Path:
    return data_folder(emulator)


def notice(emulator: Running, seen: rematch.Seen | None = None) -> rematch.Seen | None:
    return rematch.notice(emulator.application.emulator, seen)


def status(ecr: Any, digest: str) -> tuple[str, str]:
    found = answer(ecr, digest)["imageScanStatus"]
    return found["status"], found["description"]


def answer(ecr: Any, digest: str) -> Any:
    return ecr.describe_image_scan_findings(repositoryName=NAME, imageId={"imageDigest": digest})


def cves(ecr: Any, digest: str) -> list[str]:
    found = answer(ecr, digest)["imageScanFindings"]
    if "findings" in found:
        return sorted(one["name"] for one in found["findings"])
    details = [one["packageVulnerabilityDetails"] for one in found["enhancedFindings"]]
    return sorted(one["vulnerabilityId"] for one in details)


def blob_file(emulator: Running, folder: Path, content: bytes) -> Path:
    with emulator.application.emulator.store.read() as connection:
        (name,) = connection.execute(
            "SELECT file FROM blobs WHERE digest = ?", (digest_of(content),)
        ).fetchone()
    return folder / "blobs" / str(name)


# --- One image that is in trouble ------------------------------------------------------------------------


def test_a_scan_that_breaks_holds_up_no_other(
    emulator: Running, ecr: Any, folder: Path, registry: Registry
) -> None:
    add_advisories(folder, OPENSSL)
    lost = debian(("openssl", "1.0"))
    first, second = registry.push_image(NAME, "a", lost), registry.push_image(NAME, "b", OLD)
    blob_file(emulator, folder, lost).unlink()
    assert run_scans(emulator) == ["FAILED", "COMPLETE"]
    said, why = status(ecr, first)
    assert said == "FAILED"
    assert why.startswith("The scan broke off: FileNotFoundError")
    assert str(folder) not in why
    assert status(ecr, second) == ("COMPLETE", COMPLETE)


def test_an_error_that_nobody_thought_of_ends_one_scan_only(
    emulator: Running, ecr: Any, folder: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_advisories(folder, OPENSSL)
    first, second = registry.push_image(NAME, "a", OLD), registry.push_image(NAME, "b", OLD + bytes(512))
    examine = matching.examine

    def fail_once(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(matching, "examine", examine)
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(matching, "examine", fail_once)
    assert run_scans(emulator) == ["FAILED", "COMPLETE"]
    assert status(ecr, first) == ("FAILED", "The scan broke off: ZeroDivisionError: oops")
    assert status(ecr, second) == ("COMPLETE", COMPLETE)


def test_an_image_that_is_deleted_during_its_scan_leaves_nothing(
    emulator: Running, ecr: Any, folder: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_advisories(folder, OPENSSL)
    digest, other = registry.push_image(NAME, "a", OLD), registry.push_image(NAME, "b", OLD + bytes(512))
    examine = matching.examine

    def delete_first(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(matching, "examine", examine)
        ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
        return examine(*arguments, **options)

    monkeypatch.setattr(matching, "examine", delete_first)
    run_scans(emulator)
    assert status(ecr, other) == ("COMPLETE", COMPLETE)
    with emulator.application.emulator.store.read() as connection:
        for table in ("image_scans", "image_sboms", "image_findings"):
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            assert (table, count) == (table, 1)


def test_an_image_that_is_pushed_again_during_its_scan_is_scanned_again(
    emulator: Running,
    ecr: Any,
    folder: Path,
    registry: Registry,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_advisories(folder, OPENSSL)
    digest = registry.push_image(NAME, "a", OLD)
    examine = matching.examine

    def push_again(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(matching, "examine", examine)
        ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
        clock.advance(1)
        assert registry.push_image(NAME, "a", OLD) == digest
        return examine(*arguments, **options)

    monkeypatch.setattr(matching, "examine", push_again)
    run_scans(emulator)
    assert status(ecr, digest)[0] == "IN_PROGRESS"
    run_scans(emulator)
    assert cves(ecr, digest) == ["CVE-2023-0286"]


def test_a_process_that_dies_with_a_scan_does_so_twice_only(
    emulator: Running, ecr: Any, folder: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_advisories(folder, OPENSSL)
    digest = registry.push_image(NAME, "a", OLD)

    class Killed(BaseException):
        pass

    def die(*arguments: Any, **options: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(matching, "examine", die)
        for _ in range(2):
            with pytest.raises(Killed):
                run_scans(emulator)
            assert status(ecr, digest)[0] == "IN_PROGRESS"
    run_scans(emulator)
    assert status(ecr, digest) == ("FAILED", scan.BROKE_OFF)


def test_an_image_without_layers_has_nothing_to_scan(
    emulator: Running, ecr: Any, folder: Path, registry: Registry
) -> None:
    add_advisories(folder, OPENSSL)
    digest = registry.push_image(NAME, "empty")
    run_scans(emulator)
    said, why = status(ecr, digest)
    assert said == "UNSUPPORTED_IMAGE"
    assert why.startswith("UnsupportedImageError: ")
    assert "imageScanFindings" not in answer(ecr, digest)


def test_of_an_image_without_a_manifest_nothing_is_known_but_what_is_injected(
    emulator: Running, ecr: Any, folder: Path
) -> None:
    add_advisories(folder, OPENSSL)
    record = {
        "imageDigest": f"sha256:{'a' * 64}",
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
    }
    emulator.post(f"/_emu/images?repositoryName={NAME}", **record)
    ecr.start_image_scan(repositoryName=NAME, imageId={"imageDigest": record["imageDigest"]})
    run_scans(emulator)
    assert status(ecr, record["imageDigest"]) == ("FAILED", scan.NO_MANIFEST)
    wanted = json.dumps({"repositoryName": NAME, "findings": {"HIGH": 1}}).encode()
    assert Registry(emulator.port, None).request("PUT", "/_emu/scan-findings", wanted).status == 200
    assert cves(ecr, record["imageDigest"]) == ["INJECTED-HIGH-1"]


def test_the_clock_moves_while_a_scan_waits(
    emulator: Running, ecr: Any, folder: Path, registry: Registry, clock: Clock
) -> None:
    add_advisories(folder, OPENSSL)
    digest = registry.push_image(NAME, "a", OLD)
    pushed_at = clock.now
    clock.advance(400 * 24 * 3600)
    run_scans(emulator)
    assert cves(ecr, digest) == ["CVE-2023-0286"]
    # It is done at the time at which it was due.
    done = answer(ecr, digest)["imageScanFindings"]["imageScanCompletedAt"].timestamp()
    assert done == pytest.approx(pushed_at, abs=1)


# --- Advisories that change ------------------------------------------------------------------------------


def test_a_scan_that_had_no_advisories_is_done_when_they_come(
    emulator: Running, ecr: Any, folder: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = registry.push_image(NAME, "a", OLD)
    run_scans(emulator)
    said, why = status(ecr, digest)
    assert said == "FAILED"
    assert "no advisories for Debian:11" in why
    assert why.endswith("the scan is then done again")
    seen = notice(emulator)
    assert seen is not None
    assert seen.revision == ""
    assert run_scans(emulator) == []
    add_advisories(folder, OPENSSL)
    # What is installed was read the first time.
    monkeypatch.setattr("ecr_emu.scanner.image.read", None)
    seen = notice(emulator, seen)
    assert run_scans(emulator) == ["COMPLETE"]
    assert cves(ecr, digest) == ["CVE-2023-0286"]
    assert notice(emulator, seen) == seen
    assert run_scans(emulator) == []


def test_a_scan_without_advisories_is_not_repeated_for_others(
    emulator: Running, ecr: Any, folder: Path, registry: Registry
) -> None:
    digest = registry.push_image(NAME, "a", OLD)
    run_scans(emulator)
    add_advisories(folder, *osv_files.PYPI)
    for expected in (["FAILED"], [], []):
        notice(emulator)
        assert run_scans(emulator) == expected
    assert status(ecr, digest)[0] == "FAILED"


def test_a_basic_scan_that_is_complete_stays_as_it_is(
    emulator: Running, ecr: Any, folder: Path, registry: Registry
) -> None:
    add_advisories(folder, OPENSSL)
    digest = registry.push_image(NAME, "a", OLD)
    run_scans(emulator)
    add_advisories(folder, OPENSSL, BASH)
    notice(emulator)
    assert run_scans(emulator) == []
    assert cves(ecr, digest) == ["CVE-2023-0286"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_advisories_that_come_during_a_scan_are_not_missed(
    emulator: Running, ecr: Any, folder: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Also when the change was noticed while the scan still ran."""
    configure(ecr, "ENHANCED", "CONTINUOUS_SCAN")
    add_advisories(folder, OPENSSL)
    digest = registry.push_image(NAME, "a", OLD)
    seen: list[rematch.Seen | None] = []
    examine = matching.examine

    def change(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(matching, "examine", examine)
        found = examine(*arguments, **options) if when == "after" else None
        add_advisories(folder, OPENSSL, BASH)
        seen.append(notice(emulator))
        return found or examine(*arguments, **options)

    monkeypatch.setattr(matching, "examine", change)
    run_scans(emulator)
    assert cves(ecr, digest) == ["CVE-2023-0286"] + ["CVE-2099-0001"] * (when == "before")
    notice(emulator, seen[0])
    run_scans(emulator)
    assert cves(ecr, digest) == ["CVE-2023-0286", "CVE-2099-0001"]
    notice(emulator, seen[0])
    assert run_scans(emulator) == []


def test_advisories_that_cannot_be_read_fail_the_scan_and_nothing_else(
    emulator: Running, ecr: Any, folder: Path, registry: Registry
) -> None:
    configure(ecr, "ENHANCED", "CONTINUOUS_SCAN")
    (folder / advisories.FILE_NAME).write_bytes(b"this is no database" * 100)
    digest = registry.push_image(NAME, "a", OLD)
    seen = notice(emulator)
    run_scans(emulator)
    assert status(ecr, digest)[0] == "FAILED"
    assert notice(emulator, seen) == seen
    assert run_scans(emulator) == []
    (folder / advisories.FILE_NAME).unlink()
    add_advisories(folder, OPENSSL)
    notice(emulator, seen)
    run_scans(emulator)
    assert cves(ecr, digest) == ["CVE-2023-0286"]


def test_what_waits_for_advisories_is_found_by_an_index(emulator: Running) -> None:
    asked: list[str] = []
    calls: list[Callable[[Any], Any]] = [
        scans.depend_on_advisories,
        lambda connection: scans.are_outdated(connection, "x"),
    ]
    with emulator.application.emulator.store.read() as connection:
        connection.set_trace_callback(asked.append)
        for call in calls:
            call(connection)
        connection.set_trace_callback(None)
        for text in asked:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")]
            assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step], plan
