"""What commands print: a table for people, JSON for scripts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click


def show(rows: Mapping[str, Any], output: str) -> None:
    """Names and values."""
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, rows))
    for name, value in rows.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {value}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is not padded."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def size(size_bytes: float) -> str:
    """A number of bytes as people read it, in powers of 1000."""
    units, power = ("B", "kB", "MB", "GB", "TB", "PB"), 0
    while size_bytes >= 1000 and power < len(units) - 1:
        size_bytes, power = size_bytes / 1000, power + 1
    return f"{size_bytes:,.{1 if power else 0}f} {units[power]}"
