"""What must hold in every data folder at every moment, looked at from outside."""

import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from ecr_emu.store.database import Database
from tests.clients import digest_of

Result = TypeVar("Result")


def check_consistency(folder: Path) -> None:
    """Every blob has a file of its size and digest, every layer a blob, every image its manifest."""
    with closing(sqlite3.connect(folder / "metadata.db", timeout=30)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        for digest, file, size_bytes in database.execute("SELECT digest, file, size_bytes FROM blobs"):
            content = (folder / "blobs" / file).read_bytes()
            assert (len(content), digest_of(content, digest[:6])) == (size_bytes, digest)
        layers = "SELECT digest FROM layers WHERE digest NOT IN (SELECT digest FROM blobs)"
        assert database.execute(layers).fetchall() == []
        bodies = "SELECT i.digest, m.body FROM images i LEFT JOIN manifests m ON m.digest = i.digest"
        for digest, body in database.execute(bodies):
            # Of an image that was imported without its manifest nobody knows the bytes.
            assert not body or digest_of(body, digest[:6]) == digest
        unused = "SELECT digest FROM manifests WHERE digest NOT IN (SELECT digest FROM images)"
        assert database.execute(unused).fetchall() == []


def rows(store: Database) -> dict[str, int]:
    """How many rows each table has. The tables are those of the database, so that none is forgotten."""
    with store.read() as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - its own names
            for (name,) in names
        }


def files_in(folder: Path) -> set[str]:
    """The files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def side_by_side(functions: Iterable[Callable[[], Result]]) -> list[Result]:
    """Run functions at the same time and return what they returned, or raise what one raised."""
    todo = list(functions)
    with ThreadPoolExecutor(len(todo)) as pool:
        return [future.result() for future in [pool.submit(function) for function in todo]]
