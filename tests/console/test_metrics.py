"""/_emu/metrics: what was counted is what was asked, in the form that Prometheus reads."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

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
    registry.request("POST", f"/v2/{NAME}/blobs/uploads/")
    found = values(registry)
    names = ("repositories", "images", "blobs", "uploads")
    assert [found[f"ecr_emu_{name}", ""] for name in names] == [1, 1, 2, 1]
    assert found["ecr_emu_blob_bytes", ""] == len(LAYER) + len(b'{"architecture":"amd64","os":"linux"}')
    assert found["ecr_emu_database_bytes", ""] > 0
    assert found["process_resident_memory_bytes", ""] > 0


def test_strangers_make_no_new_series(registry: Registry) -> None:
    for number in range(20):
        registry.request("GET", f"/v2/{number}/{number}")
        registry.request("POST", "/", b"{}", {"X-Amz-Target": f"Other.{number}"})
    names = {name for sample, name in values(registry) if sample.endswith("_count")}
    assert {name.partition(" ")[0] for name in names} == {"GetAuthorizationToken", "unknown"}
