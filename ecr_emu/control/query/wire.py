"""IAM and STS, from the HTTP request to the answer: read, identify, find, do, write.

Every step of a request with the query protocol is on this page, and its only `try`.
"""

import uuid
from collections.abc import Iterable

from ecr_emu import errors
from ecr_emu.context import Call, Emulator, root_principal
from ecr_emu.control import callers
from ecr_emu.control.query import answers, forms, sts
from ecr_emu.control.query.forms import Form
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.wsgi import (
    ACCOUNT,
    REQUEST_ID,
    Environ,
    Response,
    StartResponse,
    client,
    drain,
    origin,
    read_body,
    respond,
)

# The largest documents of IAM have some ten thousand characters; encoded, three times as many bytes.
MAX_BODY_BYTES = 1024 * 1024
METHODS = ("GET", "POST")


def handle(emulator: Emulator, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request that `forms.is_query` has found to be one."""
    request_id = environ[REQUEST_ID] = str(uuid.uuid4())
    service = forms.service_of(environ, {})
    try:
        body, form = _read(environ)
        service = forms.service_of(environ, form)
        response = _answer(emulator, environ, service, body, form, request_id)
    except EcrError as error:
        response = answers.error(service, error, request_id)
    except Exception as problem:  # noqa: BLE001 - of_failure logs it
        failure = errors.of_query(errors.of_failure(problem, request_id))
        response = answers.error(service, failure, request_id)
    drain(environ)
    return respond(response, start_response)


def _read(environ: Environ) -> tuple[bytes, Form]:
    if environ["REQUEST_METHOD"] not in METHODS:
        raise errors.unsupported_method(environ["REQUEST_METHOD"])
    try:
        body = read_body(environ, MAX_BODY_BYTES)
    except EcrError as error:
        raise errors.of_query(error) from None
    return body, forms.read(environ, body)


def _answer(
    emulator: Emulator, environ: Environ, service: str, body: bytes, form: Form, request_id: str
) -> Response:
    action = form.get("Action", "")
    is_open = service == "sts" and action in sts.UNSIGNED
    if is_open:
        call = _anybody(emulator, environ, request_id)
    else:
        call = _identify(emulator, environ, body, request_id, service)
    environ[ACCOUNT] = call.principal.account
    if not action:
        raise errors.missing_action()
    access_key = _access_key(call, environ)
    if service == "iam":
        return _iam(call, action, form, access_key)
    if action in sts.NOT_BUILT:
        raise errors.action_not_built(action)
    if action not in sts.OPERATIONS:
        raise errors.invalid_action(action, form.get("Version", "2011-06-15"))
    members = sts.OPERATIONS[action](call, form, access_key)
    return answers.answer(service, action, members, request_id)


def _access_key(call: Call, environ: Environ) -> str:
    """The key that signed; where nobody looks, the one that is said to have."""
    if call.credential is not None:
        return call.credential.key_id
    scope = callers.claimed_scope(environ)
    return scope.access_key if scope else ""


def _iam(call: Call, action: str, form: Form, access_key: str) -> Response:
    # moto, and boto3 with it: most servers are never asked.
    try:
        from ecr_emu.control.query.moto_iam import answer
    except ImportError as problem:
        raise errors.moto_missing(str(problem)) from None
    return answer(call, action, form, access_key)


def _identify(emulator: Emulator, environ: Environ, body: bytes, request_id: str, service: str) -> Call:
    try:
        return callers.identify(emulator, environ, body, request_id, service)
    except EcrError as error:
        raise errors.of_query(error) from None


def _anybody(emulator: Emulator, environ: Environ, request_id: str) -> Call:
    """A call that nobody signed. Whoever it is, it is not the account: nothing may be decided by that."""
    settings = emulator.settings
    return Call(
        emulator,
        root_principal(settings.account),
        Registry(settings.account, settings.region),
        origin(environ, emulator),
        emulator.clock(),
        request_id,
        client(environ),
    )
