"""Writes the pages that are made from the code: docs/operations.md and docs/settings.md (`make docs`)."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import yaml

from conformance.parity.cases import EVIDENCE, Case, load_cases
from ecr_emu import cli
from ecr_emu.control import model
from ecr_emu.control.operations import implemented
from ecr_emu.settings import SETTINGS

SECTION = re.compile(r"(?:control|data) plane \d+(?:\.\d+)?")
DOCS = Path(__file__).parent.parent / "docs"
NOTE = "<!-- Made by `make docs`. -->"


def operations_page() -> str:
    """Every operation of the model: what is real, what differs, and which cases say so."""
    built = implemented()
    names = sorted(model.load().operation_names.items())
    notes = yaml.safe_load((DOCS / "operations.yaml").read_text())
    cases = load_cases()
    rows = [
        (name, note["real"], note.get("differs", ""), *_evidence([c for c in cases if c.operation == name]))
        for snake, name in names
        if snake in built
        for note in [notes[name]]
    ]
    missing = ", ".join(name for snake, name in names if snake not in built) or "none"
    return f"""# Operations

{NOTE}

The AWS API has {len(names)} operations; {len(built)} are built. Not built, and answered with HTTP 501
`NotImplementedException`: {missing}.

The numbers count the cases in [conformance/parity](../conformance/parity) that hold ecr-emu to AWS's answers,
by what each rests on: seen on AWS, written in its documentation, or inferred. Every case names its source;
the last column names the sections of the reference that they come from.

{_table(("operation", "what is real", "what differs from AWS", *EVIDENCE, "source"), rows)}
"""


def _evidence(cases: Sequence[Case]) -> list[str]:
    """How many cases rest on what, and the sources they name."""
    counts = Counter(case.evidence for case in cases)
    sources = sorted({source for case in cases for source in SECTION.findall(str(case.document["source"]))})
    return [*(str(counts[kind]) for kind in EVIDENCE), ", ".join(sources)]


def settings_page() -> str:
    """Every setting and every command."""
    settings = [
        (f"`{s.flag}`", f"`{s.variable}`", "" if s.default is None else f"`{s.default}`", s.help)
        for s in SETTINGS
    ]
    by_name = sorted(cli.main.commands.items())
    commands = [(f"`ecr-emu {name}`", command.help or "") for name, command in by_name]
    options = [
        (f"`ecr-emu {name}`", f"`{option.opts[0]}`", option.help or "")
        for name, command in by_name
        if name != "serve"
        for option in command.params
        if isinstance(option, click.Option)
    ]
    return f"""# Settings and commands

{NOTE}

{_table(("command", "what it does"), commands)}

## Settings of `ecr-emu serve`

{_table(("option", "variable", "default", "what it means"), settings)}

## Options of the other commands

{_table(("command", "option", "what it means"), options)}
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in lines)


PAGES = {"operations.md": operations_page, "settings.md": settings_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
