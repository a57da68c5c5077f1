"""What tests deliver events to: a web server that remembers what it was sent."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_SECONDS = 30.0


@dataclass
class Webhook:
    """Answers every POST with `status`, after `delay` seconds, and keeps those that it took."""

    port: int = 0
    status: int = 200
    delay: float = 0.0
    attempts: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    logins: set[str | None] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def webhook(port: int = 0, **settings: Any) -> Iterator[Webhook]:
    """A webhook on a port until the block is left."""
    hook = Webhook(**settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            hook.attempts += 1
            time.sleep(hook.delay)
            if hook.status == 200:
                hook.taken.append(json.loads(content))
                hook.numbers.append(int(self.headers["Ecr-Emu-Event-Number"]))
                hook.logins.add(self.headers["Authorization"])
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            # The client was killed.
            pass

    server = Server(("127.0.0.1", port), Handler)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_for(condition: Callable[[], object]) -> None:
    """Return when the condition holds, which it does soon."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "this did not come about"
        time.sleep(0.02)
