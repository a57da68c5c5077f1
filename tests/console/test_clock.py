"""/_emu/clock: the user's time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import Clock, Registry, Running

# What the tests' machine clock shows: 2025-06-15T15:06:40.25Z.
START = 1_750_000_000.25
DAY = 86_400


@pytest.fixture
def anybody(emulator: Running) -> Registry:
    return Registry(emulator.port, None)


def shown(emulator: Running) -> dict[str, Any]:
    reply = Registry(emulator.port, None).request("GET", "/_emu/clock")
    assert reply.status == 200
    answer: dict[str, Any] = reply.json()
    return answer


def test_the_clock_shows_the_machines_time(emulator: Running) -> None:
    assert shown(emulator) == {
        "now": "2025-06-15T15:06:40Z",
        "epochSeconds": START,
        "aheadSeconds": 0,
        "frozen": False,
    }


def test_advancing_adds_up(emulator: Running, clock: Clock) -> None:
    emulator.post("/_emu/clock", advance="45d")
    answer = emulator.post("/_emu/clock", advance=90)
    assert answer["epochSeconds"] == START + 45 * DAY + 90
    assert answer["aheadSeconds"] == 45 * DAY + 90
    clock.advance(5)
    assert shown(emulator)["epochSeconds"] == START + 45 * DAY + 95


def test_setting_goes_forward_and_back(emulator: Running) -> None:
    assert emulator.post("/_emu/clock", set="2027-01-01T00:00:00Z")["now"] == "2027-01-01T00:00:00Z"
    assert emulator.post("/_emu/clock", set="2020-01-01T00:00:00+01:00")["now"] == "2019-12-31T23:00:00Z"
    assert emulator.post("/_emu/clock", set=0)["now"] == "1970-01-01T00:00:00Z"
    assert emulator.post("/_emu/clock", reset=True)["epochSeconds"] == START


def test_a_frozen_clock_stands_still_until_it_is_released(emulator: Running, clock: Clock) -> None:
    assert emulator.post("/_emu/clock", freeze=True)["frozen"] is True
    clock.advance(100)
    assert shown(emulator)["epochSeconds"] == START
    assert emulator.post("/_emu/clock", advance="1d")["epochSeconds"] == START + DAY
    clock.advance(100)
    released = emulator.post("/_emu/clock", release=True)
    assert (released["epochSeconds"], released["frozen"]) == (START + DAY, False)
    clock.advance(1)
    assert shown(emulator)["epochSeconds"] == START + DAY + 1


def test_setting_and_freezing_are_one_step(emulator: Running) -> None:
    answer = emulator.post("/_emu/clock", set="2027-01-01T00:00:00Z", freeze=True)
    assert (answer["now"], answer["frozen"]) == ("2027-01-01T00:00:00Z", True)


def test_a_restart_keeps_the_time(start: Callable[..., Running], tmp_path: Path, clock: Clock) -> None:
    first = start(data_dir=tmp_path / "data")
    first.post("/_emu/clock", advance="10d")
    first.stop()
    clock.advance(60)
    second = start(data_dir=tmp_path / "data")
    assert shown(second)["epochSeconds"] == START + 10 * DAY + 60
    second.post("/_emu/clock", freeze=True)
    second.stop()
    clock.advance(60)
    assert shown(start(data_dir=tmp_path / "data"))["epochSeconds"] == START + 10 * DAY + 60


def test_a_reset_of_the_emulator_resets_the_clock(emulator: Running) -> None:
    emulator.post("/_emu/clock", advance="10d", freeze=True)
    emulator.post("/_emu/reset")
    assert shown(emulator) | {"now": ""} == {
        "now": "",
        "epochSeconds": START,
        "aheadSeconds": 0,
        "frozen": False,
    }


def test_pushes_pulls_logins_and_urls_go_by_it(emulator: Running, ecr: Any, registry: Registry) -> None:
    ecr.create_repository(repositoryName="team/app")
    emulator.post("/_emu/clock", advance="1h")
    layer = registry.push_blob("team/app", b"layer")
    registry.push_image("team/app", "v1", b"layer")
    emulator.post("/_emu/clock", advance="1h")
    assert registry.request("GET", "/v2/team/app/manifests/v1").status == 200
    (image,) = ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert image["imagePushedAt"].timestamp() == START + 3600
    assert image["lastRecordedPullTime"].timestamp() == START + 7200
    token = ecr.get_authorization_token()["authorizationData"][0]
    assert token["expiresAt"].timestamp() == START + 14 * 3600
    url = ecr.get_download_url_for_layer(repositoryName="team/app", layerDigest=layer)["downloadUrl"]
    path = url.partition(f":{emulator.port}")[2]
    assert registry.request("GET", path).body == b"layer"
    emulator.post("/_emu/clock", advance="61m")
    assert registry.request("GET", path).status == 403
    emulator.post("/_emu/clock", advance="12h")
    assert registry.request("GET", "/v2/").status == 403


def test_the_time_of_abandoned_uploads_is_its_time_too(
    emulator: Running, ecr: Any, registry: Registry
) -> None:
    ecr.create_repository(repositoryName="team/app")
    emulator.application.runner.arrange()
    reply = registry.request("POST", "/v2/team/app/blobs/uploads/")
    upload = "/v2/" + reply.headers["location"].partition("/v2/")[2]
    assert emulator.post("/_emu/clock", advance="23h")["jobs"] == []
    assert emulator.registry().request("GET", upload).status == 204
    (job,) = emulator.post("/_emu/clock", advance="2h")["jobs"]
    assert (job["kind"], job["uploads"]) == ("sweep", 1)
    assert emulator.registry().request("GET", upload).error[0] == "BLOB_UPLOAD_UNKNOWN"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "the body must be a JSON object"),
        (b"{", "the body must be a JSON object"),
        (b"", "say what to do with the clock"),
        (b'{"forward": 1}', "say what to do with the clock"),
        (b'{"advance": "x"}', "'x' is no duration; write it as 90d, 12h, 30m, 45s or 1d12h"),
        (b'{"advance": -1}', "time is not negative; to go back, set the clock"),
        (b'{"advance": 1e300}', "the clock goes from 1970 to 9999"),
        (b'{"advance": true}', "a time is a text or a number of seconds"),
        (b'{"advance": [1]}', "a time is a text or a number of seconds"),
        (b'{"set": "soon"}', "'soon' is no time; write it as 2027-01-01T00:00:00Z"),
        (b'{"set": "1969-01-01T00:00:00Z"}', "time is not negative; to go back, set the clock"),
        (b'{"set": 0, "advance": 1}', "set and advance, and freeze and release, exclude each other"),
        (b'{"freeze": true, "release": true}', "set and advance, and freeze and release, exclude each other"),
        (b'{"freeze": "yes"}', "freeze, release and reset take only true"),
        (b'{"freeze": true, "advance": "x"}', "'x' is no duration; write it as 90d, 12h, 30m, 45s or 1d12h"),
    ],
)
def test_what_is_not_understood_changes_nothing(
    emulator: Running, anybody: Registry, body: bytes, message: str
) -> None:
    reply = anybody.request("POST", "/_emu/clock", body)
    assert (reply.status, reply.json()["error"]) == (400, "Bad Request")
    assert reply.json()["message"].startswith(message)
    assert shown(emulator)["aheadSeconds"] == 0
    assert shown(emulator)["frozen"] is False
