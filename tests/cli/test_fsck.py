"""`ecr-emu fsck`: what it prints, and how it ends."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients import digest_of
from tests.processes import run, serving

LAYER = b"some bytes"


def pushed(folder: Path) -> None:
    with serving("--data-dir", folder, "--auth", "open") as server:
        with server.ecr() as ecr:
            ecr.create_repository(repositoryName="team/app")
            upload = ecr.initiate_layer_upload(repositoryName="team/app")["uploadId"]
            place = {"repositoryName": "team/app", "uploadId": upload}
            ecr.upload_layer_part(**place, partFirstByte=0, partLastByte=9, layerPartBlob=LAYER)
            ecr.complete_layer_upload(**place, layerDigests=[digest_of(LAYER)])
        # It may look while a server works, and mend nothing then.
        assert run("fsck", "--data-dir", folder).returncode == 0
        busy = run("fsck", "--data-dir", folder, "--repair")
        assert (busy.returncode, "another ecr-emu serves" in busy.stderr) == (1, True)


def test_it_says_what_is_wrong_and_mends_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    pushed(folder)
    clean = run("fsck", "--data-dir", folder)
    assert (clean.returncode, clean.stdout) == (0, f"{folder}: nothing is wrong\n")
    (file,) = (folder / "blobs").rglob("*-*")
    file.write_bytes(b"SOME bytes")
    found = run("fsck", "--data-dir", folder)
    assert found.returncode == 1
    assert found.stdout.splitlines()[0].split() == ["KIND", "WHAT", "PROBLEM"]
    assert f"{digest_of(LAYER)}  its file has other bytes" in found.stdout
    mended = run("fsck", "--data-dir", folder, "--repair", "--output", "json")
    assert mended.returncode == 0
    (problem,) = json.loads(mended.stdout)["problems"]
    assert (problem["kind"], problem["what"], bool(problem["mended"])) == ("blob", digest_of(LAYER), True)
    assert json.loads(run("fsck", "--data-dir", folder, "--output", "json").stdout) == {"problems": []}


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    done = run("fsck", "--data-dir", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is no data folder of ecr-emu" in done.stderr


def empty(file: Path) -> None:
    file.write_bytes(b"")


def remove(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def overwrite(file: Path) -> None:
    file.write_bytes(os.urandom(50_000))


def replace(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE recipes (name)")


def damage_table(table: str) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        with closing(sqlite3.connect(file)) as database:
            query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
            (page,) = database.execute(query, (table,)).fetchone()
            (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
        with file.open("r+b") as content:
            content.seek((page - 1) * page_bytes)
            content.write(b"\xa5" * page_bytes)

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (empty, "has layers and metadata.db is empty or gone; put it back"),
        (remove, "is no data folder of ecr-emu"),
        (cut, "metadata.db cannot be used"),
        (overwrite, "metadata.db cannot be used (file is not a database)"),
        (replace, "metadata.db cannot be used (it has tables, and none of them is ours)"),
        (damage_table("blobs"), "it cannot be read any further: database disk image is malformed"),
        (damage_table("manifests"), "it cannot be read any further: database disk image is malformed"),
    ],
)
def test_a_damaged_database_is_named_and_no_layer_is_deleted(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "data"
    pushed(folder)
    # What the killed server has written last comes into the database itself.
    with closing(sqlite3.connect(folder / "metadata.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (file,) = (folder / "blobs").rglob("*-*")
    damage(folder / "metadata.db")
    for options in ((), ("--repair",)):
        done = run("fsck", "--data-dir", folder, *options)
        assert done.returncode == 1
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    if said.startswith(("has layers", "metadata.db cannot")):
        for command in (("gc", "--grace", 0), ("serve", "--port", 0)):
            refused = run(*command, "--data-dir", folder)
            assert (refused.returncode, said in refused.stderr) == (1, True)
    assert file.read_bytes() == LAYER


def test_a_log_that_is_gone_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    pushed(folder)
    assert run("fsck", "--data-dir", folder).returncode == 0
    with serving("--data-dir", folder, "--auth", "open") as server:
        server.create_repository("team/late")
        server.kill()
        server.ended()
    (folder / "metadata.db-wal").unlink()
    done = run("fsck", "--data-dir", folder, "--output", "json")
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["what"], problem["problem"]) == (
        "metadata.db-wal",
        "it is gone, and with it what was written last",
    )


@pytest.mark.parametrize("command", [("serve", "--port", 0), ("gc",)])
def test_an_empty_database_beside_no_layers_is_a_new_one(tmp_path: Path, command: tuple[object, ...]) -> None:
    """A server that is killed in its first moments leaves one."""
    (tmp_path / "metadata.db").touch()
    if command[0] == "gc":
        assert run(*command, "--data-dir", tmp_path).returncode == 0
        return
    with serving(*command[1:], "--data-dir", tmp_path) as server:
        server.create_repository("team/app")
