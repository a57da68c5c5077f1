"""IAM, answered by moto: what it knows of the account is read, it answers, and what it knows then is written.

Importing this imports moto. moto keeps its state in one global place of the process; it is filled for a
request and put back after it, so that emulators in one process, and a test's own use of moto, do not meet.
"""

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from sqlite3 import Connection
from typing import Any
from urllib.parse import urlencode

import moto
from moto.core.base_backend import backend_lock
from moto.core.model_instances import reset_model_data
from moto.core.request import Request
from moto.core.utils import camelcase_to_underscores, get_service_model, method_names_from_class
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.responses import IamResponse

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.query import answers, constraints, mirror, moto_state, permissions, resources
from ecr_emu.control.query.forms import CONTENT_TYPE, Form
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.principals import ROLE, USER, Name
from ecr_emu.store import moto_states, principals
from ecr_emu.store.moto_states import State
from ecr_emu.wsgi import Response

log = logging.getLogger(__name__)

_READING = ("Get", "List", "Simulate")
_NUMBER = re.compile(r"[0-9]{1,9}")
_REQUEST_ID = re.compile(r"(?<=<RequestId>)[^<]*(?=</RequestId>)")
# What moto would answer with somebody whom it makes up, when nobody is named.
_OF_CALLER = ("CreateAccessKey", "GetUser", "ListAccessKeys")
# Where moto 5.2.5 fails on what a client got wrong; found by trying 18,000 forms.
_SLIPS = {
    "CreateServiceLinkedRole": lambda: errors.iam_invalid_input("AWSServiceName is no name of a service"),
    "RemoveRoleFromInstanceProfile": lambda: errors.iam_entity_missing("The role is not in the profile."),
}
_BUILT = frozenset(method_names_from_class(IamResponse))


class _Iam(IamResponse):
    """moto's answers to a caller whom we have found out, and let in."""

    def __init__(self, account: str, access_key: str) -> None:
        super().__init__()
        self._account = account
        self._key = access_key

    def get_current_account(self) -> str:
        return self._account

    def get_access_key(self) -> str:
        return self._key

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        """Done before, by this server's rules; moto's are not asked."""


def answer(call: Call, action: str, form: Form, access_key: str) -> Response:
    """Answer an operation of IAM. Raises the errors of IAM that moto does not know, or gets wrong."""
    model: Any = get_service_model("iam")
    if action not in model.operation_names:
        raise errors.invalid_action(action, form.get("Version", "2010-05-08"))
    shape = model.operation_model(action).input_shape
    form = _of_caller(call, action, _of_action(form, shape), access_key, shape)
    constraints.check(shape, form)
    if "Marker" in form and not _NUMBER.fullmatch(form["Marker"]):
        raise errors.validation_error("Invalid Marker.")
    do = _look if action.startswith(_READING) else _change
    with backend_lock:
        try:
            return do(call, form, access_key)
        except moto_state.Unreadable as problem:
            _forget(call, problem)
            return do(call, form, access_key)


def _of_action(form: Form, shape: Any) -> Form:
    """The form without what is no member of the action: permissions are asked for what is in it."""
    known = {"Action", "Version", *(shape.members if shape else ())}
    return {name: value for name, value in form.items() if name.partition(".")[0] in known}


def _authorize(call: Call, backend: IAMBackend, form: Form) -> None:
    """Let the action pass, or raise AccessDenied, or NotImplemented."""
    action = form["Action"]

    def find_path(kind: str, name: str) -> str | None:
        if kind in (ROLE, USER):
            with call.store.read() as connection:
                found = principals.find_entry(connection, Name(kind, call.registry.account, name))
            return found.path if found else None
        return _path(backend, kind, name)

    for resource in resources.of(call.registry.account, action, form, find_path):
        permissions.check(call, f"iam:{action}", resource, resources.context(form))
    _check_built(action, form)


def _path(backend: IAMBackend, kind: str, name: str) -> str | None:
    things: dict[str, Mapping[str, Any]] = {
        "group": backend.groups,
        "instance-profile": backend.instance_profiles,
        "server-certificate": {each.cert_name: each for each in backend.certificates.values()},
    }
    found = things[kind].get(name)
    return found.path or "/" if found else None


def _check_built(action: str, form: Form) -> None:
    if camelcase_to_underscores(action) not in _BUILT:
        raise errors.action_not_built(action)
    if action == "CreateUser" and form.get("PermissionsBoundary"):
        # moto would forget it, and the user could do more than was said.
        raise errors.action_not_built("CreateUser with a PermissionsBoundary")


def _of_caller(call: Call, action: str, form: Form, access_key: str, shape: Any) -> Form:
    """The form with the caller's own name where IAM takes that for a name that was not given."""
    if shape is None or "UserName" not in shape.members or "UserName" in shape.required_members:
        return form
    principal = _caller(call, access_key)
    if form.get("UserName"):
        return form
    if principal.kind == "user":
        return {**form, "UserName": principal.name}
    if action in _OF_CALLER or call.credential is not None:
        raise errors.validation_error("Must specify userName when calling with non-User credentials")
    return form


def _caller(call: Call, access_key: str) -> Principal:
    if call.credential is not None:
        return call.principal
    with call.store.read() as connection:
        known = principals.find_key(connection, access_key)
    return known.principal if known else call.principal


def _look(call: Call, form: Form, access_key: str) -> Response:
    with call.store.read() as connection:
        backend = _load(connection, call.registry.account)
    _authorize(call, backend, form)
    return _ask(call, backend, form, access_key)


def _change(call: Call, form: Form, access_key: str) -> Response:
    """An operation that may change something: all of it happens, or nothing."""
    account = call.registry.account
    with call.store.write() as transaction:
        backend = _load(transaction, account)
        _authorize(call, backend, form)
        before = mirror.entries(backend)
        response = _ask(call, backend, form, access_key)
        if response.status < HTTPStatus.BAD_REQUEST:
            after = mirror.entries(backend)
            mirror.apply(transaction, before, after)
            names = json.dumps([[name.kind, name.name] for name in after])
            moto_states.put(transaction, account, State(moto.__version__, moto_state.dump(backend), names))
    return response


def _load(connection: Connection, account: str) -> IAMBackend:
    """What moto knows of an account. Raises Unreadable."""
    kept = moto_states.find(connection, account)
    return moto_state.load(kept.content, account) if kept else moto_state.empty(account)


def _forget(call: Call, problem: Exception) -> None:
    """Drop what another version of moto left, with whom it brought: nobody could change them any more."""
    account = call.registry.account
    with call.store.write() as transaction:
        kept = moto_states.find(transaction, account)
        for kind, name in json.loads(kept.names) if kept else ():
            entry = principals.find_entry(transaction, Name(kind, account, name))
            if entry is not None:
                principals.delete(transaction, entry.arn)
        moto_states.delete(transaction, account)
    log.warning(
        "what moto %s knew of IAM in account %s cannot be read by moto %s, and is forgotten: %s",
        *(kept.version if kept else "", account, moto.__version__, problem),
    )


def _ask(call: Call, backend: IAMBackend, form: Form, access_key: str) -> Response:
    """moto's answer to a request that has nothing of the client's but its form."""
    request = Request.from_primitives(
        "POST", "https://iam.amazonaws.com/", {"Content-Type": CONTENT_TYPE}, urlencode(form).encode()
    )
    with _alone(call.registry.account, backend):
        asked = _Iam(call.registry.account, access_key)
        asked.setup_class(request)
        try:
            status, _, body = asked.call_action()
        except (LookupError, ValueError):
            if form["Action"] not in _SLIPS:
                raise
            raise _SLIPS[form["Action"]]() from None
    text = body.decode() if isinstance(body, bytes) else str(body)
    return answers.whole(int(status), _REQUEST_ID.sub(call.request_id, text), call.request_id)


@contextlib.contextmanager
def _alone(account: str, backend: IAMBackend) -> Iterator[None]:
    """Inside, moto knows of this account only. The caller holds moto's lock."""
    others = dict(iam_backends)
    iam_backends.clear()
    iam_backends[account][moto_state.PARTITION] = backend
    try:
        yield
    finally:
        iam_backends.clear()
        iam_backends.update(others)
        # moto remembers every object that it ever made, for a page of its own.
        reset_model_data()
