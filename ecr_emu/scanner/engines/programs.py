"""Running an engine: a child process that is bounded in time, memory and words, and kept from the network."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecr_emu.scanner.engines.answers import EngineError

MAX_SECONDS = 300.0
MAX_MEMORY_BYTES = 4 << 30
MAX_OUTPUT_BYTES = 256 << 20
# How much of an engine's complaint is told.
MAX_WORDS = 300
_LOG_BYTES = 1 << 20

# Of our environment an engine gets what it needs to find its database, and nothing that changes its findings.
_KEPT = (
    *("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "TRIVY_CACHE_DIR"),
    *("GRYPE_DB_CACHE_DIR", "GRYPE_DB_VALIDATE_AGE", "GRYPE_DB_MAX_ALLOWED_BUILT_AGE"),
)
# Nobody listens there: whatever an engine wants to fetch is refused at once.
_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended, and what it said: on standard output, and the end of its log."""

    code: int
    output: bytes
    log: str

    @property
    def complaint(self) -> str:
        """The last line of the log, as one may show it."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()] or ["it said nothing"]
        # Colours, and what a logger puts in front.
        last = re.sub(r"\x1b\[[0-9;]*m|^\[\d+\]\s+ERROR\s+", "", lines[-1])
        last = "".join(letter if letter.isprintable() else " " for letter in last)
        return last if len(last) <= MAX_WORDS else last[:MAX_WORDS] + "…"


def run(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    max_seconds: float | None = None,
) -> Finished:
    """Let a program run in a folder of its own until it ends. Raises EngineError."""
    name = words[0]
    program = shutil.which(name)
    if program is None:
        raise EngineError(f"{name} is not on the PATH of the server; install it, or choose another --scanner")
    seconds = MAX_SECONDS if max_seconds is None else max_seconds
    output, log = folder / "output", folder / "log"
    with output.open("wb") as out, log.open("wb") as err:
        try:
            child = subprocess.Popen(  # noqa: S603
                [program, *words[1:]],
                cwd=folder,
                env=_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError as reason:
            raise EngineError(f"{name} cannot be started ({reason.strerror}): {program}") from None
        try:
            _bound(child.pid)
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise EngineError(f"{name} was stopped: it took longer than {seconds:g} seconds") from None
        finally:
            _end(child)
    return Finished(code, _read(name, output), _tail(log))


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NOWHERE)
    # Both are written in Go, whose collector tries to keep below this.
    return {**kept, **proxies, "GOMEMLIMIT": str(MAX_MEMORY_BYTES // 2), "NO_COLOR": "1", **more}


def _bound(pid: int) -> None:
    """Limits of the kernel, where it lets a process set those of another: Linux does."""
    if sys.platform == "linux":
        import resource

        limits = {resource.RLIMIT_DATA: MAX_MEMORY_BYTES, resource.RLIMIT_FSIZE: MAX_OUTPUT_BYTES}
        limits[resource.RLIMIT_CORE] = 0
        for limit, most in limits.items():
            # It may have ended already.
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, limit, (most, most))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing stays of one that still runs, nor of what it started."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _read(name: str, output: Path) -> bytes:
    if output.stat().st_size >= MAX_OUTPUT_BYTES:
        raise EngineError(f"{name} was stopped: it said more than {MAX_OUTPUT_BYTES >> 20} MiB")
    return output.read_bytes()


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        return file.read().decode("utf-8", "replace")
