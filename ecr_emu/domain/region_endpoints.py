"""Other emulators that play regions: where replication to these regions goes."""

import re

_REGION = re.compile(r"[0-9a-z-]{2,25}")
_URL = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?/?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


def parse(text: str) -> tuple[tuple[str, str], ...]:
    """What `REGION=URL,REGION=URL` says; of a region that is said twice the last one counts.

    URLs come back without a slash at the end. Raises ValueError with one line that says what is wrong, and
    does not repeat the URL: somebody may have written a password into it.
    """
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        region, equals, url = (part.strip() for part in entry.partition("="))
        if not equals or not _REGION.fullmatch(region):
            raise ValueError("must be REGION=http://HOST:PORT, and one has no region")
        match = _URL.fullmatch(url)
        if match is None or not 0 < int(match[3] or 1) < 65536:
            raise ValueError(
                f"must have http://HOST:PORT or https://HOST:PORT for {region}, and nothing else"
            )
        found[region] = url.rstrip("/")
    return tuple(found.items())


def address(url: str) -> tuple[bool, str, int]:
    """Whether TLS is spoken there, the host and the port, of a URL that `parse` gave."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(url)
    scheme, host, port = match.groups()
    return scheme == "https", host.strip("[]"), int(port or _PORTS[scheme])
