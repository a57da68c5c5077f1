"""Who signed: the access key, its account, and the region of a SigV4 credential scope.

The account inside an access key: the letters after the prefix are base32; of the first 48 bits the top one
says that the key is of the newer kind and the next 40 are the account number (described by Tal Be'ery,
"A short note on AWS key ID", 2023).
"""

import base64
import re
from dataclasses import dataclass

_ACCOUNT = re.compile(r"[0-9]{12}")
_ENCODED_KEY = re.compile(r"(?:AKIA|ASIA)([A-Z2-7]{16})")
_CREDENTIAL = re.compile(r"Credential=([^,\s]*)")


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of a credential scope that name the caller, the region and the service."""

    access_key: str
    region: str
    service: str = "ecr"


def parse_scope(authorization: str) -> Scope | None:
    """The scope in an AWS4-HMAC-SHA256 Authorization header, or None when there is no whole one."""
    match = _CREDENTIAL.search(authorization)
    if not authorization.startswith("AWS4-HMAC-SHA256") or match is None:
        return None
    return scope_of_credential(match[1])


def scope_of_credential(credential: str) -> Scope | None:
    """The scope in KEY/DATE/REGION/SERVICE/aws4_request. The key itself may hold slashes."""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not parts[0]:
        return None
    return Scope(parts[0], parts[2], parts[3]) if re.fullmatch(r"[a-z0-9-]{1,64}", parts[2]) else None


def account_of_access_key(access_key: str) -> str | None:
    """The account that an access key names, or None: a 12-digit key is one, AKIA and ASIA keys hold one."""
    if _ACCOUNT.fullmatch(access_key):
        return access_key
    match = _ENCODED_KEY.fullmatch(access_key)
    if match is None:
        return None
    bits = int.from_bytes(base64.b32decode(match[1])[:6], "big")
    account = (bits & 0x7FFF_FFFF_FF80) >> 7
    # Keys from before 2019 have the top bit clear and hold no account.
    return f"{account:012d}" if bits >> 47 and account < 10**12 else None


def session_key_of(account: str, random_bits: int) -> str:
    """An access key of a session that holds its account; of the random bits, 39 are used."""
    bits = (1 << 40 | int(account)) << 39 | random_bits & ((1 << 39) - 1)
    return "ASIA" + base64.b32encode(bits.to_bytes(10, "big")).decode()
