"""Errors of a request as such: its form, its target, its size."""

from ecr_emu.errors.error import EcrError


def invalid_parameter(member: str, constraint: str) -> EcrError:
    return EcrError(
        "InvalidParameterException",
        f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'",
    )


def invalid_next_token() -> EcrError:
    """A token that this server did not make for this listing (text unverified)."""
    return invalid_parameter("nextToken", "Invalid next token")


def not_allowed_together(first: str, second: str) -> EcrError:
    """Paging members beside explicit names (text unverified)."""
    return invalid_parameter(first, f"'{first}' and '{second}' cannot be specified together")


def serialization(message: str) -> EcrError:
    """A body that is not the JSON of the operation's input (text unverified)."""
    return EcrError("SerializationException", message)


def unknown_operation(target: str) -> EcrError:
    """No such operation (AWS sends no text; ours says what was asked)."""
    return EcrError("UnknownOperationException", f"Unknown operation '{target}'")


def not_implemented(operation: str) -> EcrError:
    """501, because SDKs retry 500, 502, 503 and 504 but not this one."""
    return EcrError("NotImplementedException", f"ecr-emu does not implement {operation} yet", 501)


def request_too_large(limit: int) -> EcrError:
    return EcrError("RequestEntityTooLargeException", f"The request body is larger than {limit} bytes", 413)


def missing_authentication_token() -> EcrError:
    return EcrError("MissingAuthenticationTokenException", "Missing Authentication Token")


def incomplete_signature(reason: str) -> EcrError:
    return EcrError("IncompleteSignatureException", reason)


def unsupported_method(method: str) -> EcrError:
    return EcrError("UnsupportedMethod", f"The method {method} is not supported here", 405)


def path_unknown(path: str) -> EcrError:
    return EcrError("PathUnknown", f"No resource at '{path}'", 404)
