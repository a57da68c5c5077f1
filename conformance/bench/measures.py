"""How much is measured, and the samples: values of one measure for each server, round by round."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.bench.load import Load
from conformance.bench.peers import Peer

BYTES_PER_MB = 1_000_000
BYTES_PER_GB = 1_000_000_000
CONNECTIONS = (1, 16, 64)
# For what is measured with one number of connections only.
SOME_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Transfer:
    """`count` blobs of `size_mb` megabytes, one after the other on one connection: one sample."""

    size_mb: int
    count: int

    @property
    def label(self) -> str:
        """The size as people say it."""
        return f"{self.size_mb // 1000} GB" if self.size_mb % 1000 == 0 else f"{self.size_mb} MB"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to do. `load_seconds` is the length of one series of small requests; `huge` is moved by each
    server alone; `copies` images of `copy_layers` layers are copied at once; `image_counts` are the sizes of
    repositories that a lifecycle policy is evaluated over, `scan_bytes` the size of an image that is scanned,
    `limit_mb` what is sent, hashed and written for the limits of the machine.
    """

    rounds: int
    load_seconds: float
    small: Transfer
    large: Transfer
    huge: Transfer
    copies: int
    copy_layers: int
    image_counts: tuple[int, ...]
    scan_bytes: int
    limit_mb: int


FULL = Plan(
    rounds=3,
    load_seconds=2,
    small=Transfer(10, 10),
    large=Transfer(200, 2),
    huge=Transfer(2000, 1),
    copies=8,
    copy_layers=30,
    image_counts=(1_000, 10_000, 100_000, 1_000_000),
    scan_bytes=10**9,
    limit_mb=500,
)
QUICK = Plan(
    rounds=1,
    load_seconds=1,
    small=Transfer(10, 1),
    large=Transfer(20, 1),
    huge=Transfer(30, 1),
    copies=2,
    copy_layers=3,
    image_counts=(1_000, 10_000),
    scan_bytes=50_000_000,
    limit_mb=50,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of a table. Measures of one `curve` are its points, and `at` is where: connections, or MB."""

    name: str
    unit: str
    is_better_when_higher: bool
    curve: str = ""
    at: float = 0.0


@dataclass(slots=True)
class Samples:
    """Values by measure and name of the server; measures in the order in which they first came."""

    values: dict[Measure, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, measure: Measure, server: str, value: float) -> None:
        self.values.setdefault(measure, {}).setdefault(server, []).append(value)

    def find(self, name: str) -> Measure | None:
        """The measure of this name."""
        return next((measure for measure in self.values if measure.name == name), None)

    def median(self, measure: Measure | None, server: str) -> float | None:
        """None where it was not measured."""
        values = self.values[measure].get(server) if measure else None
        return statistics.median(values) if values else None

    def ratio(self, measure: Measure | None, ours: str, theirs: str) -> float | None:
        """How many times better our median is: above 1 is in our favour, whatever the unit. None without both
        medians.
        """
        if measure is None:
            return None
        first, second = self.median(measure, ours), self.median(measure, theirs)
        if first is None or second is None:
            return None
        above, below = (first, second) if measure.is_better_when_higher else (second, first)
        return above / below if below else None

    def best(self, measure: Measure | None, servers: Iterable[str]) -> str | None:
        """Who has the best median of these servers; None where none was measured."""
        found = [(value, name) for name in servers if (value := self.median(measure, name)) is not None]
        if measure is None or not found:
            return None
        return (max if measure.is_better_when_higher else min)(found)[1]

    def stored(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [
            {
                "name": measure.name,
                "unit": measure.unit,
                "higher_is_better": measure.is_better_when_higher,
                "curve": measure.curve,
                "at": measure.at,
                "samples": values,
            }
            for measure, values in self.values.items()
        ]

    @classmethod
    def restored(cls, content: Sequence[Mapping[str, Any]]) -> "Samples":
        """What `stored` gave."""
        return cls(
            {
                Measure(one["name"], one["unit"], one["higher_is_better"], one["curve"], one["at"]): {
                    name: list(values) for name, values in one["samples"].items()
                }
                for one in content
            }
        )


@dataclass(frozen=True, slots=True)
class Session:
    """What every part is given. `peers` are those that can be measured, ours first. `step` is told of
    progress, `warn` of what went wrong but can wait.
    """

    plan: Plan
    peers: Sequence[Peer]
    load: Load
    step: Callable[[], None]
    warn: Callable[[str], None]

    def having(self, role: str) -> list[Peer]:
        """The peers of a role."""
        return [peer for peer in self.peers if role in peer.roles]
