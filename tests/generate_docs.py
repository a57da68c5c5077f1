"""Writes the pages that are made from the code: docs/operations.md and docs/settings.md (`make docs`)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import yaml

from conformance.parity.cases import EVIDENCE, Case, load_cases
from ecr_emu import cli
from ecr_emu.control import model
from ecr_emu.control.operations import implemented
from ecr_emu.domain.limits import LIMITS
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


def commands(group: click.Group = cli.main, name: str = "ecr-emu") -> Iterator[tuple[str, click.Command]]:
    """Every command that users see, with the whole of its name; not groups, but what is in them."""
    context = click.Context(group)
    for entry in group.list_commands(context):
        command = group.get_command(context, entry)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {entry}")
        elif not command.hidden:
            yield f"{name} {entry}", command


def settings_page() -> str:
    """Every setting, every limit and every command."""
    settings = [
        (f"`{s.flag}`", f"`{s.variable}`", "" if s.default is None else f"`{s.default}`", s.help)
        for s in SETTINGS
    ]
    limits = [(f"`{limit.name}`", str(limit.default), limit.code or "", limit.help) for limit in LIMITS]
    described = [(f"`{name}`", command.help or "") for name, command in commands()]
    options = [
        (f"`{name}`", f"`{option.opts[0]}`", option.help or "")
        for name, command in commands()
        if name != "ecr-emu serve"
        for option in command.params
        if isinstance(option, click.Option)
    ]
    return f"""# Settings and commands

{NOTE}

{_table(("command", "what it does"), described)}

## Settings of `ecr-emu serve`

{_table(("option", "variable", "default", "what it means"), settings)}

## Limits

AWS's quotas, in force on both planes. `--limit NAME=VALUE` sets another value, and may be said again:
`--limit images-per-repository=5 --limit repositories=2`, or
`ECR_EMU_LIMIT=images-per-repository=5,repositories=2`. A limit below what is there refuses what is new, and
leaves the rest. Not settable: 50 rules of a lifecycle policy, 100 ids in a request, one scan of an image in
24 hours.

{_table(("name", "default", "AWS quota code", "what it limits"), limits)}

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
