"""Whether a request was signed as it claims: AWS Signature Version 4.

The rules are those of the IAM user guide, "Create a signed AWS API request". The order of the checks, and
what AWS says when one fails, were recorded from one of its JSON services by the author of dynalite
(mhart/dynalite, index.js); texts that nobody captured are marked so.
"""

import hashlib
import hmac
import re
from datetime import datetime

from ecr_emu.domain.canonical_requests import as_bytes, canonical_header, canonical_path, canonical_query
from ecr_emu.domain.signed_requests import (
    ALGORITHM,
    Claim,
    Credential,
    Incomplete,
    Misused,
    Refused,
    SignedRequest,
)
from ecr_emu.domain.timestamps import compact

TERMINATOR = "aws4_request"
# ECR says "- 15 min." (upmc-enterprises/registry-creds, issues 24 and 47); some other services say 5.
SKEW_SECONDS = 15 * 60

_REGION = re.compile(r"[a-z0-9-]{1,64}")
_TIME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
# The hash of the body is signed anyway, so S3's documentation lets it be left out of the signed headers.
_MAY_BE_UNSIGNED = "x-amz-content-sha256"


class Wrong(Refused):
    """Not what the secret key makes of this request."""


class OutOfTime(Refused):
    """Signed too long ago, or in the future. Times are texts, as in 20150830T123600Z."""

    def __init__(self, signed_at: str, limit: str, now: str, window: str) -> None:
        super().__init__(signed_at)
        self.signed_at, self.limit, self.now, self.window = signed_at, limit, now, window


class Expired(OutOfTime):
    """`limit` is the earliest time that would do: `window` before now."""


class NotYetCurrent(OutOfTime):
    """`limit` is the latest time that would do: `window` after now."""


def check_claim(claim: Claim, request: SignedRequest, now: float, service: str = "ecr") -> None:
    """All that can be checked without the secret key, in AWS's order.

    Raises Incomplete, Misused, Expired and NotYetCurrent.
    """
    _check_time(claim, now)
    if "host" not in claim.signed_headers:
        raise Misused("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    _check_scope(claim, service)
    # "You must include the host header, and any x-amz-* headers in the signature" (IAM user guide). What is
    # said when one is not, nobody captured.
    for name in sorted(request.headers):
        if name.startswith("x-amz-") and name not in (*claim.signed_headers, _MAY_BE_UNSIGNED):
            raise Misused(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def check_signature(claim: Claim, request: SignedRequest, secret_key: str) -> None:
    """Sign the request as the owner of the key would, and compare. Raises Wrong."""
    key = _signing_key(claim.credential, secret_key)
    expected = hmac.digest(key, _string_to_sign(claim, request), "sha256").hex()
    is_right = hmac.compare_digest(expected.encode(), as_bytes(claim.signature))
    # Not even UNSIGNED-PAYLOAD: that is for S3.
    is_right &= request.headers.get("x-amz-content-sha256", request.body_sha256) == request.body_sha256
    # A header that did not come is not the same as an empty one.
    is_right &= set(claim.signed_headers) <= set(request.headers)
    if not is_right:
        raise Wrong


def _check_time(claim: Claim, now: float) -> None:
    """AWS's window, whatever a presigned URL asks for: only S3 gives it more (aws/aws-sdk-go, issue 2167).

    One that asks for less gets less, though AWS is said not to look.
    """
    signed_at = _seconds(claim.signed_at)
    window = min(claim.expires_seconds or SKEW_SECONDS, SKEW_SECONDS)
    if signed_at < int(now) - window:
        raise Expired(claim.signed_at, compact(now - window), compact(now), _duration(window))
    if signed_at > int(now) + SKEW_SECONDS:
        raise NotYetCurrent(
            claim.signed_at, compact(now + SKEW_SECONDS), compact(now), _duration(SKEW_SECONDS)
        )


def _check_scope(claim: Claim, service: str) -> None:
    credential = claim.credential
    wrong = []
    if not _REGION.fullmatch(credential.region):
        wrong.append(f"Credential should be scoped to a valid region, not '{credential.region}'.")
    if credential.service != service:
        wrong.append(f"Credential should be scoped to correct service: '{service}'.")
    if credential.terminator != TERMINATOR:
        wrong.append(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', "
            f"not '{credential.terminator}'."
        )
    date = claim.signed_at[:8]
    if credential.date != date:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{credential.date}' != '{date}', from '{claim.signed_at}'."
        )
    if wrong:
        raise Misused(" ".join(wrong))


def _seconds(time: str) -> int:
    """Epoch seconds of a time as in 20150830T123600Z."""
    try:
        if not _TIME.fullmatch(time):
            raise ValueError
        return int(datetime.fromisoformat(time).timestamp())
    except ValueError:
        raise Incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{time}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def _duration(seconds: int) -> str:
    """As AWS writes it; seconds where it has minutes only is a guess."""
    return f"{seconds} sec" if seconds % 60 else f"{seconds // 60} min"


def authorization(request: SignedRequest, credential: Credential, signed_at: str, secret_key: str) -> str:
    """The Authorization header of a request that we make; all its headers are signed."""
    names = tuple(sorted(request.headers))
    claim = Claim(credential, names, signed_at, "", None, None)
    key = _signing_key(credential, secret_key)
    signature = hmac.digest(key, _string_to_sign(claim, request), "sha256").hex()
    scope = f"{credential.access_key}/{credential.scope}"
    return f"{ALGORITHM} Credential={scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


def _signing_key(credential: Credential, secret_key: str) -> bytes:
    """Made anew each time: it takes 8 microseconds, and a cache would keep secrets."""
    key = f"AWS4{secret_key}".encode()
    for part in (credential.date, credential.region, credential.service, credential.terminator):
        key = hmac.digest(key, as_bytes(part), "sha256")
    return key


def _string_to_sign(claim: Claim, request: SignedRequest) -> bytes:
    digest = hashlib.sha256(as_bytes(_canonical_request(claim, request))).hexdigest()
    return as_bytes(f"{ALGORITHM}\n{claim.signed_at}\n{claim.credential.scope}\n{digest}")


def _canonical_request(claim: Claim, request: SignedRequest) -> str:
    headers = (f"{name}:{canonical_header(request.headers.get(name, ''))}" for name in claim.signed_headers)
    return "\n".join(
        (
            request.method,
            canonical_path(request.raw_path),
            canonical_query(request.query_string, without=b"X-Amz-Signature"),
            *headers,
            "",
            ";".join(claim.signed_headers),
            request.body_sha256,
        )
    )
