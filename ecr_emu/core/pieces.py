"""Changing many rows a few at a time, so that no other writer waits for long."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from sqlite3 import Connection

from ecr_emu.store.database import Database

# How long a piece may hold the write lock, but for the last row that it began and for the commit.
PIECE_SECONDS = 0.01
# Between two pieces: who waits in another process looks every millisecond.
PAUSE_SECONDS = 0.01

HasTime = Callable[[], bool]


@contextmanager
def piece(store: Database) -> Iterator[tuple[Connection, HasTime]]:
    """One write transaction, and whether there is time left in it."""
    with store.write() as transaction:
        end = time.monotonic() + PIECE_SECONDS
        yield transaction, lambda: time.monotonic() < end


def until_done(store: Database, do: Callable[[Connection], bool]) -> None:
    """Call `do` in one piece after the other until it says that nothing is left.

    Each call should change few rows: a piece ends only between two of them.
    """
    while True:
        with piece(store) as (transaction, has_time):
            is_left = do(transaction)
            while is_left and has_time():
                is_left = do(transaction)
        if not is_left:
            return
        pause()


def pause() -> None:
    """Let other writers have their turn."""
    time.sleep(PAUSE_SECONDS)
