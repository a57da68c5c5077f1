"""Scans by the setting `scanner`, the SBOM as an artifact, and what is said of each scan."""

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ecr_emu import cli
from ecr_emu.jobs import work
from tests.clients import Clock, Running
from tests.scanner import fake_engines as fakes
from tests.scanner.images import dpkg, tar

NAME = "team/app"
OS_RELEASE = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n'
STATUS = dpkg(("zlib1g", "1:1.2.13.dfsg-1")) + (
    b"\nPackage: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\n"
    b"Version: 3.0.11-1~deb12u1\n"
)
IMAGE = {"imageTag": "v1"}
Start = Callable[..., Running]


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def scanned(emulator: Running, scan_type: str = "BASIC") -> Any:
    """The answer about an image that was pushed and scanned."""
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName=NAME)
    rules = [
        {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ]
    ecr.put_registry_scanning_configuration(scanType=scan_type, rules=rules)
    layer = gzip.compress(tar({"etc/os-release": OS_RELEASE, "var/lib/dpkg/status": STATUS}))
    emulator.registry().push_image(NAME, "v1", layer)
    run_due(emulator)
    return findings(emulator)


def run_due(emulator: Running) -> None:
    parts = emulator.application.emulator
    work.run_pending(work.Workplace(parts.store, parts.blobs, parts.settings), parts.clock())


def findings(emulator: Running) -> Any:
    return emulator.ecr().describe_image_scan_findings(repositoryName=NAME, imageId=IMAGE)


def ask(emulator: Running, method: str, path: str, content: Any = None) -> Any:
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(emulator.url + path, body, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def put_grype(folder: Path) -> None:
    report = {"matches": [fakes.GRYPE_REPORT["matches"][0]]}
    # The order of packages in an image is that of its files.
    fakes.put(folder, "grype", fakes.GRYPE_STATUS, report, _OUR_REFERENCE)


_OUR_REFERENCE = (
    "parts = json.load(open(bill))['components']; "
    "mine = next(part['bom-ref'] for part in parts if part['name'] == 'libssl3'); "
    "answer = answer.replace('package-0', mine)"
)


@pytest.mark.parametrize(("scan_type", "status"), [("BASIC", "COMPLETE"), ("ENHANCED", "ACTIVE")])
def test_an_engine_finds_for_both_kinds_of_scanning(
    start: Start, bin_folder: Path, scan_type: str, status: str
) -> None:
    put_grype(bin_folder)
    answer = scanned(start(scanner="grype"), scan_type)
    assert answer["imageScanStatus"]["status"] == status
    assert answer["imageScanStatus"]["description"].endswith("Compared by grype.")
    found = answer["imageScanFindings"]
    assert found["findingSeverityCounts"] == {"HIGH": 1}
    assert found["vulnerabilitySourceUpdatedAt"].timestamp() == 1_795_721_793.0
    if scan_type == "BASIC":
        (one,) = found["findings"]
        attributes = {each["key"]: each["value"] for each in one["attributes"]}
        assert (one["name"], attributes["package_name"]) == ("CVE-2024-0001", "openssl")
        assert attributes["fixed_in_version"] == "3.0.15-1~deb12u1"
    else:
        (one,) = found["enhancedFindings"]
        assert one["packageVulnerabilityDetails"]["vulnerablePackages"][0]["name"] == "libssl3"


def test_auto_takes_the_first_that_knows_the_system(start: Start, bin_folder: Path) -> None:
    fakes.put(bin_folder, "trivy", {"Version": "0.74.0"}, {})
    put_grype(bin_folder)
    emulator = start(scanner="auto")
    assert scanned(emulator)["imageScanStatus"]["status"] == "COMPLETE"
    (scan,) = ask(emulator, "GET", f"/_emu/scans?repositoryName={NAME}")["scans"]
    assert (scan["scanner"], scan["injected"], scan["imageTags"]) == ("grype", False, ["v1"])


def test_auto_without_any_data_says_what_each_lacks(start: Start, bin_folder: Path) -> None:
    fakes.put(bin_folder, "trivy", {"Version": "0.74.0"}, {})
    answer = scanned(start(scanner="auto"))
    said = answer["imageScanStatus"]
    assert said["status"] == "FAILED"
    assert "imageScanFindings" not in answer
    for words in ("ecr-emu advisories", "trivy image --download-db-only", "grype is not on the PATH"):
        assert words in said["description"]


@pytest.mark.parametrize("scanner", ["trivy", "grype"])
def test_an_engine_that_is_not_there_fails_the_scan(start: Start, bin_folder: Path, scanner: str) -> None:
    said = scanned(start(scanner=scanner))["imageScanStatus"]
    assert said["status"] == "FAILED"
    assert said["description"].startswith(f"{scanner} is not on the PATH of the server; install it")


def test_an_engines_new_database_scans_continuous_images_again(
    start: Start, bin_folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecr_emu.jobs import rematch

    empty: dict[str, Any] = {"matches": []}
    fakes.put(bin_folder, "grype", fakes.GRYPE_STATUS, empty)
    emulator = start(scanner="grype")
    scanned(emulator)
    everything = [{"filter": "*", "filterType": "WILDCARD"}]
    rules = [{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": everything}]
    emulator.ecr().put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    clock.advance(25 * 3600)
    emulator.registry().push_image(
        NAME,
        "v1",
        gzip.compress(tar({"etc/os-release": OS_RELEASE, "var/lib/dpkg/status": STATUS, "x": b""})),
    )
    run_due(emulator)
    assert findings(emulator)["imageScanFindings"]["enhancedFindings"] == []
    seen = rematch.notice(emulator.application.emulator, None)
    run_due(emulator)
    assert findings(emulator)["imageScanFindings"]["enhancedFindings"] == []

    put_grype(bin_folder)
    newer = {**fakes.GRYPE_STATUS, "built": "2026-11-27T00:00:00Z"}
    fakes.put(bin_folder, "grype", newer, {"matches": [fakes.GRYPE_REPORT["matches"][0]]}, _OUR_REFERENCE)
    assert rematch.notice(emulator.application.emulator, seen) == seen, "it is asked every two minutes"
    monkeypatch.setattr(rematch, "ENGINE_SECONDS", 0.0)
    rematch.notice(emulator.application.emulator, seen)
    run_due(emulator)
    assert len(findings(emulator)["imageScanFindings"]["enhancedFindings"]) == 1


# --- The SBOM as an artifact ------------------------------------------------------------------------------


def test_an_sbom_is_attached_once(start: Start, bin_folder: Path) -> None:
    put_grype(bin_folder)
    emulator = start(scanner="grype")
    digest = scanned(emulator)["imageId"]["imageDigest"]
    words = ["sbom", f"{NAME}:v1", "--attach", "--endpoint-url", emulator.url]
    first, second = (CliRunner().invoke(cli.main, words) for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output
    artifact = first.output.split()[0]
    assert first.output == f"{artifact} attached to {digest}\n"
    assert second.output == f"{artifact} was attached already to {digest}\n"

    listed = emulator.ecr().list_image_referrers(repositoryName=NAME, subjectId={"imageDigest": digest})
    (one,) = listed["referrers"]
    assert (one["digest"], one["artifactType"]) == (artifact, "application/vnd.cyclonedx+json")
    registry = emulator.registry()
    (entry,) = registry.request("GET", f"/v2/{NAME}/referrers/{digest}").json()["manifests"]
    assert entry["digest"] == artifact
    manifest = registry.request("GET", f"/v2/{NAME}/manifests/{artifact}").json()
    content = registry.request("GET", f"/v2/{NAME}/blobs/{manifest['layers'][0]['digest']}").body
    printed = CliRunner().invoke(cli.main, [*words[:2], *words[3:]])
    assert json.loads(content) == json.loads(printed.output)
    assert json.loads(content)["bomFormat"] == "CycloneDX"
    assert len(emulator.ecr().describe_images(repositoryName=NAME)["imageDetails"]) == 2


def test_an_image_that_was_not_read_has_nothing_to_attach(emulator: Running) -> None:
    emulator.ecr().create_repository(repositoryName=NAME)
    emulator.registry().push_image(NAME, "v1", b"layer")
    words = ["sbom", f"{NAME}:v1", "--attach", "--endpoint-url", emulator.url]
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code == 1
    assert "has not been read; start a scan of it" in result.output


# --- Marks of injected findings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{"findings": {"HIGH": 1}}, {"enhancedFindings": [{"title": "x", "resources": [{"id": "y"}]}]}]
)
def test_injected_enhanced_findings_carry_a_mark(start: Start, bin_folder: Path, given: Any) -> None:
    emulator = start()
    ask(emulator, "PUT", "/_emu/scan-findings", {"repositoryName": NAME, **given})
    (one,) = scanned(emulator, "ENHANCED")["imageScanFindings"]["enhancedFindings"]
    assert [each["tags"] for each in one["resources"]] == [{"injected": "true"}]
    (scan,) = ask(emulator, "GET", f"/_emu/scans?repositoryName={NAME}")["scans"]
    assert (scan["injected"], scan["scanner"], scan["status"]) == (True, "injected", "ACTIVE")


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?repositoryName=none", 404)])
def test_scans_of_no_repository_are_refused(emulator: Running, query: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(emulator, "GET", "/_emu/scans" + query)
    assert caught.value.code == status
    caught.value.close()


# --- DescribeImages ---------------------------------------------------------------------------------------


def details(emulator: Running, **request: Any) -> list[Any]:
    found = emulator.ecr().describe_images(repositoryName=NAME, **request)["imageDetails"]
    return [(one.get("imageScanStatus"), one.get("imageScanFindingsSummary")) for one in found]


def test_only_the_old_basic_scanning_is_told_of_by_describe_images(start: Start, bin_folder: Path) -> None:
    put_grype(bin_folder)
    emulator = start(scanner="grype")
    answer = scanned(emulator)
    assert details(emulator) == details(emulator, imageIds=[IMAGE]) == [(None, None)]
    emulator.ecr().put_account_setting(name="BASIC_SCAN_TYPE_VERSION", value="CLAIR")
    found = answer["imageScanFindings"]
    del found["findings"]
    assert details(emulator) == [(answer["imageScanStatus"], found)]
    assert details(emulator, imageIds=[IMAGE]) == [(answer["imageScanStatus"], found)]


def test_a_scan_that_failed_has_no_summary(start: Start, bin_folder: Path) -> None:
    emulator = start(scanner="trivy")
    answer = scanned(emulator)
    emulator.ecr().put_account_setting(name="BASIC_SCAN_TYPE_VERSION", value="CLAIR")
    assert details(emulator) == [(answer["imageScanStatus"], None)]


def test_enhanced_scanning_is_not_told_of_by_describe_images(start: Start, bin_folder: Path) -> None:
    put_grype(bin_folder)
    emulator = start(scanner="grype")
    scanned(emulator, "ENHANCED")
    emulator.ecr().put_account_setting(name="BASIC_SCAN_TYPE_VERSION", value="CLAIR")
    assert details(emulator) == [(None, None)]
