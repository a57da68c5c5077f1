"""What work in the background costs other requests: their times before it and while it goes on.

Clients ask at a steady pace that the server can keep, as clients do: one that asks as fast as it is answered
would share the processors with the work, and measure that.
"""

import contextlib
import json
import selectors
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from conformance.bench import scale_data, scan_image
from conformance.bench.client import MANIFEST_TYPE, BenchFailed
from conformance.bench.scale import serve
from conformance.bench.scale_requests import NAME, PAGE, PATH, Client, Link, Next, Request

# Each connection asks so often.
PACE_SECONDS = 0.05
READERS = (1, 16)
# Before the work begins, and at most while it goes on: so many times as long as a series of requests.
CALM, BUSY = 3, 20
OTHER_REGION = "eu-west-1"
US = 1e6
MOST_IMAGES = 100_000
# Below 100 answers p99 is about the slowest of them: the table says how many there were.
FEWEST = 10
PERCENTS = (50, 99)


@dataclass(frozen=True, slots=True)
class Work:
    """What goes on in the background. `begin` returns at once, with what says whether it still goes on."""

    name: str
    prepare: Callable[[Client, Path], None]
    begin: Callable[[Client], Callable[[], bool]]


@dataclass(frozen=True, slots=True)
class Line:
    """Microseconds of requests of one kind, without the work and with it: p50 and p99. How many with it."""

    work: str
    connections: int
    request: str
    answers: int
    calm: Sequence[float]
    busy: Sequence[float]

    @property
    def cost(self) -> float:
        """How many times as long the slowest take with the work."""
        return self.busy[-1] / self.calm[-1]

    def row(self) -> list[str]:
        cells = [self.work, str(self.connections), self.request, f"{self.answers:,}"]
        for before, during in zip(self.calm, self.busy, strict=True):
            cells += [f"{before:,.0f}", f"{during:,.0f}", f"{100 * (during / before - 1):+.0f} %"]
        return cells


def percentiles(times: Sequence[float]) -> list[float]:
    """p50 and p99, to a nanosecond."""
    hundredths = statistics.quantiles(times, n=100, method="inclusive")
    return [round(hundredths[percent - 1], 3) for percent in PERCENTS]


def steps(counts: Sequence[int]) -> int:
    """How often `measure` reports progress."""
    return len(WORKS) * len(READERS) if counts else 0


def measure(counts: Sequence[int], seconds: float, step: Callable[[], None]) -> list[Line]:
    """All works on servers with many images in one repository, a new server for each.

    How many is the largest of `counts` up to 100,000. `seconds` is the length of a series of requests.
    """
    lines = []
    count = max(one for one in counts if one <= MOST_IMAGES)
    for work in WORKS:
        for readers in READERS:
            with contextlib.ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecr-emu-bench-")))
                client = serve(stack, folder / "server", count, scale_data.fill_images)
                work.prepare(client, folder)
                lines += _measure(stack, work, client, readers, seconds)
            step()
    return lines


def table(lines: Sequence[Line]) -> str:
    """A line for each work, number of connections and request."""
    head = ["work", "connections", "request", "answers"]
    head += [f"p{percent} {when}" for percent in PERCENTS for when in ("before", "during", "costs")]
    rows = [head, *(line.row() for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = "\n".join(
        "  ".join(
            f"{cell:<{width}}" if at in (0, 2) else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    pace = f"each connection asks every {PACE_SECONDS:g} s"
    return f"Other requests while work goes on, microseconds; {pace}:\n{text}"


def _measure(
    stack: contextlib.ExitStack, work: Work, client: Client, readers: int, seconds: float
) -> Iterator[Line]:
    askers = [
        _Asker(stack, client, kind) for kind in ("manifest GET", "DescribeImages") for _ in range(readers)
    ]
    askers.append(_Asker(stack, client, "manifest PUT, moves a tag"))
    _ask(askers, 1.0, lambda: True)
    calm = _ask(askers, CALM * seconds, lambda: True)
    goes_on = work.begin(client)
    busy = _ask(askers, BUSY * seconds, goes_on)
    for kind, times in calm.items():
        # Work on few images may be over at once.
        if len(busy[kind]) >= FEWEST:
            connections = sum(asker.kind == kind for asker in askers)
            figures = percentiles(times), percentiles(busy[kind])
            yield Line(work.name, connections, kind, len(busy[kind]), *figures)


class _Asker:
    """One connection that asks for the same kind of thing at a steady pace."""

    def __init__(self, stack: contextlib.ExitStack, client: Client, kind: str) -> None:
        self.kind = kind
        self.link = Link(client.link.port)
        stack.callback(self.link.close)
        own = Client(self.link, client.count, client.login)
        self.make = _MAKERS[kind](own)
        self.request: Request | None = None
        self.began = 0.0


def _reading(make: Callable[[Client], Request]) -> Callable[[Client], Next]:
    def prepare(client: Client) -> Next:
        request = make(client)
        return lambda: request

    return prepare


def _moving(client: Client) -> Next:
    bodies = [scale_data.manifest(client.count - side) for side in (1, 2)]

    def make() -> Request:
        bodies.reverse()
        return client.raw("PUT", f"{PATH}/manifests/moving", HTTPStatus.CREATED, bodies[0], MANIFEST_TYPE)

    return make


_MAKERS: dict[str, Callable[[Client], Next]] = {
    "manifest GET": _reading(
        lambda client: client.raw("GET", f"{PATH}/manifests/{scale_data.tag(client.count - 1)}")
    ),
    "DescribeImages": _reading(lambda client: client.api("DescribeImages", **NAME, maxResults=PAGE)),
    "manifest PUT, moves a tag": _moving,
}


def _ask(askers: Sequence[_Asker], seconds: float, goes_on: Callable[[], bool]) -> dict[str, list[float]]:
    """Ask for so long or as long as it goes on; microseconds of the answers by kind."""
    times: dict[str, list[float]] = {asker.kind: [] for asker in askers}
    began = time.perf_counter()
    due = [(began + PACE_SECONDS * place / len(askers), asker) for place, asker in enumerate(askers)]
    with selectors.DefaultSelector() as selector:
        for asker in askers:
            asker.link.rouse()
            selector.register(asker.link.socket, selectors.EVENT_READ, asker)
        while time.perf_counter() - began < seconds and goes_on():
            now = time.perf_counter()
            while due and due[0][0] <= now and due[0][1].request is None:
                at, asker = due.pop(0)
                _begin(asker)
                due.append((max(at + PACE_SECONDS, now), asker))
            for key, _ in selector.select(max(0.0, min(due[0][0] - time.perf_counter(), 0.01))):
                _end(key.data, times)
        for asker in askers:
            if asker.request is not None:
                asker.link.finish()
                asker.request = None
    return times


def _begin(asker: _Asker) -> None:
    asker.request = asker.make()
    asker.began = time.perf_counter()
    asker.link.send(asker.request.text)


def _end(asker: _Asker, times: dict[str, list[float]]) -> None:
    """Take what has come of an answer, which is small and comes at once."""
    if asker.request is None:
        raise BenchFailed("an answer that nobody asked for")
    status, body = asker.link.finish()
    times[asker.kind].append((time.perf_counter() - asker.began) * US)
    if status != asker.request.expected:
        raise BenchFailed(f"{asker.kind} was answered {status}: {body[:300]!r}")
    asker.request = None


def _put_policy(client: Client, folder: Path) -> None:
    """One that deletes the older half of the images."""
    rule = {
        "rulePriority": 1,
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": client.count // 2,
        },
        "action": {"type": "expire"},
    }
    client.answer("PutLifecyclePolicy", **NAME, lifecyclePolicyText=json.dumps({"rules": [rule]}))


def _run_policy(client: Client) -> Callable[[], bool]:
    link = Link(client.link.port)

    def run() -> None:
        request = Client(link, client.count).raw("POST", "/_emu/lifecycle/run", body=b"{}")
        # The server may be stopped before the run has ended.
        with contextlib.suppress(BenchFailed, OSError):
            link.ask(request.text)
        link.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread.is_alive


def _push_large(client: Client, folder: Path) -> None:
    image = scan_image.make(folder, "gzip", 400_000_000)
    config = b'{"architecture":"amd64","os":"linux"}'
    contents = [config, *(path.read_bytes() for path in image.layers)]
    for content in contents:
        digest = scale_data.digest_of(content)
        client.ask(client.raw("POST", f"{PATH}/blobs/uploads/?digest={digest}", HTTPStatus.CREATED, content))
    types = [scale_data.CONFIG_TYPE, *(scale_data.LAYER_TYPE for _ in image.layers)]
    described = [
        {"mediaType": kind, "digest": scale_data.digest_of(content), "size": len(content)}
        for kind, content in zip(types, contents, strict=True)
    ]
    body = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": described[0], "layers": described[1:]}
    ).encode()
    client.ask(client.raw("PUT", f"{PATH}/manifests/large", HTTPStatus.CREATED, body, MANIFEST_TYPE))


def _scan(client: Client) -> Callable[[], bool]:
    which = {**NAME, "imageId": {"imageTag": "large"}}
    client.answer("StartImageScan", **which)
    return _watched(
        lambda: (
            client.answer("DescribeImageScanFindings", **which)["imageScanStatus"]["status"] == "IN_PROGRESS"
        )
    )


def _let_replicate(client: Client, folder: Path) -> None:
    place = {"region": OTHER_REGION, "registryId": scale_data.HOME.account}
    client.answer(
        "PutReplicationConfiguration", replicationConfiguration={"rules": [{"destinations": [place]}]}
    )


def _backfill(client: Client) -> Callable[[], bool]:
    place = {"region": OTHER_REGION, "registryId": scale_data.HOME.account}
    client.answer("StartReplicationBackfill", destination=place)
    return lambda: True


def _watched(goes_on: Callable[[], bool]) -> Callable[[], bool]:
    """The same, asked for twice a second and not more."""
    last = [time.monotonic(), True]

    def ask() -> bool:
        if time.monotonic() - last[0] > PACE_SECONDS * 10:
            last[:] = [time.monotonic(), goes_on()]
        return bool(last[1])

    return ask


WORKS = (
    Work("lifecycle run", _put_policy, _run_policy),
    Work("scan of 400 MB", _push_large, _scan),
    Work("backfill", _let_replicate, _backfill),
)
