"""Tokens of other identity providers, as AssumeRoleWithWebIdentity takes them.

Their signatures are **not** verified: that takes the provider's keys, and so traffic. What a token claims is
believed, and the trust policy of the role decides whether that is enough (IAM user guide, Creating a role for
OIDC federation).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecr_emu import errors
from ecr_emu.context import Call
from ecr_emu.control.query import permissions
from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.principals import NONE, Entry


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. `issuer` has no https:// in front."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]

    def provider_arn(self, account: str) -> str:
        """The ARN under which an account knows the issuer."""
        return f"arn:aws:iam::{account}:oidc-provider/{self.issuer}"


def read(token: str, now: float) -> Claims:
    """The claims of a token that has not ended by the machine's time. Raises AWS's errors."""
    import jwt

    try:
        options: Any = {"verify_signature": False, "verify_aud": False}
        said = jwt.decode(token, options=options)
        ends_at = float(said.get("exp", now + 1))
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        raise errors.web_identity_invalid("The web identity token is not a JSON web token") from None
    if ends_at <= now:
        raise errors.web_identity_expired()
    return Claims(_text(said, "iss").removeprefix("https://"), _text(said, "sub"), _audiences(said))


def check_trust(call: Call, role: Entry, arn: str, claims: Claims, more: permissions.Context) -> None:
    """Let the holder of a token become the role, or raise AccessDenied.

    The evaluator knows no federated principals: the provider asks as a service would, and in the trust
    policy its name stands among the services.
    """
    action = "sts:AssumeRoleWithWebIdentity"
    account = role.name.account
    provider = Principal(claims.provider_arn(account), account, "service")
    context = {
        **more,
        f"{claims.issuer}:sub".lower(): (claims.subject,),
        f"{claims.issuer}:aud".lower(): claims.audiences,
    }
    trust = tuple(
        policies.parse(_of_services(entry["document"]), policies.RESOURCE, entry["name"])
        for entry in json.loads(role.trust or NONE)
    )
    if not permissions.trusts_provider(call, action, arn, provider, trust, context):
        raise errors.sts_denied(f"Not authorized to perform {action}")


def _of_services(document: Mapping[str, Any]) -> dict[str, Any]:
    """The policy with its federated principals as services, and without the real services."""
    written = document["Statement"]
    statements = written if isinstance(written, list) else [written]
    return {**document, "Statement": [_of_service(statement) for statement in statements]}


def _of_service(statement: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(statement)
    for element in ("Principal", "NotPrincipal"):
        named = found.get(element)
        if isinstance(named, Mapping):
            others = {kind: names for kind, names in named.items() if kind not in ("Federated", "Service")}
            federated = {"Service": named["Federated"]} if "Federated" in named else {}
            found[element] = {**others, **federated} or {"Service": "nobody"}
    return found


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise errors.web_identity_invalid(f"The web identity token has no {name}")
    return value


def _audiences(said: Mapping[str, Any]) -> tuple[str, ...]:
    value = said.get("aud", ())
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
        raise errors.web_identity_invalid("The aud of the web identity token is not text")
    return tuple(values)
