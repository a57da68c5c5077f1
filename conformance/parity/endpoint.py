"""Signed requests as they are written, with nothing checked on the way."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from ecr_emu.control.model import load

CONTENT_TYPE = "application/x-amz-json-1.1"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and where. The account is the one that the credentials belong to."""

    account: str
    region: str
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the JSON API. The error code has no namespace, whatever was sent."""

    status: int
    content: Any

    @property
    def error(self) -> str | None:
        if self.status == 200 or not isinstance(self.content, dict):
            return None
        return str(self.content.get("__type", "")).rpartition("#")[2]


class Endpoint:
    """Any endpoint that speaks the ECR API."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/"
        self._prefix = load().target_prefix
        self._session = URLLib3Session(timeout=TIMEOUT_SECONDS)

    def call(self, caller: Caller, operation: str, request: object) -> Reply:
        return self.send(caller, f"{self._prefix}.{operation}", json.dumps(request))

    def send(
        self,
        caller: Caller,
        target: str | None = None,
        body: str = "{}",
        authorization: str | None = None,
        signed: bool = True,
    ) -> Reply:
        """One request; `authorization` replaces the signature, and without `signed` there is none."""
        headers = {"Content-Type": CONTENT_TYPE}
        if target is not None:
            headers["X-Amz-Target"] = target
        request = AWSRequest("POST", self.url, headers, body.encode())
        if authorization is not None:
            request.headers["Authorization"] = authorization
        elif signed:
            SigV4Auth(caller.credentials, "ecr", caller.region).add_auth(request)
        answered = self._session.send(request.prepare())
        try:
            content = json.loads(answered.content)
        except ValueError:
            content = answered.text
        return Reply(answered.status_code, content)

    def close(self) -> None:
        self._session.close()
