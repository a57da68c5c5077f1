"""A writer finds the pauses of another process."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from ecr_emu.store.database import Database


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return Database(tmp_path / "metadata.db", patience_seconds=5)


def test_a_writer_gets_in_between_two_pieces(store: Database, tmp_path: Path) -> None:
    """Another program holds the lock for 30 ms and lets go of it for 5, again and again."""
    stop = threading.Event()
    held = []

    def work() -> None:
        with closing(sqlite3.connect(tmp_path / "metadata.db", isolation_level=None)) as other:
            while not stop.is_set():
                other.execute("BEGIN IMMEDIATE")
                time.sleep(0.03)
                other.execute("COMMIT")
                held.append(1)
                time.sleep(0.005)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        while not held:
            time.sleep(0.001)
        before = len(held)
        for _ in range(10):
            with store.write() as transaction:
                transaction.execute("SELECT 1")
            time.sleep(0.01)
        # SQLite's own waiting misses most pauses: some hundred pieces would go by.
        assert len(held) - before < 60
    finally:
        stop.set()
        worker.join()
        store.close()


def test_patience_ends(store: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "metadata.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"), store.write(patience_seconds=0.1):
            pass
        assert 0.1 <= time.monotonic() - began < 5
        other.execute("ROLLBACK")
    with store.write() as transaction:
        transaction.execute("SELECT 1")
    store.close()
