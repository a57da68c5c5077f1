"""/_emu/metrics: for Prometheus, and for people who look what a server has been doing."""

from collections.abc import Callable, Iterator
from sqlite3 import Connection
from typing import Any

from flask import Flask, Response
from flask.typing import ResponseReturnValue

from ecr_emu import __version__
from ecr_emu.console.admin import Admin
from ecr_emu.context import Emulator
from ecr_emu.metrics import BOUNDS, Metrics
from ecr_emu.store import sizes

SECONDS = "Seconds until the answer began."


def add(pages: Flask, admin: Admin) -> None:
    @pages.get("/_emu/metrics")
    def metrics() -> ResponseReturnValue:
        content, media_type = _exposition(admin.emulator)
        return Response(content, content_type=media_type)


def _exposition(emulator: Emulator) -> tuple[bytes, str]:
    """All metrics as text. The library is imported by those who ask only."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(lambda: _of_requests(emulator.metrics)))
    registry.register(_Collector(lambda: _of_store(emulator)))
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


def _of_store(emulator: Emulator) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    yield InfoMetricFamily("ecr_emu", "This server.", value={"version": __version__})
    with emulator.store.snapshot() as connection:
        for name, help_text, read in _GAUGES:
            yield GaugeMetricFamily(f"ecr_emu_{name}", help_text, value=read(connection))
        waiting = GaugeMetricFamily("ecr_emu_jobs", "Jobs that wait, by kind.", labels=("kind",))
        late = GaugeMetricFamily(
            "ecr_emu_jobs_late_seconds", "How long the first of a kind has been due.", labels=("kind",)
        )
        for kind, count, due_at in sizes.jobs(connection):
            waiting.add_metric((kind,), count)
            late.add_metric((kind,), max(0.0, emulator.clock() - due_at))
    yield from (waiting, late)


_GAUGES: tuple[tuple[str, str, Callable[[Connection], float]], ...] = (
    ("repositories", "Repositories of all registries.", sizes.repositories),
    ("images", "Images of all repositories.", sizes.images),
    ("blobs", "Blobs, each once.", sizes.blobs),
    ("blob_bytes", "Bytes of all blobs, each once.", sizes.blob_bytes),
    ("uploads", "Uploads under way.", sizes.uploads),
    ("database_bytes", "Size of the metadata database.", sizes.database_bytes),
)
