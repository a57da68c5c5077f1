"""What several tests of the registry need."""

import base64
import errno
import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.clients import Registry, Reply, digest_of, image_manifest

CONFIG = b'{"architecture":"amd64","os":"linux"}'
CONTENT = b"0123456789" * 1000
RANDOM_DIGEST = digest_of(b"nobody ever pushed this")
RANDOM_SHA512 = digest_of(b"nobody ever pushed this", "sha512")


def authorization(registry: Registry) -> str:
    """The value of the Authorization header that a registry client sends."""
    return "Basic " + base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()


def path_of(reply: Reply) -> str:
    """The path and query of a reply's Location, which must be absolute."""
    parts = urlsplit(reply.headers["location"])
    assert parts.scheme == "http"
    assert parts.netloc
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def begin(registry: Registry, repo: str) -> str:
    """Begin an upload and return its path."""
    reply = registry.request("POST", f"/v2/{repo}/blobs/uploads/")
    assert (reply.status, reply.headers["range"]) == (202, "0-0")
    return path_of(reply)


def chunk(registry: Registry, upload: str, content: bytes, first: int) -> Reply:
    """Send a chunk with the Content-Range that starts at `first`."""
    headers = {"Content-Range": f"{first}-{first + len(content) - 1}"}
    return registry.request("PATCH", upload, content, headers)


def finish(registry: Registry, upload: str, digest: str, last: bytes | None = None) -> Reply:
    return registry.request("PUT", f"{upload}?digest={digest}", last)


def received(registry: Registry, upload: str) -> str:
    """The Range of an upload."""
    reply = registry.request("GET", upload)
    assert reply.status == 204
    return reply.headers["range"]


def pulled(registry: Registry, repo: str, digest: str) -> bytes:
    reply = registry.request("GET", f"/v2/{repo}/blobs/{digest}")
    assert reply.status == 200
    return reply.body


def check_stored(reply: Reply, registry: Registry, repo: str, digest: str, content: bytes = CONTENT) -> None:
    """A 201 whose Location is the blob."""
    assert (reply.status, reply.headers.get("docker-content-digest")) == (201, digest), reply.body
    assert path_of(reply) == f"/v2/{repo}/blobs/{digest}"
    assert pulled(registry, repo, digest) == content


def in_pieces(content: bytes = CONTENT) -> Iterator[bytes]:
    return iter([content[at : at + 777] for at in range(0, len(content), 777)])


def manifest_of(registry: Registry, repo: str, *layers: bytes, **members: Any) -> bytes:
    """An image manifest whose blobs are in the repository."""
    for blob in (CONFIG, *layers):
        registry.push_blob(repo, blob)
    return image_manifest(CONFIG, *layers, **members)


def encode(document: object) -> bytes:
    return json.dumps(document).encode()


def next_page(reply: Reply) -> str | None:
    """The path of the `next` Link of a listing."""
    if "link" not in reply.headers:
        return None
    match = re.fullmatch(r"<http://[^/]+(/v2/[^>]+)>; rel=\"next\"", reply.headers["link"])
    assert match, reply.headers["link"]
    return match[1]


def flat(found: Iterable[Iterable[str]]) -> list[str]:
    """The entries of all pages."""
    return [entry for page in found for entry in page]


def pages(registry: Registry, path: str) -> Iterator[Reply]:
    """All pages of a listing, by its Links."""
    following: str | None = path
    while following is not None:
        reply = registry.request("GET", following)
        assert reply.status == 200, reply.body
        yield reply
        following = next_page(reply)


@contextmanager
def hung_up() -> Iterator[None]:
    """Lets the other side end the connection at any moment."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
            raise


def send_raw(port: int, head: str, body: bytes = b"", *, hang_up: bool = False) -> bytes:
    """Send exactly these bytes and return whatever comes back; `hang_up` ends the sending side."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        answer = b""
        # A server that has seen enough may be gone before all is sent.
        with hung_up():
            connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n" + body)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
        return answer


def raw_head(registry: Registry, line: str, headers: Mapping[str, str]) -> str:
    """The head of a raw request of a logged-in client."""
    lines = [
        f"{line} HTTP/1.1",
        f"Host: localhost:{registry.port}",
        f"Authorization: {authorization(registry)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\n".join(lines) + "\n"
