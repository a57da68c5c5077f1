"""/_emu/iam: who there is, without secrets; adding and removing principals and keys at run time."""

import json
from typing import Any

from flask import Flask, abort, jsonify
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin, body, refuse
from ecr_emu.core.principals import merge
from ecr_emu.domain import timestamps
from ecr_emu.domain.iam_documents import Malformed
from ecr_emu.domain.principals import NONE, ROLE, ROOT, USER, Account, Document, Entry, Key, Name, session_arn
from ecr_emu.store import principals

EXAMPLES = '{"arn": "arn:aws:iam::111122223333:user/alice"} or {"accessKeyId": "AKIAIOSFODNN7EXAMPLE"}'


def add(pages: Flask, admin: Admin) -> None:
    store = admin.emulator.store

    @pages.get("/_emu/iam")
    def show_principals() -> ResponseReturnValue:
        with store.snapshot() as connection:
            return jsonify(shown(principals.everything(connection)))

    @pages.post("/_emu/iam")
    def put_principals() -> ResponseReturnValue:
        try:
            document = merge(store, body(), admin.emulator.settings.account)
        except Malformed as problem:
            refuse(str(problem))
        keys = [key.id for entry in document.entries for key in entry.keys]
        with store.read() as connection:
            known = {entry.name: entry.arn for entry in principals.everything(connection).entries}
        return jsonify(arns=[known[entry.name] for entry in document.entries], accessKeyIds=keys)

    @pages.delete("/_emu/iam")
    def delete_principal() -> ResponseReturnValue:
        wanted = body()
        ((member, value),) = wanted.items() if len(wanted) == 1 else (("", ""),)
        if member not in ("arn", "accessKeyId") or not isinstance(value, str):
            refuse(f"say what to delete: {EXAMPLES}")
        remove = principals.delete if member == "arn" else principals.delete_key
        with store.write() as transaction:
            if not remove(transaction, value):
                abort(404, f"there is no {value[:300]}")
        return jsonify(deleted=value)


def shown(document: Document) -> dict[str, Any]:
    """The document in the form in which it is given, with ARNs, and without secrets and tokens."""
    roots = {entry.name.account: entry for entry in document.entries if entry.name.kind == ROOT}
    accounts = {account.number: account for account in document.accounts}
    return {
        "accounts": {
            number: _account(accounts.get(number), roots.get(number))
            for number in sorted({*accounts, *roots})
        },
        "users": [_entry(entry) for entry in document.entries if entry.name.kind == USER],
        "roles": [_entry(entry) for entry in document.entries if entry.name.kind == ROLE],
    }


def _account(account: Account | None, root: Entry | None) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if account is not None:
        about = {"organization": account.organization, "alias": account.alias}
    if root is not None:
        about["root"] = {"arn": root.arn, "accessKeys": [{"id": key.id} for key in root.keys]}
    return {name: value for name, value in about.items() if value is not None}


def _entry(entry: Entry) -> dict[str, Any]:
    about: dict[str, Any] = {
        "arn": entry.arn,
        "name": entry.name.name,
        "account": entry.name.account,
        "path": entry.path,
        "id": entry.unique_id,
        "tags": entry.tags,
        "policies": json.loads(entry.policies or NONE),
        **_policy("boundary", entry.boundary),
    }
    if entry.name.kind == USER:
        return {**about, "accessKeys": [{"id": key.id} for key in entry.keys]}
    sessions = [_session(entry.name, key) for key in entry.keys]
    return {**about, **_policy("trust", entry.trust), "sessions": sessions}


def _session(role: Name, key: Key) -> dict[str, Any]:
    expires = {} if key.expires_at is None else {"expires": timestamps.text(key.expires_at)}
    about = {"arn": session_arn(role, key.session_name), "name": key.session_name, "accessKeyId": key.id}
    return {**about, **expires, **_policy("policy", key.policies)}


def _policy(name: str, text: str | None) -> dict[str, Any]:
    """The one policy of a list as the member of this name, if there is one."""
    found = json.loads(text or NONE)
    return {name: found[0]} if found else {}
