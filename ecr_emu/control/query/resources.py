"""The ARNs that an action of IAM is about, as its permissions name them.

Service Authorization Reference, Actions, resources, and condition keys for IAM. A form has the members of its
action only: another one could name something that the action is not about.
"""

from collections.abc import Callable

from ecr_emu.access import tag_values
from ecr_emu.control.query.forms import Form, listed
from ecr_emu.domain.iam.requests import Values
from ecr_emu.domain.principals import ROLE, USER

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


# Of something that exists, by its kind and name: the path, or None when there is no such thing.
FindPath = Callable[[str, str], str | None]


def of(account: str, action: str, form: Form, find_path: FindPath) -> list[str]:
    """The ARNs, all of which have to be allowed; * for an action on everything."""
    start = f"arn:aws:iam::{account}:"
    if action == "CreatePolicy":
        return [f"{start}policy{_path(form)}{form.get('PolicyName', '')}"]
    for member, kind in _NAMED.items():
        if name := form.get(member):
            path = find_path(kind, name) or _path(form)
            return [f"{start}{kind}{path}{name}", *_moved(form, member, f"{start}{kind}", path)]
    return [next((form[member] for member in _ARNS if form.get(member)), "*")]


def _moved(form: Form, member: str, kind: str, path: str) -> list[str]:
    """What is renamed or moved is asked for under both names (IAM API reference, UpdateUser, UpdateGroup)."""
    name = form.get(f"New{member}")
    if name is None and "NewPath" not in form:
        return []
    return [f"{kind}{form.get('NewPath', path)}{name or form[member]}"]


def context(form: Form) -> dict[str, Values]:
    """Condition keys of the action: the policy, the boundary, and the tags that it brings or takes away."""
    found: dict[str, Values] = {key: (form[member],) for member, key in _KEYS.items() if form.get(member)}
    names = list(listed(form, "Tags.member.N.Key"))
    pairs = [(name, form.get(f"Tags.member.{number}.Value", "")) for number, name in enumerate(names, 1)]
    found.update({f"aws:requesttag/{name}": values for name, values in tag_values(pairs).items()})
    tag_keys = (*names, *listed(form, "TagKeys.member.N"))
    return {**found, "aws:tagkeys": tag_keys} if tag_keys else found


def _path(form: Form) -> str:
    return form.get("Path") or "/"
