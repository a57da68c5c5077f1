"""Who signs here because moto knows it: moto's users and roles as entries of our own, and what changed."""

import json
from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any

from moto.iam.models import Group, IAMBackend, ManagedPolicy, Role, User

from ecr_emu import errors
from ecr_emu.domain import managed_policies
from ecr_emu.domain.iam import policies
from ecr_emu.domain.principals import NONE, ROLE, USER, Document, Entry, Key, Name
from ecr_emu.store import principals

Entries = Mapping[Name, Entry]


def entries(backend: IAMBackend) -> Entries:
    """All users and roles of an account. Raises NoSuchEntity for a boundary that is no policy."""
    found = [_user(backend, user) for user in backend.users.values()]
    found += [_role(backend, role) for role in backend.roles.values()]
    return {entry.name: entry for entry in found}


def apply(connection: Connection, before: Entries, after: Entries) -> None:
    """Bring what changed to the principals of this server.

    Raises EntityAlreadyExists for a new one whose name somebody has who did not come from moto, and
    MalformedPolicyDocument for a policy that cannot be evaluated here.
    """
    for name, old in before.items():
        if name not in after:
            principals.delete(connection, old.arn)
    changed = [entry for name, entry in after.items() if entry != before.get(name)]
    for entry in changed:
        if entry.name not in before and principals.find_entry(connection, entry.name) is not None:
            raise errors.iam_entity_exists(entry.name.kind, entry.name.name)
        _check(entry)
        kept = {key.id for key in entry.keys}
        for key in before[entry.name].keys if entry.name in before else ():
            if key.id not in kept:
                principals.delete_key(connection, key.id)
    principals.put(connection, Document((), tuple(changed)))


def _user(backend: IAMBackend, user: User) -> Entry:
    groups = [group for group in backend.groups.values() if user in group.users]
    tags = backend.tagger.get_tag_dict_for_resource(user.arn)
    return Entry(
        Name(USER, user.account_id, user.name),
        user.path,
        user.id,
        json.dumps(sum(map(_policies, groups), _policies(user))),
        NONE,
        NONE,
        {str(key): str(value) for key, value in tags.items()},
        tuple(
            Key(key.access_key_id, key.secret_access_key)
            for key in user.access_keys
            if key.status == "Active"
        ),
    )


def _role(backend: IAMBackend, role: Role) -> Entry:
    return Entry(
        Name(ROLE, role.account_id, role.name),
        role.path,
        role.id,
        json.dumps(_policies(role)),
        json.dumps(list(_boundary(backend, role.permissions_boundary_arn))),
        json.dumps([{"name": "trust", "document": _parsed(role.assume_role_policy_document)}]),
        {tag["Key"]: tag["Value"] for tag in role.tags},
    )


def _policies(holder: User | Group | Role) -> list[dict[str, Any]]:
    inline = [{"name": name, "document": _parsed(text)} for name, text in holder.policies.items()]
    return inline + [_managed(policy) for policy in holder.managed_policies.values()]


def _managed(policy: ManagedPolicy) -> dict[str, Any]:
    """One that AWS manages and that we have is kept by name: ours is the newer one."""
    if managed_policies.name_of(policy.arn):
        return {"managed": policy.name}
    (document,) = [v.document for v in policy.versions if v.version_id == policy.default_version_id]
    return {"name": policy.name, "document": _parsed(document)}


def _boundary(backend: IAMBackend, arn: str | None) -> Iterable[dict[str, Any]]:
    if arn:
        if arn not in backend.managed_policies:
            raise errors.iam_entity_missing(f"Scope ARN: {arn} does not exist or is not attachable.")
        yield _managed(backend.managed_policies[arn])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise errors.malformed_policy_document("This policy contains invalid Json") from None


def _check(entry: Entry) -> None:
    """Whether this server understands all policies of a changed entry."""
    kinds = (
        (entry.policies, policies.IDENTITY),
        (entry.boundary, policies.BOUNDARY),
        (entry.trust, policies.RESOURCE),
    )
    for text, kind in kinds:
        for policy in json.loads(text or NONE):
            if "document" in policy:
                try:
                    policies.parse(policy["document"], kind, policy["name"])
                except ValueError as problem:
                    raise errors.malformed_policy_document(str(problem)) from None
