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
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system() -> str:
    command = ["stat", "-f", "-c", "%T", tempfile.gettempdir()]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
