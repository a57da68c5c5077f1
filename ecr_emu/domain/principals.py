"""Who can sign: users, roles, the sessions of roles and the roots of accounts, with keys and policies."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache

from ecr_emu.domain import managed_policies
from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.policies import Policy
from ecr_emu.domain.iam.requests import Principal

ROOT, USER, ROLE = "root", "user", "role"
# What a list of policies is when there are none.
NONE = "[]"
NO_TAGS = "{}"

_ARN = re.compile(r"arn:aws:iam::([0-9]{12}):(?:(root)|(user|role)(/(?:.*/)?)([^/]+))", re.ASCII)
_ACCOUNT = re.compile(r"(?:arn:aws:iam::)?([0-9]{12})(?::root)?", re.ASCII)
_SESSION_ARN = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([^/]+)/([^/]+)", re.ASCII)
_OF_ROOT = (
    '[{"name": "root", "document": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}]'
)
# IAM user guide, IAM identifiers.
_PREFIXES = {ROOT: "", USER: "AIDA", ROLE: "AROA"}


@dataclass(frozen=True, slots=True)
class Key:
    """An access key. One of a session has a name, a token and an end.

    `policies` and `tags` are those of the session: a JSON list and a JSON object.
    """

    id: str
    secret: str = field(repr=False)
    session_name: str = ""
    token: str = field(default="", repr=False)
    expires_at: float | None = None
    policies: str = NONE
    tags: str = NO_TAGS


@dataclass(frozen=True, slots=True)
class Name:
    """Which principal is meant. Names are unique in an account, whatever the path."""

    kind: str
    account: str
    name: str = ROOT


@dataclass(frozen=True, slots=True)
class Entry:
    """A user, a role, or the root of an account. What is None was not said.

    Policies, boundary and trust are JSON: a list of {"managed": …} and of {"name": …, "document": …}.
    """

    name: Name
    path: str | None = None
    unique_id: str | None = None
    policies: str | None = None
    boundary: str | None = None
    trust: str | None = None
    tags: Mapping[str, str] | None = None
    keys: tuple[Key, ...] = ()

    @property
    def arn(self) -> str:
        account = f"arn:aws:iam::{self.name.account}:"
        if self.name.kind == ROOT:
            return account + ROOT
        return f"{account}{self.name.kind}{self.path or '/'}{self.name.name}"

    def filled(self, earlier: "Entry | None" = None) -> "Entry":
        """With what was said earlier, and nothing, in the place of what was not said now."""
        old = earlier or Entry(self.name, "/", _unique_id(self.name), NONE, NONE, NONE, {})
        values = {member.name: getattr(self, member.name) for member in fields(self)}
        return replace(old, **{name: value for name, value in values.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of an account as such; None was not said."""

    number: str
    organization: str | None = None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """All that a file says, or a call."""

    accounts: tuple[Account, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """What goes with a principal in a decision."""

    policies: tuple[Policy, ...]
    boundary: Policy | None
    tags: Mapping[str, str]
    organization: str | None
    unique_id: str


@dataclass(frozen=True, slots=True)
class Credential:
    """Whose key it is, and what it takes to use it."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str | None = field(repr=False)
    expires_at: float | None
    principal: Principal
    identity: Identity
    session_policies: tuple[Policy, ...]


def credential(key: Key, entry: Entry, identity: Identity) -> Credential:
    """The key of an entry, ready for use.

    The tags of a session come before those of its role (IAM user guide, Pass session tags in STS). Whoever
    the root of an account federates has what the session policies allow.
    """
    if key.tags != NO_TAGS:
        identity = replace(identity, tags={**identity.tags, **json.loads(key.tags)})
    if key.session_name and entry.name.kind == ROOT:
        identity = replace(identity, policies=read_policies(_OF_ROOT, policies.IDENTITY))
    return Credential(
        key.id,
        key.secret,
        key.token or None,
        key.expires_at,
        _principal(entry, key.session_name, identity.unique_id),
        identity,
        read_policies(key.policies, policies.SESSION),
    )


def session_arn(name: Name, session: str) -> str:
    """Of a session of a role; of one of a user or a root, the ARN of whom they federated."""
    if name.kind != ROLE:
        return f"arn:aws:sts::{name.account}:federated-user/{session}"
    return f"arn:aws:sts::{name.account}:assumed-role/{name.name}/{session}"


def parse_arn(arn: str) -> tuple[Name, str | None] | None:
    """Which principal an ARN means and the name of the session, if it is one; None when it means none."""
    if match := _ARN.fullmatch(arn):
        account, root, kind, _, name = match.groups()
        return Name(root or kind, account, name or ROOT), None
    if match := _SESSION_ARN.fullmatch(arn):
        account, role, session = match.groups()
        return Name(ROLE, account, role), session
    return None


def account_of(name: str) -> str | None:
    """The account that a policy names, by number or as the ARN of its root; None when it names none."""
    match = _ACCOUNT.fullmatch(name)
    return match[1] if match else None


@lru_cache(maxsize=1024)
def read_policies(text: str, kind: str) -> tuple[Policy, ...]:
    """The policies of a stored list. They were checked before they were stored."""
    found = []
    for entry in json.loads(text):
        name = entry.get("managed") or entry["name"]
        document = managed_policies.document(name) if "managed" in entry else entry["document"]
        found.append(policies.parse(document, kind, name))
    return tuple(found)


def _principal(entry: Entry, session: str, unique_id: str) -> Principal:
    name = entry.name
    if session:
        arn = session_arn(name, session)
        if name.kind != ROLE:
            return Principal(arn, name.account, "federated-user", user_arn=entry.arn)
        return Principal(arn, name.account, "assumed-role", entry.arn, unique_id=unique_id)
    return Principal(entry.arn, name.account, name.kind, unique_id=unique_id)


def _unique_id(name: Name) -> str:
    """As long as AWS's, and always the same, so that policies can name it."""
    if name.kind == ROOT:
        return name.account
    digest = hashlib.sha256(f"{name.kind} {name.account} {name.name}".encode()).digest()
    return _PREFIXES[name.kind] + base64.b32encode(digest).decode()[:17]
