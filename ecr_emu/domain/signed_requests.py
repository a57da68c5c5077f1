"""What a request says about its signature: Signature Version 4, in the Authorization header or in the query.

What AWS says of a malformed one was recorded from one of its JSON services by the author of dynalite
(mhart/dynalite, index.js), and later, with hashes in place of the header, by users of API Gateway; texts that
nobody captured are marked so.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ecr_emu.domain.canonical_requests import as_bytes, parameters

ALGORITHM = "AWS4-HMAC-SHA256"
# Amazon S3 API reference, "Authenticating requests: using query parameters".
MAX_EXPIRES_SECONDS = 7 * 86_400

_SEPARATORS = re.compile(r"[,\s]+")
_EXPIRES = re.compile(r"[0-9]{1,6}")
_HEADER_PARAMETERS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARAMETERS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")


class Refused(ValueError):
    """A signature that does not count."""


class Incomplete(Refused):
    """Not a signature in form. The argument is what AWS says of it."""


class Misused(Refused):
    """A signature of something else than this request. The argument is what AWS says of it."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came. Names of headers are in lower case; what came twice is joined by a comma."""

    method: str
    raw_path: str
    query_string: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Credential:
    """Whose key, and what it was made to sign."""

    access_key: str
    date: str
    region: str
    service: str
    terminator: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signature says about itself: true only after it was checked."""

    credential: Credential
    signed_headers: tuple[str, ...]
    signed_at: str
    signature: str = field(repr=False)
    session_token: str | None = field(repr=False)
    # How long a presigned URL asks to be good; None where the signature is in a header.
    expires_seconds: int | None


def read(request: SignedRequest) -> Claim | None:
    """The claim in the Authorization header or in the query; None when nothing is signed.

    Raises Incomplete and Misused.
    """
    authorization = request.headers.get("authorization")
    query = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in parameters(request.query_string)]
    is_presigned = any(name == "X-Amz-Algorithm" for name, _ in query)
    if authorization is None:
        return _of_query(query) if is_presigned else None
    if is_presigned:
        raise Misused(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    return _of_header(authorization, request.headers)


def _of_header(authorization: str, headers: Mapping[str, str]) -> Claim:
    algorithm, *words = _SEPARATORS.split(authorization.strip())
    given = _unique(_pairs([word for word in words if word], authorization))
    signed_at = headers.get("x-amz-date") or headers.get("date") or ""
    lacking = [f"requires '{name}' parameter." for name in _HEADER_PARAMETERS if not given.get(name)]
    if not signed_at:
        lacking.append("requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if lacking:
        sentences = " ".join(f"Authorization header {one}" for one in lacking)
        raise Incomplete(
            f"{sentences} (Hashed with SHA-256 and encoded with Base64) Authorization={_hash(authorization)}"
        )
    _check_algorithm(algorithm)
    return Claim(
        _credential(given["Credential"]),
        _names(given["SignedHeaders"]),
        signed_at,
        given["Signature"],
        headers.get("x-amz-security-token"),
        None,
    )


def _of_query(query: list[tuple[str, str]]) -> Claim:
    given = _unique((name, value) for name, value in query if name.startswith("X-Amz-"))
    lacking = [name for name in _QUERY_PARAMETERS if not given.get(name)]
    if lacking:
        sentences = " ".join(f"AWS query-string parameters must include '{name}'." for name in lacking)
        raise Incomplete(f"{sentences} Re-examine the query-string parameters.")
    _check_algorithm(given["X-Amz-Algorithm"])
    return Claim(
        _credential(given["X-Amz-Credential"]),
        _names(given["X-Amz-SignedHeaders"]),
        given["X-Amz-Date"],
        given["X-Amz-Signature"],
        given.get("X-Amz-Security-Token"),
        _expires(given.get("X-Amz-Expires", str(MAX_EXPIRES_SECONDS))),
    )


def _pairs(words: list[str], authorization: str) -> list[tuple[str, str]]:
    if any("=" not in word for word in words):
        raise Incomplete(
            "Invalid key=value pair (missing equal-sign) in Authorization header "
            f"(hashed with SHA-256 and encoded with Base64): '{_hash(authorization)}'."
        )
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs by name. What is given twice means nothing (text unverified)."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise Incomplete(f"Authorization parameter '{name}' must be given only once.")
        given[name] = value
    return given


def _credential(text: str) -> Credential:
    parts = text.split("/")
    if len(parts) != 5:
        raise Incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{text}'"
        )
    return Credential(*parts)


def _names(signed_headers: str) -> tuple[str, ...]:
    return tuple(sorted(signed_headers.lower().split(";")))


def _expires(text: str) -> int:
    if not _EXPIRES.fullmatch(text) or not 1 <= int(text) <= MAX_EXPIRES_SECONDS:
        # Text unverified; S3 has several.
        raise Incomplete(f"X-Amz-Expires must be between 1 and {MAX_EXPIRES_SECONDS} seconds.")
    return int(text)


def _hash(authorization: str) -> str:
    """How AWS shows a header that may hold a secret."""
    return base64.b64encode(hashlib.sha256(as_bytes(authorization)).digest()).decode()


def _check_algorithm(algorithm: str) -> None:
    if algorithm != ALGORITHM:
        raise Incomplete(f"Unsupported AWS 'algorithm': '{algorithm}' (only {ALGORITHM} for now). ")
