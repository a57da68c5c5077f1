"""Sinks that need nothing but the standard library: stdout, a file, a webhook.

A sink takes events in their order, and says how many of them it has for sure. Whatever goes wrong is an
OSError, such as NotTaken; the message holds no secret, for it is logged.
"""

import base64
import contextlib
import http.client
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ecr_emu.delivery.targets import Target
from ecr_emu.store.events import Stored

WEBHOOK_SECONDS = 10.0


class NotTaken(OSError):
    """Why a sink did not take an event, in one line."""


class Sink(Protocol):
    """Where events go."""

    def send(self, events: Sequence[Stored]) -> int:
        """Deliver the first of these events, in order: how many, at least one."""


class Stdout:
    """A line of JSON for each event."""

    def send(self, events: Sequence[Stored]) -> int:
        sys.stdout.write(_lines(events).decode())
        sys.stdout.flush()
        return len(events)


class File:
    """A line of JSON for each event, synced before it counts. The file may be moved away at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: Sequence[Stored]) -> int:
        content = _lines(events)
        with self._path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size and not self._ends_with_a_line(size):
                # Of a line that a crash has cut off.
                content = b"\n" + content
            try:
                if file.write(content) != len(content):
                    raise NotTaken("the disk is full")
                os.fsync(file.fileno())
            except BaseException:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
        return len(events)

    def _ends_with_a_line(self, size: int) -> bool:
        with self._path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"


class Webhook:
    """A POST for each event; any answer of 200 to 299 takes it. Redirects are not followed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._is_secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json", "User-Agent": "ecr-emu"}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"

    def send(self, events: Sequence[Stored]) -> int:
        done = 0
        with contextlib.closing(self._connect()) as connection:
            for event in events:
                try:
                    self._post(connection, event)
                except (OSError, http.client.HTTPException) as error:
                    if done:
                        return done
                    raise NotTaken(str(error) or type(error).__name__) from None
                done += 1
        return done

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=WEBHOOK_SECONDS)

    def _post(self, connection: http.client.HTTPConnection, event: Stored) -> None:
        number = {"Ecr-Emu-Event-Number": str(event.number)}
        connection.request("POST", self._target, event.body, {**self._headers, **number})
        response = connection.getresponse()
        # Read to its end, for the next request on this connection.
        response.read(1 << 20)
        if not response.isclosed():
            connection.close()
        if not 200 <= response.status < 300:
            raise NotTaken(f"HTTP status {response.status}")


def open_sink(target: Target, region: str) -> Sink:
    """The sink of a target. `region` is that of a queue whose URL names none."""
    if target.kind == "stdout":
        return Stdout()
    if target.kind == "file":
        return File(Path(target.address))
    if target.kind == "webhook":
        return Webhook(target.address)
    # boto3 takes longer to import than everything else together.
    from ecr_emu.delivery import aws

    return aws.open_sink(target, region)


def _lines(events: Sequence[Stored]) -> bytes:
    return b"".join(event.body + b"\n" for event in events)
