"""HTTP on a socket of its own: as fast as it goes, or drop by drop; whole, or cut off at a byte."""

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

# What a slow client sends and reads at a time, how long it rests then, and how often at most.
DROP_BYTES, REST_SECONDS, MAX_RESTS = 4096, 0.02, 150
READ_BYTES = 1 << 16
# Bodies up to this size are kept, of larger ones only the digest.
KEPT_BYTES = 1 << 20
ANSWER_SECONDS = 90


class Lost(Exception):
    """The connection ended before the answer did."""


@dataclass(slots=True)
class Answer:
    """A whole answer; `digest` is the SHA-256 of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int
    digest: str


class Connection:
    """One client's connection: opened when needed, kept while it works."""

    def __init__(self, port: int, *, is_slow: bool) -> None:
        self._port = port
        self._is_slow = is_slow
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and read its answer. Raises Lost, and TimeoutError after a minute and a half."""
        async with asyncio.timeout(ANSWER_SECONDS):
            try:
                reader, writer = await self._open()
                writer.write(self._head(method, path, headers, len(body)))
                # One that answers before it has read all may close: the answer counts.
                with suppress(ConnectionError):
                    await self._send(writer, body)
                return await self._read(reader, is_head=method == "HEAD")
            except (OSError, EOFError, asyncio.LimitOverrunError) as problem:
                self.close()
                raise Lost(f"{type(problem).__name__}: {problem}") from None
            except BaseException:
                self.close()
                raise

    async def cut(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, sent_bytes: int
    ) -> None:
        """Send a request up to a byte of its body, and hang up."""
        self.close()
        with suppress(OSError):
            _, writer = await self._open()
            writer.write(self._head(method, path, headers, len(body)))
            with suppress(ConnectionError):
                await self._send(writer, body[:sent_bytes])
        self.close()

    async def stare(self, path: str, headers: Mapping[str, str], seconds: float) -> None:
        """Ask, and read nothing of the answer."""
        self.close()
        with suppress(OSError):
            _, writer = await self._open()
            writer.write(self._head("GET", path, headers, 0))
            await writer.drain()
            await asyncio.sleep(seconds)
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=READ_BYTES)
        return self._streams

    def _head(self, method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if length or method not in ("GET", "HEAD"):
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _send(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        if not self._is_slow:
            writer.write(body)
            await writer.drain()
            return
        step = max(DROP_BYTES, len(body) // MAX_RESTS)
        for start in range(0, len(body), step):
            writer.write(body[start : start + step])
            await writer.drain()
            await asyncio.sleep(REST_SECONDS)

    async def _read(self, reader: asyncio.StreamReader, *, is_head: bool) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
        length = 0 if is_head or status == 204 else int(headers.get("content-length", "0"))
        kept, found, size = [], hashlib.sha256(), 0
        step = max(DROP_BYTES, length // MAX_RESTS) if self._is_slow else READ_BYTES
        while size < length:
            chunk = await reader.read(min(step, length - size))
            if not chunk:
                raise EOFError(f"the answer ended after {size} of {length} bytes")
            found.update(chunk)
            size += len(chunk)
            if length <= KEPT_BYTES:
                kept.append(chunk)
            if self._is_slow:
                await asyncio.sleep(REST_SECONDS)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, b"".join(kept), size, f"sha256:{found.hexdigest()}")
