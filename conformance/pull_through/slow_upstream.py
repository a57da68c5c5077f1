"""A registry with one layer, which it gives at a steady pace, in a process of its own.

    python -m conformance.pull_through.slow_upstream MEGABYTES MEGABYTES_A_SECOND

Prints its port, the layer's digest and that of its image, and then a line for each time that the layer was
asked for and given.
"""

import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = bytes(range(256)) * 4096
CONFIG = b'{"architecture":"amd64","os":"linux"}'
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def say(**members: object) -> None:
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def main(megabytes: int, pace: float) -> None:
    whole = hashlib.sha256()
    for _ in range(megabytes):
        whole.update(PIECE)
    layer = "sha256:" + whole.hexdigest()
    size = megabytes * len(PIECE)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(CONFIG)}
    part = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": size}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [part]}
    image = json.dumps({**document, "config": {**config, "size": len(CONFIG)}}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.endswith(layer):
                self.send_layer()
            elif "/manifests/" in self.path:
                self.send(image, OCI_MANIFEST)
            else:
                self.send(CONFIG, "application/octet-stream")

        def send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_layer(self) -> None:
            say(event="asked", at=time.time())
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            began = time.monotonic()
            for number in range(megabytes):
                self.wfile.write(PIECE)
                time.sleep(max(began + number / pace - time.monotonic(), 0))
            say(event="given", at=time.time())

        def log_message(self, *arguments: object) -> None:
            """Its lines are those of `say`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    say(port=server.server_address[1], layer=layer, image=digest_of(image), size=size)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
