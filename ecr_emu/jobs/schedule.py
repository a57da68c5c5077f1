"""When jobs that come back are due."""

import math

from ecr_emu.settings import Settings
from ecr_emu.store import jobs
from ecr_emu.store.database import Database


def last_turn(due_at: float, interval: float, until: float) -> float:
    """The last of the times due_at, due_at + interval, … that is not after `until`."""
    return due_at + math.floor((until - due_at) / interval) * interval


def arrange(store: Database, settings: Settings, now: float) -> None:
    """Let every job that comes back be due within its interval: after a start, after a leap of the clock.

    An interval of 0 means never.
    """
    with store.write() as transaction:
        if settings.sweep_interval:
            jobs.put(transaction, jobs.SWEEP, now + settings.sweep_interval)
        else:
            jobs.delete_all(transaction, jobs.SWEEP)
        if settings.lifecycle_interval:
            jobs.put_lifecycle(transaction, now + settings.lifecycle_interval)
        else:
            jobs.delete_all(transaction, jobs.LIFECYCLE)
