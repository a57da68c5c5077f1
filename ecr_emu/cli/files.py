"""Files that users name: read whole, or one line that says why not."""

import sys
from pathlib import Path

from ecr_emu.cli import options


def read(name: str) -> bytes:
    """What is in a file; `-` is what comes in on the standard input."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        because = error.strerror if isinstance(error, OSError) else str(error)
        raise options.failure(f"cannot read {name} ({because})") from None


def read_text(name: str) -> str:
    try:
        return read(name).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise options.failure(f"{name} is not UTF-8 text; save it as such") from None
