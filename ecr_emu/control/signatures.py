"""Signatures of requests to the JSON API: from WSGI to the rules, and from their refusals to AWS's errors."""

import contextlib
import hashlib
import hmac
from collections.abc import Iterator
from sqlite3 import Connection
from urllib.parse import quote

from ecr_emu import errors
from ecr_emu.domain import signed_requests, sigv4
from ecr_emu.domain.canonical_requests import as_bytes
from ecr_emu.domain.principals import Credential
from ecr_emu.domain.signed_requests import Claim, SignedRequest
from ecr_emu.store import principals
from ecr_emu.wsgi import Environ


def signed_request(environ: Environ, body: bytes) -> SignedRequest:
    """What the rules look at.

    WSGI has the path decoded, so one that a client encoded in an unusual way seems signed wrongly; the path
    of this API is /, where there is nothing to encode.
    """
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return SignedRequest(
        environ["REQUEST_METHOD"],
        quote(as_bytes(environ["PATH_INFO"])),
        environ.get("QUERY_STRING", ""),
        headers,
        hashlib.sha256(body).hexdigest(),
    )


def authenticate(
    connection: Connection, request: SignedRequest, signed_now: float, now: float, service: str = "ecr"
) -> tuple[Claim, Credential]:
    """Who signed the request to a service, and for where. Raises AWS's errors, in AWS's order.

    Clients sign with the machine's time, `signed_now`; sessions end by the emulator's, `now`.
    """
    with _aws_errors():
        claim = signed_requests.read(request)
        if claim is None:
            raise errors.missing_authentication_token()
        sigv4.check_claim(claim, request, signed_now, service)
        credential = principals.find_key(connection, claim.credential.access_key)
        if credential is None:
            raise errors.unrecognized_client()
        sigv4.check_signature(claim, request, credential.secret)
    if not _same(claim.session_token, credential.session_token):
        raise errors.unrecognized_client()
    if credential.expires_at is not None and now >= credential.expires_at:
        raise errors.expired_token()
    return claim, credential


def _same(given: str | None, wanted: str | None) -> bool:
    """A user's own key comes without a token."""
    return hmac.compare_digest(as_bytes(given or ""), as_bytes(wanted or ""))


@contextlib.contextmanager
def _aws_errors() -> Iterator[None]:
    """Inside, a refusal of the rules is the error that AWS answers."""
    try:
        yield
    except signed_requests.Incomplete as problem:
        raise errors.incomplete_signature(str(problem)) from None
    except signed_requests.Misused as problem:
        raise errors.invalid_signature(str(problem)) from None
    except sigv4.Expired as time:
        raise errors.signature_expired(time.signed_at, time.limit, time.now, time.window) from None
    except sigv4.NotYetCurrent as time:
        raise errors.signature_not_yet_current(time.signed_at, time.limit, time.now, time.window) from None
    except sigv4.Wrong:
        raise errors.invalid_signature() from None
