"""Who may come in, and what the others are told."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest

from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Reply, Running
from tests.registry.steps import RANDOM_DIGEST, authorization

OTHER_ACCOUNT = "123456789012"
PATHS = ["/v2/", "/v2/_catalog", "/v2/no/repo/tags/list", "/v2/..", f"/v2/aa/blobs/{RANDOM_DIGEST}"]


def ask(registry: Registry, credentials: str | None, path: str = "/v2/", method: str = "GET") -> Reply:
    """A request with exactly this Authorization header, or without one."""
    headers = {} if credentials is None else {"Authorization": credentials}
    return replace(registry, password=None).request(method, path, headers=headers)


def basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
def test_without_a_login_every_path_challenges(path: str, method: str, registry: Registry) -> None:
    reply = ask(registry, None, path, method)
    assert reply.status == 401
    challenge = f'Basic realm="http://localhost:{registry.port}/",service="ecr.amazonaws.com"'
    assert reply.headers["www-authenticate"] == challenge
    assert reply.headers["docker-distribution-api-version"] == "registry/2.0"
    assert method == "HEAD" or reply.error == ("UNAUTHORIZED", "Not Authorized")


def test_the_challenge_names_the_host_that_was_asked(emulator: Running) -> None:
    host = f"{OTHER_ACCOUNT}.dkr.ecr.eu-west-1.localhost:{emulator.port}"
    reply = Registry(emulator.port, None, host).request("GET", "/v2/")
    assert reply.headers["www-authenticate"] == f'Basic realm="http://{host}/",service="ecr.amazonaws.com"'


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


CLAIMS = {"aud": "ecr", "sub": "arn:aws:iam::000000000000:root", "account": DEFAULT_ACCOUNT}
FORGED = {**CLAIMS, "region": "us-east-1", "exp": 9_999_999_999}


@pytest.mark.parametrize(
    ("credentials", "status", "code"),
    [
        ("Bearer {password}", 401, "UNAUTHORIZED"),
        ("Digest {password}", 401, "UNAUTHORIZED"),
        ("Basic", 400, "UNAUTHORIZED"),
        ("", 401, "UNAUTHORIZED"),
        (basic("aws:password"), 401, "UNAUTHORIZED"),
        (basic("AWS:password"), 401, "UNAUTHORIZED"),
        (basic("AWS:"), 401, "UNAUTHORIZED"),
        (basic(":"), 401, "UNAUTHORIZED"),
        ("Basic AWS:password", 400, "UNAUTHORIZED"),
        ("Basic ====", 400, "UNAUTHORIZED"),
        ("Basic QVdTOg", 400, "UNAUTHORIZED"),
        (basic("no colon"), 400, "UNAUTHORIZED"),
        (basic(b"AWS:\xff\xfe"), 400, "UNAUTHORIZED"),
        (basic("AWS:a.b.c\n"), 400, "UNAUTHORIZED"),
        (basic("AWS:a.b .c"), 400, "UNAUTHORIZED"),
        (basic("AWS:\ufeffa.b.c\r\n"), 400, "UNAUTHORIZED"),
        (basic("AWS:a.b.c"), 403, "DENIED"),
        (basic("AWS:.."), 403, "DENIED"),
        (basic("AWS:é.é.é"), 403, "DENIED"),
        (basic(f"AWS:{b64('[' * 5000)}.{b64('{}')}.x"), 403, "DENIED"),
        (basic(f"AWS:{b64('1' * 5000)}.{b64('{}')}.x"), 403, "DENIED"),
        (basic("AWS:" + jwt.encode(FORGED, "x" * 32, algorithm="HS256")), 403, "DENIED"),
        (basic("AWS:" + jwt.encode(FORGED, "x" * 64, algorithm="HS512")), 403, "DENIED"),
        (basic("AWS:" + jwt.encode(FORGED, "", algorithm="none")), 403, "DENIED"),
    ],
)
def test_bad_credentials_are_told_apart(credentials: str, status: int, code: str, registry: Registry) -> None:
    reply = ask(registry, credentials.format(password=registry.password))
    assert (reply.status, reply.error[0]) == (status, code)
    assert ("www-authenticate" in reply.headers) == (status == 401)


def test_the_scheme_may_be_written_in_any_case(registry: Registry) -> None:
    assert ask(registry, authorization(registry).replace("Basic", "bASIC")).status == 200


def test_a_good_password_with_the_line_end_of_a_shell_is_malformed(registry: Registry) -> None:
    for end in ("\n", "\r\n", " "):
        assert ask(registry, basic(f"AWS:{registry.password}{end}")).status == 400


def test_another_user_name_is_not_let_in(registry: Registry) -> None:
    assert replace(registry, user="aws").request("GET", "/v2/").status == 401


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_token_that_was_changed_anywhere_is_denied(place: int, registry: Registry) -> None:
    parts = (registry.password or "").split(".")
    parts[place] = ("B" if parts[place][0] == "A" else "A") + parts[place][1:]
    reply = replace(registry, password=".".join(parts)).request("GET", "/v2/")
    assert (reply.status, reply.error[0]) == (403, "DENIED")


def test_a_token_of_another_emulator_is_denied(start: Callable[..., Running], registry: Registry) -> None:
    stranger = start()
    reply = Registry(stranger.port, registry.password).request("GET", "/v2/")
    assert (reply.status, reply.error[0]) == (403, "DENIED")


def test_a_token_ends_after_twelve_hours(start: Callable[..., Running], clock: Clock) -> None:
    registry = start().registry()
    clock.advance(12 * 3600 - 1)
    assert registry.request("GET", "/v2/").status == 200
    clock.advance(1)
    reply = registry.request("GET", "/v2/")
    assert reply.status == 403
    assert reply.error == ("DENIED", "Your authorization token has expired. Reauthenticate and try again.")


def test_a_token_outlives_a_restart(start: Callable[..., Running], folder: Any) -> None:
    first = start(data_dir=folder)
    password = first.password()
    first.stop()
    assert Registry(start(data_dir=folder).port, password).request("GET", "/v2/").status == 200


def test_a_token_is_good_in_its_region_only(emulator: Running) -> None:
    host = f"{DEFAULT_ACCOUNT}.dkr.ecr.eu-west-1.localhost:{emulator.port}"
    reply = Registry(emulator.port, emulator.password(), host).request("GET", "/v2/")
    assert (reply.status, reply.error[0]) == (403, "DENIED")
    assert (
        Registry(emulator.port, emulator.password(region="eu-west-1"), host).request("GET", "/v2/").status
        == 200
    )


@pytest.mark.parametrize(
    ("method", "rest", "action"),
    [
        ("GET", "manifests/latest", "ecr:BatchGetImage"),
        ("PUT", "manifests/latest", "ecr:PutImage"),
        ("DELETE", "manifests/latest", "ecr:BatchDeleteImage"),
        ("GET", f"blobs/{RANDOM_DIGEST}", "ecr:GetDownloadUrlForLayer"),
        ("POST", "blobs/uploads/", "ecr:InitiateLayerUpload"),
        ("PATCH", "blobs/uploads/some-id", "ecr:UploadLayerPart"),
        ("PUT", f"blobs/uploads/some-id?digest={RANDOM_DIGEST}", "ecr:CompleteLayerUpload"),
        ("GET", "tags/list", "ecr:ListImages"),
        ("GET", f"referrers/{RANDOM_DIGEST}", "ecr:BatchGetImage"),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_another_account_is_denied_and_learns_nothing(
    method: str, rest: str, action: str, exists: bool, emulator: Running, repo: str
) -> None:
    stranger = Registry(emulator.port, emulator.password(OTHER_ACCOUNT))
    assert stranger.request("GET", "/v2/").status == 200
    name = repo if exists else "no/such/repository"
    reply = stranger.request(method, f"/v2/{name}/{rest}")
    message = (
        f"User: arn:aws:iam::{OTHER_ACCOUNT}:root is not authorized to perform: {action} "
        f"on resource: arn:aws:ecr:us-east-1:{DEFAULT_ACCOUNT}:repository/{name} "
        f"because no resource-based policy allows the {action} action"
    )
    assert (reply.status, *reply.error) == (403, "DENIED", message)


def test_a_denied_head_has_no_body(emulator: Running, repo: str) -> None:
    stranger = Registry(emulator.port, emulator.password(OTHER_ACCOUNT))
    reply = stranger.request("HEAD", f"/v2/{repo}/blobs/{RANDOM_DIGEST}")
    assert (reply.status, reply.body) == (403, b"")


def test_another_accounts_catalog_is_denied(emulator: Running) -> None:
    stranger = Registry(emulator.port, emulator.password(OTHER_ACCOUNT))
    assert stranger.request("GET", "/v2/_catalog").status == 403


@pytest.mark.parametrize("credentials", [None, "Bearer x", "Basic ====", basic("bob:secret")])
def test_an_open_emulator_asks_nobody(credentials: str | None, start: Callable[..., Running]) -> None:
    emulator = start(auth="open")
    emulator.ecr().create_repository(repositoryName="open/repo")
    registry = Registry(emulator.port, None, headers={"Authorization": credentials} if credentials else {})
    digest = registry.push_image("open/repo", "v1", b"layer")
    assert registry.request("GET", f"/v2/open/repo/manifests/{digest}").status == 200
    elsewhere = replace(registry, host=f"{OTHER_ACCOUNT}.dkr.ecr.eu-west-1.localhost:{emulator.port}")
    assert elsewhere.request("GET", "/v2/_catalog").json() == {"repositories": []}
