"""The JSON API, from the HTTP request to the answer: identify, read, do, write.

Every step of a control-plane request is on this page, and its only `try`.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ecr_emu import errors
from ecr_emu.context import Call, Emulator, root_principal
from ecr_emu.control import operations
from ecr_emu.control.codec import Codec
from ecr_emu.control.model import Model, load
from ecr_emu.domain import credentials
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.principals import Credential
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.wsgi import Environ, Response, StartResponse, client, drain, origin, read_body, respond

CONTENT_TYPE = "application/x-amz-json-1.1"
# A layer part of 20,971,520 bytes in base64, and room for the other members.
MAX_BODY_BYTES = 32 * 1024 * 1024

log = logging.getLogger(__name__)


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
        names = self.model.operation_names
        self._built = {
            names[name]: _Built(names[name], codec.reader(names[name]), do, codec.writer(names[name]))
            for name, do in operations.implemented().items()
        }

    @property
    def implemented(self) -> list[str]:
        return sorted(self._built)

    def handle(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())
        try:
            built = self._find(environ)
            body = read_body(environ, MAX_BODY_BYTES)
            call = self._identify(environ, body, request_id)
            request = built.read(_parse(body))
            answer = built.write(built.do(call, request))
            response = _response(200, answer, request_id)
        except EcrError as error:
            response = _error(error, request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            response = _error(errors.internal_failure(), request_id)
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

    def _identify(self, environ: Environ, body: bytes, request_id: str) -> Call:
        """Who calls, and where: from the signature, which is verified where keys are known."""
        known = self._emulator.settings.auth == "iam"
        principal, credential, registry = self._verify(environ, body) if known else self._believe(environ)
        return Call(
            self._emulator,
            principal,
            registry,
            origin(environ, self._emulator),
            self._emulator.clock(),
            request_id,
            client(environ),
            credential,
        )

    def _believe(self, environ: Environ) -> tuple[Principal, None, Registry]:
        """The account and the region that the credential scope names."""
        authorization = environ.get("HTTP_AUTHORIZATION")
        settings = self._emulator.settings
        account, region = settings.account, settings.region
        if authorization is not None:
            scope = credentials.parse_scope(authorization)
            if scope is None:
                raise errors.incomplete_signature(
                    "Authorization header requires 'Credential' parameter with a credential scope."
                )
            account = credentials.account_of_access_key(scope.access_key) or account
            region = scope.region
        elif settings.auth != "open":
            raise errors.missing_authentication_token()
        return root_principal(account), None, Registry(account, region)

    def _verify(self, environ: Environ, body: bytes) -> tuple[Principal, Credential, Registry]:
        """The principal whose key signed the request, in the region that it was signed for."""
        # hmac and what belongs to it: most servers never verify a signature.
        from ecr_emu.control.signatures import authenticate, signed_request

        clock = self._emulator.clock
        with self._emulator.store.read() as connection:
            claim, credential = authenticate(
                connection, signed_request(environ, body), clock.machine_now(), clock()
            )
        principal = credential.principal
        return principal, credential, Registry(principal.account, claim.credential.region)


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
    return _response(error.status, content, request_id)
