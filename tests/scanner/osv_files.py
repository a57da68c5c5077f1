"""OSV records and zips that the tests make; ids, names and versions of real advisories are typed in."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NOW = 1_700_000_000.0


def span(*events: tuple[str, str], kind: str = "ECOSYSTEM") -> Json:
    """A range: span(("introduced", "0"), ("fixed", "1.2"))."""
    return {"type": kind, "events": [{name: version} for name, version in events]}


def affected(ecosystem: str, name: str, *ranges: Json, **members: Any) -> Json:
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": list(ranges), **members}


def until(ecosystem: str, name: str, fixed: str) -> Json:
    """All versions before `fixed`."""
    return affected(ecosystem, name, span(("introduced", "0"), ("fixed", fixed)))


def record(name: str, *entries: Json, **members: Any) -> Json:
    return {
        "schema_version": "1.6.0",
        "id": name,
        "modified": "2023-01-01T00:00:00Z",
        "affected": list(entries),
        **members,
    }


def zipped(path: Path, *records: Json) -> Path:
    """A zip as osv.dev has them: <ID>.json at the top."""
    path.write_bytes(zip_bytes(*records))
    return path


def zip_bytes(*records: Json) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, one in enumerate(records):
            archive.writestr(f"{one.get('id', number)}.json", json.dumps(one))
    return buffer.getvalue()


# Real advisories of Debian, Alpine and PyPI: ids, CVEs, packages and fixes.
DEBIAN = [
    record(
        "DSA-5343-1",
        until("Debian:11", "openssl", "1.1.1n-0+deb11u4"),
        upstream=["CVE-2022-2097", "CVE-2022-4304", "CVE-2022-4450", "CVE-2023-0215", "CVE-2023-0286"],
        summary="openssl - security update",
        references=[{"type": "ADVISORY", "url": "https://security-tracker.debian.org/tracker/DSA-5343-1"}],
    ),
    record(
        "DLA-0004-1",
        until("Debian:6", "dovecot", "1:1.2.15-7+deb6u1"),
        upstream=["CVE-2014-3430"],
        summary="dovecot - security update",
        published="2014-06-11T00:00:00Z",
    ),
    record("DLA-899-1", until("Debian:7", "feh", "2.3-2+deb7u1"), upstream=["CVE-2017-7875"]),
]
ALPINE = [
    record(
        "ALPINE-CVE-2018-14447",
        until("Alpine:v3.10", "confuse", "3.2.2-r0"),
        until("Alpine:v3.11", "confuse", "3.2.2-r0"),
        upstream=["CVE-2018-14447"],
    ),
    record("ALPINE-CVE-2012-6708", until("Alpine:v3.10", "ruby", "2.5.6-r0"), upstream=["CVE-2012-6708"]),
]
PYPI = [
    record("PYSEC-2006-3", until("PyPI", "trac", "0.11"), aliases=["CVE-2006-5878"]),
    record(
        "PYSEC-2021-381",
        until("PyPI", "rasa", "2.8.10"),
        aliases=["CVE-2021-41127", "GHSA-4365-fhm5-qcrx"],
        references=[
            {"type": "FIX", "url": "https://github.com/RasaHQ/rasa/commit/1b6b502"},
            {
                "type": "ADVISORY",
                "url": "https://github.com/RasaHQ/rasa/security/advisories/GHSA-4365-fhm5-qcrx",
            },
        ],
    ),
]
