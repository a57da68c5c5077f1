"""Lines of the log: whose request, which id, and no secret."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_emu import logs
from tests.clients import Registry, Running
from tests.processes import serving

NAME = "team/app"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """What was logged of requests, each as its members."""
    caplog.set_level(logging.DEBUG, "ecr_emu.requests")

    def found() -> list[dict[str, Any]]:
        records = [record for record in caplog.records if record.name == "ecr_emu.requests"]
        return [json.loads(logs.JsonFormatter().format(record)) for record in records]

    return found


def test_each_request_is_a_line_with_the_id_that_the_client_got(
    emulator: Running, registry: Registry, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = emulator.ecr("111122223333").create_repository(repositoryName=NAME)
    missing = registry.request("GET", f"/v2/{NAME}/manifests/v1")
    pushed = registry.request("POST", f"/v2/{NAME}/blobs/uploads/")
    page = registry.request("GET", "/_emu/health")
    registry.request("HEAD", "/v2/")
    by_id = {line["request_id"]: line for line in lines()}
    made = by_id[answer["ResponseMetadata"]["RequestId"]]
    assert (made["operation"], made["status"], made["account"]) == ("CreateRepository", 200, "111122223333")
    assert made["received_bytes"] > 0
    assert made["sent_bytes"] == int(answer["ResponseMetadata"]["HTTPHeaders"]["content-length"])
    assert 0 < made["milliseconds"] < 60_000
    for reply, operation in ((missing, "GET manifest"), (pushed, "POST uploads"), (page, "page")):
        line = by_id[reply.headers["x-amzn-requestid"]]
        assert (line["operation"], line["status"], line["level"]) == (operation, reply.status, "debug")
    assert "" not in by_id
    assert len(by_id) == len(lines())


def test_no_line_has_a_secret(
    emulator: Running, registry: Registry, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    emulator.ecr().create_repository(repositoryName=NAME)
    digest = registry.push_image(NAME, "v1", b"layer")
    assert digest
    url = emulator.ecr().get_download_url_for_layer(
        repositoryName=NAME, layerDigest=registry.push_blob(NAME, b"layer")
    )["downloadUrl"]
    path, _, query = url.partition(str(emulator.port))[2].partition("?")
    assert query
    reply = registry.request("GET", f"{path}?{query}", headers={"Cookie": "cookie-of-somebody"})
    assert reply.status == 200
    assert reply.headers["x-amz-request-id"] == lines()[-1]["request_id"]
    text = json.dumps(lines())
    assert registry.password
    secrets = (registry.password, "Basic", "AWS4-HMAC", "cookie-of-somebody", query, "digest=")
    assert [secret for secret in secrets if secret in text] == []


def test_without_debug_only_failures_are_lines(
    emulator: Running,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry.request("GET", "/v2/")
    assert [record for record in caplog.records if record.name == "ecr_emu.requests"] == []

    def broken(*given: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(emulator.application.emulator.hosts.__class__, "registry", broken)
    reply = registry.request("GET", "/v2/")
    failed, answered = (json.loads(logs.JsonFormatter().format(record)) for record in caplog.records)
    assert (failed["level"], answered["level"]) == ("error", "warning")
    assert failed["request_id"] == answered["request_id"] == reply.headers["x-amzn-requestid"]
    assert failed["exception"].startswith("Traceback")
    assert failed["exception"].endswith("RuntimeError: a mistake")
    assert answered["status"] == 500


@pytest.mark.parametrize("path", ["/v2/%ff%fe", "/v2/a%0ab", "/v2/%ed%a0%80", "/%00"])
def test_any_path_can_be_a_line(
    registry: Registry, lines: Callable[[], list[dict[str, Any]]], path: str
) -> None:
    reply = registry.request("GET", path)
    (line,) = lines()
    assert line["status"] == reply.status


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_server_writes_lines_of_the_form_that_is_asked_for(form: str, tmp_path: Path) -> None:
    errors = tmp_path / "stderr"
    with errors.open("wb") as file:
        options = ("--data-dir", tmp_path / "data", "--log-level", "debug", "--log-format", form)
        with serving(*options, errors=file) as served:
            reply = served.registry.request("GET", "/v2/")
            served.terminate()
            served.ended()
    text = [line for line in errors.read_text().splitlines() if "ecr_emu.requests" in line]
    assert len(text) == 1
    if form == "json":
        line = json.loads(text[0])
        assert line["request_id"] == reply.headers["x-amzn-requestid"]
        assert line["time"].endswith("Z")
        assert all(json.loads(other) for other in errors.read_text().splitlines())
    else:
        assert f"request {reply.headers['x-amzn-requestid']}" in text[0]
        assert "GET /v2/ (unknown) 401" in text[0]
