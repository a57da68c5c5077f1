"""Other emulators that play regions: where replication to these regions goes."""

import re
from urllib.parse import urlsplit

_REGION = re.compile(r"[0-9a-z-]{2,25}")


def parse(text: str) -> tuple[tuple[str, str], ...]:
    """What `REGION=URL,REGION=URL` says; of a region that is said twice the last one counts.

    URLs come back without a slash at the end. Raises ValueError with one line that says what is wrong.
    """
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        region, equals, url = (part.strip() for part in entry.partition("="))
        if not equals or not _REGION.fullmatch(region):
            # Without the rest: somebody may have written a password into it.
            raise ValueError(f"must be REGION=http://HOST:PORT, and the region is '{region}'")
        found[region] = _url(region, url)
    return tuple(found.items())


def _url(region: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(f"must have http://HOST:PORT or https://HOST:PORT for {region}")
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"must have a host and a port for {region}, and nothing else")
    return url.rstrip("/")
