"""Loss of power: a server's trace, cut at many places, and the real server on what each cut leaves.

`python -m conformance.crash.power --cuts N` cuts at N places, and makes the three states of disk.py at each.
"""

import json
import random
import shutil
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from conformance.crash.client import Client
from conformance.crash.disk import VARIANTS, Disk
from conformance.crash.look import look, make_shared, read_some
from conformance.crash.oracle import Changes, Key, Ledger, compare
from conformance.crash.rules import answered_port
from conformance.crash.story import Lost, make_pool
from conformance.crash.trace import Event, TracedServer, read
from conformance.crash.wire import Answer, Wire
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core.fsck import FORGOTTEN, Checker
from ecr_emu.store.database import Database
from tests.processes import Served

# A sweep before the hour in which layers without an image are left alone is over.
SWEEP_SECONDS, ADVANCE = "600", "15m"
OPTIONS = ("--auth", "open", "--limit=minimum-layer-part-bytes=1", "--sweep-interval", SWEEP_SECONDS)
UPLOAD = "upload"
# Larger than the log may grow before SQLite copies it into the database: 1,000 pages.
MANIFEST_BYTES, MANIFESTS = 900_000, 5


@dataclass(frozen=True, slots=True)
class Moment:
    """What a client knew when it had so many answers: facts, and what it had asked for."""

    answers: int
    facts: dict[Key, object]
    pending: Changes | None


class CountingWire(Wire):
    """Counts the answers that came on its one connection."""

    answers = 0

    def ask(self, *arguments: object, **named: object) -> Answer:
        answer = super().ask(*arguments, **named)  # type: ignore[arg-type]
        self.answers += 1
        return answer

    @property
    def port(self) -> int:
        port: int = self._connection.sock.getsockname()[1]
        return port


@dataclass(slots=True)
class RecordingLedger(Ledger):
    """Keeps what was known at every moment."""

    wire: CountingWire | None = None
    moments: list[Moment] = field(default_factory=list)

    @contextmanager
    def promise(self, kind: str, changes: Changes) -> Iterator[None]:
        assert self.wire is not None
        self.moments.append(Moment(self.wire.answers, dict(self.facts), changes))
        # Named, because a dataclass with slots is made anew, and super() would look for the old one.
        with Ledger.promise(self, kind, changes):
            yield
        self.moments.append(Moment(self.wire.answers, dict(self.facts), None))

    def at(self, answers: int) -> Ledger:
        """What had been promised when so many answers had been sent."""
        known = [moment for moment in self.moments if moment.answers <= answers]
        if not known:
            return Ledger()
        return Ledger(dict(known[-1].facts), known[-1].pending, "what was not answered")


@dataclass(slots=True)
class Figures:
    """What happened."""

    calls: int = 0
    answers: int = 0
    states: Counter[str] = field(default_factory=Counter)
    facts: int = 0
    images_read: int = 0
    forgotten_files: int = 0
    lost_uploads: int = 0

    def as_json(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__}, indent=2)


class Recording:
    """A server under strace, and clients that work for so many deeds each."""

    def __init__(self, folder: Path, clients: int, deeds: int, seed: int, *options: str) -> None:
        self.folder = folder / "recorded"
        self.trace = folder / "trace"
        pool = make_pool(random.Random(seed))  # noqa: S311 - not a secret
        self.clients = [
            Client(number, random.Random(f"{seed} {number}"), pool, RecordingLedger())  # noqa: S311
            for number in range(clients)
        ]
        self.ports: dict[int, Client] = {}
        self.problems: list[BaseException] = []
        server = TracedServer(self.trace, "--data-dir", str(self.folder), *OPTIONS, *options)
        wire = Wire(server.port)
        self.shared = make_shared(wire)
        threads = [
            threading.Thread(target=self._work, args=(client, server.port, deeds)) for client in self.clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # What is not held any more is swept, and a log that has grown is copied.
        wire.ask("POST", "/_emu/clock", json.dumps({"advance": ADVANCE}).encode())
        self._grow(wire)
        wire.close()
        server.stop()
        if self.problems:
            raise self.problems[0]

    def _work(self, client: Client, port: int, deeds: int) -> None:
        wire = CountingWire(port)
        client.ledger.wire = wire  # type: ignore[attr-defined]
        try:
            client.work(wire, deeds)
            self.ports[wire.port] = client
        except AssertionError as problem:
            self.problems.append(problem)
        finally:
            wire.close()

    @staticmethod
    def _grow(wire: Wire) -> None:
        config = b"{}"
        wire.call("CreateRepository", repositoryName="large")
        digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        wire.ask("POST", f"/v2/large/blobs/uploads/?digest={digest}", config, (201,))
        for number in range(MANIFESTS):
            document = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/json", "digest": digest, "size": len(config)},
                "layers": [],
                "annotations": {"filling": str(number) * MANIFEST_BYTES},
            }
            path = f"/v2/large/manifests/v{number}"
            wire.ask("PUT", path, json.dumps(document).encode(), (201,))

    def events(self) -> Iterator[Event]:
        return read(self.trace)


class PowerLoss:
    """Cuts a recording, and looks at what is left with the real server."""

    def __init__(self, recording: Recording, folder: Path, seed: int) -> None:
        self.recording = recording
        self.folder = folder / "state"
        self.random = random.Random(seed)  # noqa: S311 - not a secret
        self.figures = Figures()
        self.disk = Disk(recording.folder)
        # Places in the trace at which an answer begins, by the client's port.
        self.answers: dict[int, list[int]] = defaultdict(list)
        places = []
        for event in recording.events():
            self.disk.apply(event)
            self.figures.calls += 1
            port = answered_port(event)
            if port:
                self.figures.answers += 1
                self.answers[port].append(event.begin)
            places.append(event.end)
        first = min(self.answers[port][0] for port in recording.ports)
        self.places = sorted(place + 1 for place in places if place >= first)

    def cuts(self, count: int) -> list[int]:
        """Some right after an answer has begun, which promise most; the others anywhere."""
        of_clients = [begin + 1 for port in self.recording.ports for begin in self.answers[port]]
        chosen = self.random.sample(of_clients, min(count // 2, len(of_clients)))
        return sorted({*chosen, *self.random.sample(self.places, count - len(chosen))})

    def check(self, at: int, variant: str) -> None:
        """Raises Lost."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.disk.write_down(self.folder, at, VARIANTS[variant](self.random), self.random)
        clients = [
            Client(client.number, self.random, client.pool, self._ledger(client, port, at), client.manifests)
            for port, client in self.recording.ports.items()
        ]
        problems = self._look(clients)
        self._fsck(problems)
        self.figures.states[variant] += 1
        if problems:
            raise Lost(f"power lost at line {at} of the trace, and {variant}:\n" + "\n".join(problems[:20]))

    def _ledger(self, client: Client, port: int, at: int) -> Ledger:
        assert isinstance(client.ledger, RecordingLedger)
        return client.ledger.at(sum(begin < at for begin in self.answers[port]))

    def _look(self, clients: list[Client]) -> list[str]:
        served = Served("--port", "0", "--data-dir", str(self.folder), *OPTIONS)
        wire = Wire(served.port)
        try:
            seen = look(wire, clients)
            seen = {key: value for key, value in seen.items() if key[1] != "large"}
            problems = compare([Ledger(dict(self.recording.shared)), *(one.ledger for one in clients)], seen)
            self.figures.facts += len(seen)
            if not problems:
                self.figures.images_read += read_some(wire, clients, self.random, None)
        except AssertionError as problem:
            problems = [str(problem)]
        finally:
            wire.close()
            served.kill()
            served.ended()
        return problems

    def _fsck(self, problems: list[str]) -> None:
        """An upload under way may have lost bytes: nobody promised them, and fsck gives it up."""
        for is_mended in (False, True):
            store = Database(self.folder / "metadata.db")
            try:
                checker = Checker(store, FileBlobs(self.folder), self.folder, repair=not is_mended)
                for problem in checker.problems():
                    if problem.kind == FORGOTTEN:
                        self.figures.forgotten_files += 1
                    elif problem.kind == UPLOAD and problem.mended:
                        self.figures.lost_uploads += 1
                    else:
                        problems.append(f"fsck: {problem}")
            finally:
                store.close()


@click.command()
@click.option("--cuts", default=100, show_default=True, help="At how many places the power is lost.")
@click.option("--clients", default=4, show_default=True, help="How many clients work at a time.")
@click.option("--deeds", default=50, show_default=True, help="How many things each of them does.")
@click.option("--seed", default=1, show_default=True, help="What chance is made of.")
def main(cuts: int, clients: int, deeds: int, seed: int) -> None:
    """Print the figures as JSON; end with 1 when anything that was acknowledged is lost."""
    with tempfile.TemporaryDirectory(prefix="ecr-emu-power-") as folder:
        loss = PowerLoss(Recording(Path(folder), clients, deeds, seed), Path(folder), seed)
        for at in loss.cuts(cuts):
            for variant in VARIANTS:
                try:
                    loss.check(at, variant)
                except Lost as problem:
                    click.echo(str(problem), err=True)
                    sys.exit(1)
        click.echo(loss.figures.as_json())


if __name__ == "__main__":
    main()
