"""Callers of an emulator in this process, and the steps of a pull and a push on both of its planes.

Requests go to the WSGI function itself, as granian hands them over, so that thousands take seconds.
"""

import base64
import functools
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ecr_emu.app import Application, build
from ecr_emu.core.principals import merge
from ecr_emu.domain.manifests import OCI_MANIFEST
from ecr_emu.settings import Settings
from tests.clients import Reply, digest_of, image_manifest

OWNER, GUEST = "111122223333", "444455556666"
REGION = "us-east-1"
NAME = "team/app"
ARN = f"arn:aws:ecr:{REGION}:{OWNER}:repository/{NAME}"
HOST = f"{OWNER}.dkr.ecr.{REGION}.localhost:4566"
API_HOST = "localhost:4566"
TARGET_PREFIX = "AmazonEC2ContainerRegistry_V20150921"

CONFIG, LAYER = b'{"architecture":"amd64","os":"linux"}', b"layer"
IMAGE = image_manifest(CONFIG, LAYER)
UPLOAD = "0f0e0d0c-0b0a-4908-8706-050403020100"
NOBODYS = digest_of(b"nobody ever pushed this")

# Amazon ECR user guide, what a pull and a push need (reference, control plane 7.4).
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSH = ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart"]
PUSH += ["ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage"]


# policies


def statement(effect: str, actions: Any, principal: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement of a resource policy."""
    return {"Effect": effect, "Action": actions, "Principal": principal, **more}


def of_identity(effect: str, actions: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement of an identity policy."""
    return {"Effect": effect, "Action": actions, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def identity_policy(*statements: dict[str, Any], name: str = "own") -> dict[str, Any]:
    """An entry of a principal's `policies`, as /_emu/iam takes it."""
    return {"name": name, "document": json.loads(document(*statements))}


def user(name: str, *policies: Any, account: str = OWNER, **more: Any) -> dict[str, Any]:
    """A user of /_emu/iam with an access key that is made of its name."""
    keys = [{"id": f"AKIA{name.upper()}", "secret": f"secret-of-{name}"}]
    return {"name": name, "account": account, "policies": list(policies), "accessKeys": keys, **more}


LOG_IN = identity_policy(of_identity("Allow", "ecr:GetAuthorizationToken"), name="log-in")


def denied(principal: str, action: str, because: str, resource: str = ARN) -> str:
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource} {because}"


# callers


@dataclass(frozen=True)
class Site:
    """An application without a server before it."""

    application: Application

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        host: str = API_HOST,
    ) -> Reply:
        """One request. The path is decoded and the headers are named as granian does both."""
        raw_path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "4566",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SCRIPT_NAME": "",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "HTTP_HOST": host,
        }
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks = self.application(environ, lambda status, found, info=None: started.append((status, found)))
        content = b"".join(chunks)
        ((status, found),) = started
        return Reply(int(status.split()[0]), {key.lower(): value for key, value in found}, content)

    def put(self, principals: Mapping[str, Any]) -> None:
        """Add principals, or change them, as /_emu/iam does."""
        merge(self.application.emulator.store, principals, OWNER)


@dataclass(frozen=True)
class Caller:
    """Somebody with an access key, who signs for the JSON API and logs in to the owner's registry."""

    site: Site
    arn: str
    key: str
    secret: str
    session_token: str | None = None
    region: str = REGION

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    def signed(self, operation: str, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers of a signed request to /."""
        target = {
            "X-Amz-Target": f"{TARGET_PREFIX}.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
        }
        request = AWSRequest("POST", f"http://{API_HOST}/", {**target, **(headers or {})}, body)
        credentials = Credentials(self.key, self.secret, self.session_token)
        SigV4Auth(credentials, "ecr", self.region).add_auth(request)
        return dict(request.headers.items())

    def api(self, operation: str, **members: Any) -> Reply:
        body = json.dumps(members).encode()
        return self.site.ask("POST", "/", body, self.signed(operation, body))

    def did(self, operation: str, **members: Any) -> Any:
        """The answer of an operation that must succeed."""
        reply = self.api(operation, **members)
        assert reply.status == 200, reply.body
        return reply.json()

    @functools.cached_property
    def password(self) -> str:
        """The login token."""
        answer = self.did("GetAuthorizationToken")
        token = answer["authorizationData"][0]["authorizationToken"]
        return base64.b64decode(token).decode().removeprefix("AWS:")

    def v2(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        host: str = HOST,
    ) -> Reply:
        """A request to the registry with the login token; the path begins behind /v2/."""
        login = {"Authorization": basic(self.password), "Content-Type": OCI_MANIFEST}
        return self.site.ask(method, f"/v2/{path}", body, {**login, **(headers or {})}, host)

    def push_blob(self, name: str, content: bytes) -> None:
        reply = self.v2("POST", f"{name}/blobs/uploads/?digest={digest_of(content)}", content)
        assert reply.status == 201, reply.body

    def push_image(self, name: str, tag: str = "v1") -> None:
        """The image of these tests, with its two blobs."""
        for blob in (CONFIG, LAYER):
            self.push_blob(name, blob)
        assert self.v2("PUT", f"{name}/manifests/{tag}", IMAGE).status == 201


@contextmanager
def open_site(folder: Path, auth: str, principals: Mapping[str, Any] | None = None) -> Iterator[Site]:
    """An emulator of the owner that knows these principals, for a `with`."""
    settings = Settings(data_dir=folder, auth=auth, account=OWNER, region=REGION, ephemeral=True)
    application = build(settings)
    with closing(application):
        site = Site(application)
        site.put(principals or {})
        yield site


def basic(password: str, name: str = "AWS") -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def of_user(site: Site, name: str, account: str = OWNER) -> Caller:
    """The caller who `user` describes."""
    return Caller(site, f"arn:aws:iam::{account}:user/{name}", f"AKIA{name.upper()}", f"secret-of-{name}")


def set_repository_policy(admin: Caller, *statements: dict[str, Any], name: str = NAME) -> None:
    admin.did("SetRepositoryPolicy", repositoryName=name, policyText=document(*statements))


def set_registry_policy(admin: Caller, *statements: dict[str, Any]) -> None:
    admin.did("PutRegistryPolicy", policyText=document(*statements))


# steps


@dataclass(frozen=True)
class Step:
    """One request of the registry, what it answers when it is let in, and the operation that does the same.

    The upload and what is deleted do not exist: that is said only behind the door, and nothing changes.
    """

    name: str
    action: str
    method: str
    path: str
    status: int
    operation: str
    members: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""

    def on_registry(self, caller: Caller, name: str = NAME) -> str:
        """ "" when the caller is let in, else the sentence of the refusal, which HEAD has none of."""
        reply = caller.v2(self.method, f"{name}/{self.path}", self.body)
        if reply.status != 403:
            assert reply.status == self.status, (self.name, reply.status, reply.body)
            return ""
        if self.method == "HEAD":
            assert reply.body == b""
            return "a HEAD that is refused"
        assert reply.headers["content-type"] == "application/json"
        code, message = reply.error
        assert code == "DENIED"
        return message

    def on_api(self, caller: Caller, name: str = NAME) -> str:
        """The same for the operation."""
        reply = caller.api(self.operation, registryId=OWNER, repositoryName=name, **self.members)
        error = {} if reply.status == 200 else reply.json()
        if error.get("__type") != "AccessDeniedException":
            assert error.get("__type", "") in ("", *_BEHIND_THE_DOOR), error
            return ""
        assert reply.status == 400
        return str(error["message"])


_BEHIND_THE_DOOR = ("UploadNotFoundException", "ImageAlreadyExistsException")
_PART = {"uploadId": UPLOAD, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "eA=="}
_UPLOADED = {"uploadId": UPLOAD, "layerDigests": [digest_of(b"x")]}
_BY_TAG = {"imageIds": [{"imageTag": "v1"}]}
_BLOB, _SESSION = f"blobs/{digest_of(LAYER)}", f"blobs/uploads/{UPLOAD}"

# Written from the reference (data plane 0), not from the code.
STEPS = (
    Step("HEAD manifest", "ecr:BatchGetImage", "HEAD", "manifests/v1", 200, "BatchGetImage", _BY_TAG),
    Step("GET manifest", "ecr:BatchGetImage", "GET", "manifests/v1", 200, "BatchGetImage", _BY_TAG),
    Step(
        *("HEAD blob", "ecr:BatchCheckLayerAvailability", "HEAD", _BLOB, 200),
        *("BatchCheckLayerAvailability", {"layerDigests": [digest_of(LAYER)]}),
    ),
    Step(
        *("GET blob", "ecr:GetDownloadUrlForLayer", "GET", _BLOB, 200),
        *("GetDownloadUrlForLayer", {"layerDigest": digest_of(LAYER)}),
    ),
    Step("POST upload", "ecr:InitiateLayerUpload", "POST", "blobs/uploads/", 202, "InitiateLayerUpload"),
    Step("PATCH upload", "ecr:UploadLayerPart", "PATCH", _SESSION, 404, "UploadLayerPart", _PART, b"x"),
    Step("GET upload", "ecr:UploadLayerPart", "GET", _SESSION, 404, "UploadLayerPart", _PART),
    Step("DELETE upload", "ecr:UploadLayerPart", "DELETE", _SESSION, 404, "UploadLayerPart", _PART),
    Step(
        *("PUT upload", "ecr:CompleteLayerUpload", "PUT", f"{_SESSION}?digest={digest_of(b'x')}", 404),
        *("CompleteLayerUpload", _UPLOADED),
    ),
    Step(
        *("PUT manifest", "ecr:PutImage", "PUT", "manifests/v1", 201),
        *("PutImage", {"imageManifest": IMAGE.decode(), "imageTag": "v1"}, IMAGE),
    ),
    Step(
        *("DELETE manifest", "ecr:BatchDeleteImage", "DELETE", f"manifests/{NOBODYS}", 404),
        *("BatchDeleteImage", {"imageIds": [{"imageDigest": NOBODYS}]}),
    ),
    Step(
        *("DELETE blob", "ecr:BatchDeleteImage", "DELETE", f"blobs/{NOBODYS}", 404),
        *("BatchDeleteImage", {"imageIds": [{"imageDigest": NOBODYS}]}),
    ),
    Step("tags", "ecr:ListImages", "GET", "tags/list", 200, "ListImages"),
    Step(
        *("referrers", "ecr:BatchGetImage", "GET", f"referrers/{digest_of(IMAGE)}", 200),
        *("ListImageReferrers", {"subjectId": {"imageDigest": digest_of(IMAGE)}}),
    ),
)
ACTIONS = sorted({step.action for step in STEPS})


def check(step: Step, caller: Caller, clause: str) -> None:
    """Both planes refuse the step with this clause, or, where it is "", neither does."""
    wanted = denied(caller.arn, step.action, clause) if clause else ""
    found = (step.on_api(caller), step.on_registry(caller))
    head = "a HEAD that is refused" if wanted else ""
    assert found == (wanted, head if step.method == "HEAD" else wanted), (step.name, caller.arn)
