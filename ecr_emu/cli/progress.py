"""How far a command has come: a line on a terminal that is written over, nothing in a pipe."""

import sys
import threading
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


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Say what is waited for, and for how long, once it takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    is_over = threading.Event()

    def tell() -> None:
        seconds = 0
        while not is_over.wait(1):
            seconds += 1
            _replace(f"{text}: {seconds} s")
        if seconds:
            _replace("")

    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    try:
        yield
    finally:
        is_over.set()
        telling.join()


def _replace(text: str) -> None:
    # To the end of the line: the text before may have been longer.
    click.echo(f"\r{text}\x1b[K", err=True, nl=False)
