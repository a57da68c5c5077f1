"""Bytes that are no request of HTTP, or half of one: the server's own surface. Judged by what comes back."""

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from random import Random

from conformance.fuzz.asks import RECEIVE_BYTES
from conformance.fuzz.mutations import mutated
from tests.steps import TARGET_PREFIX

# How long an answer is waited for where none has to come.
PATIENCE_SECONDS = 0.05
# How long one is waited for that has to come.
TIMEOUT_SECONDS = 30
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[^\r\n]*\r\n")

_CLOSE = b"Connection: close\r\n"
_GOOD = (
    b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n" + _CLOSE + b"\r\n",
    b"POST /v2/team/app/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\n"
    + _CLOSE
    + b"Content-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: %s.DescribeRegistry\r\n" % TARGET_PREFIX.encode()
    + b"Authorization: AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/ecr/aws4_request, "
    + b"SignedHeaders=host, Signature=0\r\n"
    + _CLOSE
    + b"Content-Length: 2\r\n\r\n{}",
    b"PUT /v2/team/app/manifests/v9 HTTP/1.1\r\nHost: localhost\r\n"
    + _CLOSE
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET /_emu/health HTTP/1.1\r\nHost: localhost\r\n" + _CLOSE + b"\r\n",
)


def make(chance: Random) -> tuple[bytes, bool]:
    """Bytes, and whether the client closes its side behind them."""
    content = chance.choices(_WAYS, cum_weights=_SUMS)[0](chance)
    return content, chance.random() < 0.3


def send(port: int, content: bytes, *, is_closing: bool) -> str:
    """What is wrong with what comes back; "" when nothing is. That nothing comes back is right."""
    received, is_whole = b"", content in _GOOD
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as peer:
        peer.settimeout(TIMEOUT_SECONDS if is_whole else PATIENCE_SECONDS)
        peer.sendall(content)
        if is_closing:
            peer.shutdown(socket.SHUT_WR)
        while chunk := peer.recv(RECEIVE_BYTES):
            received += chunk
    if received and not received.startswith(b"HTTP/1."):
        return f"{received[:200]!r} is no answer of HTTP"
    for status in _STATUS.findall(received):
        if status[:1] == b"5" and status != b"501":
            return f"status {status.decode()}: {received[:500]!r}"
    if is_whole and not is_closing and not received:
        return "no answer to a good request"
    return ""


def _whole(chance: Random) -> bytes:
    return chance.choice(_GOOD)


def _damaged(chance: Random) -> bytes:
    return mutated(chance.choice(_GOOD), chance)


def _noise(chance: Random) -> bytes:
    return chance.randbytes(chance.choice((1, 3, 100, 5000)))


def _half(chance: Random) -> bytes:
    content = chance.choice(_GOOD)
    return content[: chance.randrange(len(content))]


def _headers(chance: Random) -> bytes:
    """Many headers, or long ones."""
    count, size = chance.choice(((100, 5), (2000, 5), (20, 5000), (1, 500_000), (30_000, 2)))
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count))
    return b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n" + lines + _CLOSE + b"\r\n"


def _chunks(chance: Random) -> bytes:
    """A body in chunks whose sizes lie."""
    head = _GOOD[3].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    sizes = (
        b"5",
        b"FFFFFFFFFFFFFFFF",
        b"-1",
        b"0x5",
        b"5;a=b",
        b"5;" + b"x" * 20_000,
        b"",
        b"00000000005",
        b"g",
    )
    chunks = (chance.choice(sizes) + b"\r\nhello\r\n" for _ in range(chance.choice((1, 2, 50))))
    return (
        head
        + b"".join(chunks)
        + chance.choice((b"0\r\n\r\n", b"", b"0\r\nX: y\r\n\r\n", b"0\r\n" + b"T: x\r\n" * 500))
    )


def _pipelined(chance: Random) -> bytes:
    parts = [chance.choice(_GOOD).replace(_CLOSE, b"") for _ in range(chance.choice((2, 5, 40)))]
    return b"".join([*parts, _GOOD[4]])


def _lengths(chance: Random) -> bytes:
    """Lengths that contradict each other, or the body."""
    lines = (b"Content-Length: 3", b"Content-Length: 4", b"Content-Length: -1", b"Content-Length: 1, 1")
    lines += (
        b"Content-Length: 99999999999999999999",
        b"Content-Length: 5000000000",
        b"Transfer-Encoding: chunked",
    )
    lines += (b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity", b"Expect: 100-continue")
    lines += (b"Content-Length : 3", b" Content-Length: 3", b"Upgrade: h2c", b"Transfer-Encoding:\tchunked")
    chosen = b"\r\n".join(chance.sample(lines, chance.choice((1, 2, 2, 3))))
    start = chance.choice((b"POST /v2/team/app/blobs/uploads/", b"POST /", b"PUT /v2/team/app/manifests/x"))
    return start + b" HTTP/1.1\r\nHost: localhost\r\n" + _CLOSE + chosen + b"\r\n\r\nabc"


def _lines(chance: Random) -> bytes:
    """Other forms of the request line."""
    start = chance.choice(
        (
            b"GET http://localhost/v2/ HTTP/1.1",
            b"GET * HTTP/1.1",
            b"OPTIONS * HTTP/1.1",
            b"CONNECT localhost:80 HTTP/1.1",
            b"GET /v2/ HTTP/1.0",
            b"GET /v2/ HTTP/2.0",
            b"PRI * HTTP/2.0",
            b"GET /v2/ HTTP/9.9",
            b"GET /v2/",
            b"GET  /v2/  HTTP/1.1",
            b"G\xc3\x89T /v2/ HTTP/1.1",
            b"GET /v2/%s HTTP/1.1" % (b"a" * chance.choice((10, 8000, 70_000, 500_000))),
            b"GET /?%s HTTP/1.1" % (b"a=b&" * chance.choice((10, 8000, 100_000))),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        )
    )
    return start + chance.choice((b"\r\n", b"\n")) + b"Host: localhost\r\n" + _CLOSE + b"\r\n"


_WEIGHTS: dict[Callable[[Random], bytes], int] = {
    _whole: 8,
    _damaged: 30,
    _noise: 10,
    _half: 12,
    _headers: 5,
    _chunks: 10,
    _pipelined: 5,
    _lengths: 12,
    _lines: 8,
}
_WAYS = list(_WEIGHTS)
_SUMS = [sum(list(_WEIGHTS.values())[: number + 1]) for number in range(len(_WEIGHTS))]
