"""What the emulator signs with its own key: login tokens, layer URLs and paging tokens.

The key is 32 random bytes in the data folder. Libraries are imported on first use: a start without a login
does not pay for them.
"""

import os
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecr_emu import errors
from ecr_emu.domain.iam.requests import Principal
from ecr_emu.domain.registries import Registry

KEY_BYTES = 32
TOKEN_SECONDS = 12 * 3600
LAYER_URL_SECONDS = 3600
# Clients send one token with every request; checking its signature again would tell nothing new.
MAX_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class LoginToken:
    """Who a login token stands for, in which region, and until when (epoch seconds).

    `key_id` is the access key that it was made with, where keys are known.
    """

    principal: Principal
    region: str
    expires_at: float
    key_id: str = ""


class Keys:
    """Signs and checks with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._remembered: OrderedDict[str, LoginToken] = OrderedDict()

    def login_token(
        self, principal: Principal, registry: Registry, now: float, key_id: str = ""
    ) -> tuple[str, float]:
        """The password for `docker login`, a JWT, and when it expires."""
        import jwt

        expires_at = now + TOKEN_SECONDS
        claims = {
            "aud": "ecr",
            "sub": principal.arn,
            "account": principal.account,
            "kind": principal.kind,
            "region": registry.region,
            "key": key_id,
            "iat": int(now),
            "exp": int(expires_at),
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._key, algorithm="HS256"), expires_at

    def check_login_token(self, password: str, now: float) -> LoginToken:
        """Who a password stands for, or TokenExpired, TokenInvalid or CredentialsMalformed."""
        token = self._remembered.get(password) or self._read_login_token(password)
        if now >= token.expires_at:
            raise errors.token_expired()
        return token

    def _read_login_token(self, password: str) -> LoginToken:
        import jwt

        try:
            # The emulator's clock decides about expiry, not the machine's.
            options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
            claims = jwt.decode(password, self._key, algorithms=["HS256"], audience="ecr", options=options)
            principal = Principal(claims["sub"], claims["account"], claims["kind"])
            token = LoginToken(principal, claims["region"], float(claims["exp"]), claims.get("key", ""))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise errors.token_invalid() from None
        self._remembered[password] = token
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return token

    def seal(self, purpose: str, value: object) -> str:
        """`value` as URL-safe text that only this key makes and that is good for one purpose."""
        from itsdangerous import URLSafeSerializer

        return str(URLSafeSerializer(self._key, salt=purpose).dumps(value))

    def unseal(self, purpose: str, text: str) -> Any:
        """What was sealed, or None when it was not sealed with this key for this purpose."""
        from itsdangerous import BadData, URLSafeSerializer

        try:
            return URLSafeSerializer(self._key, salt=purpose).loads(text)
        except (BadData, UnicodeError):
            return None


def load_keys(folder: Path, *, durable: bool = True) -> Keys:
    """The key of a data folder, made on first use, and anew where a loss of power has torn it."""
    path = folder / "key"
    if not path.exists() or path.stat().st_size != KEY_BYTES:
        fresh = path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            if durable:
                os.fsync(file.fileno())
        fresh.rename(path)
    return Keys(path.read_bytes())
