"""Tables in Markdown that can be read as they are."""

import statistics
from collections.abc import Sequence

from conformance.bench.measures import Measure, Samples

MISSING = "missing"


def fenced(text: str) -> str:
    """Text as it is."""
    return f"```\n{text}\n```"


def pipes(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table, its first row the heads; so many columns to the left and the others to the right."""
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        cells = [
            f"{cell:<{width}}" if at < left else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def side_by_side(samples: Samples, names: Sequence[str]) -> str:
    """One line for each measure: medians with their ranges, and behind a peer's the ratio of ours to it."""
    present = {name for values in samples.values.values() for name in values}
    ours, *others = [name for name in names if name in present] or sorted(present) or [""]
    rows = [["", "unit", ours, *others]]
    for measure, values in samples.values.items():
        cells = [_beside(samples, measure, ours, name) for name in others]
        rows.append([measure.name, measure.unit, cell(values.get(ours, [])), *cells])
    return pipes(rows, left=2)


def cell(values: Sequence[float]) -> str:
    """The median, and from where to where the values go."""
    if not values:
        return MISSING
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _beside(samples: Samples, measure: Measure, ours: str, name: str) -> str:
    values = samples.values[measure].get(name, [])
    ratio = samples.ratio(measure, ours, name)
    if not values:
        return "-"
    return cell(values) + (f", **{ratio:.2f}**" if ratio is not None else "")
