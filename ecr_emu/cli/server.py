"""Asking a running server: the /_emu/ calls, for commands."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import click

from ecr_emu.cli import options, progress

DEFAULT_ENDPOINT = "http://localhost:4566"
# Running all policies, or storing a million records, takes its time.
TIMEOUT_SECONDS = 900

endpoint_url = click.option(
    "--endpoint-url",
    envvar="AWS_ENDPOINT_URL",
    show_envvar=True,
    default=DEFAULT_ENDPOINT,
    show_default=True,
    help="Where ecr-emu serves.",
)

Query = Mapping[str, str | Sequence[str] | None]


def get(endpoint: str, path: str, query: Query | None = None) -> Any:
    """The answer to a GET. Whatever goes wrong is one line."""
    with _asking(endpoint, "GET", _target(path, query), None, "") as response:
        return _json(endpoint, response.read())


def post(endpoint: str, path: str, content: object, query: Query | None = None) -> Any:
    """The answer to a POST of JSON, or of bytes as they are."""
    is_bytes = isinstance(content, bytes)
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    kind = "application/x-ndjson" if is_bytes else "application/json"
    with _asking(endpoint, "POST", _target(path, query), body, kind) as response:
        return _json(endpoint, response.read())


def put(endpoint: str, path: str, content: object) -> Any:
    """The answer to a PUT of JSON."""
    body = json.dumps(content).encode()
    with _asking(endpoint, "PUT", path, body, "application/json") as response:
        return _json(endpoint, response.read())


def delete(endpoint: str, path: str) -> Any:
    """The answer to a DELETE."""
    with _asking(endpoint, "DELETE", path, None, "") as response:
        return _json(endpoint, response.read())


def lines(endpoint: str, path: str, query: Query | None = None) -> Iterator[bytes]:
    """The lines of the answer to a GET."""
    with _asking(endpoint, "GET", _target(path, query), None, "") as response:
        yield from response


def _target(path: str, query: Query | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


@contextmanager
def _asking(
    endpoint: str, method: str, target: str, body: bytes | None, kind: str
) -> Iterator[http.client.HTTPResponse]:
    """A good answer; a bad one, or none, is a failure of the command."""
    headers = {"Content-Type": kind} if kind else {}
    try:
        with closing(_connection(endpoint)) as connection:
            with progress.waiting(f"waiting for {endpoint}"):
                connection.request(method, urlsplit(endpoint).path.rstrip("/") + target, body, headers)
                response = connection.getresponse()
            if response.status >= 300:
                raise options.failure(_refusal(endpoint, response))
            yield response
    except (OSError, http.client.HTTPException) as error:
        because = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        # Some errors quote what came, line ends and all.
        because = " ".join(because.split()) or type(error).__name__
        raise options.failure(
            f"no answer from {endpoint} ({because}); start `ecr-emu serve`, or name "
            "the server with --endpoint-url"
        ) from None


def _connection(endpoint: str) -> http.client.HTTPConnection:
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if host is None or url.scheme not in ("http", "https"):
        raise options.failure(f"--endpoint-url '{endpoint}' is no URL; write it as {DEFAULT_ENDPOINT}")
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


def _refusal(endpoint: str, response: http.client.HTTPResponse) -> str:
    """What the server says, if it is ecr-emu that says it."""
    try:
        return str(json.loads(response.read())["message"])
    except (ValueError, LookupError, TypeError):
        return (
            f"{endpoint} answered {response.status} {response.reason}, as ecr-emu does not; name the server "
            "with --endpoint-url"
        )


def _json(endpoint: str, body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise options.failure(
            f"{endpoint} did not answer as ecr-emu does; name the server with --endpoint-url"
        ) from None
