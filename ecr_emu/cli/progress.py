"""How far a command has come: a line on a terminal that is written over, nothing in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Progress = Callable[[str], None]


@contextmanager
def shown() -> Iterator[Progress]:
    """A function that shows a text in place of the last one. In the end the line is empty again."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    try:
        yield _replace
    finally:
        _replace("")


def _replace(text: str) -> None:
    # To the end of the line: the text before may have been longer.
    click.echo(f"\r{text}\x1b[K", err=True, nl=False)
