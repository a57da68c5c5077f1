"""Curves as SVG: the same bytes for the same figures."""

import io
import re
from collections.abc import Mapping, Sequence

from conformance.bench.measures import Samples
from conformance.bench.roster import OURS

# Of each server, in every picture.
COLOURS = {
    OURS: "#d62728",
    "docker-registry": "#7f7f7f",
    "distribution": "#1f77b4",
    "zot": "#17becf",
    "fakecloud": "#ff7f0e",
    "ministack": "#2ca02c",
    "moto": "#9467bd",
    "nginx": "#000000",
}
SPEED, RATE = "MB/s", "requests/s"
AXES = {SPEED: "MB of a blob", RATE: "connections"}


def draw(parts: Mapping[str, Samples]) -> dict[str, str]:
    """SVG by the name of the file, one for each curve, whose points may come from several parts."""
    curves: dict[str, dict[str, dict[float, float]]] = {}
    units = {}
    for samples in parts.values():
        for measure, values in samples.values.items():
            if measure.curve:
                units[measure.curve] = measure.unit
                for name in values:
                    middle = samples.median(measure, name)
                    if middle is not None:
                        points = curves.setdefault(measure.curve, {}).setdefault(name, {})
                        # A size that two parts measure is taken from the first.
                        points.setdefault(measure.at, middle)
    return {file_name(curve): _draw(curve, units[curve], lines) for curve, lines in curves.items()}


def file_name(curve: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", curve.lower()).strip("-") + ".svg"


def curves_of(samples: Samples) -> Sequence[str]:
    """The curves that a part has points of."""
    return list(dict.fromkeys(measure.curve for measure in samples.values if measure.curve))


def _draw(curve: str, unit: str, lines: Mapping[str, Mapping[float, float]]) -> str:
    # matplotlib is for those who write the page, and slow to import.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text stays text, and ids do not change from one time to the next.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ecr-emu", "font.family": "sans-serif"}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for name, points in lines.items():
            places = sorted(points)
            axes.plot(
                places,
                [points[place] for place in places],
                label=name,
                color=COLOURS.get(name),
                linewidth=2.2 if name == OURS else 1.3,
                marker="o",
                markersize=3.5,
            )
        places = sorted({place for points in lines.values() for place in points})
        axes.set(xscale="log", yscale="log", title=curve, xlabel=AXES[unit], ylabel=f"{unit}, median")
        axes.set_xticks(places, [f"{place:,g}" for place in places], minor=False)
        axes.minorticks_off()
        axes.grid(True, which="major", linewidth=0.4)
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
