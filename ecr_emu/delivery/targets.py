"""Where events are delivered to: what --events takes.

stdout                      lines of JSON
file:PATH                   the same, at the end of a file
http://… or https://…       a POST for each event
eventbridge:BUS             PutEvents, at AWS's endpoint or that of AWS_ENDPOINT_URL
eventbridge:BUS@http://…    PutEvents at this endpoint
sqs:QUEUE_URL               SendMessage at the endpoint of the queue's URL
"""

import hashlib
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

EXAMPLES = "stdout, file:PATH, http://…, eventbridge:BUS, eventbridge:BUS@http://…, sqs:QUEUE_URL"


@dataclass(frozen=True, slots=True)
class Target:
    """Where events go. `kind` is stdout, file, webhook, eventbridge or sqs.

    `address` is a path, a URL or the name of a bus; `endpoint` is a URL or empty. `name` is for the log and
    the database: a password, a path or a query of a URL is not in it.
    """

    kind: str
    name: str
    address: str = ""
    endpoint: str = ""


def parse(text: str) -> Target:
    """The target that a text means; or ValueError with one line."""
    kind, _, rest = text.partition(":")
    if text == "stdout":
        return Target("stdout", "stdout")
    if kind == "file" and rest:
        return Target("file", text, rest)
    if kind in ("http", "https"):
        return Target("webhook", _name(text, _url(text)), text)
    if kind == "eventbridge" and rest:
        bus, at, endpoint = rest.partition("@")
        if bus and (endpoint or not at):
            where = f"@{_name(endpoint, _url(endpoint))}" if at else ""
            return Target("eventbridge", f"eventbridge:{bus}{where}", bus, endpoint)
    if kind == "sqs" and rest:
        url = _url(rest)
        if len(url.path.strip("/").split("/")) >= 2:
            return Target("sqs", f"sqs:{_name(rest, url)}", rest, f"{url.scheme}://{_host(url)}")
    # Not the text itself: it may hold a password.
    raise ValueError(f"takes one of {EXAMPLES}")


def _url(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        is_good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_good = False
    if not is_good or any(ord(letter) <= ord(" ") for letter in text):
        raise ValueError("has a URL that cannot be used; write it as http://host:port/path")
    return url


def _host(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]


def _name(text: str, url: SplitResult) -> str:
    """Scheme and host, and a mark that tells different URLs of a host apart."""
    return f"{url.scheme}://{_host(url)}#{hashlib.sha256(text.encode()).hexdigest()[:12]}"
