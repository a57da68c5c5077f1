"""Real signers against a whole emulator with `--auth iam`: boto3, the aws cli, curl and bare sockets.

boto3 signs in this process as well, without a server between: what it would send goes to the WSGI function.
"""

import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from ecr_emu import errors
from ecr_emu.app import Application, build, is_quick
from ecr_emu.server import Server, bind
from ecr_emu.settings import Settings
from tests import boto
from tests.clients import Registry, Reply
from tests.steps import Site

ACCOUNT, REGION = "111122223333", "eu-west-1"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_KEY, ENDS = "ASIAIOSFODNN7EXAMPLE", "2126-01-01T00:00:00Z"
TOKEN = "IQoJb3JpZ2luX2VjE//+=="
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/alice"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
PRINCIPALS = {
    "users": [
        {
            "name": "alice",
            "accessKeys": [{"id": KEY, "secret": SECRET}],
            "policies": [{"managed": "AmazonEC2ContainerRegistryFullAccess"}],
        }
    ],
    "roles": [
        {
            "name": "deploy",
            "policies": [{"managed": "AmazonEC2ContainerRegistryReadOnly"}],
            "sessions": [
                {"name": "ci", "accessKeyId": SESSION_KEY, "secret": SECRET, "token": TOKEN, "expires": ENDS}
            ],
        }
    ],
}
PREFIX = "AmazonEC2ContainerRegistry_V20150921"
TARGET = f"{PREFIX}.DescribeRepositories"
CONTENT_TYPE = "application/x-amz-json-1.1"
WRONG = errors.invalid_signature().message
INVALID_TOKEN = ("UnrecognizedClientException", "The security token included in the request is invalid.")
AWS = Path(sys.executable).with_name("aws")


@dataclass
class Machine:
    """The machine's clock, which is some seconds ahead of that of the clients."""

    ahead_seconds: float = 0

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


@dataclass(frozen=True)
class Emulator:
    """An emulator, its clock, and the two ways to reach it: by `port`, or in this process where it is 0."""

    application: Application
    machine: Machine
    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port or 4566}"

    @property
    def site(self) -> Site:
        return Site(self.application)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """A request as it is written here."""
        host = f"localhost:{self.port or 4566}"
        if self.port:
            return Registry(self.port, None, host).request(method, path, body, headers)
        given = dict(headers or {})
        return self.site.ask(method, path, body, given, given.pop("Host", host))

    def client(self, key: str = KEY, secret: str = SECRET, token: str | None = None) -> Any:
        """A boto3 client."""
        client = boto.client("ecr", self.url, (key, secret, token), REGION)
        if not self.port:
            client.meta.events.register("before-send.ecr", self._answer)
        return client

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        """What botocore gets in the place of an answer from the network."""
        headers = {name: _text(value) for name, value in request.headers.items()}
        path = "/" + request.url.partition("://")[2].partition("/")[2]
        reply = self.send(request.method, path, request.body or b"", headers)
        return AWSResponse(request.url, reply.status, reply.headers, _Raw(reply.body))

    def last_caller(self) -> str:
        """Who was the last to be let in or refused."""
        return str(self.send("GET", "/_emu/decisions?limit=1").json()["decisions"][0]["principal"])


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def start(folder: Path) -> tuple[Application, Machine]:
    (folder / "iam.json").write_text(json.dumps(PRINCIPALS))
    machine = Machine()
    settings = Settings(
        data_dir=folder / "data",
        auth="iam",
        account=ACCOUNT,
        region=REGION,
        iam_file=str(folder / "iam.json"),
    )
    return build(settings, machine), machine


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator in this process."""
    application, machine = start(tmp_path)
    with closing(application):
        yield Emulator(application, machine, 0)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator behind its server."""
    application, machine = start(tmp_path)
    server = Server(application, bind("localhost", 0), is_quick)
    server.start()
    with closing(application):
        yield Emulator(application, machine, server.port)
        server.stop()


@pytest.fixture(params=["local", "served"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    """One of either kind."""
    found: Emulator = request.getfixturevalue(request.param)
    return found


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Code and message that boto3 gets."""
    with pytest.raises(ClientError) as problem:
        call(**request)
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def list_refused(emulator: Emulator, **options: Any) -> tuple[str, str]:
    with closing(emulator.client(**options)) as ecr:
        return refusal(ecr.describe_repositories)


def authorization(
    emulator: Emulator, body: bytes = b"{}", headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The headers of a request to / that is signed with the user's key."""
    request = AWSRequest("POST", emulator.url + "/", {"X-Amz-Target": TARGET, **(headers or {})}, body)
    SigV4Auth(Credentials(KEY, SECRET), "ecr", REGION).add_auth(request)
    return dict(request.headers.items())


# boto3


@pytest.mark.parametrize(("key", "token", "arn"), [(KEY, None, USER_ARN), (SESSION_KEY, TOKEN, SESSION_ARN)])
def test_boto3_signs_right(emulator: Emulator, key: str, token: str | None, arn: str) -> None:
    with closing(emulator.client(key, token=token)) as ecr:
        assert ecr.describe_repositories()["repositories"] == []
        assert emulator.last_caller() == arn
        # The signature is right, or that would be said first.
        code, _ = refusal(ecr.describe_repositories, repositoryNames=["team/äpp" * 100])
        assert code == "InvalidParameterException"


def test_the_region_is_the_one_that_was_signed_for(emulator: Emulator) -> None:
    with closing(emulator.client()) as ecr:
        made = ecr.create_repository(repositoryName="team/app")["repository"]
    assert made["repositoryArn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app"


def test_a_session_may_do_what_its_role_may(emulator: Emulator) -> None:
    with closing(emulator.client(SESSION_KEY, token=TOKEN)) as ecr:
        code, message = refusal(ecr.create_repository, repositoryName="team/app")
    assert code == "AccessDeniedException"
    assert message.startswith(f"User: {SESSION_ARN} is not authorized to perform: ecr:CreateRepository on ")


def test_a_wrong_secret_is_refused(emulator: Emulator) -> None:
    assert list_refused(emulator, secret=SECRET + "x") == ("InvalidSignatureException", WRONG)


@pytest.mark.parametrize(
    ("key", "token"),
    [("AKIAI44QH8DHBEXAMPLE", None), (KEY, TOKEN), (SESSION_KEY, None), (SESSION_KEY, TOKEN + "x")],
    ids=["unknown key", "token with a user's key", "no token", "wrong token"],
)
def test_an_unknown_key_or_token_is_refused(emulator: Emulator, key: str, token: str | None) -> None:
    assert list_refused(emulator, key=key, token=token) == INVALID_TOKEN


def test_a_session_ends_by_the_emulators_clock(local: Emulator) -> None:
    ends = datetime.fromisoformat(ENDS).timestamp()
    local.application.emulator.clock.set(ends - 60)
    with closing(local.client(SESSION_KEY, token=TOKEN)) as ecr:
        ecr.describe_repositories()
    local.application.emulator.clock.set(ends)
    assert list_refused(local, key=SESSION_KEY, token=TOKEN) == (
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )


def test_a_key_that_is_deleted_ends_at_once(emulator: Emulator) -> None:
    with closing(emulator.client()) as ecr:
        ecr.describe_repositories()
    gone = emulator.send("DELETE", "/_emu/iam", json.dumps({"accessKeyId": KEY}).encode())
    assert gone.status == 200
    assert list_refused(emulator) == INVALID_TOKEN


def test_what_is_not_signed_has_no_token(emulator: Emulator) -> None:
    assert emulator.send("POST", "/", b"{}", {"X-Amz-Target": TARGET}).json() == {
        "__type": "MissingAuthenticationTokenException",
        "message": "Missing Authentication Token",
    }


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_that_is_wrong_is_refused(local: Emulator, minutes: int) -> None:
    local.machine.ahead_seconds = minutes * 60
    code, message = list_refused(local)
    assert code == "InvalidSignatureException"
    assert message.startswith("Signature expired: " if minutes > 0 else "Signature not yet current: ")
    assert message.endswith(" - 15 min.)" if minutes > 0 else " + 15 min.)")
    local.machine.ahead_seconds = minutes / 2 * 60
    with closing(local.client()) as ecr:
        ecr.describe_repositories()


def test_a_presigned_url_of_boto3_is_right(emulator: Emulator) -> None:
    with closing(emulator.client(SESSION_KEY, token=TOKEN)) as ecr:
        url = ecr.generate_presigned_url("describe_repositories", ExpiresIn=60)
    path = url.removeprefix(emulator.url)
    # Neither the target nor the body is part of a URL: who has it sends what was signed.
    headers = {"X-Amz-Target": TARGET, "Content-Type": CONTENT_TYPE}
    assert emulator.send("POST", path, b"", headers).json() == {"repositories": []}
    assert emulator.last_caller() == SESSION_ARN
    assert emulator.send("POST", path, b"{}", headers).json()["message"] == WRONG
    other = {**headers, "X-Amz-Target": TARGET.replace("DescribeRepositories", "DescribeRegistry")}
    assert emulator.send("POST", path, b"", other).json()["message"] == WRONG
    emulator.machine.ahead_seconds = 61
    assert emulator.send("POST", path, b"", headers).json()["message"].endswith(" - 1 min.)")


def test_a_query_is_signed_however_it_is_written(emulator: Emulator) -> None:
    request = AWSRequest("POST", emulator.url + "/?Action=a b&Zo=é", {"X-Amz-Target": TARGET}, b"")
    request.url = request.url.replace(" ", "%20").replace("é", "%C3%A9")
    SigV4QueryAuth(Credentials(KEY, SECRET), "ecr", REGION, 60).add_auth(request)
    path = request.url.removeprefix(emulator.url)
    assert emulator.send("POST", path, b"", {"X-Amz-Target": TARGET}).status == 200
    assert emulator.send("POST", f"{path}&a", b"", {"X-Amz-Target": TARGET}).status == 400


# the aws cli


def aws(
    emulator: Emulator, *command: str, key: str = KEY, secret: str = SECRET, token: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "PATH": str(AWS.parent),
        **({"AWS_SESSION_TOKEN": token} if token else {}),
    }
    return subprocess.run(
        [AWS, "--endpoint-url", emulator.url, "--region", REGION, "ecr", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_aws_cli_signs_right_and_logs_in(served: Emulator) -> None:
    made = aws(served, "create-repository", "--repository-name", "team/app")
    assert made.returncode == 0, made.stderr
    password = aws(served, "get-login-password", key=SESSION_KEY, token=TOKEN)
    assert password.returncode == 0, password.stderr
    assert served.last_caller() == SESSION_ARN
    registry = Registry(served.port, password.stdout.strip())
    assert registry.request("GET", "/v2/team/app/tags/list").json() == {"name": "team/app", "tags": []}
    denied = registry.request("POST", "/v2/team/app/blobs/uploads/")
    assert (denied.status, denied.error[0]) == (403, "DENIED")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"secret": "other"}, "InvalidSignatureException"),
        ({"key": SESSION_KEY, "token": "other"}, "UnrecognizedClientException"),
    ],
)
def test_the_aws_cli_shows_what_is_wrong(served: Emulator, options: Any, code: str) -> None:
    done = aws(served, "describe-repositories", **options)
    assert done.returncode != 0
    assert f"({code})" in done.stderr
    assert "other" not in done.stderr


# curl


def curl(emulator: Emulator, key: str, secret: str, *more: str) -> tuple[int, Any]:
    """The status and the answer of a signed call."""
    need_curl()
    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"),
            *("--aws-sigv4", f"aws:amz:{REGION}:ecr", "--user", f"{key}:{secret}"),
            *("--header", f"X-Amz-Target: {TARGET}", "--header", f"Content-Type: {CONTENT_TYPE}"),
            *more,
            *("--data", "{}", emulator.url + "/"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    body, _, code = done.stdout.rpartition("\n")
    return int(code), json.loads(body)


def need_curl() -> None:
    """curl signs since 7.75, and the headers that it is given since 7.86."""
    assert shutil.which("curl"), "curl is missing: install it (Debian package: curl)"
    words = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()
    version = tuple(int(part) for part in words[1].split(".")[:2])
    assert version >= (7, 86), f"curl {words[1]} does not sign its headers: install 7.86 or newer"


IN_TOKEN = ("--header", f"X-Amz-Security-Token: {TOKEN}")


@pytest.mark.parametrize("more", [(), ("--http2-prior-knowledge",)], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize(
    ("key", "token", "arn"),
    [(KEY, (), USER_ARN), (SESSION_KEY, IN_TOKEN, SESSION_ARN)],
    ids=["user", "session"],
)
def test_curl_signs_right(served: Emulator, key: str, token: Any, arn: str, more: Any) -> None:
    assert curl(served, key, SECRET, *token, *more) == (200, {"repositories": []})
    assert served.last_caller() == arn


def test_curl_is_refused_with_a_wrong_secret_or_without_its_token(served: Emulator) -> None:
    wrong = {"__type": "InvalidSignatureException", "message": WRONG}
    assert curl(served, KEY, "other") == (400, wrong)
    assert curl(served, SESSION_KEY, "other", *IN_TOKEN) == (400, wrong)
    code, message = INVALID_TOKEN
    assert curl(served, SESSION_KEY, SECRET) == (400, {"__type": code, "message": message})
