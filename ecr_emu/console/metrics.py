"""/_emu/metrics: for Prometheus, and for people who look what a server has been doing."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response
from flask.typing import ResponseReturnValue

from ecr_emu import __version__
from ecr_emu.console.admin import Admin
from ecr_emu.context import Emulator
from ecr_emu.metrics import BOUNDS, Metrics
from ecr_emu.store import sizes

SECONDS = "Seconds until the answer began."


# Reading the sizes of a very large store takes a while: no more than this share of the time is spent on it.
SHARE = 0.01
# What takes less is always read anew.
CHEAP_SECONDS = 0.01


def add(pages: Flask, admin: Admin) -> None:
    sizes_of = _Sizes(admin.emulator)

    @pages.get("/_emu/metrics")
    def metrics() -> ResponseReturnValue:
        content, media_type = _exposition(admin, sizes_of)
        return Response(content, content_type=media_type)


class _Sizes:
    """The sizes of the store. Those that took long to read are given again for a while."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._known: dict[str, float] = {}
        self._read_at = 0.0
        self._took = 0.0
        self._lock = threading.Lock()

    def get(self) -> dict[str, float]:
        """By name; `sizes_age_seconds` says how old they are."""
        with self._lock:
            if not self._known or self._age() * SHARE >= self._took or self._took < CHEAP_SECONDS:
                began = time.monotonic()
                self._known = self._read()
                self._read_at = time.monotonic()
                self._took = self._read_at - began
            return {**self._known, "sizes_age_seconds": self._age()}

    def _age(self) -> float:
        return time.monotonic() - self._read_at

    def _read(self) -> dict[str, float]:
        path = self._emulator.store.path
        with self._emulator.store.snapshot() as connection:
            blobs, blob_bytes = sizes.blobs(connection)
            uploads, upload_bytes = sizes.uploads(connection)
            return {
                "repositories": sizes.repositories(connection),
                "images": sizes.images(connection),
                "blobs": blobs,
                "blob_bytes": blob_bytes,
                "uploads": uploads,
                "upload_bytes": upload_bytes,
                "database_bytes": sizes.database_bytes(connection),
                "database_log_bytes": path.with_name(f"{path.name}-wal").stat().st_size,
            }


def _exposition(admin: Admin, sizes_of: _Sizes) -> tuple[bytes, str]:
    """All metrics as text. The library is imported by those who ask only."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(lambda: _of_requests(admin.emulator.metrics)))
    registry.register(_Collector(lambda: _of_store(sizes_of)))
    registry.register(_Collector(lambda: _of_jobs(admin)))
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Collector:
    """What the library asks for families of metrics."""

    def __init__(self, families: Callable[[], Iterator[Any]]) -> None:
        self.collect = families


def _of_requests(metrics: Metrics) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    labels = ("operation", "status")
    durations = HistogramMetricFamily("ecr_emu_request_duration_seconds", SECONDS, labels=labels)
    received = CounterMetricFamily("ecr_emu_received_bytes", "Announced bytes of requests.", labels=labels)
    sent = CounterMetricFamily("ecr_emu_sent_bytes", "Announced bytes of answers.", labels=labels)
    for operation, status, series in metrics.all():
        values = (operation, str(status))
        total, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), series.classes, strict=True):
            total += count
            buckets.append((bound, total))
        durations.add_metric(values, buckets, series.seconds)
        received.add_metric(values, series.received_bytes)
        sent.add_metric(values, series.sent_bytes)
    yield from (durations, received, sent)


def _of_store(sizes_of: _Sizes) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    yield InfoMetricFamily("ecr_emu", "This server.", value={"version": __version__})
    values = sizes_of.get()
    for name, help_text in _GAUGES:
        yield GaugeMetricFamily(f"ecr_emu_{name}", help_text, value=values[name])
    # The library's collector of the process has descriptors and memory, and no threads.
    yield GaugeMetricFamily("ecr_emu_threads", "Threads of the server.", value=_threads())


def _threads() -> int:
    """Python knows nothing of those that others have started."""
    task = Path("/proc/self/task")
    return sum(1 for _ in task.iterdir()) if task.is_dir() else threading.active_count()


def _of_jobs(admin: Admin) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    emulator = admin.emulator
    waiting = GaugeMetricFamily("ecr_emu_jobs", "Jobs that wait, by kind.", labels=("kind",))
    late = GaugeMetricFamily(
        "ecr_emu_jobs_late_seconds", "How long the first of a kind has been due.", labels=("kind",)
    )
    with emulator.store.read() as connection:
        for kind, count, due_at in sizes.jobs(connection):
            waiting.add_metric((kind,), count)
            late.add_metric((kind,), max(0.0, emulator.clock() - due_at))
    ended = CounterMetricFamily(
        "ecr_emu_jobs_ended", "Jobs that did something, or failed.", labels=("kind", "outcome")
    )
    for kind, outcome, count in emulator.metrics.jobs():
        ended.add_metric((kind, outcome), count)
    working = GaugeMetricFamily("ecr_emu_jobs_running", "1 while jobs are done.", value=admin.jobs.is_working)
    yield from (waiting, late, ended, working)


_GAUGES = (
    ("repositories", "Repositories of all registries."),
    ("images", "Images of all repositories."),
    ("blobs", "Blobs, each once."),
    ("blob_bytes", "Bytes of all blobs, each once."),
    ("uploads", "Uploads under way."),
    ("upload_bytes", "Bytes that have come of uploads under way."),
    ("database_bytes", "Size of the metadata database."),
    ("database_log_bytes", "Size of the database's write-ahead log."),
    ("sizes_age_seconds", "How old these sizes are; above 0 in a very large store."),
)
