"""The registry, from the HTTP request to the answer: route, identify, do, write.

Every step of a data-plane request is on this page, and its only `try`.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from ecr_emu import errors
from ecr_emu.context import Call, Emulator, root_principal
from ecr_emu.core.keys import LoginToken
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.metrics import OPERATION
from ecr_emu.registry import routes
from ecr_emu.registry.errors import render
from ecr_emu.registry.request import Request, action_of
from ecr_emu.wsgi import (
    ACCOUNT,
    REQUEST_ID,
    Environ,
    Response,
    StartResponse,
    client,
    drain,
    new_request_id,
    origin,
    respond,
)

if TYPE_CHECKING:
    from ecr_emu.domain.principals import Credential

# No login token of ours makes a longer header.
MAX_REMEMBERED_BYTES = 2048
API_VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")

Handler = Callable[[Request], Response]
# File and function of a handler, and the action that it asks for on the repository.
Step = tuple[str, str]


# What answers which method of which resource, and what the caller must be allowed (reference, data plane 0).
# An upload in one request needs the actions of all its steps, and a mount reads the source as well.
_STEPS: Mapping[str, Mapping[str, Step]] = {
    "ping": {"GET": ("ping.get", ""), "HEAD": ("ping.get", "")},
    "catalog": {"GET": ("tags.catalog", "ecr:DescribeRepositories")},
    "tags": {"GET": ("tags.list_tags", "ecr:ListImages")},
    "manifest": {
        "GET": ("manifests.get", "ecr:BatchGetImage"),
        "HEAD": ("manifests.get", "ecr:BatchGetImage"),
        "PUT": ("manifests.put", "ecr:PutImage"),
        "DELETE": ("manifests.delete", "ecr:BatchDeleteImage"),
    },
    "blob": {
        "GET": ("blobs.get", "ecr:GetDownloadUrlForLayer"),
        "HEAD": ("blobs.get", "ecr:BatchCheckLayerAvailability"),
        "DELETE": ("blobs.delete", "ecr:BatchDeleteImage"),
    },
    "uploads": {"POST": ("uploads.start", "ecr:InitiateLayerUpload")},
    "upload": {
        "GET": ("uploads.status", "ecr:UploadLayerPart"),
        "PATCH": ("uploads.append", "ecr:UploadLayerPart"),
        "PUT": ("uploads.complete", "ecr:CompleteLayerUpload"),
        "DELETE": ("uploads.cancel", "ecr:UploadLayerPart"),
    },
    "referrers": {"GET": ("referrers.list_referrers", "ecr:BatchGetImage")},
}


@cache
def _handler(name: str) -> Handler:
    """A function of this folder. The first request of a client needs next to none of them."""
    module, _, function = name.partition(".")
    handler: Handler = getattr(import_module(f"ecr_emu.registry.{module}"), function)
    return handler


def handle(emulator: Emulator, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request under /v2/."""
    request_id = environ[REQUEST_ID] = new_request_id()
    try:
        response = _answer(emulator, environ, request_id)
    except EcrError as error:
        response = render(error)
    except Exception as problem:  # noqa: BLE001 - of_failure logs it
        response = render(errors.of_failure(problem, request_id))
    response.headers += (("x-amzn-RequestId", request_id), API_VERSION)
    return _send(environ, response, start_response)


def _blobs() -> ModuleType:
    from ecr_emu.registry import blobs

    return blobs


def handle_layer_url(emulator: Emulator, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a GET of a URL that GetDownloadUrlForLayer gave: the URL itself is the permission."""
    from ecr_emu.core import layer_urls

    request_id = environ[REQUEST_ID] = new_request_id()
    environ[OPERATION] = "layer URL"
    try:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise _wrong_method(environ, ("GET", "HEAD"))
        found, which = layer_urls.resolve(emulator, environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
        if environ["REQUEST_METHOD"] == "HEAD":
            response = _blobs().head(emulator, found, which)
        else:
            response = _blobs().answer(emulator, found, which, environ.get("HTTP_RANGE"))
    except EcrError as error:
        response = render(error)
    except Exception as problem:  # noqa: BLE001 - of_failure logs it
        response = render(errors.of_failure(problem, request_id))
    # On AWS this is S3, which calls it so.
    response.headers.append(("x-amz-request-id", request_id))
    return _send(environ, response, start_response)


def _send(environ: Environ, response: Response, start_response: StartResponse) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] == "HEAD":
        if isinstance(response.body, bytes) and not any(n == "Content-Length" for n, _ in response.headers):
            response.headers.append(("Content-Length", str(len(response.body))))
        response.body = b""
    drain(environ)
    return respond(response, start_response)


def _answer(emulator: Emulator, environ: Environ, request_id: str) -> Response:
    call = _identify(emulator, environ, request_id)
    environ[ACCOUNT] = call.principal.account
    route = routes.find(environ["PATH_INFO"])
    steps = _STEPS[route.kind]
    step = steps.get(environ["REQUEST_METHOD"])
    if step is None:
        raise _wrong_method(environ, steps)
    handler, action = step
    environ[OPERATION] = f"{environ['REQUEST_METHOD']} {route.kind}"
    request = Request(call, environ, action_of(environ, action), route.name, route.reference)
    do = _handler(handler)
    if not emulator.settings.has_trail:
        return do(request)
    from ecr_emu.registry import trail

    return trail.answer(request, do)


def _wrong_method(environ: Environ, allowed: Iterable[str]) -> EcrError:
    error = errors.unsupported_method(environ["REQUEST_METHOD"])
    error.headers.append(("Allow", ", ".join(allowed)))
    return error


def _identify(emulator: Emulator, environ: Environ, request_id: str) -> Call:
    """Who asks, by the login token, and which registry is meant, by the Host."""
    registry = emulator.hosts.registry(environ.get("HTTP_HOST", "").partition(":")[0])
    now = emulator.clock()
    credential = None
    if emulator.settings.auth == "open":
        principal = root_principal(registry.account)
    else:
        token = _log_in(emulator, environ, registry, now)
        principal = token.principal
        if emulator.settings.auth == "iam":
            credential = _known(emulator, token, now)
            principal = credential.principal
    return Call(
        emulator,
        principal,
        registry,
        origin(environ, emulator),
        now,
        request_id,
        client(environ),
        credential,
    )


def _known(emulator: Emulator, token: LoginToken, now: float) -> "Credential":
    """The key that the token was made with; a token loses its power with it."""
    from ecr_emu.store import principals

    key = token.key_id
    credential = emulator.store.recall(key, lambda connection: principals.find_key(connection, key))
    # The key with this id may be somebody else's by now.
    if credential is None or credential.principal.arn != token.principal.arn:
        raise errors.token_invalid()
    if credential.expires_at is not None and now >= credential.expires_at:
        raise errors.token_expired()
    return credential


def _log_in(emulator: Emulator, environ: Environ, registry: Registry, now: float) -> LoginToken:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    # A stranger's long header is not worth the memory.
    read = _credentials if len(authorization) <= MAX_REMEMBERED_BYTES else _credentials.__wrapped__
    scheme, user, password = read(authorization)
    if scheme != "basic":
        raise _challenge(emulator, environ)
    # A login token is a JWT; anything else was never one of ours.
    if user != "AWS" or password.count(".") != 2:
        raise _challenge(emulator, environ)
    token = emulator.keys.check_login_token(password, now)
    if token.region != registry.region:
        raise errors.token_of_other_region(token.region, registry.region)
    return token


@lru_cache(maxsize=1024)
def _credentials(authorization: str) -> tuple[str, str, str]:
    """Scheme, user and password; clients send the same header again and again."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return scheme, "", ""
    try:
        user, colon, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise errors.credentials_malformed() from None
    if not colon or password != "".join(password.split()):
        raise errors.credentials_malformed()
    return "basic", user, password


def _challenge(emulator: Emulator, environ: Environ) -> EcrError:
    return errors.not_authenticated(f'Basic realm="{origin(environ, emulator)}/",service="ecr.amazonaws.com"')
