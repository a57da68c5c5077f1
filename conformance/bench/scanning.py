"""What reading an image for a scan takes, beside its decompressor alone; and comparing it with advisories."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.bench import scan_image
from conformance.bench.scan_image import COMPRESSORS, PACKAGES, Image
from ecr_emu.domain.inventory import Inventory, Package, System
from ecr_emu.scanner import matching
from ecr_emu.scanner.advisories import FILE_NAME, Database
from tests.scanner import osv_files

WAYS = ("pipe", "read")
# Advisories about each installed package, and about packages that are not.
ADVISORIES_EACH, OTHER_ADVISORIES = 4, 20_000
MATCHES = 20


@dataclass(slots=True)
class Reading:
    """An image, seconds by way, and the most memory in MB of the process that reads it."""

    image: Image
    packages: int = 0
    peak_mb: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})

    @property
    def ratio(self) -> float:
        """How many times as long reading takes: the median over the rounds."""
        pairs = zip(self.seconds["read"], self.seconds["pipe"], strict=True)
        return statistics.median(read / pipe for read, pipe in pairs)


@dataclass(slots=True)
class Scans:
    """Images that were read, and milliseconds of comparing one with the advisories."""

    readings: Sequence[Reading]
    match_ms: float
    findings: int


def steps(rounds: int) -> int:
    """How often `measure` reports progress."""
    return rounds * len(COMPRESSORS) * len(WAYS)


def measure(size_bytes: int, rounds: int, step: Callable[[], None]) -> Scans:
    """Read images of this size, both ways in turn, each time in a new process."""
    with tempfile.TemporaryDirectory(prefix="ecr-emu-bench-") as name:
        folder = Path(name)
        readings = [Reading(scan_image.make(folder, kind, size_bytes)) for kind in COMPRESSORS]
        for number in range(rounds):
            for reading in readings:
                for way in WAYS if number % 2 == 0 else WAYS[::-1]:
                    _run(reading, way)
                    step()
        return Scans(readings, *_match(folder))


def table(scans: Scans) -> str:
    """A line for each compression, and one for the comparison."""
    rows = [("layers", "MB packed", "MB", "entries", "packages", "pipe, s", "read, s", "ratio", "peak, MB")]
    for one in scans.readings:
        rows.append(
            (
                one.image.compression,
                f"{one.image.packed_bytes / 1e6:,.0f}",
                f"{one.image.unpacked_bytes / 1e6:,.0f}",
                f"{one.image.entries:,}",
                f"{one.packages:,}",
                *(f"{statistics.median(one.seconds[way]):.2f}" for way in WAYS),
                f"{one.ratio:.2f}",
                f"{one.peak_mb:.0f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    match = (
        f"Comparing {PACKAGES} packages with {PACKAGES * ADVISORIES_EACH + OTHER_ADVISORIES:,} advisories, "
        f"{scans.findings:,} findings: {scans.match_ms:.0f} ms"
    )
    return "\n".join(["Scan, reading an image and its decompressor alone:", *lines, match])


def _run(reading: Reading, way: str) -> None:
    command = [sys.executable, "-m", "conformance.bench.scan_process", way, *map(str, reading.image.layers)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    reading.seconds[way].append(told["seconds"])
    if way == "read":
        reading.packages = told["packages"]
        reading.peak_mb = max(reading.peak_mb, told["peak_mb"])


def _match(folder: Path) -> tuple[float, int]:
    """The median of the milliseconds of comparing, and how many findings there are."""
    advisories = Database(folder / FILE_NAME)
    advisories.add(osv_files.zipped(folder / "Debian.zip", *_records()), now=osv_files.NOW)
    packages = tuple(
        Package("deb", scan_image.package_name(number), f"1.{number}-1", "amd64")
        for number in range(PACKAGES)
    )
    inventory = Inventory(System("debian", "12"), packages)
    milliseconds = []
    for _ in range(MATCHES):
        began = time.perf_counter()
        found = matching.examine(advisories, inventory, languages=False, now=osv_files.NOW)
        milliseconds.append((time.perf_counter() - began) * 1e3)
    advisories.close()
    return statistics.median(milliseconds), len(found.findings)


def _records() -> Iterator[osv_files.Json]:
    """Of those about an installed package half are about the version that is there."""
    for number in range(PACKAGES):
        for other in range(ADVISORIES_EACH):
            fixed = f"1.{number}-{2 if other % 2 else 0}"
            yield _record(f"{number}-{other}", scan_image.package_name(number), fixed)
    for number in range(OTHER_ADVISORIES):
        yield _record(f"other-{number}", f"other{number // 4}", "2.0-1")


def _record(name: str, package: str, fixed: str) -> osv_files.Json:
    return osv_files.record(
        f"DEBIAN-{name}", osv_files.until("Debian:12", package, fixed), upstream=[f"CVE-2024-{name}"]
    )
