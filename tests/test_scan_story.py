"""Scans from the push to the findings, with a real server, its background process and real advisories."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import WaiterError
from moto import mock_aws

from tests.clients import digest_of, image_manifest
from tests.processes import Served, run, serving
from tests.scanner import osv_files
from tests.scanner.images import dpkg, tar

NAME = {"repositoryName": "team/app"}
STATUS = (
    "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.1.1n-0+deb11u3\n\n"
    "Package: libssl1.1\nStatus: install ok installed\nSource: openssl\nArchitecture: amd64\n"
    "Version: 1.1.1n-0+deb11u3\n\n"
    "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.1-2+deb11u1\n"
)
BULLSEYE = {
    "etc/os-release": b'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
    "var/lib/dpkg/status": STATUS.encode(),
}
REQUESTS = b"Name: requests\nVersion: 2.19.1\n"
CVES = ["CVE-2022-2097", "CVE-2022-4304", "CVE-2022-4450", "CVE-2023-0215", "CVE-2023-0286"]
COMPLETE = {"status": "COMPLETE", "description": "The scan was completed successfully."}
PATIENCE_SECONDS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving("--data-dir", tmp_path) as server:
        yield server


@pytest.fixture
def ecr(server: Served) -> Iterator[Any]:
    with server.ecr() as ecr:
        ecr.create_repository(**NAME)
        yield ecr


def push(ecr: Any, tag: str, layer: bytes, **config: Any) -> str:
    """An image of one layer, by the AWS API."""
    # The tag, so that no two images have the same configuration.
    about = {"architecture": "amd64", "os": "linux", "comment": tag, "config": config}
    text = json.dumps(about).encode()
    for blob in (text, layer):
        upload = ecr.initiate_layer_upload(**NAME)["uploadId"]
        place = {**NAME, "uploadId": upload}
        ecr.upload_layer_part(**place, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
        ecr.complete_layer_upload(**place, layerDigests=[digest_of(blob)])
    answer = ecr.put_image(**NAME, imageManifest=image_manifest(text, layer).decode(), imageTag=tag)
    digest: str = answer["image"]["imageId"]["imageDigest"]
    return digest


def findings(ecr: Any, tag: str, is_there: Callable[[Any], bool] | None = None, **page: Any) -> Any:
    """What the scan says when it is over, or when `is_there` says so."""
    enough = is_there or (lambda answer: answer["imageScanStatus"]["status"] != "IN_PROGRESS")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = ecr.describe_image_scan_findings(**NAME, imageId={"imageTag": tag}, **page)
        if enough(answer):
            return answer
        # Clients that look too early have to find nothing (reference, data plane 4.3).
        assert answer["imageScanStatus"]["status"] != "IN_PROGRESS" or "imageScanFindings" not in answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def add_advisories(folder: Path, records: list[Any], name: str = "Debian") -> None:
    archive = osv_files.zipped(folder.parent / f"{folder.name}-{name}.zip", *records)
    done = run("advisories", "add", archive, "--data-dir", folder)
    assert done.returncode == 0, done.stderr


def test_an_image_has_the_findings_that_the_advisories_say(ecr: Any, tmp_path: Path) -> None:
    add_advisories(tmp_path, osv_files.DEBIAN)
    digest = push(ecr, "v1", gzip.compress(tar(BULLSEYE)))
    begun = ecr.start_image_scan(**NAME, imageId={"imageTag": "v1"})
    assert begun["imageScanStatus"]["status"] == "IN_PROGRESS"
    ecr.get_waiter("image_scan_complete").wait(**NAME, imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 1})
    answer = findings(ecr, "v1")
    assert answer["imageScanStatus"] == COMPLETE
    found = answer["imageScanFindings"]
    assert [one["name"] for one in found["findings"]] == CVES
    assert found["findingSeverityCounts"] == {"UNDEFINED": len(CVES)}
    assert found["findings"][0]["uri"] == "https://security-tracker.debian.org/tracker/CVE-2022-2097"
    assert {one["key"]: one["value"] for one in found["findings"][0]["attributes"]} == {
        "package_name": "openssl",
        "package_version": "1.1.1n-0+deb11u3",
        "fixed_in_version": "1.1.1n-0+deb11u4",
    }
    assert abs(found["imageScanCompletedAt"].timestamp() - time.time()) < PATIENCE_SECONDS
    first = findings(ecr, "v1", maxResults=2)
    assert [one["name"] for one in first["imageScanFindings"]["findings"]] == CVES[:2]
    rest = findings(ecr, "v1", nextToken=first["nextToken"])["imageScanFindings"]
    assert ([one["name"] for one in rest["findings"]], rest["findingSeverityCounts"]) == (
        CVES[2:],
        found["findingSeverityCounts"],
    )
    done = run("sbom", f"team/app@{digest}", "--endpoint-url", ecr.meta.endpoint_url)
    packages = [one for one in json.loads(done.stdout)["components"] if one["type"] == "library"]
    assert [one["name"] for one in packages] == ["bash", "libssl1.1", "openssl"]


def test_without_advisories_a_scan_fails_and_says_what_to_do(ecr: Any, tmp_path: Path) -> None:
    """No data is no clean bill of health."""
    add_advisories(tmp_path, osv_files.ALPINE, "Alpine")
    push(ecr, "v1", tar(BULLSEYE))
    ecr.start_image_scan(**NAME, imageId={"imageTag": "v1"})
    with pytest.raises(WaiterError, match="terminal failure"):
        ecr.get_waiter("image_scan_complete").wait(
            **NAME, imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 1}
        )
    answer = findings(ecr, "v1")
    assert answer["imageScanStatus"]["status"] == "FAILED"
    said = answer["imageScanStatus"]["description"]
    assert "no advisories for Debian:11" in said
    assert "ecr-emu advisories add" in said
    assert "imageScanFindings" not in answer


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ({"bin/app": b"\x7fELF"}, "UNSUPPORTED_IMAGE", "UnsupportedImageError: The operating system"),
        ({**BULLSEYE, "var/lib/dpkg/status": b""}, "UNSUPPORTED_IMAGE", "no package was found"),
        (None, "FAILED", "sha256:"),
    ],
)
def test_what_cannot_be_scanned_is_never_clean(
    ecr: Any, tmp_path: Path, files: Any, status: str, said: str
) -> None:
    add_advisories(tmp_path, osv_files.DEBIAN)
    layer = b"\x1f\x8b this is no gzip" if files is None else tar(files)
    push(ecr, "v1", layer)
    ecr.start_image_scan(**NAME, imageId={"imageTag": "v1"})
    answer = findings(ecr, "v1")["imageScanStatus"]
    assert answer["status"] == status
    assert said in answer["description"]


def test_motos_finding_that_every_image_has_is_not_ours(ecr: Any, tmp_path: Path) -> None:
    """moto finds CVE-9999-9999 in every image, whatever is in it."""
    with mock_aws():
        moto = boto3.client(
            "ecr", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        moto.create_repository(**NAME)
        moto.put_image(**NAME, imageManifest=image_manifest(b"{}", b"").decode(), imageTag="v1")
        moto.start_image_scan(**NAME, imageId={"imageTag": "v1"})
        fake = moto.describe_image_scan_findings(**NAME, imageId={"imageTag": "v1"})["imageScanFindings"]
    assert [one["name"] for one in fake["findings"]] == ["CVE-9999-9999"]

    add_advisories(tmp_path, osv_files.DEBIAN)
    fixed = {**BULLSEYE, "var/lib/dpkg/status": dpkg(("openssl", "1.1.1n-0+deb11u4"))}
    for tag, files, expected in (("old", BULLSEYE, CVES), ("fixed", fixed, [])):
        push(ecr, tag, tar(files))
        ecr.start_image_scan(**NAME, imageId={"imageTag": tag})
        answer = findings(ecr, tag)
        assert answer["imageScanStatus"] == COMPLETE
        assert [one["name"] for one in answer["imageScanFindings"]["findings"]] == expected
        assert answer["imageScanFindings"]["findingSeverityCounts"] == (
            {"UNDEFINED": len(expected)} if expected else {}
        )


def test_no_data_is_never_all_green(ecr: Any, tmp_path: Path) -> None:
    """Without advisories for what is in an image no kind of scan says that it is clean."""
    files = {**BULLSEYE, "usr/lib/python3/dist-packages/requests-2.19.1.dist-info/METADATA": REQUESTS}
    everywhere = [{"filter": "*", "filterType": "WILDCARD"}]
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": everywhere}
    for records, name in (([], "nothing"), (osv_files.ALPINE, "Alpine"), (osv_files.DEBIAN, "Debian")):
        if records:
            add_advisories(tmp_path, records, name)
        for scan_type in ("BASIC", "ENHANCED"):
            if (name, scan_type) == ("Debian", "BASIC"):
                continue
            ecr.put_registry_scanning_configuration(scanType=scan_type, rules=[rule])
            tag = f"{scan_type}-{name}"
            push(ecr, tag, tar({**files, tag: b""}))
            answer = findings(ecr, tag)
            assert answer["imageScanStatus"]["status"] == "FAILED"
            # Half of the data is none for the other half.
            missing = "PyPI" if name == "Debian" else "Debian:11"
            assert f"no advisories for {missing}" in answer["imageScanStatus"]["description"]
            assert "imageScanFindings" not in answer


def test_new_advisories_reach_images_that_are_scanned_continuously(ecr: Any, tmp_path: Path) -> None:
    everywhere = [{"filter": "*", "filterType": "WILDCARD"}]
    rule = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": everywhere}
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    python = osv_files.record(
        "PYSEC-2021-1", osv_files.until("PyPI", "requests", "2.20.0"), aliases=["CVE-2018-18074"]
    )
    first = [*osv_files.DEBIAN, python]
    add_advisories(tmp_path, first)
    files = {
        **BULLSEYE,
        "usr/lib/python3/dist-packages/requests-2.19.1.dist-info/METADATA": REQUESTS,
    }
    push(ecr, "v1", tar(files))
    answer = findings(ecr, "v1")
    assert answer["imageScanStatus"]["status"] == "ACTIVE"
    found = {one["packageVulnerabilityDetails"]["vulnerabilityId"]: one for one in _enhanced(answer)}
    assert set(found) == {*CVES, "CVE-2018-18074"}
    (package,) = found["CVE-2018-18074"]["packageVulnerabilityDetails"]["vulnerablePackages"]
    assert (package["name"], package["packageManager"], package["fixedInVersion"]) == (
        "requests",
        "PYTHONPKG",
        "2.20.0",
    )
    (resource,) = found["CVE-2018-18074"]["resources"]
    about = resource["details"]["awsEcrContainerImage"]
    assert (about["imageTags"], about["architecture"], about["platform"]) == (["v1"], "amd64", "DEBIAN_11")

    bash = osv_files.record(
        "DSA-9999-1", osv_files.until("Debian:11", "bash", "5.2"), upstream=["CVE-2099-0001"]
    )
    add_advisories(tmp_path, [*first, bash])
    later = findings(ecr, "v1", lambda now: len(_enhanced(now)) > len(found))
    again = {one["packageVulnerabilityDetails"]["vulnerabilityId"]: one for one in _enhanced(later)}
    assert set(again) == {*found, "CVE-2099-0001"}
    kept = again["CVE-2018-18074"]
    assert kept["firstObservedAt"] == found["CVE-2018-18074"]["firstObservedAt"]
    assert kept["lastObservedAt"] > found["CVE-2018-18074"]["lastObservedAt"]


def _enhanced(answer: Any) -> Any:
    return answer.get("imageScanFindings", {}).get("enhancedFindings", [])
