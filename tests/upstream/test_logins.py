"""Logging in to upstreams: Basic and Bearer, with logins from a file and from Secrets Manager."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.upstream import login
from ecr_emu.upstream.addresses import parse
from ecr_emu.upstream.exchange import Manners
from ecr_emu.upstream.login import Login
from ecr_emu.upstream.problems import UpstreamProblem
from tests import boto
from tests.clients import Running, digest_of
from tests.control.calls import refusal
from tests.upstream.hostile import IMAGE, LAYER, Answer, Hostile, gives_manifest, hostile, says
from tests.upstream.waiting import images_of, wait_for

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-a1b2c3"
USER, TOKEN = "ann", "a-secret-access-token"
BASIC = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
BEARER = "Bearer a.secret.bearer"
HUB = {"ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io", "credentialArn": ARN}
MANIFEST = "/v2/team/app/manifests/v1"


def guarded(answer: Answer, header: str, challenge: str) -> Answer:
    """The same for those who send the header, and a challenge for everybody else."""

    def guard(handler: Any) -> None:
        if handler.headers.get("Authorization") == header:
            answer(handler)
        else:
            says(401, {"WWW-Authenticate": challenge})(handler)

    return guard


def close(bad: Hostile, header: str, challenge: str) -> None:
    """Have everything that is offered ask for a login."""
    bad.offer()
    for path, answer in list(bad.answers.items()):
        bad.answers[path] = guarded(answer, header, challenge)


def token_server(header: str | None, token: str = BEARER.removeprefix("Bearer ")) -> Answer:
    """Gives the token to who sends the header; to everybody when it is None."""

    def answer(handler: Any) -> None:
        if header in (None, handler.headers.get("Authorization")):
            says(200, body=json.dumps({"token": token, "expires_in": 300}).encode())(handler)
        else:
            says(401)(handler)

    return answer


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({"ecr-pullthroughcache/hub": {"username": USER, "accessToken": TOKEN}}))
    return file


@pytest.fixture
def hub(start: Callable[..., Running], bad: Hostile) -> Callable[..., Running]:
    def start_one(**settings: Any) -> Running:
        running = start(upstream=(("docker-hub", bad.url),), upstream_timeout=5, **settings)
        running.ecr().create_pull_through_cache_rule(**HUB)
        return running

    return start_one


def pull(cache: Running) -> Any:
    return cache.registry().request("GET", "/v2/hub/team/app/manifests/v1")


def brought_in(cache: Running) -> None:
    assert pull(cache).body == IMAGE
    assert cache.registry().request("GET", f"/v2/hub/team/app/blobs/{digest_of(LAYER)}").body == LAYER
    wait_for(lambda: images_of(cache.ecr(), "hub/team/app") == {digest_of(IMAGE): ("v1",)})


def validated(cache: Running) -> tuple[bool, str | None]:
    answer = cache.ecr().validate_pull_through_cache_rule(ecrRepositoryPrefix="hub")
    return answer["isValid"], answer.get("failure")


def test_basic(hub: Callable[..., Running], bad: Hostile, secrets: Path) -> None:
    close(bad, BASIC, 'Basic realm="here"')
    cache = hub(secrets_file=str(secrets))
    assert validated(cache) == (True, None)
    brought_in(cache)


def test_bearer(hub: Callable[..., Running], bad: Hostile, secrets: Path) -> None:
    close(bad, BEARER, f'Bearer realm="{bad.url}/token",service="the registry",scope="ignored"')
    bad.answers["/token"] = token_server(BASIC)
    cache = hub(secrets_file=str(secrets))
    assert validated(cache) == (True, None)
    brought_in(cache)
    asked = [one.query for one in bad.asked if one.path == "/token"]
    assert "service=the+registry&scope=repository%3Ateam%2Fapp%3Apull&account=ann" in asked
    # One for the validation, and one for the repository, which all layers share; two may ask at once.
    assert len(asked) <= 4


def test_bearer_for_anybody(cached: Callable[..., Running], bad: Hostile) -> None:
    close(bad, BEARER, f'Bearer realm="{bad.url}/token"')
    bad.answers["/token"] = token_server(None)
    cache = cached()
    assert cache.registry().request("GET", "/v2/quay/team/app/manifests/v1").body == IMAGE
    assert all("authorization" not in one.headers for one in bad.asked if one.path == "/token")


def test_yaml_and_arn(hub: Callable[..., Running], bad: Hostile, tmp_path: Path) -> None:
    close(bad, BASIC, "Basic realm=x")
    file = tmp_path / "secrets.yaml"
    file.write_text(f'"{ARN}":\n  username: {USER}\n  accessToken: {TOKEN}\n')
    brought_in(hub(secrets_file=str(file)))


def test_a_changed_secret_counts_at_once(hub: Callable[..., Running], bad: Hostile, secrets: Path) -> None:
    close(bad, BASIC, "Basic realm=x")
    good = secrets.read_text()
    secrets.write_text(good.replace(TOKEN, "another"))
    cache = hub(secrets_file=str(secrets))
    reply = pull(cache)
    assert (reply.status, *reply.error) == (403, "DENIED", "the upstream registry refused the login")
    assert validated(cache) == (False, "The upstream registry refused the login.")
    secrets.write_text(good)
    brought_in(cache)


def test_secret_that_is_not_in_the_file(start: Callable[..., Running], bad: Hostile, secrets: Path) -> None:
    cache = start(upstream=(("docker-hub", bad.url),), secrets_file=str(secrets))
    missing = ARN.replace("hub", "nobodys")
    code, _ = refusal(cache.ecr().create_pull_through_cache_rule, **{**HUB, "credentialArn": missing})
    assert code == "SecretNotFoundException"
    cache.ecr().create_pull_through_cache_rule(**HUB)
    code, _ = refusal(
        cache.ecr().update_pull_through_cache_rule, ecrRepositoryPrefix="hub", credentialArn=missing
    )
    assert code == "SecretNotFoundException"


def test_secret_that_has_gone(hub: Callable[..., Running], bad: Hostile, secrets: Path) -> None:
    bad.offer()
    cache = hub(secrets_file=str(secrets))
    secrets.write_text("{}")
    assert validated(cache) == (False, "The secret was not found.")
    code, message = refusal(
        cache.ecr().batch_get_image, repositoryName="hub/team/app", imageIds=[{"imageTag": "v1"}]
    )
    assert code == "UnableToGetUpstreamImageException"
    assert message.endswith("(The secret was not found.)")
    reply = pull(cache)
    assert (reply.status, *reply.error) == (403, "DENIED", "The secret was not found.")
    assert bad.asked == []


@pytest.mark.parametrize(
    "value", [{"username": USER}, {"username": "", "accessToken": "x"}, {"accessToken": 1}]
)
def test_secret_of_another_shape(
    hub: Callable[..., Running], bad: Hostile, secrets: Path, value: dict[str, Any]
) -> None:
    secrets.write_text(json.dumps({ARN: value}))
    assert validated(hub(secrets_file=str(secrets))) == (
        False,
        "The value of the secret must be a JSON object with username and accessToken.",
    )


def test_without_secrets_the_pull_is_anybodys(hub: Callable[..., Running], bad: Hostile) -> None:
    """A mirror in front of tests wants no login, and ECR wants a secret in the rule."""
    bad.offer()
    cache = hub()
    brought_in(cache)
    assert all("authorization" not in one.headers for one in bad.asked)
    assert validated(cache) == (
        False,
        "Secrets cannot be read here: neither --secrets-file nor --secrets-endpoint is given.",
    )


# --- Where a login does not go ---------------------------------------------------------------------------


def test_redirect_to_another_host_takes_no_login_along(
    hub: Callable[..., Running], bad: Hostile, secrets: Path
) -> None:
    with hostile() as other:
        close(bad, BASIC, "Basic realm=x")
        other.answers["/elsewhere"] = gives_manifest(IMAGE)
        bad.answers[MANIFEST] = guarded(
            says(307, {"Location": f"{other.url}/elsewhere"}), BASIC, "Basic realm=x"
        )
        cache = hub(secrets_file=str(secrets), upstream_private=True)
        assert pull(cache).body == IMAGE
        (asked,) = other.asked
        assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("realm", "asked", "may"),
    [
        ("https://auth.docker.io/token", "https://registry-1.docker.io/v2/", True),
        ("https://gitlab.com/jwt/auth", "https://registry.gitlab.com/v2/", True),
        ("https://ghcr.io/token", "https://ghcr.io/v2/", True),
        ("https://docker.io.evil.example/token", "https://registry-1.docker.io/v2/", False),
        ("https://10.0.0.1/token", "https://10.9.0.1/v2/", False),
        ("http://auth.docker.io/token", "https://registry-1.docker.io/v2/", False),
    ],
)
def test_token_server_that_may_have_the_login(realm: str, asked: str, may: bool) -> None:
    challenge = login.parse(f'Bearer realm="{realm}"')
    try:
        login._realm(challenge.parameters["realm"], parse(asked), Login(USER, TOKEN))
    except UpstreamProblem:
        assert not may
    else:
        assert may


@pytest.mark.parametrize(
    "answer",
    [
        says(200, body=b"[]"),
        says(200, body=b"{}"),
        says(200, body=b'{"token": "a b\\r\\nX: y"}'),
        says(200, body=b'{"token": "x", "expires_in": "soon"}'),
        says(200, body=b"not JSON"),
        says(200, body=bytes(300_000)),
        says(500),
    ],
)
def test_token_server_that_gives_none(cached: Callable[..., Running], bad: Hostile, answer: Answer) -> None:
    close(bad, BEARER, f'Bearer realm="{bad.url}/token"')
    bad.answers["/token"] = answer
    reply = cached().registry().request("GET", "/v2/quay/team/app/manifests/v1")
    assert (reply.status, reply.error[0]) == (503, "UNAVAILABLE")


def test_no_log_and_no_error_tells_a_login(
    hub: Callable[..., Running], bad: Hostile, secrets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for header, challenge in ((BASIC, "Basic realm=x"), (BEARER, f'Bearer realm="{bad.url}/token"')):
        close(bad, header + "!", challenge)
        bad.answers["/token"] = token_server(BASIC)
        cache = hub(secrets_file=str(secrets))
        texts += [pull(cache).body.decode(), str(validated(cache))]
    secret_texts = (TOKEN, BASIC.removeprefix("Basic "), BEARER.removeprefix("Bearer "))
    assert all(one not in text for one in secret_texts for text in (*texts, caplog.text))
    assert TOKEN not in repr(Login(USER, TOKEN))


def test_challenges_are_read() -> None:
    found = login.parse('BEARER realm="https://a/b?c=d,e" , service = x ,scope="a:b:pull,push"')
    assert (found.scheme, found.parameters["realm"]) == ("bearer", "https://a/b?c=d,e")
    assert found.parameters["service"] == "x"
    assert login.parse("").scheme == ""


def test_unknown_challenge_is_refused() -> None:
    with pytest.raises(UpstreamProblem, match="kind that is not known"):
        login.answer(login.parse("Digest x=y"), parse("https://quay.io/"), "", None, Manners())


# --- Secrets Manager -------------------------------------------------------------------------------------


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """The URL of a Secrets Manager, and a client of it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto.client("secretsmanager", url)
    yield url, client
    client.close()
    server.stop()


def test_secrets_manager(start: Callable[..., Running], bad: Hostile, manager: tuple[str, Any]) -> None:
    url, client = manager
    close(bad, BASIC, "Basic realm=x")
    client.create_secret(
        Name="ecr-pullthroughcache/hub",
        SecretString=json.dumps({"username": USER, "accessToken": TOKEN}),
    )
    cache = start(upstream=(("docker-hub", bad.url),), secrets_endpoint=url)
    ecr = cache.ecr()
    code, _ = refusal(ecr.create_pull_through_cache_rule, **HUB)
    assert code == "SecretNotFoundException"
    found = [secret["ARN"] for secret in client.list_secrets()["SecretList"]]
    ecr = cache.ecr(found[0].split(":")[4])
    ecr.create_pull_through_cache_rule(**{**HUB, "credentialArn": found[0]})
    assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="hub")["isValid"]
    answer = ecr.batch_get_image(repositoryName="hub/team/app", imageIds=[{"imageTag": "v1"}])
    assert answer["images"][0]["imageManifest"] == IMAGE.decode()


def test_secrets_manager_that_is_not_there(start: Callable[..., Running], bad: Hostile) -> None:
    cache = start(upstream=(("docker-hub", bad.url),), secrets_endpoint="http://127.0.0.1:1")
    code, _ = refusal(cache.ecr().create_pull_through_cache_rule, **HUB)
    assert code == "UnableToAccessSecretException"
