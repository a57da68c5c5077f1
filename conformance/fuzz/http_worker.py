"""One process of the fuzzing over HTTP: plays its share of the rounds, and tells in lines of JSON."""

import faulthandler
import gc
import json
import signal
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from conformance.fuzz import sites, sockets
from conformance.fuzz.asks import Ask, Said
from conformance.fuzz.http_report import WARM
from conformance.fuzz.playing import Failure, Faults, Player
from conformance.fuzz.rounds import STEPS, Round
from conformance.fuzz.sites import Inside, Served, Site, Usage
from conformance.fuzz.world import MODES

# One round of so many is played over a socket, where both ways are taken.
WIRE_EVERY = 16
# Raw bytes that are sent behind a round over a socket.
RAW = 60
# Rounds between two looks of fsck, and two reports.
CHECK_EVERY, REPORT_EVERY = 10, 3
# How many places in the code are shown that hold more memory than before.
SHOWN_PLACES = 25


@dataclass(slots=True)
class Tally:
    """What one process has to tell. Times are in seconds, memory in MB."""

    requests: int = 0
    # Of these over a socket, and as raw bytes.
    wire: int = 0
    raw: int = 0
    rounds: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    # Of each plane the slowest: seconds, kind, round.
    slowest: dict[str, tuple[float, str, int]] = field(default_factory=dict)
    # Requests, and what was used then, of this process and of its servers by mode.
    curve: list[tuple[int, Usage]] = field(default_factory=list)
    servers: dict[str, list[tuple[int, Usage]]] = field(default_factory=dict)


class Worker:
    """Plays rounds by number."""

    def __init__(self, seed: str, folder: Path, over: str) -> None:
        self._seed, self._folder, self._over = seed, folder, over
        self._temporary = folder / "temporary"
        self._temporary.mkdir()
        tempfile.tempdir = str(self._temporary)
        sites.prepare(folder / "given")
        self._player = Player(Faults.listening())
        self._inside: dict[str, Inside] = {}
        self._served: dict[str, Served] = {}
        self._sorts: set[str] = set()
        self.tally = Tally()

    def close(self) -> None:
        tempfile.tempdir = None
        for site in (*self._inside.values(), *self._served.values()):
            site.close()

    def site(self, number: int) -> Site:
        """The emulator of a round, started when it is first needed."""
        mode = Round(self._seed, number).mode
        folder = self._folder
        if self._over == "wire" or (self._over == "both" and number // len(MODES) % WIRE_EVERY == 1):
            if mode not in self._served:
                self._served[mode] = Served(folder / f"served-{mode}", mode, folder / "given")
            return self._served[mode]
        if mode not in self._inside:
            self._inside[mode] = Inside(folder / f"inside-{mode}", mode, folder / "given")
        return self._inside[mode]

    def run(self, numbers: range) -> Iterator[dict[str, object]]:
        """Reports: {"failure": …} and {"tally": …}."""
        warm = max(1, int(len(numbers) * WARM))
        every = max(1, len(numbers) // 20)
        for count, number in enumerate(numbers, 1):
            yield from self._round(number, is_last=count == len(numbers))
            if count == warm or count % every == 0 or count == len(numbers):
                self._measure()
            if count == warm and tracemalloc.is_tracing():
                gc.collect()
                before = tracemalloc.take_snapshot()
            if count % REPORT_EVERY == 0:
                yield {"tally": asdict(self.tally)}
        if tracemalloc.is_tracing():
            gc.collect()
            grown = tracemalloc.take_snapshot().compare_to(before, "traceback")
            for place in grown[:SHOWN_PLACES]:
                sys.stderr.write(f"{place}\n" + "\n".join(place.traceback.format()) + "\n")
        yield {"tally": asdict(self.tally)}

    def _round(self, number: int, *, is_last: bool) -> Iterator[dict[str, object]]:
        round_, site = Round(self._seed, number), self.site(number)
        failures = list(self._player.play(round_, site, self._count(number, site), range(STEPS)))
        if number // len(MODES) % CHECK_EVERY == 0 or is_last:
            failures += [Failure(number, STEPS, problem) for problem in site.problems()]
        if isinstance(site, Served):
            failures += self._raw(number, site)
            failures += [Failure(number, STEPS, f"in the log: {text}") for text in site.errors()]
        self.tally.rounds += 1
        for failure in failures:
            if failure.sort in self._sorts:
                continue
            self._sorts.add(failure.sort)
            if isinstance(site, Inside) and 0 <= failure.step < STEPS:
                failure = self._player.shortened(round_, site, failure)
            yield {"failure": asdict(failure)}

    def _raw(self, number: int, site: Served) -> Iterator[Failure]:
        """Bytes that are no requests; the server answers afterwards as before."""
        for step in range(RAW):
            content, is_closing = sockets.make(Random(f"{self._seed}/{number}/raw/{step}"))  # noqa: S311
            reason = sockets.send(site.port, content, is_closing=is_closing)
            self.tally.raw += 1
            self.tally.requests += 1
            if reason:
                yield Failure(number, STEPS, f"raw bytes: {reason}", repr(content[:2000]))

    def _count(self, number: int, site: Site) -> Any:
        tally, wire = self.tally, isinstance(site, Served)

        def count(ask: Ask, said: Said) -> None:
            tally.requests += 1
            tally.wire += wire
            status, kind = f"{ask.plane} {said.status}", f"{ask.plane}: {ask.kind}"
            tally.statuses[status] = tally.statuses.get(status, 0) + 1
            tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
            if said.seconds > tally.slowest.get(ask.plane, (0.0,))[0]:
                tally.slowest[ask.plane] = (said.seconds, ask.kind, number)

        return count

    def _measure(self) -> None:
        for inside in self._inside.values():
            inside.forget()
        self.tally.curve.append((self.tally.requests, sites.own_usage(self._temporary)))
        for mode, site in self._served.items():
            found = sites.usage(site.process.pid, site.temporary)
            self.tally.servers.setdefault(mode, []).append((self.tally.requests, found))


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Nothing leaves this machine, whatever a request made an emulator try."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise PermissionError(f"a connection to {host}")


def main(settings: Mapping[str, Any]) -> None:
    """The rounds `first`, `first` + `step` and so on, before `end`."""
    faulthandler.enable()
    # Its servers end with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    sys.addaudithook(_guard)
    if settings["trace"]:
        tracemalloc.start(8)
    worker = Worker(settings["seed"], Path(settings["folder"]), settings["over"])
    try:
        for report in worker.run(range(settings["first"], settings["end"], settings["step"])):
            sys.stdout.write(json.dumps(report) + "\n")
            sys.stdout.flush()
    finally:
        worker.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
