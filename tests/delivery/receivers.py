"""What tests deliver events to: a web server that remembers what it was sent, and moto."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
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


@contextmanager
def moto_server(log: Path) -> Iterator[str]:
    """The URL of moto's server, which plays EventBridge and SQS, in a process of its own."""
    running = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_for(lambda: running.search(log.read_text()) or process.poll() is not None)
            found = running.search(log.read_text())
            assert found is not None, log.read_text()
            yield found[1]
        finally:
            process.kill()


def receive(sqs: Any, queue: str, count: int) -> list[dict[str, Any]]:
    """The bodies of so many messages."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found) < count:
        assert time.monotonic() < deadline, f"only {len(found)} of {count} came"
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found
