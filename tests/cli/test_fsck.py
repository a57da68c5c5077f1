"""`ecr-emu fsck`: what it prints, and how it ends."""

import json
from pathlib import Path

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
