"""The JSON API, from the HTTP request to the answer: identify, read, do, write.

Every step of a control-plane request is on this page, and its only `try`.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ecr_emu import errors
from ecr_emu.context import Emulator
from ecr_emu.control import callers, operations
from ecr_emu.control.codec import Codec
from ecr_emu.control.model import Model, load
from ecr_emu.core import trail
from ecr_emu.errors import EcrError
from ecr_emu.metrics import OPERATION
from ecr_emu.wsgi import (
    ACCOUNT,
    REQUEST_ID,
    Environ,
    Response,
    StartResponse,
    drain,
    new_request_id,
    read_body,
    respond,
)

CONTENT_TYPE = "application/x-amz-json-1.1"
# A layer part of 20,971,520 bytes in base64, and room for the other members.
MAX_BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Built:
    """An operation with its reader and writer."""

    name: str
    read: Callable[[object], dict[str, Any]]
    do: operations.Operation
    write: Callable[[Any], Any]


class Control:
    """The entrance of the JSON API."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.model: Model = load()
        codec = Codec(self.model)
        self._read_findings = codec.reader_of("ImageScanFindings")
        names = self.model.operation_names
        self._built = {
            names[name]: _Built(names[name], codec.reader(names[name]), do, codec.writer(names[name]))
            for name, do in operations.implemented().items()
        }

    @property
    def implemented(self) -> list[str]:
        return sorted(self._built)

    def read_findings(self, findings: Mapping[str, Any]) -> dict[str, Any]:
        """An object in the shape of the API's findings, without unknown members. Raises ValueError."""
        try:
            return self._read_findings(findings)
        except EcrError as error:
            raise ValueError(error.message) from None

    def handle(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = environ[REQUEST_ID] = str(uuid.UUID(new_request_id(), version=4))
        try:
            built = self._find(environ)
            environ[OPERATION] = built.name
            body = read_body(environ, MAX_BODY_BYTES)
            call = callers.identify(self._emulator, environ, body, request_id)
            environ[ACCOUNT] = call.principal.account
            request = built.read(_parse(body))
            answer = built.write(trail.do(call, built.name, request, built.do))
            response = _response(200, answer, request_id)
        except EcrError as error:
            response = _error(error, request_id)
        except Exception as problem:  # noqa: BLE001 - of_failure logs it
            response = _error(errors.of_failure(problem, request_id), request_id)
        drain(environ)
        return respond(response, start_response)

    def _find(self, environ: Environ) -> _Built:
        """The operation that X-Amz-Target names."""
        if environ["REQUEST_METHOD"] != "POST":
            raise errors.unsupported_method(environ["REQUEST_METHOD"])
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        prefix, _, name = target.partition(".")
        if prefix != self.model.target_prefix or name not in self.model.operations:
            raise errors.unknown_operation(target)
        if name not in self._built:
            raise errors.not_implemented(name)
        return self._built[name]


def _parse(body: bytes) -> object:
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise errors.serialization("The request body is not JSON") from None


def _response(status: int, content: Mapping[str, Any], request_id: str) -> Response:
    headers = [("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", request_id)]
    return Response(status, headers, orjson.dumps(content))


def _error(error: EcrError, request_id: str) -> Response:
    content = {"__type": error.code, "message": error.message, **error.members}
    response = _response(error.status, content, request_id)
    response.headers.extend(error.headers)
    return response
