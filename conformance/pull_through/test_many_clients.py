"""200 clients, one layer of 500 MB that is not cached: one fetch, and memory that does not grow with it.

`ECR_EMU_MANY_CLIENTS=20 ECR_EMU_MANY_MEGABYTES=50` makes it smaller. The figures are printed (`-s`).
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import serving

CLIENTS = int(os.environ.get("ECR_EMU_MANY_CLIENTS", "200"))
MEGABYTES = int(os.environ.get("ECR_EMU_MANY_MEGABYTES", "500"))
# Slower than two cores can serve 200 clients: what is measured is not the machine.
MEGABYTES_A_SECOND = float(os.environ.get("ECR_EMU_MANY_PACE", "5"))
# What a client's buffers and thread may take, and what a server has without any client.
MOST_MIB_A_CLIENT, MOST_MIB = 2, 100


@contextmanager
def slow_upstream() -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """What it says of itself, and the list that grows with what it does."""
    command = [sys.executable, "-m", "conformance.pull_through.slow_upstream"]
    with subprocess.Popen(
        [*command, str(MEGABYTES), str(MEGABYTES_A_SECOND)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        about = json.loads(process.stdout.readline())
        events: list[dict[str, Any]] = []
        lines = process.stdout
        reader = threading.Thread(target=lambda: events.extend(json.loads(line) for line in lines))
        reader.start()
        yield about, events
        process.stdin.close()
        reader.join()


class Memory:
    """The resident memory of a process in MiB, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.samples: list[float] = []
        self._status = Path(f"/proc/{pid}/status")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def thirds(self) -> list[int]:
        """What it was at first, and the most in each third of the time."""
        size = len(self.samples) // 3
        parts = [self.samples[:size], self.samples[size:-size], self.samples[-size:]]
        return [round(self.samples[0]), *(round(max(part)) for part in parts)]

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            lines = self._status.read_text().splitlines()
            self.samples.append(
                next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
            )


@pytest.mark.timeout(1800)
def test_two_hundred_clients_and_one_fetch(tmp_path: Path) -> None:
    with (
        slow_upstream() as (about, events),
        serving(
            *("--auth", "open", "--data-dir", tmp_path / "data"),
            *("--upstream", f"quay=http://127.0.0.1:{about['port']}"),
        ) as cache,
    ):
        with cache.ecr() as ecr:
            ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
        manifest = cache.registry.request("GET", "/v2/quay/big/manifests/v1")
        assert manifest.status == 200
        memory = Memory(cache.process.pid)
        began = time.time()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "conformance.pull_through.many_clients", str(cache.port)),
                *(f"/v2/quay/big/blobs/{about['layer']}", str(CLIENTS)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        memory.stop()
        clients = json.loads(done.stdout)
    fetch_ended = next(event["at"] for event in events if event["event"] == "given")
    first = sorted(client["first_at"] - began for client in clients)
    figures = {
        "clients": CLIENTS,
        "megabytes": MEGABYTES,
        "fetches": sum(event["event"] == "asked" for event in events),
        "fetch_seconds": round(fetch_ended - began, 1),
        "first_byte_seconds": [round(first[0], 2), round(first[len(first) // 2], 2), round(first[-1], 2)],
        "all_read_seconds": round(max(client["last_at"] for client in clients) - began, 1),
        "memory_mib_in_thirds": memory.thirds(),
    }
    sys.stdout.write(f"\n{json.dumps(figures)}\n")
    assert figures["fetches"] == 1
    assert {client["status"] for client in clients} == {200}
    assert {client["size"] for client in clients} == {about["size"]}
    assert {client["digest"] for client in clients} <= {about["layer"], ""}
    assert max(client["first_at"] for client in clients) < fetch_ended
    assert max(memory.samples) < MOST_MIB + MOST_MIB_A_CLIENT * CLIENTS
