"""Temporary keys: what STS hands out, kept where every other key is."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.query.forms import Form, listed
from ecr_emu.domain import managed_policies, timestamps
from ecr_emu.domain.credentials import session_key_of
from ecr_emu.domain.iam import policies
from ecr_emu.domain.principals import NO_TAGS, NONE, Document, Entry, Key, Name
from ecr_emu.store import principals

# Long enough for a client to be told that its session is over, and not that it never was.
KEPT_SECONDS = 86_400
# STS API reference: the plain text of a session policy, the number of ARNs, and tags.
MAX_POLICY_CHARACTERS = 2048
MAX_POLICY_ARNS = 10
MAX_TAGS, MAX_TAG_NAME, MAX_TAG_VALUE = 50, 128, 256
# What a hundred percent of a packed policy is taken to be.
PACKED_CHARACTERS = 30_000


@dataclass(frozen=True, slots=True)
class Session:
    """What is asked for. The name is "" for a key of a user's own; policies and tags are as they are kept."""

    name: str
    seconds: int
    policies: str = NONE
    tags: str = NO_TAGS


def begin(call: Call, owner: Name, session: Session) -> Mapping[str, str]:
    """A key of a principal for some time of the emulator's clock, as the member Credentials.

    Of a principal that is not known here nothing is kept: its key says the account and no more.
    """
    ends_at = float(int(call.now) + session.seconds)
    key = Key(
        session_key_of(owner.account, secrets.randbits(39)),
        secrets.token_urlsafe(30),
        session.name,
        secrets.token_urlsafe(96),
        ends_at,
        session.policies,
        session.tags,
    )
    with call.store.write() as transaction:
        principals.delete_expired(transaction, call.now - KEPT_SECONDS)
        if principals.find_entry(transaction, owner) is not None:
            principals.put(transaction, Document((), (Entry(owner, keys=(key,)),)))
    return {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "SessionToken": key.token,
        "Expiration": timestamps.text(ends_at),
    }


def packed_percent(session: Session) -> str | None:
    """How much of AWS's room the policies and tags take, by their length; how AWS packs them is not known."""
    size = len(session.policies) + len(session.tags)
    is_empty = (session.policies, session.tags) == (NONE, NO_TAGS)
    return None if is_empty else str(min(100, 1 + size * 100 // PACKED_CHARACTERS))


def tags_of(form: Form) -> str:
    """The tags that a request brings, as they are kept. Raises ValidationError."""
    names = list(listed(form, "Tags.member.N.Key"))
    tags = {name: form.get(f"Tags.member.{number}.Value", "") for number, name in enumerate(names, 1)}
    is_long = any(len(name) > MAX_TAG_NAME or len(value) > MAX_TAG_VALUE for name, value in tags.items())
    if len(names) > MAX_TAGS or is_long or "" in tags:
        raise errors.validation_error(
            f"There can be {MAX_TAGS} tags, with names of 1 to {MAX_TAG_NAME} characters and values of up to "
            f"{MAX_TAG_VALUE}"
        )
    if len({name.lower() for name in names}) < len(names):
        raise errors.validation_error("Duplicate tag keys found. Tag keys are case insensitive.")
    return json.dumps(tags)


def policies_of(form: Form) -> str:
    """The session policies that a request brings, as they are kept. Raises AWS's errors."""
    arns = list(listed(form, "PolicyArns.member.N.arn"))
    if len(arns) > MAX_POLICY_ARNS:
        raise errors.validation_error(f"There are more than {MAX_POLICY_ARNS} policy ARNs")
    found: list[dict[str, Any]] = [_managed(arn) for arn in arns]
    if form.get("Policy"):
        found.append({"name": "session", "document": _document(form["Policy"])})
    return json.dumps(found)


def _managed(arn: str) -> dict[str, str]:
    name = managed_policies.name_of(arn)
    if name is None or name == arn:
        known = ", ".join(managed_policies.NAMES)
        raise errors.validation_error(
            f"As a session policy ecr-emu knows the managed policies {known}, and not {arn[:300]}"
        )
    return {"managed": name}


def _document(text: str) -> Any:
    if len(text) > MAX_POLICY_CHARACTERS:
        raise errors.invalid_query_member(
            [
                "Value at 'policy' failed to satisfy constraint: Member must have length less than or equal "
                f"to {MAX_POLICY_CHARACTERS}"
            ]
        )
    try:
        document = json.loads(text)
        policies.parse(document, policies.SESSION, "session")
    except (ValueError, RecursionError) as problem:
        raise errors.malformed_policy_document(f"The passed in policy is not understood: {problem}") from None
    return document
