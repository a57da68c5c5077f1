"""The document that says who there is, read with the position of whatever is wrong.

    accounts: {"111122223333": {organization: o-abc, alias: team, root: {accessKeys: [{id: …, secret: …}]}}}
    users:
      - {name: alice, account: "111122223333", path: /, tags: {team: red}, accessKeys: [{id: …, secret: …}],
         policies: [{managed: …}, {name: …, document: {…}}], boundary: {…}}
    roles:
      - {name: deploy, account: …, trust: {…}, policies: [], boundary: {…}, tags: {},
         sessions: [{name: ci, accessKeyId: …, secret: …, token: …, expires: …, policy: {…}}]}

A policy is {managed: NAME}, {name: NAME, document: DOCUMENT}, or a document.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ecr_emu.domain import managed_policies, timestamps
from ecr_emu.domain.iam import policies
from ecr_emu.domain.principals import NONE, ROLE, ROOT, USER, Account, Document, Entry, Key, Name

# IAM API reference: the patterns of CreateUser, CreateRole and AssumeRole. Key ids may be shorter here.
_ACCOUNT = re.compile(r"[0-9]{12}")
_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
_PATH = re.compile(r"/|/[!-~]{1,510}/")
_UNIQUE_ID = re.compile(r"[A-Z0-9]{16,128}")
_KEY_ID = re.compile(r"[A-Za-z0-9_]{1,128}")
_SECRET = re.compile(r"[!-~]{1,4096}")
_TEXT = re.compile(r"[^\x00-\x1f\ud800-\udfff]{0,256}")

_OF_ENTRY = {"name", "account", "path", "id", "tags", "policies", "boundary", "arn"}
_OF_SESSION = {"name", "accessKeyId", "secret", "token", "expires", "policy", "arn"}


class Malformed(ValueError):
    """A document that is not understood: where, and what is wrong there, in one line."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)


def read(document: Any, default_account: str) -> Document:
    """The document. Entries that name no account are in the default one. Raises Malformed."""
    members = _members(document, "", {"accounts", "users", "roles"})
    accounts = _members(members.get("accounts", {}), "accounts")
    found = [_account(value, f"accounts.{number}", number) for number, value in accounts.items()]
    entries = {f"accounts.{root.name.account}.root": root for _, root in found if root is not None}
    for kind, what in ((USER, "users"), (ROLE, "roles")):
        for index, value in enumerate(_list(members.get(what, []), what)):
            where = f"{what}[{index}]"
            entries[where] = _entry(value, where, kind, default_account)
    _check_repeated(entries)
    return Document(tuple(account for account, _ in found), tuple(entries.values()))


def _account(value: Any, where: str, number: str) -> tuple[Account, Entry | None]:
    if not _ACCOUNT.fullmatch(number):
        raise Malformed(where, "an account is a text of 12 digits")
    members = _members(value, where, {"organization", "alias", "root"})
    said = [name for name in ("organization", "alias") if name in members]
    account = Account(number, **{name: _text(members, where, name, _TEXT) for name in said})
    if "root" not in members:
        return account, None
    root = _members(members["root"], f"{where}.root", {"accessKeys", "arn"})
    return account, Entry(Name(ROOT, number), keys=_keys(root, f"{where}.root"))


def _entry(value: Any, where: str, kind: str, default_account: str) -> Entry:
    only = {"accessKeys"} if kind == USER else {"trust", "sessions"}
    members = _members(value, where, _OF_ENTRY | only)
    account = _text({"account": default_account, **members}, where, "account", _ACCOUNT)
    given = {
        name: _text(members, where, member, pattern)
        for name, member, pattern in (("path", "path", _PATH), ("unique_id", "id", _UNIQUE_ID))
        if member in members
    }
    for name, parse in (("policies", _policies), ("boundary", _boundary), ("trust", _trust)):
        if name in members:
            given[name] = parse(members[name], f"{where}.{name}")
    return Entry(
        Name(kind, account, _text(members, where, "name", _NAME)),
        **given,
        tags=_tags(members["tags"], f"{where}.tags") if "tags" in members else None,
        keys=_keys(members, where) if kind == USER else _sessions(members, where),
    )


def _keys(members: Mapping[str, Any], where: str) -> tuple[Key, ...]:
    where = f"{where}.accessKeys"
    keys = []
    for index, value in enumerate(_list(members.get("accessKeys", []), where)):
        place = f"{where}[{index}]"
        key = _members(value, place, {"id", "secret"})
        keys.append(Key(_text(key, place, "id", _KEY_ID), _text(key, place, "secret", _SECRET)))
    return tuple(keys)


def _sessions(members: Mapping[str, Any], where: str) -> tuple[Key, ...]:
    where = f"{where}.sessions"
    sessions = _list(members.get("sessions", []), where)
    return tuple(_session(value, f"{where}[{index}]") for index, value in enumerate(sessions))


def _session(value: Any, where: str) -> Key:
    members = _members(value, where, _OF_SESSION)
    policy = NONE
    if "policy" in members:
        policy = json.dumps([_policy(members["policy"], f"{where}.policy", policies.SESSION, "session")])
    return Key(
        _text(members, where, "accessKeyId", _KEY_ID),
        _text(members, where, "secret", _SECRET),
        _text(members, where, "name", _NAME),
        _text(members, where, "token", _SECRET),
        _time(members["expires"], f"{where}.expires") if "expires" in members else None,
        policy,
    )


def _time(value: Any, where: str) -> float:
    try:
        return timestamps.parse(value)
    except (ValueError, TypeError, AttributeError):
        raise Malformed(where, "a time is a text as 2027-01-01T00:00:00Z") from None


def _policies(value: Any, where: str) -> str:
    entries = [
        _policy(policy, f"{where}[{index}]", policies.IDENTITY, f"policy-{index + 1}")
        for index, policy in enumerate(_list(value, where))
    ]
    return json.dumps(entries)


def _boundary(value: Any, where: str) -> str:
    """A list of one or none: null takes a boundary away."""
    return json.dumps([] if value is None else [_policy(value, where, policies.BOUNDARY, "boundary")])


def _trust(value: Any, where: str) -> str:
    return json.dumps([] if value is None else [_policy(value, where, policies.RESOURCE, "trust")])


def _policy(value: Any, where: str, kind: str, default_name: str) -> dict[str, Any]:
    """A policy as it is stored: by its name if AWS manages it, else with its document."""
    members = _members(value, where)
    if "managed" in members:
        return _managed(_members(value, where, {"managed"})["managed"], f"{where}.managed")
    if "document" in members:
        _members(value, where, {"name", "document"})
        name = _text({"name": default_name, **members}, where, "name", _TEXT)
        where, document = f"{where}.document", members["document"]
    else:
        name, document = default_name, value
    try:
        policies.parse(document, kind, name)
    except ValueError as problem:
        raise Malformed(where, str(problem)) from None
    return {"name": name, "document": document}


def _managed(value: Any, where: str) -> dict[str, str]:
    name = managed_policies.name_of(value) if isinstance(value, str) else None
    if name is None:
        raise Malformed(where, f"of the policies of AWS there are {', '.join(managed_policies.NAMES)}")
    return {"managed": name}


def _tags(value: Any, where: str) -> dict[str, str]:
    members = _members(value, where)
    return {name: _text(members, where, name, _TEXT) for name in members}


def _members(value: Any, where: str, known: set[str] | None = None) -> Mapping[str, Any]:
    """An object, with none but the known members."""
    if not isinstance(value, dict):
        raise Malformed(where, "must be an object" if where else "the document must be an object")
    unknown = sorted(map(str, set(value) - known)) if known is not None else []
    if unknown:
        raise Malformed(where, f"unknown member {unknown[0]}; there are {', '.join(sorted(known or ()))}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(where, "must be a list")
    return value


def _text(members: Mapping[str, Any], where: str, name: str, pattern: re.Pattern[str]) -> str:
    """A member that is a text of a form. The text itself is not shown: it may be a secret."""
    if name not in members:
        raise Malformed(f"{where}.{name}", "is missing")
    value = members[name]
    if not isinstance(value, str):
        raise Malformed(f"{where}.{name}", "must be text")
    if not pattern.fullmatch(value):
        raise Malformed(f"{where}.{name}", f"must match {pattern.pattern}")
    return value


def _check_repeated(entries: Mapping[str, Entry]) -> None:
    seen: dict[Name | str, str] = {}
    for where, entry in entries.items():
        _check_new(seen, entry.name, f"{where}.name")
        for index, key in enumerate(entry.keys):
            place = f"sessions[{index}].accessKeyId" if key.session_name else f"accessKeys[{index}].id"
            _check_new(seen, key.id, f"{where}.{place}")


def _check_new(seen: dict[Name | str, str], what: Name | str, where: str) -> None:
    if what in seen:
        raise Malformed(where, f"is the same as {seen[what]}")
    seen[what] = where
