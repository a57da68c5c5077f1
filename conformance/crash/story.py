"""The whole story: clients work, the server is killed, started and looked at, again and again."""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from conformance.crash.client import Client
from conformance.crash.look import look, make_shared, read_some
from conformance.crash.oracle import Ledger, Verdicts, compare
from conformance.crash.wire import Surprise, Wire, digest_of
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core.fsck import FORGOTTEN, Checker
from ecr_emu.store.database import Database
from tests.processes import Served, environment

# When the server is killed after it is ready, and after it was started.
SOONEST_SECONDS, LATEST_SECONDS = 0.02, 1.5
START_SECONDS = 0.3
# One kill in so many comes during the start.
STARTS_KILLED = 10
# After so many kills every byte is read, by the server's clients and by `ecr-emu fsck`.
THOROUGH_EVERY = 25
SAMPLE_IMAGES = 8
POOL = 36
SIZES = (200, 20_000)
LARGE_SIZES = (300_000, 1_500_000)


class Lost(AssertionError):
    """What is wrong, one line each."""


@dataclass(slots=True)
class Figures:
    """What happened."""

    kills: int = 0
    kills_during_start: int = 0
    looks: int = 0
    facts: int = 0
    images_read: int = 0
    fsck_runs: int = 0
    forgotten_files: int = 0
    seconds: float = 0
    start_seconds: float = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    uncertain: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> str:
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        document["seconds"] = round(self.seconds, 1)
        document["start_seconds"] = round(self.start_seconds, 1)
        for name in ("acknowledged", "uncertain", "settled"):
            document[name] = dict(sorted(document[name].items()))
            document[f"{name}_in_all"] = sum(document[name].values())
        return json.dumps(document, indent=2)


class Story:
    """One data folder, some clients, and a server that does not live long."""

    def __init__(self, folder: Path, clients: int, seed: int, options: tuple[str, ...] = ()) -> None:
        self.folder = folder / "data"
        self.random = random.Random(seed)  # noqa: S311 - not a secret
        pool = make_pool(self.random)
        chances = [random.Random(f"{seed} {number}") for number in range(clients)]  # noqa: S311 - nor these
        self.clients = [Client(number, chance, pool) for number, chance in enumerate(chances)]
        self.shared = Ledger()
        self.figures = Figures()
        self.verdicts = Verdicts()
        limits = "--limit=minimum-layer-part-bytes=1"
        # The sweeper works between and beside the requests.
        self.options = ("--data-dir", str(self.folder), "--auth", "open", "--sweep-interval", "1", limits)
        self.options += options
        self.is_dying = threading.Event()

    def play(self, kills: int, progress: Callable[[Figures], None] = lambda figures: None) -> Figures:
        """Raises Lost as soon as anything is wrong."""
        began = time.monotonic()
        served = self._start()
        wire = Wire(served.port)
        self.shared.facts.update(make_shared(wire))
        wire.close()
        try:
            while self.figures.kills < kills:
                self._work_and_kill(served)
                while self.figures.kills < kills and self.random.randrange(STARTS_KILLED) == 0:
                    self._kill_during_start()
                is_last = self.figures.kills >= kills
                if self.random.randrange(STARTS_KILLED) == 0:
                    # Sometimes somebody looks before the server does.
                    self._fsck_quickly()
                served = self._start()
                is_thorough = is_last or self.figures.kills % THOROUGH_EVERY == 0
                self._check(served, thorough=is_thorough)
                progress(self.figures)
        finally:
            served.kill()
            served.ended()
        self._fsck()
        for client in self.clients:
            self.figures.acknowledged += client.ledger.acknowledged
            self.figures.uncertain += client.ledger.uncertain
            self.figures.settled += client.ledger.settled
        self.figures.seconds = time.monotonic() - began
        return self.figures

    def _start(self) -> Served:
        began = time.monotonic()
        served = Served("--port", "0", *self.options)
        self.figures.start_seconds += time.monotonic() - began
        self.is_dying.clear()
        return served

    def _work_and_kill(self, served: Served) -> None:
        threads = [
            threading.Thread(target=self._work, args=(client, served.port), daemon=True)
            for client in self.clients
        ]
        for thread in threads:
            thread.start()
        time.sleep(self.random.uniform(SOONEST_SECONDS, LATEST_SECONDS))
        self.is_dying.set()
        served.kill()
        served.ended()
        self.figures.kills += 1
        for thread in threads:
            thread.join()
        self._judge()

    def _work(self, client: Client, port: int) -> None:
        try:
            client.run(Wire(port))
        except (AssertionError, KeyError) as problem:
            self.verdicts.add(f"client {client.number}: {type(problem).__name__}: {problem}")
            return
        if not self.is_dying.is_set():
            self.verdicts.add(f"client {client.number} lost its connection although nobody killed the server")

    def _kill_during_start(self) -> None:
        command = [sys.executable, "-m", "ecr_emu", "serve", "--port", "0", *self.options]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as process:
            time.sleep(self.random.uniform(0, START_SECONDS))
            process.kill()
        self.figures.kills += 1
        self.figures.kills_during_start += 1

    # --- Looking ---------------------------------------------------------------------------------------

    def _check(self, served: Served, *, thorough: bool) -> None:
        wire = Wire(served.port)
        try:
            seen = look(wire, self.clients)
            ledgers = [self.shared, *(client.ledger for client in self.clients)]
            for problem in compare(ledgers, seen):
                self.verdicts.add(problem)
            self._judge()
            most = None if thorough else SAMPLE_IMAGES
            self.figures.images_read += read_some(wire, self.clients, self.random, most)
        except Surprise as problem:
            self.verdicts.add(str(problem))
        finally:
            wire.close()
        self.figures.looks += 1
        self.figures.facts += len(seen)
        if thorough:
            self._fsck()
        else:
            self._fsck_quickly()
        self._judge()

    def _fsck_quickly(self) -> None:
        """Sizes of all files and all rows, beside the server or before it starts."""
        store = Database(self.folder / "metadata.db")
        try:
            checker = Checker(store, FileBlobs(self.folder), self.folder, quick=True)
            for problem in checker.problems():
                if problem.kind == FORGOTTEN:
                    self.figures.forgotten_files += 1
                else:
                    self.verdicts.add(f"fsck: {problem}")
        finally:
            store.close()
        self.figures.fsck_runs += 1

    def _fsck(self) -> None:
        """The command, over every byte."""
        command = [sys.executable, "-m", "ecr_emu", "fsck", "--data-dir", str(self.folder)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            self.verdicts.add(f"ecr-emu fsck: exit code {done.returncode}: {done.stdout}{done.stderr}")
        self.figures.fsck_runs += 1
        self._judge()

    def _judge(self) -> None:
        if self.verdicts.found:
            raise Lost(f"after {self.figures.kills} kills:\n" + "\n".join(self.verdicts.found[:30]))


def make_pool(chooser: random.Random) -> dict[str, bytes]:
    """Blobs by digest: small ones, and a few that take several writes."""
    sizes = [chooser.randint(*SIZES) for _ in range(POOL)]
    sizes[:3] = [chooser.randint(*LARGE_SIZES) for _ in range(3)]
    return {digest_of(blob): blob for blob in map(chooser.randbytes, sizes)}
