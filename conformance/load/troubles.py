"""What goes wrong in the course of a run, one after the other; each ends, and the server has to recover."""

import asyncio
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from conformance.load.connection import Connection
from conformance.load.journal import CLOCK, FULL, LOCKED, RESTART, Journal, Trouble
from conformance.load.server import Server

# When each begins, as a share of the run, and how long those last that have a length, at most.
PLAN = ((0.12, LOCKED), (0.28, CLOCK), (0.42, FULL), (0.60, RESTART), (0.82, CLOCK))
LONGEST_SECONDS = 20.0
SHARE = 0.06


class Troubles:
    """Makes them. `disk` is a small file system with the data on it, or None when there is none."""

    def __init__(self, server: Server, journal: Journal, folder: Path, disk: Path | None) -> None:
        self._server = server
        self._journal = journal
        self._folder = folder
        self._disk = disk
        self.not_done: list[str] = []

    async def run(self, seconds: float) -> None:
        deeds = {LOCKED: self._lock, CLOCK: self._clock, FULL: self._fill, RESTART: self._restart}
        length = min(LONGEST_SECONDS, seconds * SHARE)
        for share, name in PLAN:
            await asyncio.sleep(max(share * seconds - self._journal.now(), 0))
            trouble = Trouble(name, self._journal.now())
            self._journal.troubles.append(trouble)
            await deeds[name](trouble, length)
            trouble.ended = self._journal.now()

    async def _lock(self, trouble: Trouble, seconds: float) -> None:
        """A backup that holds the write lock."""
        with closing(sqlite3.connect(self._folder / "metadata.db", isolation_level=None, timeout=30)) as it:
            it.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)
            it.execute("ROLLBACK")
        trouble.note = f"another process held the write lock for {seconds:.0f} s"

    async def _clock(self, trouble: Trouble, seconds: float) -> None:
        """Two days ahead, past the end of every login; the second time back to the machine's time."""
        is_first = [one.name for one in self._journal.troubles].count(CLOCK) == 1
        wanted = {"advance": "2d"} if is_first else {"reset": True}
        connection = Connection(self._server.port, is_slow=False)
        answer = await connection.request("POST", "/_emu/clock", {}, json.dumps(wanted).encode())
        connection.close()
        if answer.status != 200:
            self._journal.problem(f"the clock cannot be moved: {answer.status} {answer.body!r}")
        trouble.note = "two days ahead" if is_first else "back to the machine's time"

    async def _fill(self, trouble: Trouble, seconds: float) -> None:
        """Another program takes all room on the disk, and gives it back."""
        if self._disk is None:
            trouble.note = "not done: making a small file system needs root"
            self.not_done.append(trouble.note)
            return
        ballast = self._disk / "ballast"
        until = self._journal.now() + seconds
        with ballast.open("wb", buffering=0) as file:
            while self._journal.now() < until:
                room = os.statvfs(self._disk)
                # What is freed meanwhile is taken too.
                with suppress(OSError):
                    taken = os.fstat(file.fileno()).st_size
                    free = room.f_bavail * room.f_frsize
                    await asyncio.to_thread(os.posix_fallocate, file.fileno(), taken, max(free, 1))
                await asyncio.sleep(0.2)
        ballast.unlink()
        trouble.note = f"another program's file took all room for {seconds:.0f} s"

    async def _restart(self, trouble: Trouble, seconds: float) -> None:
        """SIGTERM in the middle, and a new server on the same port as soon as the old one is gone."""
        began = self._journal.now()
        self._server.terminate()
        code = await asyncio.to_thread(self._server.wait)
        ended = self._journal.now() - began
        await asyncio.to_thread(self._server.start_again)
        trouble.note = f"SIGTERM: ended after {ended:.1f} s with exit code {code}"
        if code:
            self._journal.problem(f"the server ended with {code}")


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path | None]:
    """A file system in memory of this size below the folder, or None where that is not allowed."""
    mount = folder / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", str(mount)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mount if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(mount)], check=False)
