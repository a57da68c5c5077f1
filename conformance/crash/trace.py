"""A server under strace: what it asked of the kernel, in order, with every byte that it wrote.

A call has a place where it begins and one where it ends, counted in lines of the trace. Of two calls nobody
knows which came first, unless one ended before the other began.
"""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import READY, environment

CALLS = (
    "openat,mkdir,mkdirat,lseek,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,rename,renameat,"
    "renameat2,link,linkat,unlink,unlinkat,rmdir,ftruncate,fallocate,sendto,sendmsg"
)
# Longer than any write of the server.
MOST_BYTES = 8_000_000
TIMEOUT_SECONDS = 120
NO_STRACE = "there is no strace: apt-get install strace (docs/conformance.md)"

LINE = re.compile(r"(\d+) +(.*)")
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)(.*)")
# What -yy says of a file descriptor: a path in hexadecimal, or what kind of thing it is.
DESCRIPTOR = re.compile(r"(\d+)<((?:[^>]|(?<=-)>)*)>")


class CannotTrace(AssertionError):
    """Why there is no trace, in one line."""


@dataclass(frozen=True, slots=True)
class Event:
    """One call that succeeded, between two lines of the trace.

    `descriptor` and `path` are those of the first argument, or of what was opened; `strings` are the bytes of
    all others, in order; `numbers` what stands behind them; `result` what was returned.
    """

    begin: int
    end: int
    call: str
    path: str
    descriptor: int
    strings: tuple[bytes, ...]
    numbers: tuple[int, ...]
    flags: str
    result: int


class TracedServer:
    """`ecr-emu serve` with strace beside it, which leaves when the server does."""

    def __init__(self, trace: Path, *options: str) -> None:
        if shutil.which("strace") is None:
            raise CannotTrace(NO_STRACE)
        self.trace = trace
        strace = ["strace", "-D", "-f", "--seccomp-bpf", "-yy", "-xx", "-s", str(MOST_BYTES)]
        strace += ["-e", f"trace={CALLS}", "-o", str(trace), "--"]
        command = [*strace, sys.executable, "-m", "ecr_emu", "serve", "--port", "0", *options]
        self._process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        ready = READY.fullmatch(line)
        if ready is None:
            self._process.kill()
            _, errors = self._process.communicate()
            raise CannotTrace(f"strace could not follow the server: {errors.strip() or line!r}")
        self.port = int(ready[1])

    def stop(self) -> None:
        """End the server properly, and wait until all of the trace is there."""
        self._process.send_signal(signal.SIGTERM)
        _, errors = self._process.communicate(timeout=TIMEOUT_SECONDS)
        assert self._process.returncode == 0, errors
        last = re.compile(rf"^{self._process.pid} +\+\+\+ exited with 0 \+\+\+$", re.MULTILINE)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not last.search(_tail(self.trace)):
            if time.monotonic() > deadline:
                raise CannotTrace(f"{self.trace} does not end")
            time.sleep(0.02)


def read(trace: Path) -> Iterator[Event]:
    """The calls that succeeded, in the order in which they ended."""
    begun: dict[str, tuple[int, str]] = {}
    with trace.open(encoding="ascii") as lines:
        for number, line in enumerate(lines):
            parts = LINE.fullmatch(line.rstrip("\n"))
            if parts is None:
                continue
            thread, text = parts[1], parts[2]
            begin = number
            if text.endswith("<unfinished ...>"):
                begun[thread] = (number, text.removesuffix("<unfinished ...>").rstrip())
                continue
            if resumed := RESUMED.fullmatch(text):
                begin, first = begun.pop(thread)
                text = first + resumed[2]
            event = _event(begin, number, text)
            if event is not None:
                yield event


def _event(begin: int, end: int, text: str) -> Event | None:
    parts = CALL.fullmatch(text)
    if parts is None or parts[3] == "?" or int(parts[3]) < 0:
        return None
    call, arguments, result = parts[1], parts[2], int(parts[3])
    where = DESCRIPTOR.match(parts[3] + parts[4]) if call == "openat" else DESCRIPTOR.match(arguments)
    # Strings are in hexadecimal, so that every quotation mark begins or ends one.
    pieces = arguments.split('"')
    assert not any(piece.startswith("...") for piece in pieces[2::2]), "a write was too long for the trace"
    strings = [bytes.fromhex(piece.replace("\\x", "")) for piece in pieces[1::2]]
    rest = DESCRIPTOR.sub("", "".join(pieces[::2]))
    return Event(
        begin,
        end,
        call,
        _path(where[2]) if where else "",
        int(where[1]) if where else -1,
        tuple(strings),
        tuple(int(value) for value in re.findall(r"(?<![\w.])\d+(?![\w.])", rest)),
        rest,
        result,
    )


def _path(text: str) -> str:
    encoded = re.match(r"(?:\\x[0-9a-f]{2})+", text)
    if encoded is None:
        return text
    # What may follow: that the file is deleted, or which device it is.
    return bytes.fromhex(encoded[0].replace("\\x", "")).decode() + text[encoded.end() :]


def _tail(file: Path) -> str:
    with file.open("rb") as source:
        source.seek(0, 2)
        source.seek(max(source.tell() - 4096, 0))
        return source.read().decode("ascii", "replace")
