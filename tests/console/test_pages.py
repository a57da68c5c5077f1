"""The /_emu/ calls."""

from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu import __version__
from ecr_emu.control import model
from ecr_emu.control.operations import implemented
from tests.clients import Registry, Running


@pytest.fixture
def anybody(emulator: Running) -> Registry:
    """A client without a login: pages ask for none."""
    return Registry(emulator.port, None)


def test_health_says_what_runs(anybody: Registry) -> None:
    reply = anybody.request("GET", "/_emu/health")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json() == {
        "status": "ok",
        "version": __version__,
        "operations": {"implemented": len(implemented()), "total": len(model.load().operations)},
    }


def test_health_answers_head(anybody: Registry) -> None:
    reply = anybody.request("HEAD", "/_emu/health")
    assert (reply.status, reply.body) == (200, b"")


def test_reset_empties_the_emulator(anybody: Registry, ecr: Any, registry: Registry) -> None:
    ecr.create_repository(repositoryName="team/app")
    registry.push_image("team/app", "v1", b"layer")
    reply = anybody.request("POST", "/_emu/reset")
    assert (reply.status, reply.json()) == (200, {"status": "ok"})
    assert ecr.describe_repositories()["repositories"] == []
    assert registry.request("GET", "/v2/team/app/manifests/v1").error[0] == "NAME_UNKNOWN"


@pytest.mark.parametrize("path", ["/_emu/", "/_emu/unknown", "/_emu/health/", "/_emu/../etc", "/_emu/%00"])
def test_an_unknown_page_is_not_found(anybody: Registry, path: str) -> None:
    reply = anybody.request("GET", path)
    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")
    assert reply.json()["error"] == "Not Found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/_emu/health", {"GET", "HEAD", "OPTIONS"}), ("GET", "/_emu/reset", {"POST", "OPTIONS"})],
)
def test_a_wrong_method_is_not_allowed(anybody: Registry, method: str, path: str, allowed: set[str]) -> None:
    reply = anybody.request(method, path)
    assert (reply.status, reply.json()["error"]) == (405, "Method Not Allowed")
    assert set(reply.headers["allow"].split(", ")) == allowed


# --- Pages of other sites, in the user's own browser ----------------------------------------------------


def asked(anybody: Registry, host: str, **headers: str) -> int:
    """The status of a page that tells who did what, asked under a name of the server."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return anybody.request("GET", "/_emu/decisions", headers={"Host": host, **sent}).status


@pytest.mark.parametrize(
    "host",
    [
        "localhost:4566",
        "LOCALHOST",
        "127.0.0.1:1",
        "[::1]:4566",
        "ecr-emu:4566",
        "app.localhost:9",
        "a.internal",
    ],
)
def test_a_page_may_be_asked_under_names_that_nobody_else_can_own(anybody: Registry, host: str) -> None:
    assert asked(anybody, host) == 200
    assert asked(anybody, host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin") == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example:4566", "localhost.evil.example", "127.0.0.1.evil.example", "111122223333.dkr.ecr.x.com"],
)
def test_a_name_that_was_pointed_here_learns_nothing(anybody: Registry, host: str) -> None:
    """DNS rebinding: to the browser this is a page of the same site, which needs no Origin."""
    assert asked(anybody, host) == 403
    assert asked(anybody, host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin") == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_sites_may_not_ask(anybody: Registry, headers: dict[str, str]) -> None:
    assert asked(anybody, "localhost:4566", **headers) == 403
    reply = anybody.request("POST", "/_emu/iam", b"{}", {k.replace("_", "-"): v for k, v in headers.items()})
    assert reply.status == 403


def test_the_name_that_was_configured_may_ask(start: Callable[..., Running]) -> None:
    running = start(registry_host="{account}.dkr.ecr.{region}.corp.example:{port}")
    anybody = Registry(running.port, None)
    assert asked(anybody, "000000000000.dkr.ecr.us-east-1.corp.example") == 200
    assert asked(anybody, "111122223333.dkr.ecr.us-east-1.corp.example") == 403


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**70, "x", "-1"])
def test_findings_that_were_never_given_are_not_found(number: object, anybody: Registry) -> None:
    reply = anybody.request("DELETE", f"/_emu/scan-findings/{number}")
    assert (reply.status, reply.json()["error"]) == (404, "Not Found")


@pytest.mark.parametrize(
    ("method", "page"),
    [
        ("POST", "clock"),
        ("POST", "iam"),
        ("DELETE", "iam"),
        ("PUT", "scan-findings"),
        ("POST", "lifecycle/run"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, b'{"arn":"\\ud800"}', b'{"arn":"\xff"}', b"NaN", b"[]", b"\0"],
)
def test_what_is_no_json_object_is_refused(method: str, page: str, body: bytes, anybody: Registry) -> None:
    reply = anybody.request(method, f"/_emu/{page}", body)
    assert (reply.status, reply.json()["message"]) == (400, "the body must be a JSON object")
