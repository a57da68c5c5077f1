"""What requests take as a repository grows to a million images, and as repositories become many.

A server for each size, all asked in turn, so that what else the machine does falls on all of them alike.
"""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from conformance.bench import scale_data
from conformance.bench.client import BenchFailed
from conformance.bench.peers import Peer, our_command, start
from conformance.bench.scale_requests import IMAGES, REPOSITORIES, Case, Client, Link

# Up to this the largest may take what the smallest takes.
FLAT = 1.3
REPOSITORY_COUNTS = (1, 100, 10_000)
US = 1e6
# What takes long is not asked for as often.
MOST_SECONDS, FEWEST_CALLS = 20.0, 4
LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """Medians in microseconds by count; of a count that is missing the answer is not comparable."""

    name: str
    micros: dict[int, float]

    @property
    def ratio(self) -> float:
        """How many times as long the largest takes as the smallest."""
        return self.micros[max(self.micros)] / self.micros[min(self.micros)]


@dataclass(slots=True)
class Scales:
    """Lines by what there is ever more of."""

    lines: dict[str, list[Line]] = field(default_factory=dict)


def steps(counts: Sequence[int]) -> int:
    """How often `measure` reports progress."""
    return len(counts) + len(REPOSITORY_COUNTS) + len(IMAGES) + len(REPOSITORIES) if counts else 0


def measure(counts: Sequence[int], step: Callable[[], None]) -> Scales:
    """All requests on servers with so many images in one repository, then with so many repositories."""
    scales = Scales()
    for what, sizes, fill, cases in (
        ("images", counts, scale_data.fill_images, IMAGES),
        ("repositories", REPOSITORY_COUNTS, scale_data.fill_repositories, REPOSITORIES),
    ):
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecr-emu-bench-")))
            clients = []
            for count in sizes:
                clients.append(serve(stack, folder / str(count), count, fill))
                step()
            scales.lines[what] = []
            for case in cases:
                scales.lines[what].append(_ask(case, clients))
                step()
    return scales


def serve(stack: contextlib.ExitStack, folder: Path, count: int, fill: Callable[[Path, int], None]) -> Client:
    """A client that is logged in, of a server on a folder that was filled."""
    (folder / "data").mkdir(parents=True)
    fill(folder / "data", count)
    peer = Peer("ecr-emu", _command, HTTPStatus.UNAUTHORIZED, lambda port: {})
    running = start(peer, folder)
    stack.callback(running.stop)
    link = Link(running.port)
    stack.callback(link.close)
    client = Client(link, count)
    client.log_in()
    return client


def _command(folder: Path, port: int) -> list[str]:
    # AWS's quota is 100,000.
    return [*our_command(folder, port), "--limit", f"images-per-repository={10 * LARGEST}"]


def _ask(case: Case, clients: Sequence[Client]) -> Line:
    """One request of each server in turn, again and again; the first ones warm up."""
    asked = [client for client in clients if client.count > 1 or not case.skips_one]
    makers = [case.prepare(client) for client in asked]
    seconds: dict[int, list[float]] = {client.count: [] for client in asked}
    warm_up = case.calls // 10
    began_at = time.monotonic()
    for number in range(case.calls):
        if number > warm_up + FEWEST_CALLS and time.monotonic() - began_at > MOST_SECONDS:
            break
        for client, make in zip(asked, makers, strict=True):
            request = make()
            client.link.rouse()
            began = time.perf_counter()
            status, body = client.link.ask(request.text)
            taken = time.perf_counter() - began
            if status != request.expected:
                raise BenchFailed(f"{case.name} was answered {status}: {body[:300]!r}")
            if number >= warm_up:
                seconds[client.count].append(taken)
    return Line(case.name, {count: statistics.median(taken) * US for count, taken in seconds.items()})


def table(scales: Scales) -> str:
    """Microseconds by size, and the ratio of the largest to the smallest."""
    parts = []
    for what, lines in scales.lines.items():
        counts = sorted({count for line in lines for count in line.micros})
        rows = [[f"microseconds, {what}:", *(f"{count:,}" for count in counts), "ratio", ""]]
        rows += [
            [
                line.name,
                *(f"{line.micros[count]:,.0f}" if count in line.micros else "" for count in counts),
                f"{line.ratio:.2f}",
                "" if line.ratio <= FLAT else f"above {FLAT}",
            ]
            for line in lines
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        parts.append("\n".join(_align(row, widths) for row in rows))
    return "\n\n".join(parts)


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    first = f"{row[0]:<{widths[0]}}"
    return "  ".join([first, *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))])
