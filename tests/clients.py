"""Clients that tests drive an emulator with."""

import base64
import contextlib
import hashlib
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from ecr_emu.app import Application
from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from ecr_emu.server import Server
from tests import boto

DEFAULT_ACCOUNT = "000000000000"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass
class Clock:
    """A clock that stands still until it is moved. Seconds since the epoch."""

    now: float = 1_750_000_000.25

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def image_manifest(config: bytes, *layers: bytes, **members: Any) -> bytes:
    """An OCI image manifest of blobs that are given as their bytes."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(CONFIG_TYPE, config),
        "layers": [_descriptor(LAYER_TYPE, layer) for layer in layers],
        **members,
    }
    return json.dumps(document).encode()


def image_index(*manifests: bytes, **members: Any) -> bytes:
    """An OCI index of manifests that are given as their bytes."""
    entries = [_descriptor(OCI_MANIFEST, manifest) for manifest in manifests]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **members}
    return json.dumps(document).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[str, str]:
        """Code and message of the one error of a registry reply."""
        (error,) = self.json()["errors"]
        return error["code"], error["message"]


@dataclass
class Registry:
    """A registry client that sends exactly what it is told to."""

    port: int
    password: str | None
    host: str | None = None
    user: str = "AWS"
    headers: dict[str, str] = field(default_factory=dict)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request on a connection of its own; an iterable body goes in chunks."""
        sent = {"Host": self.host or f"localhost:{self.port}", **self.headers}
        if self.password is not None:
            credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            sent["Authorization"] = f"Basic {credentials}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def login(self) -> dict[str, str]:
        """The headers of a logged-in request on a connection of one's own."""
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Host": self.host or f"localhost:{self.port}", "Authorization": f"Basic {credentials}"}

    def connection(self) -> contextlib.closing[http.client.HTTPConnection]:
        """A connection for several requests, for use in a `with`."""
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30))

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push a blob in one request and return its digest."""
        digest = digest_of(content, algorithm)
        reply = self.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", content)
        assert reply.status == 201, reply.body
        return digest

    def put_manifest(self, name: str, reference: str, body: bytes, media_type: str = OCI_MANIFEST) -> Reply:
        return self.request("PUT", f"/v2/{name}/manifests/{reference}", body, {"Content-Type": media_type})

    def push_image(self, name: str, tag: str | None, *layers: bytes, **members: Any) -> str:
        """Push an OCI image with these layers and return its digest."""
        config = b'{"architecture":"amd64","os":"linux"}'
        for blob in (config, *layers):
            self.push_blob(name, blob)
        body = image_manifest(config, *layers, **members)
        reply = self.put_manifest(name, tag or digest_of(body), body)
        assert reply.status == 201, reply.body
        return digest_of(body)


class Running:
    """An emulator that serves."""

    def __init__(self, application: Application, server: Server) -> None:
        self.application = application
        self._server = server
        self._clients: list[Any] = []
        self._stopped = False
        self.port = server.port
        self.url = f"http://127.0.0.1:{server.port}"

    def ecr(self, access_key: str = "test", region: str = "us-east-1", config: Config | None = None) -> Any:
        """A boto3 client; an access key of 12 digits is the account."""
        self._clients.append(boto.client("ecr", self.url, (access_key, "secret"), region, config))
        return self._clients[-1]

    def password(self, access_key: str = "test", region: str = "us-east-1") -> str:
        """What `aws ecr get-login-password` prints."""
        answer = self.ecr(access_key, region).get_authorization_token()
        token = answer["authorizationData"][0]["authorizationToken"]
        return base64.b64decode(token).decode().removeprefix("AWS:")

    def registry(self, account: str = DEFAULT_ACCOUNT, region: str = "us-east-1") -> Registry:
        """A logged-in registry client of an account."""
        is_default = (account, region) == (DEFAULT_ACCOUNT, "us-east-1")
        host = None if is_default else f"{account}.dkr.ecr.{region}.localhost:{self.port}"
        return Registry(self.port, self.password(account, region), host)

    def post(self, path: str, **members: Any) -> Any:
        """What a POST of a JSON object to one of the /_emu/ calls answers."""
        reply = Registry(self.port, None).request("POST", path, json.dumps(members).encode())
        assert reply.status == 200, reply.body
        return reply.json()

    def stop(self) -> None:
        """Stop serving and let go of the data folder. A second time does nothing."""
        if self._stopped:
            return
        self._stopped = True
        for client in self._clients:
            client.close()
        self._server.stop()
        self.application.close()
