"""Medians and ratios of the samples, as a table or as JSON."""

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from conformance.bench import authorization, interference, lifecycle, scale, scanning
from conformance.bench.measures import Measure, Plan, Samples
from conformance.bench.peers import Peer

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, and how. `load_client` asked for the manifests, `costs` are those of
    authorization, `scales` are the lifecycle evaluations, `scans` the images that were read, `sizes` requests
    as there are ever more images, and `disturbed` what work in the background costs them.
    """

    samples: Samples
    peers: Sequence[Peer]
    plan: Plan
    load_client: str
    costs: authorization.Costs | None
    scales: Sequence[lifecycle.Scale]
    scans: scanning.Scans | None = None
    sizes: scale.Scales | None = None
    disturbed: Sequence[interference.Line] = ()


def ratio(measure: Measure, ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """How many times better our median is: above 1 is in our favour, whatever the unit. None without both."""
    if not ours or not theirs:
        return None
    first, second = statistics.median(ours), statistics.median(theirs)
    above, below = (first, second) if measure.is_better_when_higher else (second, first)
    return above / below if below else None


def table(report: Report) -> str:
    """The parts that were asked for: servers beside each other, authorization, lifecycle evaluations."""
    parts = [_servers(report)] if report.peers else []
    parts += [authorization.table(report.costs)] if report.costs else []
    parts += [lifecycle.table(report.scales)] if report.scales else []
    parts += [scanning.table(report.scans)] if report.scans else []
    parts += [scale.table(report.sizes)] if report.sizes else []
    parts += [interference.table(report.disturbed)] if report.disturbed else []
    return "\n\n".join(parts)


def _servers(report: Report) -> str:
    """One line for each measure: medians with their ranges, and the ratio to each peer."""
    ours, *others = (peer.name for peer in report.peers)
    rows = [["", "unit", ours, *(cell for name in others for cell in (name, "ratio"))]]
    for measure, values in report.samples.values.items():
        row = [measure.name, measure.unit, _cell(values.get(ours, []))]
        for name in others:
            row += [_cell(values.get(name, [])), _ratio_cell(measure, values, ours, name)]
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_align(row, widths) for row in rows]
    return "\n".join([*lines, "", *_notes(report)])


def as_json(report: Report) -> str:
    """All samples, their medians and the ratios."""
    ours, *others = [peer.name for peer in report.peers] or [""]
    measures = [
        {
            "name": measure.name,
            "unit": measure.unit,
            "higher_is_better": measure.is_better_when_higher,
            "samples": values,
            "median": {name: statistics.median(found) for name, found in values.items()},
            "ratio": {name: ratio(measure, values.get(ours, []), values.get(name, [])) for name in others},
        }
        for measure, values in report.samples.values.items()
    ]
    content = {
        "rounds": report.plan.rounds,
        "load_client": report.load_client,
        "processors": os.cpu_count(),
        "missing": {peer.name: peer.missing for peer in report.peers if peer.missing},
        "measures": measures,
        "authorization": report.costs.rates if report.costs else {},
        "lifecycle": [asdict(scale) for scale in report.scales],
        "scanning": asdict(report.scans) if report.scans else {},
        "scale": asdict(report.sizes) if report.sizes else {},
        "interference": [asdict(line) for line in report.disturbed],
    }
    return json.dumps(content, indent=2, default=str)


def _notes(report: Report) -> list[str]:
    plan = report.plan
    return [
        f"Median (lowest to highest) of interleaved rounds: {plan.rounds}; processors: {os.cpu_count()}.",
        "A ratio above 1 is in favour of the first column, whatever the unit.",
        "PSS divides what the interpreter's file holds among all Python programs that run now; RSS does not.",
        f"Manifest requests by {report.load_client}, {plan.load_seconds:g} s each; "
        "blobs in chunked streams, as docker sends them.",
        *(f"{peer.name}: {MISSING}, {peer.missing}" for peer in report.peers if peer.missing),
    ]


def _cell(values: Sequence[float]) -> str:
    if not values:
        return MISSING
    middle = _number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({_number(min(values))} to {_number(max(values))})"


def _ratio_cell(measure: Measure, values: dict[str, list[float]], ours: str, name: str) -> str:
    found = ratio(measure, values.get(ours, []), values.get(name, []))
    return "-" if found is None else f"{found:.2f}"


def _number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    """The first two columns to the left, figures to the right."""
    texts = [f"{text:<{width}}" for text, width in zip(row[:2], widths[:2], strict=True)]
    figures = [f"{text:>{width}}" for text, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*texts, *figures]).rstrip()
