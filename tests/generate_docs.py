"""Writes the pages that are made from the code: docs/operations.md and docs/settings.md (`make docs`)."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from ecr_emu import cli
from ecr_emu.control import model
from ecr_emu.control.operations import implemented
from ecr_emu.settings import SETTINGS

DOCS = Path(__file__).parent.parent / "docs"
NOTE = "<!-- Made by `make docs`. -->"


def operations_page() -> str:
    """Every operation of the model, and whether it is built."""
    built = implemented()
    names = model.load().operation_names
    rows = [(names[name], "yes" if name in built else "no, 501") for name in sorted(names)]
    return f"""# Operations

{NOTE}

The AWS API has {len(names)} operations; {len(built)} are built. The others answer HTTP 501 with
`NotImplementedException` and their name, which no SDK retries.

{_table(("operation", "built"), rows)}
"""


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
