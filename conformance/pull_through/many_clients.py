"""Many clients that read one URL at the same time, in a process of its own.

    python -m conformance.pull_through.many_clients PORT PATH CLIENTS DIGEST

Prints when each got its first byte and its last, how many bytes, and how many of some that hash had the
right digest.
"""

import asyncio
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass

# Hashing takes longer than sending: these do it, and show that all bytes are right.
HASHING = 4
READ_BYTES = 1 << 18


@dataclass
class Client:
    """What one client saw. Times are seconds since the epoch."""

    status: int = 0
    first_at: float = 0
    last_at: float = 0
    size: int = 0
    digest: str = ""


async def read(client: Client, port: int, path: str, is_hashing: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=READ_BYTES)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    client.status = int(head.split()[1])
    found = hashlib.sha256()
    while chunk := await reader.read(READ_BYTES):
        client.first_at = client.first_at or time.time()
        client.size += len(chunk)
        if is_hashing:
            found.update(chunk)
    client.last_at = time.time()
    client.digest = "sha256:" + found.hexdigest() if is_hashing else ""
    writer.close()


async def main(port: int, path: str, count: int) -> None:
    clients = [Client() for _ in range(count)]
    await asyncio.gather(
        *(read(client, port, path, number < HASHING) for number, client in enumerate(clients))
    )
    sys.stdout.write(json.dumps([asdict(client) for client in clients]) + "\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
