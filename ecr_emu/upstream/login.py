"""Logging in to a registry: Basic, or a Bearer token from the server that the registry names.

Docker Registry HTTP API V2, token authentication; RFC 6750, 7617, 9110.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from ecr_emu.upstream import addresses, exchange
from ecr_emu.upstream.addresses import Url
from ecr_emu.upstream.exchange import Manners
from ecr_emu.upstream.problems import UpstreamProblem, denied, of_status, unavailable

MAX_TOKEN_BYTES = 256 * 1024
# A token is used until so many seconds before its end.
MARGIN_SECONDS = 10
# Docker's specification: a token without an end is good for a minute.
DEFAULT_SECONDS, MAX_SECONDS = 60, 3600

_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Login:
    """A user's name and what proves it. Neither is ever printed."""

    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        text = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(text).decode()


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a WWW-Authenticate header asks for."""

    scheme: str
    parameters: Mapping[str, str]


def parse(header: str) -> Challenge:
    """The first challenge of a header that we know how to meet."""
    scheme, _, rest = header.strip().partition(" ")
    found = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
    return Challenge(scheme.lower(), found)


def answer(
    challenge: Challenge, asked: Url, scope: str, login: Login | None, manners: Manners
) -> tuple[str, float]:
    """The Authorization header that meets a challenge, and how many seconds it is good for.

    Raises UpstreamProblem: without a login, or where the token server is not one that may have it.
    """
    if challenge.scheme == "basic":
        if login is None:
            raise denied("the upstream registry wants a login, and the rule has none")
        return login.basic, MAX_SECONDS
    if challenge.scheme != "bearer" or "realm" not in challenge.parameters:
        raise denied("the upstream registry wants a login of a kind that is not known")
    return _token(challenge, asked, scope, login, manners)


def _token(
    challenge: Challenge, asked: Url, scope: str, login: Login | None, manners: Manners
) -> tuple[str, float]:
    realm = _realm(challenge.parameters["realm"], asked, login)
    query = {"service": challenge.parameters.get("service", ""), "scope": scope}
    if login is not None:
        query["account"] = login.username
    given = urlencode({name: value for name, value in query.items() if value})
    target = realm.target + ("&" if "?" in realm.target else "?") + given
    url = Url(realm.scheme, realm.host, realm.port, target)
    headers = {"Accept": "application/json", **({"Authorization": login.basic} if login else {})}
    # Where the registry itself is, its token server may be as well.
    is_near = realm.host == asked.host
    found = exchange.ask("GET", url, headers, manners, is_trusted=is_near)
    try:
        if found.status != 200:
            raise _refused(found.status)
        return _read(found.read_all(MAX_TOKEN_BYTES))
    finally:
        found.close()


def _refused(status: int) -> UpstreamProblem:
    """The token server's no. A 404 or a 400 is no image that is not there."""
    if status in (400, 401, 403, 404):
        return denied(f"the token server of the upstream registry answered {status} to the login")
    return of_status(status, "a token")


def _realm(text: str, asked: Url, login: Login | None) -> Url:
    """The token server, if it may be asked."""
    try:
        realm = addresses.parse(text)
    except ValueError:
        raise unavailable("the upstream registry names a token server that is no URL") from None
    exchange.check_elsewhere(realm, asked)
    # A login is for the registry's own house: registry-1.docker.io and auth.docker.io.
    if login is not None and realm.host != asked.host and not _are_neighbours(realm, asked):
        raise denied(
            f"the upstream registry wants its login to be sent to {realm.host}, which is not its own house"
        )
    return realm


def _are_neighbours(one: Url, other: Url) -> bool:
    """True for hosts whose names end in the same two words; an address has no neighbours."""
    houses = [url.host.lower().split(".")[-2:] for url in (one, other)]
    return houses[0] == houses[1] and len(houses[0]) == 2 and not houses[0][-1].isdecimal()


def _read(body: bytes) -> tuple[str, float]:
    try:
        document = json.loads(body)
        token = document.get("token") or document.get("access_token")
        seconds = float(document.get("expires_in") or DEFAULT_SECONDS)
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise unavailable("the token server of the upstream registry gave no token") from None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise unavailable("the token server of the upstream registry gave no token")
    return f"Bearer {token}", max(min(seconds, MAX_SECONDS) - MARGIN_SECONDS, 0)
