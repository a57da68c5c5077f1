"""What authorization costs: a small manifest is asked for in each `--auth` mode, one mode after the other."""

import contextlib
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import boto3

from conformance.bench.client import MANIFEST_PATH, MANIFEST_TYPE, REPOSITORY, Client
from conformance.bench.load import Load
from conformance.bench.peers import Peer, log_in, our_command, start

MODES = ("open", "token", "iam")
CONNECTIONS = (1, 16)
KEY, SECRET = "AKIABENCH", "bench"
PRINCIPALS = {
    "users": [
        {
            "name": "bench",
            "accessKeys": [{"id": KEY, "secret": SECRET}],
            "policies": [
                {"managed": "AmazonEC2ContainerRegistryFullAccess"},
                {"managed": "AmazonEC2ContainerRegistryReadOnly"},
            ],
        }
    ]
}


@dataclass(slots=True)
class Costs:
    """Requests a second, by the number of connections and the mode."""

    rates: dict[int, dict[str, list[float]]] = field(default_factory=dict)

    def percent(self, connections: int, mode: str) -> float:
        """How much longer a request takes than in the mode `open`: the median over the rounds."""
        rates = self.rates[connections]
        pairs = zip(rates["open"], rates[mode], strict=True)
        return statistics.median(100 * (plain / asked - 1) for plain, asked in pairs)


def measure(rounds: int, seconds: float, load: Load, step: Callable[[], None]) -> Costs:
    """All modes in each round, on servers that run side by side; `step` is told of progress."""
    costs = Costs({connections: {mode: [] for mode in MODES} for connections in CONNECTIONS})
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecr-emu-bench-")))
        servers = {mode: _serve(stack, mode, folder / mode) for mode in MODES}
        for number in range(rounds):
            for connections in CONNECTIONS:
                for mode in MODES if number % 2 == 0 else MODES[::-1]:
                    port, headers = servers[mode]
                    rate = load(port, MANIFEST_PATH, headers, connections, seconds)
                    costs.rates[connections][mode].append(rate)
                    step()
    return costs


def steps(rounds: int) -> int:
    """How often `measure` reports progress."""
    return rounds * len(CONNECTIONS) * len(MODES)


def table(costs: Costs) -> str:
    """Medians, and how much longer a request takes than without authorization."""
    rows = [["connections", *(f"{mode}, requests/s" for mode in MODES), "token costs", "iam costs"]]
    for connections, rates in costs.rates.items():
        medians = [f"{statistics.median(rates[mode]):,.0f}" for mode in MODES]
        costing = [f"{costs.percent(connections, mode):+.0f} %" for mode in MODES[1:]]
        rows.append([str(connections), *medians, *costing])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(["Authorization, GET of a small manifest:", *lines])


def _serve(stack: contextlib.ExitStack, mode: str, folder: Path) -> tuple[int, dict[str, str]]:
    """Start a server with the small image; its port and the headers of a client that is logged in."""
    peer = Peer(f"ecr-emu, {mode}", _command(mode), _first_status(mode), _headers(mode))
    running = start(peer, folder)
    stack.callback(running.stop)
    headers = peer.log_in(running.port)
    client = Client(running.port, headers)
    stack.callback(client.close)
    client.put_image()
    return running.port, headers


def _command(mode: str) -> Callable[[Path, int], list[str]]:
    def command(folder: Path, port: int) -> list[str]:
        options = ["--auth", mode]
        if mode == "iam":
            (folder / "iam.json").write_text(json.dumps(PRINCIPALS))
            options += ["--iam-file", str(folder / "iam.json")]
        return [*our_command(folder, port), *options]

    return command


def _first_status(mode: str) -> int:
    return HTTPStatus.OK if mode == "open" else HTTPStatus.UNAUTHORIZED


def _headers(mode: str) -> Callable[[int], dict[str, str]]:
    return _log_in_signed if mode == "iam" else log_in


def _log_in_signed(port: int) -> dict[str, str]:
    """The same as peers.log_in, with signatures that are verified."""
    session = boto3.session.Session(KEY, SECRET, region_name="us-east-1")
    ecr = session.client("ecr", endpoint_url=f"http://127.0.0.1:{port}")
    with contextlib.closing(ecr):
        ecr.create_repository(repositoryName=REPOSITORY)
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return {"Accept": MANIFEST_TYPE, "Authorization": f"Basic {token}"}
