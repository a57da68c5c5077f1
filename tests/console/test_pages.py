"""The /_emu/ calls."""

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
