"""What the machine can do at best, with nothing but the kernel and a digest: loopback, SHA-256, the disk."""

import hashlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from conformance.bench.measures import BYTES_PER_MB, Measure, Samples, Session

MACHINE = "machine"
BLOCK_BYTES = 1 << 20
SYNCS = 100
SYNC_BYTES = 4096
OPENSSL_BYTES = 16384
_OPENSSL = re.compile(r"sha256\s+.*?([\d.]+)k\s*$", re.MULTILINE)


def steps(session: Session) -> int:
    """How often `measure` reports progress."""
    return session.plan.rounds


def measure(session: Session) -> Samples:
    """All limits in each round, in the file system in which the servers have their data."""
    samples = Samples()
    for _ in range(session.plan.rounds):
        with tempfile.TemporaryDirectory(prefix="ecr-emu-bench-") as name:
            _round(samples, Path(name) / "file", session.plan.limit_mb * BYTES_PER_MB)
        session.step()
    return samples


def _round(samples: Samples, file: Path, size_bytes: int) -> None:
    written = _seconds(lambda: _write(file, size_bytes))
    _note(samples, "write and one fsync", "MB/s", size_bytes / written / BYTES_PER_MB)
    _note(samples, "sendfile over loopback", "MB/s", _sendfile(file) / BYTES_PER_MB)
    hashed = _seconds(lambda: _hash(size_bytes))
    _note(samples, "SHA-256, hashlib", "MB/s", size_bytes / hashed / BYTES_PER_MB)
    if rate := _openssl():
        _note(samples, "SHA-256, openssl", "MB/s", rate)
    _note(samples, f"fsync after {SYNC_BYTES} bytes", "ms", _sync_seconds(file) * 1e3, higher=False)


def _note(samples: Samples, name: str, unit: str, value: float, *, higher: bool = True) -> None:
    samples.add(Measure(name, unit, higher), MACHINE, value)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _write(path: Path, size_bytes: int) -> None:
    block = os.urandom(BLOCK_BYTES)
    with path.open("wb", buffering=0) as file:
        for _ in range(size_bytes // BLOCK_BYTES):
            file.write(block)
        os.fsync(file.fileno())


def _hash(size_bytes: int) -> None:
    block, digest = bytes(BLOCK_BYTES), hashlib.sha256()
    for _ in range(size_bytes // BLOCK_BYTES):
        digest.update(block)


def _sendfile(path: Path) -> float:
    """Bytes a second of a file in the page cache, from one thread to another."""
    size = path.stat().st_size
    with socket.create_server(("127.0.0.1", 0)) as server, path.open("rb") as file:
        link = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        with link, accepted:
            sender = threading.Thread(target=accepted.sendfile, args=(file,))
            buffer = memoryview(bytearray(BLOCK_BYTES))
            began = time.perf_counter()
            sender.start()
            received = 0
            while received < size and (count := link.recv_into(buffer)):
                received += count
            seconds = time.perf_counter() - began
            sender.join()
    return received / seconds


def _openssl() -> float | None:
    """MB/s of one process; None where there is no openssl."""
    command = shutil.which("openssl")
    if not command:
        return None
    options = ["speed", "-evp", "sha256", "-bytes", str(OPENSSL_BYTES), "-seconds", "1"]
    done = subprocess.run([command, *options], capture_output=True, text=True, check=False)
    found = _OPENSSL.search(done.stdout)
    return float(found[1]) / 1e3 if found else None


def _sync_seconds(path: Path) -> float:
    """The median of the seconds that a file takes to be synced after a little was added to it."""
    seconds = []
    with path.open("ab", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(bytes(SYNC_BYTES))
            seconds.append(_seconds(lambda: os.fsync(file.fileno())))
    return statistics.median(seconds)
