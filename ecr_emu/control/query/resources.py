"""The ARN that an action of IAM is about, as its permissions name it.

Service Authorization Reference, Actions, resources, and condition keys for IAM. Paths of users and roles are
looked up; those of groups, policies and instance profiles that exist are not known here, and count as "/".
"""

from ecr_emu.context import Call
from ecr_emu.control.query.forms import Form
from ecr_emu.domain.iam.requests import Values
from ecr_emu.domain.principals import ROLE, USER, Name
from ecr_emu.store import principals

# Members that name what an action is about, in this order: AddUserToGroup is about the group.
_NAMED = {
    "GroupName": "group",
    "InstanceProfileName": "instance-profile",
    "RoleName": ROLE,
    "UserName": USER,
    "ServerCertificateName": "server-certificate",
}
_ARNS = ("PolicyArn", "OpenIDConnectProviderArn", "SAMLProviderArn")
# Members that are condition keys too.
_KEYS = {"PolicyArn": "iam:policyarn", "PermissionsBoundary": "iam:permissionsboundary"}


def of(call: Call, action: str, form: Form) -> str:
    """The ARN, or * for an action on all."""
    account = call.registry.account
    if action == "CreatePolicy":
        return f"arn:aws:iam::{account}:policy{_path(form)}{form.get('PolicyName', '')}"
    for member, kind in _NAMED.items():
        if form.get(member):
            path = _known_path(call, kind, form[member]) or _path(form)
            return f"arn:aws:iam::{account}:{kind}{path}{form[member]}"
    return next((form[member] for member in _ARNS if form.get(member)), "*")


def context(form: Form) -> dict[str, Values]:
    """Condition keys of the action: the policy, the boundary, and the tags that it brings."""
    found: dict[str, Values] = {key: (form[member],) for member, key in _KEYS.items() if form.get(member)}
    number = 1
    while (name := form.get(f"Tags.member.{number}.Key")) is not None:
        found[f"aws:requesttag/{name.lower()}"] = (form.get(f"Tags.member.{number}.Value", ""),)
        number += 1
    return found


def _path(form: Form) -> str:
    return form.get("Path") or "/"


def _known_path(call: Call, kind: str, name: str) -> str | None:
    if kind not in (USER, ROLE):
        return None
    with call.store.read() as connection:
        found = principals.find_entry(connection, Name(kind, call.registry.account, name))
    return found.path if found else None
