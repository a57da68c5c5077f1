"""Operations of STS, each of which answers with the members of its result.

AWS STS API reference, a page for each. Nothing here needs moto: keys, clock and decisions are ours.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.query import permissions, resources, sessions, web_identity
from ecr_emu.control.query.forms import Form
from ecr_emu.control.query.sessions import Session
from ecr_emu.domain import credentials
from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.requests import Principal, Request, Values
from ecr_emu.domain.principals import NO_TAGS, NONE, ROLE, Entry, Name, parse_arn, read_policies, session_arn
from ecr_emu.store import principals

Members = Mapping[str, Any]

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_DURATION = re.compile(r"[0-9]{1,6}")
_FEDERATED_NAME = re.compile(r"[\w+=,.@-]{2,32}", re.ASCII)
_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)
_HOUR = 3600
# Lowest, highest and default seconds of a session.
_OF_ROLE = (900, 12 * _HOUR, _HOUR)
_OF_USER = (900, 36 * _HOUR, 12 * _HOUR)


def get_caller_identity(call: Call, form: Form, access_key: str) -> Members:
    """Needs no permission."""
    principal, _ = _caller(call, access_key)
    return {"UserId": _user_id(principal), "Account": principal.account, "Arn": principal.arn}


def get_access_key_info(call: Call, form: Form, access_key: str) -> Members:
    wanted = _matching(form, "AccessKeyId", _KEY_ID)
    permissions.check(call, "sts:GetAccessKeyInfo", "*", {})
    with call.store.read() as connection:
        known = principals.find_key(connection, wanted)
    account = known.principal.account if known else credentials.account_of_access_key(wanted)
    return {"Account": account or call.emulator.settings.account}


def assume_role(call: Call, form: Form, access_key: str) -> Members:
    name, arn = _role(form)
    session = _session(form)
    more = _context(form, session)
    if "ExternalId" in form:
        more["sts:externalid"] = (_matching(form, "ExternalId", _EXTERNAL_ID),)
    role = _known(call, name, arn)
    _check_assuming(call, role, arn, _taking("sts:AssumeRole", form, session), more)
    if call.principal.kind == "assumed-role" and session.seconds > _HOUR:
        raise errors.validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining"
        )
    return {
        "Credentials": sessions.begin(call, name, session),
        "AssumedRoleUser": _assumed(role, session),
        "PackedPolicySize": sessions.packed_percent(session),
        "SourceIdentity": form.get("SourceIdentity"),
    }


def assume_role_with_web_identity(call: Call, form: Form, access_key: str) -> Members:
    """Not signed: the token says who asks, and the role's trust in its issuer decides."""
    name, arn = _role(form)
    # Tags would come in the token, and those nobody reads: the operation has no member for them.
    form = {member: value for member, value in form.items() if not member.startswith("Tags.")}
    session = _session(form)
    claims = web_identity.read(form.get("WebIdentityToken", ""), call.emulator.clock.machine_now())
    role = _known(call, name, arn)
    if call.emulator.settings.auth == "iam":
        web_identity.check_trust(call, role, arn, claims, _context(form, session))
    return {
        "SubjectFromWebIdentityToken": claims.subject,
        "Audience": claims.audiences[0] if claims.audiences else None,
        "Provider": claims.provider_arn(name.account),
        "Credentials": sessions.begin(call, name, session),
        "AssumedRoleUser": _assumed(role, session),
        "PackedPolicySize": sessions.packed_percent(session),
    }


def get_session_token(call: Call, form: Form, access_key: str) -> Members:
    """A temporary key of the caller's own; no permission is asked for."""
    principal, is_temporary = _caller(call, access_key)
    owner = parse_arn(principal.arn)
    if owner is None or is_temporary:
        raise errors.sts_denied("Cannot call GetSessionToken with session credentials")
    seconds = _seconds(form, _OF_USER)
    return {"Credentials": sessions.begin(call, owner[0], Session("", seconds))}


def get_federation_token(call: Call, form: Form, access_key: str) -> Members:
    """A key for somebody whom a user vouches for. Without session policies it opens nothing."""
    name = _matching(form, "Name", _FEDERATED_NAME)
    session = Session(name, _seconds(form, _OF_USER), sessions.policies_of(form), sessions.tags_of(form))
    principal, is_temporary = _caller(call, access_key)
    owner = parse_arn(principal.arn)
    if owner is None or is_temporary:
        raise errors.sts_denied("Cannot call GetFederationToken with session credentials")
    arn = session_arn(owner[0], name)
    for action in _taking("sts:GetFederationToken", form, session):
        permissions.check(call, action, arn, _context(form, session))
    return {
        "Credentials": sessions.begin(call, owner[0], session),
        "FederatedUser": {"FederatedUserId": f"{owner[0].account}:{name}", "Arn": arn},
        "PackedPolicySize": sessions.packed_percent(session),
    }


def _session(form: Form) -> Session:
    return Session(
        _matching(form, "RoleSessionName", _SESSION_NAME),
        _seconds(form, _OF_ROLE),
        sessions.policies_of(form),
        sessions.tags_of(form),
    )


def _context(form: Form, session: Session) -> dict[str, Values]:
    """Condition keys of taking a session (IAM user guide, IAM and STS condition context keys)."""
    found = {"sts:rolesessionname": (session.name,), **resources.context(form)}
    if "SourceIdentity" in form:
        found["sts:sourceidentity"] = (_matching(form, "SourceIdentity", _SESSION_NAME),)
    return found


def _caller(call: Call, access_key: str) -> tuple[Principal, bool]:
    """Who calls, and whether with a temporary key.

    Where keys are believed, one that is known here is its principal all the same.
    """
    known = call.credential
    if known is None:
        with call.store.read() as connection:
            known = principals.find_key(connection, access_key)
    if known is None:
        return call.principal, False
    return known.principal, known.session_token is not None


def _role(form: Form) -> tuple[Name, str]:
    arn = form.get("RoleArn", "")
    found = parse_arn(arn)
    if found is None or found[0].kind != ROLE or found[1] is not None:
        raise errors.validation_error(f"{arn[:300]} is invalid")
    return found[0], arn


def _known(call: Call, name: Name, arn: str) -> Entry:
    """The role. One that is not there trusts nobody, and is not told from one that does not."""
    with call.store.read() as connection:
        found = principals.find_entry(connection, name)
    if found is not None and found.arn == arn:
        return found
    return Entry(name).filled()


def _taking(action: str, form: Form, session: Session) -> list[str]:
    """The actions that it takes: one more for tags, and for the name of whoever is behind the session.

    IAM user guide, Pass session tags in STS, and Monitor and control actions taken with assumed roles.
    """
    more = [("sts:TagSession", session.tags != NO_TAGS), ("sts:SetSourceIdentity", "SourceIdentity" in form)]
    return [action, *(one for one, is_needed in more if is_needed)]


def _check_assuming(call: Call, role: Entry, arn: str, actions: list[str], more: permissions.Context) -> None:
    if call.credential is None:
        return
    if call.principal.kind == "root":
        raise errors.sts_denied("Roles may not be assumed by root accounts.")
    trust = read_policies(role.trust or NONE, policies.RESOURCE)
    for action in actions:
        permissions.check_trust(call, action, arn, role.name.account, trust, more)


def _assumed(role: Entry, session: Session) -> Members:
    return {
        "AssumedRoleId": f"{role.unique_id}:{session.name}",
        "Arn": session_arn(role.name, session.name),
    }


def _seconds(form: Form, limits: tuple[int, int, int]) -> int:
    lowest, highest, default = limits
    text = form.get("DurationSeconds") or str(default)
    if not _DURATION.fullmatch(text):
        raise errors.validation_error(f"Value '{text[:100]}' at 'durationSeconds' is no number")
    for is_wrong, constraint in (
        (int(text) < lowest, f"greater than or equal to {lowest}"),
        (int(text) > highest, f"less than or equal to {highest}"),
    ):
        if is_wrong:
            raise errors.invalid_query_member(
                [
                    f"Value '{text}' at 'durationSeconds' failed to satisfy constraint: "
                    f"Member must have value {constraint}"
                ]
            )
    return int(text)


def _matching(form: Form, name: str, pattern: re.Pattern[str]) -> str:
    value = form.get(name)
    member = name[0].lower() + name[1:]
    if value is None:
        raise errors.invalid_query_member(
            [f"Value null at '{member}' failed to satisfy constraint: Member must not be null"]
        )
    if not pattern.fullmatch(value):
        raise errors.invalid_query_member(
            [
                f"Value '{value[:300]}' at '{member}' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {pattern.pattern}"
            ]
        )
    return value


def _user_id(principal: Principal) -> str:
    """As the policy variable aws:userid (IAM user guide, Variables and tags)."""
    values = Request(principal, "", "", "", {}).values_of("aws:userid")
    return values[0] if values else principal.account


Operation = Callable[[Call, Form, str], Members]
OPERATIONS: Mapping[str, Operation] = {
    "AssumeRole": assume_role,
    "AssumeRoleWithWebIdentity": assume_role_with_web_identity,
    "GetAccessKeyInfo": get_access_key_info,
    "GetCallerIdentity": get_caller_identity,
    "GetFederationToken": get_federation_token,
    "GetSessionToken": get_session_token,
}
# Whom nobody has to sign for.
UNSIGNED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
# What STS has besides (botocore 1.44).
NOT_BUILT = (
    *("AssumeRoleWithSAML", "AssumeRoot", "DecodeAuthorizationMessage", "GetDelegatedAccessToken"),
    "GetWebIdentityToken",
)
