"""What the kernel knows about a server: its memory and its processor time, all processes together."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
BYTES_PER_MB = 1_000_000
BYTES_PER_KIB = 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Writing this to clear_refs sets the peak of the resident size back to the present one (proc(5)).
RESET_PEAK = "5"
# Positions in /proc/PID/stat behind the name of the command, which may hold anything.
PARENT, USER_TICKS, CHILDREN_SYSTEM_TICKS = 1, 11, 14


def proportional_mb(root: int) -> float:
    """Memory of the process and its descendants in MB, shared pages divided among their users (PSS)."""
    return sum(_field_mb(pid, "smaps_rollup", "Pss:") for pid in _tree(root))


def resident_mb(root: int) -> float:
    """Memory of the process and its descendants in MB, shared pages counted whole (RSS)."""
    return sum(_field_mb(pid, "smaps_rollup", "Rss:") for pid in _tree(root))


def reset_peak(root: int) -> None:
    """Begin to look for the peak of the resident memory."""
    for pid in _tree(root):
        with suppress(OSError):
            (PROC / str(pid) / "clear_refs").write_text(RESET_PEAK)


def peak_mb(root: int) -> float:
    """The peak of the resident memory in MB; of several processes the sum of their peaks."""
    return sum(_field_mb(pid, "status", "VmHWM:") for pid in _tree(root))


def cpu_seconds(root: int) -> float:
    """Processor time that the process and its descendants have used, in seconds."""
    return sum(_ticks(pid) for pid in _tree(root)) / TICKS_PER_SECOND


def _tree(root: int) -> list[int]:
    """The process and its living descendants."""
    children: dict[int, list[int]] = {}
    for pid, stat in _all_stats():
        children.setdefault(int(stat[PARENT]), []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def _all_stats() -> Iterator[tuple[int, list[str]]]:
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            yield int(entry.name), stat


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the command; none when the process is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _ticks(pid: int) -> int:
    """Ticks of a process, and of its children that have ended."""
    return sum(map(int, _stat(pid)[USER_TICKS : CHILDREN_SYSTEM_TICKS + 1]))


def _field_mb(pid: int, file: str, name: str) -> float:
    try:
        lines = (PROC / str(pid) / file).read_text().splitlines()
    except OSError:
        return 0.0
    kib = next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
    return kib * BYTES_PER_KIB / BYTES_PER_MB
