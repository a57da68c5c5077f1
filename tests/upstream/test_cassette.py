"""Recording what an upstream answers, and replaying it where there is no upstream."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.app import CannotStart, build
from ecr_emu.settings import Settings
from ecr_emu.upstream import cassette
from ecr_emu.upstream.problems import UpstreamProblem
from tests.clients import Clock, Running, digest_of, image_manifest
from tests.processes import run, serving
from tests.upstream.hostile import CONFIG, IMAGE, LAYER, Hostile, gives_manifest, says
from tests.upstream.test_logins import ARN, BASIC, BEARER, HUB, TOKEN, USER, close, token_server
from tests.upstream.waiting import images_of, wait_for

NEWER = image_manifest(CONFIG, LAYER, annotations={"age": "new"})


def pulled(cache: Running, prefix: str = "quay") -> list[bytes]:
    """The bodies of a pull of an image, when it is stored."""
    client = cache.registry()
    bodies = [client.request("GET", f"/v2/{prefix}/team/app/manifests/v1").body]
    bodies += [
        client.request("GET", f"/v2/{prefix}/team/app/blobs/{digest_of(blob)}").body
        for blob in (CONFIG, LAYER)
    ]
    wait_for(lambda: images_of(cache.ecr(), f"{prefix}/team/app"))
    return bodies


def test_what_was_recorded_is_replayed(start: Callable[..., Running], bad: Hostile, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({ARN: {"username": USER, "accessToken": TOKEN}}))
    close(bad, BEARER, f'Bearer realm="{bad.url}/token"')
    bad.answers["/token"] = token_server(BASIC)
    tape = tmp_path / "tape"
    settings = {"upstream": (("docker-hub", bad.url),), "secrets_file": str(secrets)}
    recording = start(cassette_record=str(tape), **settings)
    recording.ecr().create_pull_through_cache_rule(**HUB)
    bodies = pulled(recording, "hub")
    recording.stop()
    asked = len(bad.asked)

    replaying = start(cassette_replay=str(tape))
    replaying.ecr().create_pull_through_cache_rule(**HUB)
    assert pulled(replaying, "hub") == bodies == [IMAGE, CONFIG, LAYER]
    assert len(bad.asked) == asked
    written = b"".join(path.read_bytes() for path in tape.rglob("*") if path.is_file())
    for secret in (TOKEN, BASIC.split()[1], BEARER.split()[1], USER + ":"):
        assert secret.encode() not in written
    assert sorted(path.name for path in tape.iterdir()) == ["answers.jsonl", "bodies"]


def test_answers_come_in_the_order_of_the_recording(
    start: Callable[..., Running], bad: Hostile, clock: Clock, tmp_path: Path
) -> None:
    quay = {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"}
    tape = tmp_path / "tape"
    for settings in ({"cassette_record": str(tape)}, {"cassette_replay": str(tape)}):
        bad.offer()
        cache = start(upstream=(("quay", bad.url),), **settings)
        cache.ecr().create_pull_through_cache_rule(**quay)
        assert pulled(cache)[0] == IMAGE
        bad.offer(image=NEWER)
        clock.advance(25 * 3600)
        assert cache.registry().request("GET", "/v2/quay/team/app/manifests/v1").body == NEWER
        ecr = cache.ecr()
        wait_for(lambda ecr=ecr: images_of(ecr, "quay/team/app").get(digest_of(NEWER)) == ("v1",))
        cache.stop()


def test_what_is_not_on_the_cassette_is_unavailable(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").touch()
    cache = start(cassette_replay=str(tmp_path))
    ecr = cache.ecr()
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    reply = cache.registry().request("GET", "/v2/quay/app/manifests/v1")
    assert reply.status == 503
    assert "the cassette has no answer of quay.io to GET /v2/app/manifests/v1" in reply.error[1]
    answer = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    assert answer["failure"] == "The cassette has no answer of quay.io to GET /v2/."


def test_refusals_are_recorded(start: Callable[..., Running], bad: Hostile, tmp_path: Path) -> None:
    for settings in (
        {"cassette_record": str(tmp_path / "tape")},
        {"cassette_replay": str(tmp_path / "tape")},
    ):
        bad.answers["/v2/app/manifests/v1"] = says(429)
        cache = start(upstream=(("quay", bad.url),), **settings)
        cache.ecr().create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
        assert cache.registry().request("GET", "/v2/quay/app/manifests/v1").status == 429
        cache.stop()


@pytest.mark.parametrize("line", ["not JSON", "{}", '{"registry": 1}', "[]"])
def test_broken_cassette_is_said_at_the_start(tmp_path: Path, line: str) -> None:
    (tmp_path / "answers.jsonl").write_text(line + "\n")
    with pytest.raises(CannotStart, match=r"has no answer in line 1"):
        build(Settings(data_dir=tmp_path / "data", cassette_replay=str(tmp_path)))
    with pytest.raises(CannotStart, match=r"is no cassette"):
        build(Settings(data_dir=tmp_path / "data", cassette_replay=str(tmp_path / "none")))


def test_body_that_is_lost_is_unavailable(tmp_path: Path) -> None:
    entry: dict[str, Any] = {"registry": "quay.io", "method": "GET", "path": "/", "status": 200}
    (tmp_path / "answers.jsonl").write_text(json.dumps({**entry, "headers": {}, "body": "00"}) + "\n")
    played = cassette.load(None, str(tmp_path))
    assert played is not None
    with pytest.raises(UpstreamProblem, match="lost the body"):
        played.play("quay.io", "GET", "/")


def test_the_command(bad: Hostile, tmp_path: Path) -> None:
    """`ecr-emu cassette record DIR`, with the options of `serve` behind it."""
    bad.answers["/v2/app/manifests/v1"] = gives_manifest(IMAGE)
    for blob in (CONFIG, LAYER):
        bad.answers[f"/v2/app/blobs/{digest_of(blob)}"] = says(200, body=blob)
    tape = tmp_path / "tape"
    with (
        serving(
            *("--auth", "open", "--ephemeral", "--upstream", f"quay={bad.url}"),
            command=("cassette", "record", tape),
        ) as served,
        served.ecr() as ecr,
    ):
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
        assert served.registry.request("GET", "/v2/quay/app/manifests/v1").body == IMAGE
        wait_for(lambda: images_of(ecr, "quay/app"))
    asked = len(bad.asked)
    with (
        serving("--auth", "open", "--ephemeral", command=("cassette", "replay", tape)) as served,
        served.ecr() as ecr,
    ):
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
        assert served.registry.request("GET", "/v2/quay/app/manifests/v1").body == IMAGE
        wait_for(lambda: images_of(ecr, "quay/app"))
    assert len(bad.asked) == asked
    done = run("cassette", "replay", tape, "--cassette-record", tape)
    assert done.returncode == 1
    assert "leave one of them out" in done.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--upstream", "quay"), "must be NAME=URL"),
        (("--upstream", "quay=ftp://x"), "must be an http:// or https:// URL"),
        (("--upstream", "nobody=http://localhost"), "neither an upstreamRegistry of ECR nor a host"),
        (("--secrets-file", "/none/such.json"), "cannot read /none/such.json"),
    ],
)
def test_options_that_cannot_be_used_are_said_so(option: tuple[str, str], words: str) -> None:
    done = run("serve", "--ephemeral", "--port", 0, *option)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
