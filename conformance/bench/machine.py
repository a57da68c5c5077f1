"""On what was measured."""

import os
import platform
import subprocess
import tempfile
from pathlib import Path


def describe() -> dict[str, str]:
    """Names and values for the page."""
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _cpu_model(),
        "processors": str(os.cpu_count()),
        "memory": f"{memory_bytes / 1e9:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system of the data": _file_system(),
        "Python": platform.python_version(),
        "wrk": _first_line("wrk", "-v"),
        "skopeo": _first_line("skopeo", "--version"),
        "openssl": _first_line("openssl", "version"),
    }


def commit() -> str:
    """What is checked out, and whether it was changed since."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    except OSError:
        return ""
    return done.stdout.strip()


def _first_line(*command: str) -> str:
    """The first line that a program prints, on whichever stream; nothing where it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return next(iter((done.stdout or done.stderr).splitlines()), "").split(" [")[0].split(" (")[0].strip()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system() -> str:
    command = ["stat", "-f", "-c", "%T", tempfile.gettempdir()]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
