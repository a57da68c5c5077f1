"""Answers of upstream registries in a folder: recorded once, replayed without a network.

    answers.jsonl           one answer a line: what was asked, status, headers, body
    bodies/<sha256>         the bytes of the bodies

What is kept is the answer behind logins and redirects. No Authorization header, token, cookie or redirect is
written, and of the headers only those in _KEPT.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from ecr_emu.upstream.exchange import READ_BYTES, Answer
from ecr_emu.upstream.problems import unavailable

_KEPT = ("content-type", "content-length", "docker-content-digest")

Key = tuple[str, str, str]


class Played:
    """An answer from a cassette."""

    def __init__(self, status: int, headers: Mapping[str, str], body: BinaryIO | None) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    @property
    def length(self) -> int | None:
        text = self.headers.get("content-length")
        return int(text) if text is not None else None

    def begin(self) -> None:
        """A file is quick enough."""

    def read(self, size: int = READ_BYTES, /) -> bytes:
        return self._body.read(size) if self._body else b""

    def read_all(self, limit: int, /) -> bytes:
        body = self.read(limit + 1)
        if len(body) > limit:
            raise unavailable(f"the cassette has an answer of more than {limit} bytes")
        return body

    def close(self) -> None:
        if self._body:
            self._body.close()


class Taped:
    """A live answer that is written down as it is read; one that is not read to its end is not kept."""

    def __init__(self, cassette: "Cassette", key: Key, answer: Answer) -> None:
        self._cassette = cassette
        self._key = key
        self._answer = answer
        self._file = cassette.scratch()
        self._hash = hashlib.sha256(usedforsecurity=False)
        self._is_whole = False

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def length(self) -> int | None:
        return self._answer.length

    def begin(self) -> None:
        self._answer.begin()

    def read(self, size: int = READ_BYTES, /) -> bytes:
        chunk = self._answer.read(size)
        self._hash.update(chunk)
        self._file.write(chunk)
        self._is_whole = self._is_whole or not chunk
        return chunk

    def read_all(self, limit: int, /) -> bytes:
        body = self._answer.read_all(limit)
        self._hash.update(body)
        self._file.write(body)
        self._is_whole = True
        return body

    def close(self) -> None:
        has_body = self._key[1] != "HEAD" and self.status == 200
        try:
            self._file.close()
            if has_body and not self._is_whole:
                Path(self._file.name).unlink(missing_ok=True)
                return
            body = self._hash.hexdigest() if has_body else None
            self._cassette.keep(self._key, self._answer, Path(self._file.name), body)
        finally:
            self._answer.close()


class Cassette:
    """A folder of answers, to write to or to play from."""

    def __init__(self, folder: Path, *, is_replaying: bool) -> None:
        self.is_replaying = is_replaying
        self._folder = folder
        self._index = folder / "answers.jsonl"
        self._bodies = folder / "bodies"
        self._lock = threading.Lock()
        self._number = 0
        self._answers: dict[Key, list[Mapping[str, object]]] = {}
        if is_replaying:
            self._load()
        else:
            self._bodies.mkdir(parents=True, exist_ok=True)
            self._index.touch()

    def play(self, address: str, method: str, path: str) -> Played:
        """The next answer to this question; the last one stays. Raises UpstreamProblem when there is none."""
        key = (address, method, path)
        with self._lock:
            answers = self._answers.get(key)
            if not answers:
                raise unavailable(f"the cassette has no answer of {address} to {method} {path}")
            entry = answers.pop(0) if len(answers) > 1 else answers[0]
        headers = entry["headers"]
        body = entry["body"]
        try:
            file = None if body is None else (self._bodies / str(body)).open("rb")
        except OSError:
            raise unavailable(f"the cassette has lost the body {body}") from None
        return Played(int(str(entry["status"])), dict(headers), file)  # type: ignore[call-overload]

    def tape(self, address: str, method: str, path: str, answer: Answer) -> Taped:
        """The answer, to be written down as it is read."""
        return Taped(self, (address, method, path), answer)

    def scratch(self) -> BinaryIO:
        with self._lock:
            self._number += 1
            return (self._folder / f"scratch-{os.getpid()}-{self._number}").open("wb")

    def keep(self, key: Key, answer: Answer, scratch: Path, body: str | None) -> None:
        """Take an answer into the cassette."""
        headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        entry = {
            **dict(zip(("registry", "method", "path"), key, strict=True)),
            "status": answer.status,
            "headers": headers,
            "body": body,
        }
        with self._lock:
            if body is None:
                scratch.unlink(missing_ok=True)
            else:
                scratch.replace(self._bodies / body)
            with self._index.open("a") as index:
                index.write(json.dumps(entry) + "\n")

    def _load(self) -> None:
        """Raises ValueError with one line."""
        try:
            lines = self._index.read_text().splitlines()
        except OSError as error:
            raise ValueError(f"{self._folder} is no cassette ({error.strerror})") from None
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                key = (entry["registry"], entry["method"], entry["path"])
                int(entry["status"]), dict(entry["headers"]), entry["body"]
            except (ValueError, LookupError, TypeError):
                raise ValueError(f"{self._index} has no answer in line {number}") from None
            self._answers.setdefault(key, []).append(entry)


def load(record: str | None, replay: str | None) -> Cassette | None:
    """The cassette of the settings, if there is one. Raises ValueError with one line."""
    if replay is not None:
        return Cassette(Path(replay), is_replaying=True)
    if record is None:
        return None
    try:
        return Cassette(Path(record), is_replaying=False)
    except OSError as error:
        raise ValueError(f"cannot write to {record} ({error.strerror})") from None
