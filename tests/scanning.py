"""Images, advisories and scans for tests of an emulator in this process, where no background work runs."""

from contextlib import closing
from pathlib import Path
from typing import Any

from ecr_emu.jobs.work import Workplace, run_pending
from ecr_emu.scanner import advisories
from tests.clients import Running
from tests.scanner import osv_files
from tests.scanner.images import Thing, dpkg, tar

NAME = "team/app"
RELEASE = b'ID=debian\nVERSION_ID="11"\n'
OPENSSL = osv_files.record(
    "DSA-5343-1", osv_files.until("Debian:11", "openssl", "1.1.1n-0+deb11u4"), upstream=["CVE-2023-0286"]
)


def debian(*packages: tuple[str, str], **files: Thing) -> bytes:
    """A layer with these packages of Debian 11."""
    return tar({"etc/os-release": RELEASE, "var/lib/dpkg/status": dpkg(*packages), **files})


OLD = debian(("openssl", "1.1.1n-0+deb11u3"), ("bash", "5.1-2+deb11u1"))


def data_folder(emulator: Running) -> Path:
    return Path(emulator.application.emulator.settings.data_dir)


def add_advisories(folder: Path, *records: Any, name: str = "Debian") -> None:
    with closing(advisories.Database(folder / advisories.FILE_NAME)) as database:
        database.add(osv_files.zipped(folder / f"{name}.zip", *records), now=osv_files.NOW)


def run_scans(emulator: Running) -> list[str]:
    """Do the scans that are due; the statuses that they end with."""
    inside = emulator.application.emulator
    place = Workplace(inside.store, inside.blobs, inside.settings)
    reports = run_pending(place, inside.clock())
    return [report["status"] for report in reports if report["kind"] == "scan"]


def configure(ecr: Any, scan_type: str, frequency: str) -> None:
    """Let all repositories of the registry be scanned like this."""
    everywhere = [{"filter": "*", "filterType": "WILDCARD"}]
    rule = {"scanFrequency": frequency, "repositoryFilters": everywhere}
    ecr.put_registry_scanning_configuration(scanType=scan_type, rules=[rule])
