"""/_emu/metrics: what was counted is what was asked, in the form that Prometheus reads."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ecr_emu.console import metrics
from ecr_emu.jobs import work
from tests.clients import Registry, Running

NAME = "team/app"
LAYER = b"layer"


def values(registry: Registry) -> dict[tuple[str, str], float]:
    """Values by the name of the sample, and operation with status, or kind, or "" for none."""
    reply = registry.request("GET", "/_emu/metrics")
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    found = {}
    for family in text_string_to_metric_families(reply.body.decode()):
        for sample in family.samples:
            if "le" not in sample.labels:
                found[sample.name, " ".join(sample.labels.values())] = sample.value
    return found


def test_requests_are_counted_by_operation_and_status(registry: Registry, ecr: Any) -> None:
    ecr.create_repository(repositoryName=NAME)
    registry.push_image(NAME, "v1", LAYER)
    for reference in ("v1", "v1", "none"):
        registry.request("GET", f"/v2/{NAME}/manifests/{reference}")
    registry.request("GET", "/v2/no-such-thing")
    found = values(registry)
    count = "ecr_emu_request_duration_seconds_count"
    assert found[count, "CreateRepository 200"] == 1
    assert found[count, "POST uploads 201"] == 2
    assert found[count, "PUT manifest 201"] == 1
    assert (found[count, "GET manifest 200"], found[count, "GET manifest 404"]) == (2, 1)
    assert found[count, "unknown 404"] == 1
    assert found["ecr_emu_request_duration_seconds_sum", "GET manifest 200"] > 0
    assert found["ecr_emu_received_bytes_total", "POST uploads 201"] > len(LAYER)
    # The page that is being made is not over yet; the next one counts it.
    assert (count, "page 200") not in found
    assert values(registry)[count, "page 200"] == 1


def test_every_duration_is_in_a_class(registry: Registry, emulator: Running) -> None:
    for _ in range(10):
        registry.request("GET", "/v2/")
    text = registry.request("GET", "/_emu/metrics").body.decode()
    classes = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["operation"] == "GET ping"
    ]
    assert [sample.value for sample in classes] == sorted(sample.value for sample in classes)
    assert (classes[-1].labels["le"], classes[-1].value) == ("+Inf", 10)


def test_sizes_are_those_of_the_store(registry: Registry, ecr: Any) -> None:
    ecr.create_repository(repositoryName=NAME)
    registry.push_image(NAME, "v1", LAYER)
    where = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
    registry.request("PATCH", where.partition(f":{registry.port}")[2], b"12345")
    found = values(registry)
    names = ("repositories", "images", "blobs", "uploads")
    assert [found[f"ecr_emu_{name}", ""] for name in names] == [1, 1, 2, 1]
    assert found["ecr_emu_blob_bytes", ""] == len(LAYER) + len(b'{"architecture":"amd64","os":"linux"}')
    assert found["ecr_emu_upload_bytes", ""] == 5
    assert found["ecr_emu_database_bytes", ""] > 0
    assert found["ecr_emu_database_log_bytes", ""] > 0
    assert found["ecr_emu_sizes_age_seconds", ""] < 1
    for name in ("process_resident_memory_bytes", "process_open_fds", "ecr_emu_threads"):
        assert found[name, ""] > 0


def test_jobs_are_counted_by_kind_and_outcome(
    emulator: Running, registry: Registry, ecr: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> None:
        raise RuntimeError("a mistake")

    ecr.create_repository(repositoryName=NAME)
    emulator.application.runner.arrange()
    waiting = values(registry)
    assert waiting["ecr_emu_jobs", "sweep"] == 1
    assert waiting["ecr_emu_jobs_running", ""] == 0
    registry.request("POST", f"/v2/{NAME}/blobs/uploads/")
    registry.request("POST", "/_emu/clock", b'{"advance": "36h"}')
    registry.password = emulator.registry().password
    assert values(registry)["ecr_emu_jobs_ended_total", "sweep done"] == 1
    monkeypatch.setattr(work, "_KINDS", {"sweep": broken})
    registry.request("POST", "/_emu/clock", b'{"advance": "2h"}')
    found = values(registry)
    assert found["ecr_emu_jobs_ended_total", "sweep done"] == 1
    assert found["ecr_emu_jobs_ended_total", "sweep failed"] == 1


def test_sizes_that_take_long_are_not_read_for_every_scrape(
    registry: Registry, ecr: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "CHEAP_SECONDS", 0.0)
    monkeypatch.setattr(metrics, "SHARE", 1e-9)
    assert values(registry)["ecr_emu_repositories", ""] == 0
    ecr.create_repository(repositoryName=NAME)
    found = values(registry)
    assert found["ecr_emu_repositories", ""] == 0
    assert found["ecr_emu_sizes_age_seconds", ""] > 0
    monkeypatch.undo()
    assert values(registry)["ecr_emu_repositories", ""] == 1


def test_strangers_make_no_new_series(registry: Registry) -> None:
    for number in range(20):
        registry.request("GET", f"/v2/{number}/{number}")
        registry.request("POST", "/", b"{}", {"X-Amz-Target": f"Other.{number}"})
    names = {name for sample, name in values(registry) if sample.endswith("_count")}
    assert {name.partition(" ")[0] for name in names} == {"GetAuthorizationToken", "unknown"}
