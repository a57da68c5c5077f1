"""Programs that stand for trivy and grype on PATH: they print what the real ones print, or misbehave.

The answers are what trivy 0.74 and grype 0.121 printed about the bill of INVENTORY with a database of two
vulnerabilities, without members that are not read.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ecr_emu.domain.inventory import Inventory, Package, System

LIBSSL = Package("deb", "libssl3", "3.0.11-1~deb12u1", "amd64", "openssl", "3.0.11-1~deb12u1")
ZLIB = Package("deb", "zlib1g", "1:1.2.13.dfsg-1", "amd64", "zlib", "1:1.2.13.dfsg-1")
REQUESTS = Package("pypi", "requests", "2.30.0", path="usr/lib/requests-2.30.0.dist-info/METADATA")
INVENTORY = Inventory(System("debian", "12", "Debian"), (LIBSSL, ZLIB, REQUESTS))

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
BUILT = "2026-11-26T19:36:33Z"

TRIVY_VERSION = {"Version": "0.74.0", "VulnerabilityDB": {"Version": 2, "UpdatedAt": BUILT}}
TRIVY_REPORT: dict[str, Any] = {
    "SchemaVersion": 2,
    "Metadata": {"OS": {"Family": "debian", "Name": "12"}},
    "Results": [
        {
            "Class": "os-pkgs",
            "Type": "debian",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2024-0001",
                    "VendorIDs": ["DSA-1-1"],
                    "PkgName": "libssl3",
                    "PkgIdentifier": {"BOMRef": "package-0"},
                    "InstalledVersion": "3.0.11-1~deb12u1",
                    "FixedVersion": "3.0.15-1~deb12u1",
                    "PrimaryURL": "https://avd.aquasec.com/nvd/cve-2024-0001",
                    "DataSource": {"ID": "debian", "Name": "Debian Security Tracker"},
                    "Title": "hole",
                    "Description": "a hole in openssl",
                    "Severity": "HIGH",
                    "CVSS": {"nvd": {"V3Vector": VECTOR, "V3Score": 7.5}},
                    "References": ["https://example.org/1"],
                    "PublishedDate": BUILT,
                    "LastModifiedDate": BUILT,
                }
            ],
        },
        {"Class": "lang-pkgs", "Type": "python-pkg"},
    ],
}

GRYPE_STATUS = {"schemaVersion": "v6.1.10", "built": BUILT, "valid": True}
GRYPE_REPORT: dict[str, Any] = {
    "matches": [
        {
            "vulnerability": {
                "id": "CVE-2024-0001",
                "dataSource": "https://security-tracker.debian.org/tracker/CVE-2024-0001",
                "namespace": "debian:distro:debian:12",
                "severity": "High",
                "urls": [],
                "cvss": [],
                "fix": {"versions": ["3.0.15-1~deb12u1"], "state": "fixed"},
                "advisories": [{"id": "DSA-1-1", "link": "https://example.org/DSA-1-1"}],
            },
            "relatedVulnerabilities": [
                {
                    "id": "CVE-2024-0001",
                    "severity": "High",
                    "urls": ["https://example.org/1"],
                    "description": "a hole in openssl",
                    "cvss": [{"source": "nvd@nist.gov", "version": "3.1", "vector": VECTOR}],
                }
            ],
            "artifact": {"id": "package-0", "name": "libssl3"},
        },
        {
            "vulnerability": {
                "id": "GHSA-aaaa-bbbb-cccc",
                "dataSource": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc",
                "namespace": "github:language:python",
                "severity": "Critical",
                "description": "a hole in requests",
                "fix": {"versions": ["2.31.0"], "state": "fixed"},
                "advisories": [],
            },
            "relatedVulnerabilities": [{"id": "CVE-2024-0002", "severity": "Critical"}],
            "artifact": {"id": "package-2", "name": "requests"},
        },
    ],
}

# Runs what the test wrote, with the bill that it was given beside it.
_PROGRAM = """#!{python}
import json, os, sys, time
words = sys.argv[1:]
is_status = words[:1] == ["version"] or words[:2] == ["db", "status"]
with open({record!r}, "a") as file:
    file.write(json.dumps([words, dict(os.environ)]) + "\\n")
{body}
"""


def put(folder: Path, name: str, status: Any, report: Any, extra: str = "") -> Path:
    """A program that prints these, after doing `extra` if it is about an image; where its calls are kept."""
    body = f"""
answer = {json.dumps(json.dumps(status))} if is_status else {json.dumps(json.dumps(report))}
if not is_status:
    bill = next(word for word in words if word.endswith("bill.cdx.json")).removeprefix("sbom:")
    with open(bill) as source, open({str(folder / (name + ".bill"))!r}, "w") as copy:
        copy.write(source.read())
    pass
    {extra or "pass"}
print(answer)
"""
    return put_program(folder, name, body)


def put_program(folder: Path, name: str, body: str) -> Path:
    """A program that does this."""
    record = folder / (name + ".calls")
    program = folder / name
    program.write_text(_PROGRAM.format(python=sys.executable, record=str(record), body=body))
    program.chmod(0o755)
    return record


def calls(record: Path) -> list[tuple[list[str], dict[str, str]]]:
    """Words and environments of the calls."""
    return [tuple(json.loads(line)) for line in record.read_text().splitlines()]  # type: ignore[misc]
