"""Errors of who may do what: logins, tokens, permissions."""

from ecr_emu.errors.error import EcrError


def access_denied(principal: str, action: str, resource: str, because: str) -> EcrError:
    return EcrError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} {because}",
    )


def not_authenticated(challenge: str) -> EcrError:
    return EcrError("NotAuthenticated", "Not Authorized", 401, headers=[("WWW-Authenticate", challenge)])


def credentials_malformed() -> EcrError:
    """Basic credentials that are not base64 of user:password (status 400 as reported, text unverified)."""
    return EcrError("CredentialsMalformed", "The Authorization header holds no user and password", 400)


def token_expired() -> EcrError:
    return EcrError(
        "TokenExpired", "Your authorization token has expired. Reauthenticate and try again.", 403
    )


def token_invalid() -> EcrError:
    """A token that another server, or nobody, signed (text unverified)."""
    return EcrError("TokenInvalid", "Your authorization token is invalid. Reauthenticate and try again.", 403)


def token_of_other_region(token_region: str, region: str) -> EcrError:
    """A token is bound to one region (status as documented, text unverified)."""
    return EcrError(
        "TokenInvalid",
        f"Your authorization token is for region {token_region}, and this registry is in {region}. "
        "Reauthenticate and try again.",
        403,
    )


def layer_url_forbidden(reason: str) -> EcrError:
    return EcrError("LayerUrlForbidden", reason, 403)


def invalid_signature(reason: str | None = None) -> EcrError:
    """A signature of something else, or with another key."""
    wrong = (
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method. Consult the service documentation for details."
    )
    return EcrError("InvalidSignatureException", reason or wrong)


def signature_expired(signed_at: str, limit: str, now: str, window: str) -> EcrError:
    """Times as in 20150830T123600Z; the window as "15 min"."""
    return invalid_signature(
        f"Signature expired: {signed_at} is now earlier than {limit} ({now} - {window}.)"
    )


def signature_not_yet_current(signed_at: str, limit: str, now: str, window: str) -> EcrError:
    return invalid_signature(
        f"Signature not yet current: {signed_at} is still later than {limit} ({now} + {window}.)"
    )


def unrecognized_client() -> EcrError:
    """An access key, or the session token with it, that nobody was given."""
    return EcrError("UnrecognizedClientException", "The security token included in the request is invalid.")


def expired_token() -> EcrError:
    """A session that has ended. AWS writes no period here."""
    return EcrError("ExpiredTokenException", "The security token included in the request is expired")
