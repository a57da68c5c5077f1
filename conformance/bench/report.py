"""What was measured, as it is stored, and the page that is made of it."""

import datetime
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.bench import machine, plots, targets
from conformance.bench.measures import Plan, Samples
from conformance.bench.parts import PARTS
from conformance.bench.peers import Peer
from conformance.bench.tables import pipes

# Of one run or of several that were put together: what was measured, by part, and how each was.
Stored = dict[str, dict[str, Any]]

NOTES = Path(__file__).parent / "notes.md"
DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = DOCS / "benchmarks.md"
PICTURES = DOCS / "benchmarks"
SAMPLES = PICTURES / "samples.json"


def circumstances(plan: Plan, peers: Sequence[Peer], load_client: str) -> dict[str, Any]:
    """How a part was measured, as JSON."""
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": machine.describe(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "rounds": plan.rounds,
        "load_seconds": plan.load_seconds,
        "load_client": load_client,
        "peers": [
            {"name": peer.name, "version": peer.version, "about": peer.about, "missing": peer.missing}
            for peer in peers
        ],
    }


def text(stored: Stored) -> str:
    """The page, without pictures: what the command line shows."""
    return "\n\n".join(_sections(stored, has_pictures=False))


def write(stored: Stored, page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Write the page, its pictures and the samples that both are made of."""
    pictures.mkdir(exist_ok=True)
    for name, picture in plots.draw(_samples(stored)).items():
        (pictures / name).write_text(picture)
    page.write_text("\n\n".join(_sections(stored, has_pictures=True)) + "\n")
    (pictures / SAMPLES.name).write_text(json.dumps(stored, indent=1) + "\n")


def notes(source: str) -> dict[str, str]:
    """The hand-written text by the name of the part that it stands under; `intro` is for the page."""
    found = {}
    for section in source.split("\n## ")[1:]:
        name, _, body = section.partition("\n")
        found[name.strip()] = body.strip()
    return found


def _samples(stored: Stored) -> dict[str, Samples]:
    found = {}
    for name, part in stored.items():
        samples = PARTS[name].samples
        if samples is not None:
            found[name] = samples(part["data"])
    return found


def _sections(stored: Stored, *, has_pictures: bool) -> list[str]:
    written = notes(NOTES.read_text())
    samples = _samples(stored)
    sections = [
        "# Benchmarks",
        written["intro"],
        _machine(stored),
        _peers(stored),
        _targets(samples, is_whole=has_pictures),
    ]
    for name, part in PARTS.items():
        if name not in stored and not has_pictures:
            continue
        if name not in stored:
            sections.append(f"## {part.title}\n\nNot measured.")
            continue
        sections += [f"## {part.title}", part.table(stored[name]["data"], _names(stored[name]))]
        if has_pictures and name in samples:
            sections += [
                f"![{curve}]({PICTURES.name}/{plots.file_name(curve)})"
                for curve in plots.curves_of(samples[name])
            ]
        sections.append(_how(stored[name]))
        if name in written:
            sections.append(written[name])
    return sections


def _names(part: Mapping[str, Any]) -> list[str]:
    return [peer["name"] for peer in part["how"]["peers"]]


def _machine(stored: Stored) -> str:
    """The machines, which are one where all parts were measured on the same."""
    machines: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, part in stored.items():
        described = tuple(part["how"]["machine"].items())
        machines.setdefault(described, []).append(name)
    tables = []
    for described, names in machines.items():
        whose = f"Parts {', '.join(names)}:\n\n" if len(machines) > 1 else ""
        tables.append(whose + pipes([("machine", ""), *described], left=2))
    return "\n\n".join(["## Machine", *tables])


def _peers(stored: Stored) -> str:
    """All servers, with the reason of each that was not there."""
    found: dict[str, dict[str, str]] = {}
    for part in stored.values():
        for peer in part["how"]["peers"]:
            found[peer["name"]] = peer
    rows = [("server", "version", "how it runs")]
    for peer in found.values():
        told = f"**missing**: {peer['missing']}" if peer["missing"] else peer["about"]
        rows.append((peer["name"], peer["version"], told.replace("|", "\\|")))
    return f"## Servers\n\n{pipes(rows, left=3)}"


def _targets(samples: Mapping[str, Samples], *, is_whole: bool) -> str:
    """All targets, or where the page is not whole those of the parts that were measured."""
    verdicts = [v for v in targets.judge_all(samples) if is_whole or v.target.part in samples]
    rows = [("measure", "wanted", "", "found")]
    rows += [(v.target.measure, v.wanted, _word(v), v.found) for v in verdicts]
    words = Counter(_word(v) for v in verdicts)
    count = f"Of {len(verdicts)}: {', '.join(f'{number} {word}' for word, number in words.most_common())}."
    return f"## Targets\n\n{count}\n\n{pipes(rows, left=4)}"


def _word(verdict: targets.Verdict) -> str:
    if verdict.is_met is None:
        return "not measured"
    if not verdict.is_met:
        return "**missed**"
    return "met" if verdict.is_whole else "met by those measured"


def _how(part: Mapping[str, Any]) -> str:
    how = part["how"]
    lines = [
        f"Measured on {how['date']}, load of the machine when it began {how['load']}; "
        f"rounds: {how['rounds']}; series of {how['load_seconds']:g} s by {how['load_client']}."
    ]
    if how["warnings"]:
        lines += ["", "What went wrong:", "", *(f"- {warning}" for warning in how["warnings"])]
    return "\n".join(lines)
