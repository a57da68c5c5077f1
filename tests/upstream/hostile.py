"""A registry that does as it is told, badly if need be: for every path an answer."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ecr_emu.domain.manifests import OCI_MANIFEST
from tests.clients import digest_of, image_manifest

CONFIG = b'{"architecture":"amd64","os":"linux"}'
LAYER = bytes(range(256)) * 4000
IMAGE = image_manifest(CONFIG, LAYER)


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


Answer = Callable[[BaseHTTPRequestHandler], None]


class Hostile:
    """The server. `answers` are by path; a path that has none is answered with 404."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                # Who does not trust the certificate hangs up.
                with suppress(OSError):
                    super().handle()

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.asked.append(Asked(self.command, path, query, headers))
                with suppress(OSError):
                    owner.answers.get(path, says(404))(self)

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None:
                """The tests say what went wrong."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._scheme = "https" if context else "http"
        self._server = Server(("127.0.0.1", 0), Handler)
        if context:
            plain = self._server.socket
            self._server.socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def offer(self, name: str = "team/app", tag: str = "v1", image: bytes = IMAGE) -> None:
        """Have an image, with its manifest by tag and by digest, and the blobs of this file."""
        for reference in (tag, digest_of(image)):
            self.answers[f"/v2/{name}/manifests/{reference}"] = gives_manifest(image)
        for blob in (CONFIG, LAYER):
            self.answers[f"/v2/{name}/blobs/{digest_of(blob)}"] = says(200, body=blob)
        self.answers["/v2/"] = says(200, body=b"{}")

    def times(self, path: str, method: str = "GET") -> int:
        """How often it was asked for a path."""
        return sum(asked.path == path and asked.method == method for asked in self.asked)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def says(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    """An answer that is whole."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return answer


def gives_manifest(body: bytes, media_type: str = OCI_MANIFEST) -> Answer:
    return says(200, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(body)}, body)


def in_chunks(pieces: Callable[[], Iterator[bytes]]) -> Answer:
    """A body whose length nobody announces."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces():
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return answer


def in_pieces(length: int, pieces: Callable[[], Iterator[bytes]]) -> Answer:
    """A body of an announced length, of which each piece comes by itself; then the connection ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        for piece in pieces():
            handler.wfile.write(piece)
            handler.wfile.flush()
        handler.close_connection = True

    return answer


@contextmanager
def hostile(context: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    server = Hostile(context)
    try:
        yield server
    finally:
        server.close()
