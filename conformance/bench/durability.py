"""What `--durability` costs: pushes and PutImage on a server that waits for the disk and on one that won't.

`python -m conformance.bench.durability [--seconds S]` serves both on loopback and asks them in turn.
"""

import hashlib
import http.client
import json
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from tests.processes import Served, serving

MODES = ("safe", "fast")
CLIENTS = (1, 32)
ROUNDS = 3
MEGABYTE = 1_000_000
REPOSITORY = "bench/durability"
SCOPE = (
    "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
)
TARGET = "AmazonEC2ContainerRegistry_V20150921."
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b"{}"

Deed = Callable[[http.client.HTTPConnection, int], None]


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status not in (200, 201):
        raise click.ClickException(f"{method} {path}: {answer.status} {said[:200]!r}")


def call(connection: http.client.HTTPConnection, operation: str, **members: object) -> None:
    headers = {"X-Amz-Target": TARGET + operation, "Authorization": SCOPE}
    headers["Content-Type"] = "application/x-amz-json-1.1"
    _ask(connection, "POST", "/", json.dumps(members).encode(), headers)


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def push_blob(connection: http.client.HTTPConnection, content: bytes) -> None:
    path = f"/v2/{REPOSITORY}/blobs/uploads/?digest={digest_of(content)}"
    _ask(connection, "POST", path, content, {})


_FILLING = secrets.token_bytes(MEGABYTE)


def push_megabyte(connection: http.client.HTTPConnection, number: int) -> None:
    """A layer that nobody has pushed."""
    push_blob(connection, secrets.token_bytes(32) + _FILLING[32:])


def put_image(connection: http.client.HTTPConnection, number: int) -> None:
    """An image that nobody has pushed, of a config that is there."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest_of(CONFIG),
            "size": len(CONFIG),
        },
        "layers": [],
        "annotations": {"number": secrets.token_hex(8)},
    }
    call(connection, "PutImage", repositoryName=REPOSITORY, imageManifest=json.dumps(document))


DEEDS: dict[str, Deed] = {"push of 1 MB": push_megabyte, "PutImage": put_image}


def rate(port: int, deed: Deed, clients: int, seconds: float) -> float:
    """How often a second the clients do it together."""
    done = [0] * clients
    until = time.monotonic() + seconds

    def work(index: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() < until:
            deed(connection, done[index])
            done[index] += 1
        connection.close()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def _prepare(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    call(connection, "CreateRepository", repositoryName=REPOSITORY)
    push_blob(connection, CONFIG)
    connection.close()


def wait_of_disk_ms(folder: Path) -> float:
    """What it takes to append 4 KiB to a file and have them on the disk, in milliseconds."""
    import os

    with (folder / "wait").open("wb", buffering=0) as file:
        times = []
        for _ in range(100):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="How long each of the figures is measured.")
def main(seconds: float) -> None:
    """Measure, and print a table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecr-emu-bench-")))
        click.echo(f"4 KiB on the disk: {wait_of_disk_ms(folder):.2f} ms")
        limit = ("--limit", "images-per-repository=1000000")
        served = {}
        for mode in MODES:
            options = ("--auth", "open", "--data-dir", folder / mode, "--durability", mode)
            served[mode] = stack.enter_context(serving(*options, *limit))
            _prepare(served[mode])
        for name, deed in DEEDS.items():
            for clients in CLIENTS:
                found: dict[str, list[float]] = {mode: [] for mode in MODES}
                for _ in range(ROUNDS):
                    for mode in MODES:
                        found[mode].append(rate(served[mode].port, deed, clients, seconds))
                cells = (f"{mode} {statistics.median(values):,.0f}/s" for mode, values in found.items())
                click.echo(f"{name}, {clients} clients: {', '.join(cells)}")


if __name__ == "__main__":
    main()
