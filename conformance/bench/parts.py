"""The parts of the benchmark. Each measures, and makes a table of what is stored of it: JSON, so that
the page can be written again without measuring.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from conformance.bench import (
    authorization,
    control,
    copies,
    interference,
    large,
    lifecycle,
    limits,
    scale,
    scanning,
    servers,
    targets,
)
from conformance.bench.measures import Measure, Samples, Session
from conformance.bench.roster import OURS
from conformance.bench.scan_image import Image
from conformance.bench.tables import fenced, side_by_side


@dataclass(frozen=True, slots=True)
class Part:
    """`steps` is how often `measure` reports progress; `table` is given what `measure` returned, after a way
    through JSON, and the names of the peers, ours first. `samples` is what targets are judged by, if any are.
    """

    name: str
    title: str
    steps: Callable[[Session], int]
    measure: Callable[[Session], Any]
    table: Callable[[Any, Sequence[str]], str]
    samples: Callable[[Any], Samples] | None = None


def _sampled(
    name: str, title: str, steps: Callable[[Session], int], measure: Callable[[Session], Samples]
) -> Part:
    """A part whose figures are samples of servers beside each other."""

    def table(data: Any, peers: Sequence[str]) -> str:
        return side_by_side(Samples.restored(data), peers)

    return Part(name, title, steps, lambda session: measure(session).stored(), table, Samples.restored)


def _measure_authorization(session: Session) -> Any:
    return authorization.measure(
        session.plan.rounds, session.plan.load_seconds, session.load, session.step
    ).rates


def _authorization_table(data: Any, _: Sequence[str]) -> str:
    return fenced(
        authorization.table(authorization.Costs({int(count): rates for count, rates in data.items()}))
    )


def _measure_lifecycle(session: Session) -> Any:
    scales = []
    for count in session.plan.image_counts:
        scales.append(asdict(lifecycle.measure(count)))
        session.step()
    return scales


def _lifecycle_table(data: Any, _: Sequence[str]) -> str:
    return fenced(lifecycle.table([lifecycle.Scale(**one) for one in data]))


def _measure_scanning(session: Session) -> Any:
    return asdict(scanning.measure(session.plan.scan_bytes, session.plan.rounds, session.step))


def _scanning_table(data: Any, _: Sequence[str]) -> str:
    readings = [scanning.Reading(**(one | {"image": Image(**one["image"])})) for one in data["readings"]]
    return fenced(scanning.table(scanning.Scans(readings, data["match_ms"], data["findings"])))


def _measure_scale(session: Session) -> Any:
    return asdict(scale.measure(session.plan.image_counts, session.step))


def _scales(data: Any) -> scale.Scales:
    return scale.Scales(
        {
            what: [
                scale.Line(one["name"], {int(n): micros for n, micros in one["micros"].items()})
                for one in lines
            ]
            for what, lines in data["lines"].items()
        }
    )


def _scale_samples(data: Any) -> Samples:
    """The request whose cost grows most."""
    found = Samples()
    measure = Measure(targets.GROWTH_OF_REQUESTS, "times", is_better_when_higher=False)
    found.add(measure, OURS, max(line.ratio for line in _scales(data).lines["images"]))
    return found


def _measure_background(session: Session) -> Any:
    lines = interference.measure(session.plan.image_counts, session.plan.load_seconds, session.step)
    return [asdict(line) for line in lines]


def _background_samples(data: Any) -> Samples:
    """The request that is delayed most."""
    found = Samples()
    measure = Measure(targets.COST_OF_BACKGROUND, "times", is_better_when_higher=False)
    lines = [interference.Line(**one) for one in data]
    found.add(measure, OURS, max(line.cost for line in lines))
    return found


PARTS = {
    part.name: part
    for part in (
        _sampled("limits", "The machine's limits", limits.steps, limits.measure),
        _sampled("servers", "Registries", servers.steps, servers.measure),
        _sampled("large", "A layer of 2 GB", large.steps, large.measure),
        _sampled("control", "The AWS API", control.steps, control.measure),
        _sampled("copies", "Whole images", copies.steps, copies.measure),
        Part(
            "authorization",
            "Authorization",
            lambda session: authorization.steps(session.plan.rounds),
            _measure_authorization,
            _authorization_table,
        ),
        Part(
            "lifecycle",
            "Lifecycle policies",
            lambda session: len(session.plan.image_counts),
            _measure_lifecycle,
            _lifecycle_table,
        ),
        Part(
            "scanning",
            "Scans",
            lambda session: scanning.steps(session.plan.rounds),
            _measure_scanning,
            _scanning_table,
        ),
        Part(
            "scale",
            "As there is ever more",
            lambda session: scale.steps(session.plan.image_counts),
            _measure_scale,
            lambda data, _: fenced(scale.table(_scales(data))),
            _scale_samples,
        ),
        Part(
            "background",
            "While work goes on",
            lambda session: interference.steps(session.plan.image_counts),
            _measure_background,
            lambda data, _: fenced(interference.table([interference.Line(**one) for one in data])),
            _background_samples,
        ),
    )
}


def through_json(data: Any) -> Any:
    """What is read of it from a file."""
    return json.loads(json.dumps(data, default=str))
