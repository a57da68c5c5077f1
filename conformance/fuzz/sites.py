"""Emulators that rounds are played to: in this process, or a server of its own; empty at first."""

import functools
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from conformance.fuzz.asks import PAGES, Ask, InProcess, Way, Wire
from conformance.fuzz.world import ACCOUNT, BLOBS, BUILDER, MANIFESTS, READER, ROOT
from ecr_emu.app import build

# Here no request shall wait for the import of moto.
from ecr_emu.control.query import moto_iam  # noqa: F401
from ecr_emu.core.fsck import Checker
from ecr_emu.settings import Settings
from tests.clients import Clock, digest_of
from tests.processes import environment

PAGE_BYTES, TICKS_PER_SECOND = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
READER_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["ecr:Get*", "ecr:Describe*", "ecr:BatchGet*"], "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "ecr:*",
            "Resource": "*",
            "Condition": {"StringLike": {"ecr:ResourceTag/stage": "x*"}},
        },
    ],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}


def _keys(key: tuple[str, str]) -> list[dict[str, str]]:
    return [{"id": key[0], "secret": key[1]}]


PRINCIPALS: dict[str, Any] = {
    "accounts": {
        ACCOUNT: {"organization": "o-abc", "root": {"accessKeys": _keys(ROOT)}},
        # Whom the policies of tests.seeded name.
        "111122223333": {"root": {"accessKeys": []}},
    },
    "users": [
        {
            "name": "reader",
            "account": ACCOUNT,
            "tags": {"team": "red"},
            "accessKeys": _keys(READER),
            "policies": [{"name": "own", "document": READER_POLICY}],
        },
        {
            "name": "builder",
            "account": ACCOUNT,
            "accessKeys": _keys(BUILDER),
            "policies": [{"managed": "AmazonEC2ContainerRegistryPowerUser"}],
        },
    ],
    "roles": [
        {
            "name": "builder",
            "account": ACCOUNT,
            "trust": TRUST,
            "policies": [{"managed": "AmazonEC2ContainerRegistryPowerUser"}],
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has: MB of memory, open files, threads, files in its temporary folder.

    `blocks` are Python's own, of this process; 0 of another one.
    """

    resident_mb: float
    files: int
    threads: int
    left_over: int
    blocks: int = 0


def usage(pid: int, temporary: Path) -> Usage:
    """Of one process, without its children."""
    proc = Path("/proc", str(pid))
    pages = int((proc / "statm").read_text().split()[1])
    files, threads = (sum(1 for _ in (proc / name).iterdir()) for name in ("fd", "task"))
    left_over = sum(1 for path in temporary.iterdir() if not path.name.startswith("ecr-emu-"))
    return Usage(pages * PAGE_BYTES / 1e6, files, threads, left_over)


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor, without its children."""
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def own_usage(temporary: Path) -> Usage:
    """Of this process, without what is remembered only to be quick: that has bounds of its own."""
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper) and each.__module__.startswith("ecr_emu"):
            each.cache_clear()
    gc.collect()
    return replace(usage(os.getpid(), temporary), blocks=sys.getallocatedblocks())


def prepare(folder: Path) -> None:
    """What the emulators are given: a cassette of an upstream, and a file of principals."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bodies").mkdir()
    lines = []
    blobs = [(f"blobs/{digest_of(blob)}", blob, "application/octet-stream") for blob in BLOBS]
    manifests = [
        (f"manifests/{name}", body, json.loads(body)["mediaType"])
        for body, *names in ((MANIFESTS[0], "v1", "latest"), (MANIFESTS[2], "multi"), (MANIFESTS[1],))
        for name in (digest_of(body), *names)
    ]
    for path, body, media_type in blobs + manifests:
        name = digest_of(body)[7:]
        (folder / "bodies" / name).write_bytes(body)
        headers = {"content-type": media_type, "content-length": str(len(body))}
        headers["docker-content-digest"] = digest_of(body)
        answer = {"registry": "quay.io", "path": f"/v2/lib/base/{path}", "status": 200, "headers": headers}
        lines += [json.dumps({**answer, "method": "GET", "body": name})]
        lines += [json.dumps({**answer, "method": "HEAD", "body": None})]
    (folder / "answers.jsonl").write_text("\n".join(lines))
    (folder / "principals.json").write_text(json.dumps(PRINCIPALS))


class Site:
    """An emulator. `problems` are what fsck finds, and files that no row knows after it was emptied."""

    def __init__(self, way: Way, folder: Path) -> None:
        self.way = way
        self.folder = folder

    def empty(self) -> None:
        """Let it have nothing but the principals that the fuzzing needs."""
        self._page("POST", "reset")
        known = json.loads(self._page("GET", "iam"))
        for entry in [*known["users"], *known["roles"]]:
            self._page("DELETE", "iam", {"arn": entry["arn"]})
        for account in known["accounts"].values():
            for key in account.get("root", {}).get("accessKeys", ()):
                self._page("DELETE", "iam", {"accessKeyId": key["id"]})
        self._page("POST", "iam", PRINCIPALS)

    def _page(self, method: str, name: str, content: Any = None) -> bytes:
        body = b"" if content is None else json.dumps(content).encode()
        said = self.way.ask(
            Ask(PAGES, name, method, f"/_emu/{name}", (("Host", "localhost:4566"),), body).sendable()
        )
        assert said.status == 200, (method, name, said.body)
        return said.body

    def left(self) -> list[str]:
        """Files of blobs and uploads: none, after it was emptied."""
        shelves = (self.folder / name for name in ("blobs", "uploads"))
        return [path.name for shelf in shelves for path in shelf.rglob("*") if path.is_file()]


class Inside(Site):
    """In this process, with a clock of its own that moves a little with every request."""

    way: InProcess

    def __init__(self, folder: Path, mode: str, given: Path) -> None:
        self.clock = Clock()
        is_known = {"iam_file": str(given / "principals.json")} if mode == "iam" else {}
        settings = Settings(
            data_dir=folder,
            auth=mode,
            ephemeral=True,
            trail="all" if mode == "token" else "off",
            cassette_replay=str(given),
            **is_known,
        )
        self.application = build(settings, self.clock)
        super().__init__(InProcess(self.application), folder)

    def now(self) -> float:
        """The machine's time, with which requests are signed."""
        self.clock.advance(0.02)
        return self.clock()

    def empty(self) -> None:
        with self.application.emulator.store.write() as transaction:
            transaction.execute("DELETE FROM moto_states")
        super().empty()

    def problems(self) -> list[str]:
        emulator = self.application.emulator
        found = Checker(emulator.store, emulator.blobs, self.folder).problems()
        return [str(asdict(problem)) for problem in found if problem.is_open]

    def forget(self) -> None:
        """Drop what is remembered only to be quick, or for people: that has bounds of its own."""
        emulator = self.application.emulator
        emulator.store.forget()
        emulator.decisions.__init__()  # type: ignore[misc]

    def close(self) -> None:
        self.application.close()


class Served(Site):
    """A server in a process of its own."""

    way: Wire

    def __init__(self, folder: Path, mode: str, given: Path) -> None:
        self.temporary = folder
        folder.mkdir()
        words = ["--port", "0", "--auth", mode, "--ephemeral", "--cassette-replay", str(given)]
        words += ["--iam-file", str(given / "principals.json")] if mode == "iam" else []
        self._log = (folder.parent / f"{folder.name}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ecr_emu", "serve", *words],
            env=environment({"TMPDIR": str(folder)}),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready: "), line
        self.port = int(line.rpartition(":")[2])
        (data,) = folder.glob("ecr-emu-*")
        super().__init__(Wire(self.port, lambda: cpu_seconds(self.process.pid)), data)
        self._told = 0

    def now(self) -> float:
        import time

        return time.time()

    def problems(self) -> list[str]:
        """What fsck finds; without --repair the server may be running."""
        command = [
            sys.executable,
            "-m",
            "ecr_emu",
            "fsck",
            "--output",
            "json",
            "--data-dir",
            str(self.folder),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return []
        return [ended.stdout or ended.stderr]

    def errors(self) -> Iterator[str]:
        """What it has written down as an error since the last time."""
        self._log.seek(self._told)
        text = self._log.read()
        self._told = self._log.tell()
        if "Traceback" in text or "ERROR" in text or "panicked" in text:
            yield text[-5000:]

    def close(self) -> None:
        self.way.close()
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=40)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
