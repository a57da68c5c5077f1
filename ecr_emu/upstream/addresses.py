"""Addresses of upstream registries, and which addresses in the network are private."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ecr_emu.domain.pull_through import Rule

_PORTS = {"http": 80, "https": 443}
# RFC 6052: an IPv4 address is in the last 32 bits.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL without user and fragment. `target` is path and query, as they are sent."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        # Queries of redirects hold signatures.
        return self.origin + self.target.partition("?")[0]


def parse(text: str) -> Url:
    """The URL, or ValueError."""
    if not text.isascii() or any(character <= " " or character == "\x7f" for character in text):
        raise ValueError("it has characters that no URL has")
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("it must be an http:// or https:// URL without a user")
    port = parts.port if parts.port is not None else _PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, parts.hostname, port, target)


def join(base: Url, location: str) -> Url:
    """Where a Location header leads, or ValueError."""
    return parse(urljoin(base.origin + base.target, location))


def parse_all(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """NAME=URL, several with commas. Raises ValueError with one line."""
    found = {}
    for text in given:
        for entry in filter(None, text.split(",")):
            name, equals, url = entry.partition("=")
            if not (name and equals):
                raise ValueError(f"'{entry}' must be NAME=URL, as docker-hub=http://localhost:5000")
            try:
                parse(url)
            except ValueError as problem:
                raise ValueError(f"of {name} cannot be used: {problem}") from None
            found[name.strip()] = url.rstrip("/")
    return tuple(found.items())


def of_rule(rule: Rule, given: Mapping[str, str]) -> Url:
    """Where a rule's registry is: what is given for its host or else for its kind, or the host itself."""
    text = given.get(rule.upstream_url) or given.get(rule.upstream_registry)
    return parse(text or f"https://{rule.upstream_url}")


def is_private(address: str) -> bool:
    """True for an IP address that is not one of the open Internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside is not None:
            return not inside.is_global
    return not found.is_global or found.is_multicast
