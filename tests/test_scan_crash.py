"""The server, or the process that scans for it, is killed during a scan; the clock moves during one."""

import gzip
import os
import signal
import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.consistency import check_consistency
from tests.processes import Served, run, serving
from tests.scanner import osv_files
from tests.scanner.images import tar
from tests.test_scan_story import BULLSEYE, COMPLETE, CVES, NAME, add_advisories, findings, push

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")

# So many entries take seconds to read, and next to nothing to push.
ENTRIES = 200_000
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def long_layer() -> bytes:
    """A layer that takes a while to read: an empty file again and again, then the others."""
    entry = tarfile.TarInfo("usr/share/doc/readme").tobuf()
    return gzip.compress(entry * ENTRIES + tar(BULLSEYE), compresslevel=1)


def wait_for_the_reader(folder: Path, server: Served) -> int:
    """The process that has begun to read the image."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    children = Path(f"/proc/{server.process.pid}/task")
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(folder / "metadata.db", timeout=30)) as database:
            (attempts,) = database.execute("SELECT max(attempts) FROM image_scans").fetchone()
        found = [int(pid) for task in children.iterdir() for pid in (task / "children").read_text().split()]
        workers = [pid for pid in found if b"\0work\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        if attempts and workers:
            return workers[0]
        time.sleep(0.01)
    raise AssertionError("nothing reads the image")


def start(ecr: Any, folder: Path, layer: bytes) -> str:
    ecr.create_repository(**NAME)
    add_advisories(folder, osv_files.DEBIAN)
    digest = push(ecr, "v1", layer)
    ecr.start_image_scan(**NAME, imageId={"imageTag": "v1"})
    return digest


def assert_found(ecr: Any) -> None:
    answer = findings(ecr, "v1")
    assert answer["imageScanStatus"] == COMPLETE
    assert [one["name"] for one in answer["imageScanFindings"]["findings"]] == CVES


@pytest.mark.parametrize("is_reader_killed", [True, False])
def test_a_server_that_was_killed_during_a_scan_finishes_it(
    tmp_path: Path, long_layer: bytes, is_reader_killed: bool
) -> None:
    """The process that reads may outlive the server; it does no harm."""
    with serving("--data-dir", tmp_path) as server, server.ecr() as ecr:
        start(ecr, tmp_path, long_layer)
        reader = wait_for_the_reader(tmp_path, server)
        server.kill()
        server.ended()
        if is_reader_killed:
            os.kill(reader, signal.SIGKILL)
    check_consistency(tmp_path)
    with serving("--data-dir", tmp_path) as server, server.ecr() as ecr:
        assert_found(ecr)
    check_consistency(tmp_path)


def test_a_reader_that_is_killed_is_followed_by_another(tmp_path: Path, long_layer: bytes) -> None:
    with serving("--data-dir", tmp_path) as server, server.ecr() as ecr:
        start(ecr, tmp_path, long_layer)
        os.kill(wait_for_the_reader(tmp_path, server), signal.SIGKILL)
        assert findings(ecr, "v1", lambda answer: True)["imageScanStatus"]["status"] == "IN_PROGRESS"
        assert_found(ecr)


def test_an_image_that_is_deleted_and_swept_during_its_scan_is_gone(
    tmp_path: Path, long_layer: bytes
) -> None:
    with serving("--data-dir", tmp_path) as server, server.ecr() as ecr:
        digest = start(ecr, tmp_path, long_layer)
        wait_for_the_reader(tmp_path, server)
        ecr.batch_delete_image(**NAME, imageIds=[{"imageDigest": digest}])
        assert run("gc", "--grace", "0", "--data-dir", tmp_path).returncode == 0
        push(ecr, "v1", tar(BULLSEYE))
        ecr.start_image_scan(**NAME, imageId={"imageTag": "v1"})
        assert_found(ecr)
        assert [one["imageTags"] for one in ecr.describe_images(**NAME)["imageDetails"]] == [["v1"]]
    check_consistency(tmp_path)


def test_the_clock_is_moved_during_a_scan(tmp_path: Path, long_layer: bytes) -> None:
    """Moving it does all that is due on the way, so that the scan is over when the command ends."""
    with serving("--data-dir", tmp_path) as server, server.ecr() as ecr:
        start(ecr, tmp_path, long_layer)
        wait_for_the_reader(tmp_path, server)
        done = run("clock", "--endpoint-url", ecr.meta.endpoint_url, "advance", "400d")
        assert done.returncode == 0, done.stderr
        answer = findings(ecr, "v1", lambda answer: True)
        assert answer["imageScanStatus"] == COMPLETE
        # A day has passed.
        ecr.start_image_scan(**NAME, imageId={"imageTag": "v1"})
        assert_found(ecr)
