"""What scans answer, as bytes: against the service model that botocore has, and with boto3's own tools."""

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import WaiterError

from tests.clients import Running
from tests.control.calls import Api, Repo
from tests.scanner import osv_files
from tests.scanner.images import dpkg, tar
from tests.scanning import NAME, RELEASE, add_advisories, configure, data_folder, run_scans

COUNT = 120
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
RECORDS = [
    osv_files.record(
        f"DSA-{number}-1",
        osv_files.until("Debian:11", "openssl", "1.1.1n-0+deb11u4"),
        upstream=[f"CVE-2023-{number:04}"],
        published="2023-02-07T00:00:00Z",
        references=[{"type": "ADVISORY", "url": "https://example.org/1"}],
    )
    for number in range(1, COUNT)
]
PYTHON = osv_files.record(
    "PYSEC-2018-28",
    osv_files.until("PyPI", "requests", "2.20.0"),
    aliases=["CVE-2018-18074"],
    severity=[
        {"type": "CVSS_V3", "score": HIGH},
        {"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:P/I:N/A:N"},
    ],
    details="Requests sends a header to a host that it is not for.",
)
FILES = {
    "etc/os-release": RELEASE,
    "var/lib/dpkg/status": dpkg(("openssl", "1:1.1.1n-0~deb11u3")) + b"\n" + dpkg(("openssl", "1.1.1k-1")),
    "usr/lib/python3/dist-packages/requests-2.19.1.dist-info/METADATA": b"Name: requests\nVersion: 2.19.1\n",
}
JSON_TYPES = {
    "string": str,
    "integer": int,
    "long": int,
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
    "boolean": bool,
}
# Values that the model does not have. Counts of enhanced findings have Amazon Inspector's word: the example
# of an answer in moto (ECRBackend.describe_image_scan_findings) shows it.
BESIDE = {"FindingSeverity": ("UNTRIAGED",)}


def differences(shape: Any, value: Any, where: str) -> Iterator[str]:
    """Where a JSON value is not what a shape of botocore's says."""
    if shape.type_name == "structure":
        yield from (f"{where}: no {name}" for name in shape.required_members if name not in value)
        for name, member in value.items():
            if name in shape.members:
                yield from differences(shape.members[name], member, f"{where}.{name}")
            else:
                yield f"{where}.{name} is not in the model"
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from differences(shape.member, member, f"{where}[{number}]")
    elif shape.type_name == "map":
        for name, member in value.items():
            yield from differences(shape.key, name, f"{where} key {name}")
            yield from differences(shape.value, member, f"{where}[{name}]")
    else:
        yield from _wrong_value(shape, value, where)


def _wrong_value(shape: Any, value: Any, where: str) -> Iterator[str]:
    is_number_as_bool = isinstance(value, bool) and shape.type_name != "boolean"
    if not isinstance(value, JSON_TYPES[shape.type_name]) or is_number_as_bool:
        yield f"{where} is {value!r}, not a {shape.type_name}"
    elif shape.type_name == "string":
        if getattr(shape, "enum", None) and value not in [*shape.enum, *BESIDE.get(shape.name, ())]:
            yield f"{where} is {value!r}, not one of {shape.enum}"
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
        if not least <= len(value) <= most:
            yield f"{where} has {len(value)} characters"


def assert_fits(operation: str, answer: bytes) -> Any:
    model = botocore.session.get_session().get_service_model("ecr")
    content = json.loads(answer)
    assert list(differences(model.operation_model(operation).output_shape, content, "")) == []
    return content


@pytest.fixture(params=["BASIC", "ENHANCED"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scanned(emulator: Running, ecr: Any, app: Repo, kind: str) -> str:
    """An image with many findings; the name of its kind of scan's list of them."""
    add_advisories(data_folder(emulator), *RECORDS)
    add_advisories(data_folder(emulator), PYTHON, name="PyPI")
    configure(ecr, kind, "SCAN_ON_PUSH")
    app.push(tar(FILES), "v1")
    run_scans(emulator)
    return "findings" if kind == "BASIC" else "enhancedFindings"


def ask(**members: Any) -> dict[str, Any]:
    return {"repositoryName": NAME, "imageId": {"imageTag": "v1"}, **members}


def test_findings_fit_the_model(api: Api, scanned: str) -> None:
    content = assert_fits("DescribeImageScanFindings", api.post("DescribeImageScanFindings", ask()).body)
    found = content["imageScanFindings"]
    assert len(found[scanned]) == 100
    assert {"findings", "enhancedFindings"} & found.keys() == {scanned}
    assert content["imageScanStatus"]["status"] == ("COMPLETE" if scanned == "findings" else "ACTIVE")
    assert sum(found["findingSeverityCounts"].values()) >= COUNT - 1


def test_a_scan_that_waits_or_failed_fits_the_model(
    api: Api, emulator: Running, ecr: Any, app: Repo, kind: str
) -> None:
    configure(ecr, kind, "SCAN_ON_PUSH")
    app.push(tar(FILES), "v1")
    for status in ("IN_PROGRESS", "FAILED"):
        content = assert_fits("DescribeImageScanFindings", api.post("DescribeImageScanFindings", ask()).body)
        assert content["imageScanStatus"]["status"] == status
        assert "imageScanFindings" not in content
        run_scans(emulator)


def test_boto3s_paginator_has_every_finding_once(ecr: Any, scanned: str) -> None:
    # Epochs, and two versions of one package: a finding each for basic scans.
    expected = COUNT - 1 if scanned == "findings" else COUNT
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(
        **ask(), PaginationConfig={"PageSize": 7}
    )
    found = [one for page in pages for one in page["imageScanFindings"][scanned]]
    names = [one["name"] if scanned == "findings" else one["findingArn"] for one in found]
    assert (len(names), len(set(names))) == (expected, expected)
    again = ecr.get_paginator("describe_image_scan_findings").paginate(**ask())
    assert again.build_full_result()["imageScanFindings"][scanned] == found


@pytest.mark.parametrize("kind", ["BASIC"], indirect=True)
def test_boto3s_waiter_ends_with_the_scan(emulator: Running, ecr: Any, scanned: str, app: Repo) -> None:
    waiter = ecr.get_waiter("image_scan_complete")
    waiter.wait(**ask(), WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    waiting = app.push(
        tar(
            {
                "etc/os-release": b"ID=debian\nVERSION_ID=12\n",
            }
        )
        + bytes(512)
    )
    by_digest = {"repositoryName": NAME, "imageId": {"imageDigest": waiting}}
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        waiter.wait(**by_digest, WaiterConfig={"Delay": 0, "MaxAttempts": 2})
    broken = app.push(b"\x1f\x8b no gzip")
    run_scans(emulator)
    with pytest.raises(WaiterError, match="terminal failure"):
        waiter.wait(
            repositoryName=NAME,
            imageId={"imageDigest": broken},
            WaiterConfig={"Delay": 0, "MaxAttempts": 1},
        )


def test_cvss_values_are_those_of_the_vectors(ecr: Any, scanned: str) -> None:
    if scanned == "findings":
        return
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(**ask())
    found = [one for page in pages for one in page["imageScanFindings"][scanned]]
    (one,) = [one for one in found if one["packageVulnerabilityDetails"]["source"] == "PyPI"]
    assert (one["severity"], one["score"], one["scoreDetails"]["cvss"]["version"]) == ("HIGH", 7.5, "3.1")
    given = one["packageVulnerabilityDetails"]["cvss"]
    assert [(score["version"], score["baseScore"]) for score in given] == [("3.1", 7.5), ("2.0", 5.0)]
