"""Errors of the APIs with AWS's query protocol: IAM and STS.

IAM API reference, Common Errors, and the Errors of each operation, for codes and statuses.
"""

from ecr_emu.errors.access import access_denied
from ecr_emu.errors.error import EcrError

# Code and status of what the JSON API calls otherwise (IAM API reference, Common Errors).
_NAMES = {
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "SerializationException": ("MalformedQueryString", 400),
    "RequestEntityTooLargeException": ("RequestEntityTooLarge", 413),
    "ServerException": ("InternalFailure", 500),
}


def of_query(error: EcrError) -> EcrError:
    """An error of the JSON API under the name and with the status that it has here."""
    code, status = _NAMES.get(error.code, (error.code, error.status))
    return EcrError(code, error.message, status, headers=error.headers)


def missing_action() -> EcrError:
    return EcrError(
        "MissingAction",
        "The request must contain the parameter Action, in the query or in a body of the type "
        "application/x-www-form-urlencoded",
    )


def invalid_action(action: str, version: str) -> EcrError:
    return EcrError("InvalidAction", f"Could not find operation {action[:100]} for version {version[:40]}")


def malformed_query(reason: str) -> EcrError:
    return EcrError("MalformedQueryString", reason)


def invalid_query_member(problems: list[str]) -> EcrError:
    """Each problem is as in: Value 'x' at 'roleName' failed to satisfy constraint: …"""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return EcrError("ValidationError", f"{count}: {'; '.join(problems)}")


def validation_error(message: str) -> EcrError:
    return EcrError("ValidationError", message)


def malformed_policy_document(problem: str) -> EcrError:
    """A policy that IAM refuses, or that this server cannot evaluate. The reason is our own."""
    return EcrError("MalformedPolicyDocument", problem)


def iam_entity_missing(message: str) -> EcrError:
    return EcrError("NoSuchEntity", message, 404)


def iam_invalid_input(message: str) -> EcrError:
    return EcrError("InvalidInput", message)


def iam_entity_exists(kind: str, name: str) -> EcrError:
    """Of IAM's own words for a user and a role."""
    return EcrError("EntityAlreadyExists", f"{kind.title()} with name {name} already exists.", 409)


def action_not_built(action: str) -> EcrError:
    """501, because SDKs retry 500, 502, 503 and 504 but not this one."""
    return EcrError("NotImplemented", f"ecr-emu does not implement {action}", 501)


def moto_missing(problem: str) -> EcrError:
    """501 for the same reason."""
    return EcrError(
        "NotImplemented",
        f"IAM is answered by moto, which cannot be imported ({problem}): pip install 'ecr-emu[moto]'",
        501,
    )


def iam_denied(principal: str, action: str, resource: str, because: str) -> EcrError:
    return EcrError("AccessDenied", access_denied(principal, action, resource, because).message, 403)


def sts_denied(message: str) -> EcrError:
    return EcrError("AccessDenied", message, 403)


def web_identity_invalid(reason: str) -> EcrError:
    return EcrError("InvalidIdentityToken", reason)


def web_identity_expired() -> EcrError:
    return EcrError("ExpiredTokenException", "Token expired")
