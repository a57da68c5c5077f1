"""Raw HTTP to both planes, on one connection, where a server that goes is an Unanswered and nothing else."""

import base64
import hashlib
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from conformance.crash.oracle import Unanswered

SCOPE = (
    "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
)
TARGET = "AmazonEC2ContainerRegistry_V20150921."
TIMEOUT_SECONDS = 60


class Surprise(AssertionError):
    """An answer that no server should give."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        parts = urlsplit(self.headers["Location"])
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


class Wire:
    """One connection, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        expected: tuple[int, ...] = (200,),
        **headers: str,
    ) -> Answer:
        """Raises Unanswered, or Surprise when the answer is none of those expected."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        is_stream = not isinstance(body, bytes)
        if is_stream:
            named["Transfer-Encoding"] = "chunked"
        try:
            self._connection.request(method, path, body, named, encode_chunked=is_stream)
            response = self._connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as gone:
            self._connection.close()
            raise Unanswered(f"{method} {path}: {gone!r}") from gone
        if answer.status not in expected:
            raise Surprise(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer

    def call(self, operation: str, *refusals: str, **members: Any) -> dict[str, Any]:
        """What an operation of the JSON API answers; {"refused": code} for one of the errors named."""
        body = json.dumps(members).encode()
        answer = self.ask(
            "POST",
            "/",
            body,
            (200, 400) if refusals else (200,),
            X_Amz_Target=TARGET + operation,
            Authorization=SCOPE,
            Content_Type="application/x-amz-json-1.1",
        )
        document: dict[str, Any] = json.loads(answer.body)
        if answer.status == 200:
            return document
        code = document["__type"].rpartition("#")[2]
        if code not in refusals:
            raise Surprise(f"{operation} {members}: {document}")
        return {"refused": code}


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
