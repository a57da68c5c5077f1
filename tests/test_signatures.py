"""Real signers against the rules: boto3, the aws cli, curl and bare sockets, over HTTP.

What answers is a server of these tests that does nothing but verify; it is served as an emulator is.
"""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from ecr_emu import errors
from ecr_emu.control.signatures import authenticate, signed_request
from ecr_emu.core.principals import merge
from ecr_emu.domain.principals import Credential
from ecr_emu.domain.signed_requests import Claim
from ecr_emu.errors import EcrError
from ecr_emu.server import Server, bind
from ecr_emu.store import principals
from ecr_emu.store.database import Database
from ecr_emu.wsgi import Environ, StartResponse, read_body
from tests.clients import Reply

ACCOUNT = "111122223333"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_KEY, ENDS = "ASIAIOSFODNN7EXAMPLE", "2126-01-01T00:00:00Z"
TOKEN = "IQoJb3JpZ2luX2VjE//+=="
TARGET = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"
CONTENT_TYPE = "application/x-amz-json-1.1"
WRONG = errors.invalid_signature().message
AWS = Path(sys.executable).with_name("aws")


@dataclass
class Verifier:
    """A WSGI function that answers 200 to whoever signs with one of its keys. Tests move its clocks."""

    store: Database
    # How far the client's clock is behind, and how far the user has moved that of the emulator.
    ahead_seconds: float = 0
    moved_seconds: float = 0
    claims: list[Claim] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    port: int = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        content: dict[str, object]
        try:
            self._verify(environ)
            status, content = "200 OK", {"repositories": []}
        except EcrError as error:
            status, content = "400 Bad Request", {"__type": error.code, "message": error.message}
        body = json.dumps(content).encode()
        start_response(status, [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
        return [body]

    def _verify(self, environ: Environ) -> None:
        request = signed_request(environ, read_body(environ, 1_000_000))
        now = time.time() + self.ahead_seconds
        with self.store.read() as connection:
            claim, credential = authenticate(connection, request, now, now + self.moved_seconds)
        self.claims.append(claim)
        self.credentials.append(credential)
        self.targets.append(environ.get("HTTP_X_AMZ_TARGET", ""))

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, {"Host": f"localhost:{self.port}", **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, {}, response.read())


@pytest.fixture
def verifier(tmp_path: Path) -> Iterator[Verifier]:
    store = Database(tmp_path / "metadata.db")
    users = [{"name": "alice", "accessKeys": [{"id": KEY, "secret": SECRET}]}]
    session = {"name": "ci", "accessKeyId": SESSION_KEY, "secret": SECRET, "token": TOKEN, "expires": ENDS}
    merge(store, {"users": users, "roles": [{"name": "deploy", "sessions": [session]}]}, ACCOUNT)
    verifier = Verifier(store)
    server = Server(verifier, bind("localhost", 0))
    verifier.port = server.port
    server.start()
    yield verifier
    server.stop()
    store.close()


def client(
    verifier: Verifier, key: str = KEY, secret: str = SECRET, token: str | None = None
) -> closing[Any]:
    session = boto3.session.Session(key, secret, token, region_name="eu-west-1")
    return closing(session.client("ecr", endpoint_url=verifier.url))


def refusal(verifier: Verifier, **options: Any) -> tuple[str, str]:
    """Code and message that boto3 gets."""
    with client(verifier, **options) as ecr, pytest.raises(ClientError) as problem:
        ecr.describe_repositories()
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def authorization(
    verifier: Verifier, body: bytes = b"{}", headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The headers of a request to / that is signed with the key."""
    request = AWSRequest("POST", verifier.url + "/", {"X-Amz-Target": TARGET, **(headers or {})}, body)
    SigV4Auth(Credentials(KEY, SECRET), "ecr", "eu-west-1").add_auth(request)
    return dict(request.headers.items())


# boto3


@pytest.mark.parametrize(
    ("key", "token", "arn"),
    [
        (KEY, None, f"arn:aws:iam::{ACCOUNT}:user/alice"),
        (SESSION_KEY, TOKEN, f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"),
    ],
)
def test_boto3_signs_right(verifier: Verifier, key: str, token: str | None, arn: str) -> None:
    with client(verifier, key, token=token) as ecr:
        assert ecr.describe_repositories()["repositories"] == []
        ecr.describe_repositories(repositoryNames=["team/äpp" * 100])
    claim = verifier.claims[0]
    assert (claim.credential.access_key, claim.credential.region) == (key, "eu-west-1")
    assert verifier.credentials[0].principal.arn == arn


def test_a_wrong_secret_is_refused(verifier: Verifier) -> None:
    assert refusal(verifier, secret=SECRET + "x") == ("InvalidSignatureException", WRONG)


@pytest.mark.parametrize(
    ("key", "token"),
    [("AKIAI44QH8DHBEXAMPLE", None), (KEY, TOKEN), (SESSION_KEY, None), (SESSION_KEY, TOKEN + "x")],
    ids=["unknown key", "token with a user's key", "no token", "wrong token"],
)
def test_an_unknown_key_or_token_is_refused(verifier: Verifier, key: str, token: str | None) -> None:
    assert refusal(verifier, key=key, token=token) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


def test_a_session_ends_by_the_emulators_clock(verifier: Verifier) -> None:
    verifier.moved_seconds = datetime.fromisoformat(ENDS).timestamp() - time.time() - 60
    with client(verifier, SESSION_KEY, token=TOKEN) as ecr:
        ecr.describe_repositories()
    verifier.moved_seconds += 60
    assert refusal(verifier, key=SESSION_KEY, token=TOKEN) == (
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )


def test_a_key_that_is_deleted_ends_at_once(verifier: Verifier) -> None:
    with client(verifier) as ecr:
        ecr.describe_repositories()
    with verifier.store.write() as transaction:
        assert principals.delete_key(transaction, KEY)
    assert refusal(verifier)[0] == "UnrecognizedClientException"


def test_what_is_not_signed_has_no_token(verifier: Verifier) -> None:
    error = verifier.send("POST", "/", b"{}", {"X-Amz-Target": TARGET}).json()
    assert error == {
        "__type": "MissingAuthenticationTokenException",
        "message": "Missing Authentication Token",
    }


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_that_is_wrong_is_refused(verifier: Verifier, minutes: int) -> None:
    verifier.ahead_seconds = minutes * 60
    code, message = refusal(verifier)
    assert code == "InvalidSignatureException"
    assert message.startswith("Signature expired: " if minutes > 0 else "Signature not yet current: ")
    assert message.endswith(" - 15 min.)" if minutes > 0 else " + 15 min.)")
    verifier.ahead_seconds = minutes / 2 * 60
    with client(verifier) as ecr:
        ecr.describe_repositories()


def test_a_presigned_url_of_boto3_is_right(verifier: Verifier) -> None:
    with client(verifier, SESSION_KEY, token=TOKEN) as ecr:
        url = ecr.generate_presigned_url("describe_repositories", ExpiresIn=60)
    path = url.removeprefix(verifier.url)
    # Neither the target nor the body is part of a URL: who has it sends what was signed.
    headers = {"X-Amz-Target": TARGET, "Content-Type": CONTENT_TYPE}
    assert verifier.send("POST", path, b"", headers).status == 200
    assert (verifier.claims[0].session_token, verifier.claims[0].expires_seconds) == (TOKEN, 60)
    verifier.ahead_seconds = 61
    assert verifier.send("POST", path, b"", headers).json()["message"].endswith(" - 1 min.)")
    verifier.ahead_seconds = 0
    assert verifier.send("POST", path, b"{}", headers).json()["message"] == WRONG
    other = {**headers, "X-Amz-Target": TARGET.replace("Describe", "Delete")}
    assert verifier.send("POST", path, b"", other).json()["message"] == WRONG


def test_a_presigned_get_is_right(verifier: Verifier) -> None:
    request = AWSRequest("GET", verifier.url + "/?Action=a b&Zo=é", {}, b"")
    request.url = request.url.replace(" ", "%20").replace("é", "%C3%A9")
    SigV4QueryAuth(Credentials(KEY, SECRET), "ecr", "eu-west-1", 60).add_auth(request)
    assert verifier.send("GET", request.url.removeprefix(verifier.url)).status == 200


# the aws cli


def aws(verifier: Verifier, secret: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "AWS_ACCESS_KEY_ID": SESSION_KEY,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_CONFIG_FILE": "/nonexistent",
        "PATH": str(AWS.parent),
    }
    return subprocess.run(
        [AWS, "--endpoint-url", verifier.url, "--region", "eu-west-1", "ecr", "describe-repositories"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_aws_cli_signs_right(verifier: Verifier) -> None:
    done = aws(verifier, SECRET)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"repositories": []}
    assert verifier.credentials[0].principal.kind == "assumed-role"


def test_the_aws_cli_shows_what_is_wrong(verifier: Verifier) -> None:
    done = aws(verifier, "other")
    assert done.returncode != 0
    assert "(InvalidSignatureException)" in done.stderr
    assert WRONG in done.stderr
    assert "other" not in done.stderr


# curl


def curl_version() -> tuple[int, ...]:
    if shutil.which("curl") is None:
        return (0,)
    words = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()
    return tuple(int(part) for part in words[1].split(".")[:2])


@pytest.mark.skipif(curl_version() < (7, 86), reason="curl signs the headers it is given since 7.86")
@pytest.mark.parametrize(("secret", "status"), [(SECRET, 200), ("other", 400)])
def test_curl_signs_right(verifier: Verifier, secret: str, status: int) -> None:
    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"),
            *("--aws-sigv4", "aws:amz:eu-west-1:ecr", "--user", f"{SESSION_KEY}:{secret}"),
            *("--header", f"X-Amz-Target: {TARGET}", "--header", f"Content-Type: {CONTENT_TYPE}"),
            *("--header", "X-Amz-Security-Token: " + TOKEN),
            *("--data", "{}", verifier.url + "/"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    body, _, code = done.stdout.rpartition("\n")
    assert (int(code), json.loads(body).get("message")) == (status, None if status == 200 else WRONG)


# by hand


def test_a_header_that_comes_twice_is_signed_with_a_comma(verifier: Verifier) -> None:
    headers = authorization(verifier, b"", {"My-Header1": "value2,value1"})
    headers.pop("My-Header1")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += [
        f"Host: localhost:{verifier.port}",
        "My-Header1:  value2",
        "My-Header1: value1  ",
        "Content-Length: 0",
    ]
    assert raw(verifier, "POST / HTTP/1.1", lines).startswith(b"HTTP/1.1 200")


def raw(verifier: Verifier, request_line: str, lines: list[str]) -> bytes:
    message = "\r\n".join([request_line, *lines, "Connection: close", "", ""])
    with socket.create_connection(("127.0.0.1", verifier.port), timeout=30) as connection:
        connection.sendall(message.encode("latin-1"))
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


def test_the_hash_of_another_body_is_refused(verifier: Verifier) -> None:
    sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    for body, content, status in (
        (b"{}", sha256, 200),
        (b"{ }", sha256, 400),
        (b"{}", "UNSIGNED-PAYLOAD", 400),
    ):
        headers = authorization(verifier, b"{}", {"X-Amz-Content-SHA256": content})
        assert verifier.send("POST", "/", body, headers).status == status


def test_a_signature_does_not_serve_another_host(verifier: Verifier) -> None:
    headers = authorization(verifier)
    assert verifier.send("POST", "/", b"{}", headers).status == 200
    other = {**headers, "Host": f"111122223333.dkr.ecr.eu-west-1.localhost:{verifier.port}"}
    assert verifier.send("POST", "/", b"{}", other).json()["message"] == WRONG


@pytest.mark.parametrize("extra", ["X-Amz-Target: other", "X_Amz_Target: other", "X-Amz-Other: x"])
@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_can_be_added_to_a_signed_request(verifier: Verifier, extra: str, is_first: bool) -> None:
    lines = [f"{name}: {value}" for name, value in authorization(verifier, b"").items()]
    lines += [f"Host: localhost:{verifier.port}", "Content-Length: 0"]
    answer = raw(verifier, "POST / HTTP/1.1", [extra, *lines] if is_first else [*lines, extra])
    # Of a name with an underscore either may win: what is verified is what the application sees.
    assert answer.startswith(b"HTTP/1.1 400") or (extra.startswith("X_") and verifier.targets == [TARGET])


@pytest.mark.parametrize(
    "value",
    [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=f",
        "AWS4-HMAC-SHA256 " + "Credential=" + "a" * 20_000,
        "Bearer ÿþ",
        "Basic " + base64.b64encode(b"AWS:x").decode(),
        "none",
    ],
    ids=lambda value: value[:40],
)
@pytest.mark.parametrize("times", [1, 2])
def test_what_is_no_signature_is_refused(verifier: Verifier, value: str, times: int) -> None:
    lines = [f"Host: localhost:{verifier.port}", "X-Amz-Date: 20150830T123600Z", "Content-Length: 0"]
    answer = raw(verifier, "POST / HTTP/1.1", [*lines, *[f"Authorization: {value}"] * times])
    assert answer.startswith(b"HTTP/1.1 400")
    assert verifier.claims == []


def test_a_replayed_request_is_good_until_its_time_is_over(verifier: Verifier) -> None:
    headers = authorization(verifier)
    for _ in range(2):
        assert verifier.send("POST", "/", b"{}", headers).status == 200
    verifier.ahead_seconds = 905
    signed_at = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    message = verifier.send("POST", "/", b"{}", headers).json()["message"]
    assert message.startswith(f"Signature expired: {headers['X-Amz-Date']} is now earlier than ")
    assert f"{signed_at + timedelta(seconds=905):%Y%m%dT%H}" in message
