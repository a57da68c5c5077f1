"""A small registry client that costs little: what it sends is made before the clock starts."""

import hashlib
import http.client
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

REPOSITORY = "bench/image"
TAG = "latest"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFEST_PATH = f"/v2/{REPOSITORY}/manifests/{TAG}"
TIMEOUT_SECONDS = 120
BLOCK_BYTES = 1 << 20
# Go's io.Copy moves 32 KiB at a time, and each becomes a chunk of docker's request.
FRAME_BYTES = 32 << 10
LAST_FRAME = b"0\r\n\r\n"
STAMP_BYTES = 32
SMALL_BYTES = 2000


class BenchFailed(RuntimeError):
    """Why a figure could not be taken, in one line."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes that no server has seen, ready to be sent: as `blocks`, or as `frames` in the chunked coding."""

    digest: str
    size_bytes: int
    blocks: tuple[bytes, ...] = field(repr=False)
    frames: tuple[bytes, ...] = field(repr=False)


class Source:
    """Makes payloads of one size that differ in their first bytes only, so that making one is cheap."""

    def __init__(self, size_bytes: int) -> None:
        block = secrets.token_bytes(min(BLOCK_BYTES, size_bytes))
        count, rest = divmod(size_bytes, len(block))
        self._size_bytes = size_bytes
        self._first = block[STAMP_BYTES:]
        self._others = [*([block] * (count - 1)), block[:rest]]
        framed = _frame(block)
        self._other_frames = (*([framed] * (count - 1)), _frame(block[:rest]), LAST_FRAME)

    def make(self) -> Payload:
        """A fresh payload."""
        first = secrets.token_bytes(STAMP_BYTES) + self._first
        digest = hashlib.sha256(first)
        for block in self._others:
            digest.update(block)
        frames = (_frame(first), *self._other_frames)
        return Payload(f"sha256:{digest.hexdigest()}", self._size_bytes, (first, *self._others), frames)


def _frame(data: bytes) -> bytes:
    parts = [data[start : start + FRAME_BYTES] for start in range(0, len(data), FRAME_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


class Client:
    """One keep-alive connection to a server on this machine, with the headers that log it in."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._headers = dict(headers)
        self._buffer = memoryview(bytearray(BLOCK_BYTES))

    def close(self) -> None:
        self._connection.close()

    def push(self, payload: Payload) -> None:
        """Upload a blob as docker does: POST, PATCH with a chunked stream, PUT."""
        location = self._send("POST", f"/v2/{REPOSITORY}/blobs/uploads/", HTTPStatus.ACCEPTED)
        location = self._stream(location, payload.frames)
        joint = "&" if "?" in location else "?"
        self._send("PUT", f"{location}{joint}digest={payload.digest}", HTTPStatus.CREATED)

    def push_whole(self, payload: Payload) -> None:
        """Upload a blob in one request after POST: PUT with all bytes."""
        location = self._send("POST", f"/v2/{REPOSITORY}/blobs/uploads/", HTTPStatus.ACCEPTED)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(payload.size_bytes)}
        path = f"{location}{'&' if '?' in location else '?'}digest={payload.digest}"
        self._connection.request("PUT", path, iter(payload.blocks), headers=self._headers | headers)
        self._location(HTTPStatus.CREATED)

    def pull(self, payload: Payload) -> None:
        """Download a blob into a buffer that is used again and again."""
        self._connection.request("GET", blob_path(payload), headers=self._headers)
        response = self._connection.getresponse()
        received = 0
        while count := response.readinto(self._buffer):
            received += count
        if response.status != HTTPStatus.OK or received != payload.size_bytes:
            raise BenchFailed(f"a pull was answered {response.status} with {received} bytes")

    def put_image(self) -> Payload:
        """Store the small image that the small requests are about; its only layer."""
        config, layer = Source(200).make(), Source(SMALL_BYTES).make()
        for blob in (config, layer):
            self.push(blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
        }
        body = json.dumps(manifest).encode()
        self._send("PUT", MANIFEST_PATH, HTTPStatus.CREATED, {"Content-Type": MANIFEST_TYPE}, body)
        return layer

    def _stream(self, location: str, frames: Iterable[bytes]) -> str:
        connection = self._connection
        connection.putrequest("PATCH", location)
        headers = {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"}
        for name, value in (self._headers | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        for frame in frames:
            connection.send(frame)
        return self._location(HTTPStatus.ACCEPTED)

    def _send(
        self,
        method: str,
        path: str,
        expected: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> str:
        self._connection.request(method, path, body, headers=self._headers | dict(headers or {}))
        return self._location(expected)

    def _location(self, expected: int) -> str:
        """The path and query of the answer's Location."""
        response = self._connection.getresponse()
        text = response.read()
        if response.status != expected:
            raise BenchFailed(f"answered {response.status} and not {expected}: {text[:200]!r}")
        parts = urlsplit(response.headers.get("Location", ""))
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


def blob_path(payload: Payload) -> str:
    return f"/v2/{REPOSITORY}/blobs/{payload.digest}"


def _descriptor(media_type: str, payload: Payload) -> dict[str, object]:
    return {"mediaType": media_type, "digest": payload.digest, "size": payload.size_bytes}
