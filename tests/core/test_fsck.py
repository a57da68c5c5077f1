"""A check of a data folder finds everything that is wrong with it, names it, and mends what can be mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.core.fsck import Checker, Problem
from tests.clients import Registry, Running, digest_of, image_index, image_manifest

NAME = "team/app"
LAYER = b"a layer of some bytes"
CONFIG = b'{"architecture":"amd64","os":"linux"}'
WHERE = f"000000000000/us-east-1/{NAME}"

Check = Callable[..., list[Problem]]


@pytest.fixture
def image(registry: Registry, ecr: Any) -> str:
    ecr.create_repository(repositoryName=NAME)
    return registry.push_image(NAME, "v1", LAYER)


@pytest.fixture
def folder(emulator: Running) -> Path:
    return emulator.application.emulator.settings.data_dir


@pytest.fixture
def check(emulator: Running, folder: Path) -> Check:
    place = emulator.application.emulator

    def run(**options: bool) -> list[Problem]:
        return list(Checker(place.store, place.blobs, folder, **options).problems())

    return run


def file_of(folder: Path, content: bytes) -> Path:
    (found,) = (folder / "blobs").rglob(f"{digest_of(content).partition(':')[2]}-*")
    return found


def execute(emulator: Running, sql: str, *values: object) -> None:
    with emulator.application.emulator.store.write() as transaction:
        transaction.execute(sql, values)


def test_nothing_is_wrong_with_a_folder_that_was_only_used(
    check: Check, registry: Registry, ecr: Any, image: str
) -> None:
    other = image_manifest(CONFIG, b"other")
    registry.push_image(NAME, "v2", b"other")
    assert (
        registry.put_manifest(
            NAME, "all", image_index(other), "application/vnd.oci.image.index.v1+json"
        ).status
        == 201
    )
    foreign = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "size": 3}
    elsewhere = {**foreign, "digest": digest_of(b"abc"), "urls": ["http://localhost/layer"]}
    document = image_manifest(CONFIG).replace(b'"layers": []', b'"layers": [' + _json(elsewhere) + b"]")
    assert registry.put_manifest(NAME, "windows", document).status == 201
    assert registry.request("POST", f"/v2/{NAME}/blobs/uploads/").status == 202
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": image}])
    assert check() == []
    assert check(quick=True) == []


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda file: file.write_bytes(LAYER[:-1] + b"?"), "its file has other bytes"),
        (lambda file: file.write_bytes(LAYER[:5]), "its file has 5 bytes, not 21"),
        (lambda file: file.unlink(), "its file is missing"),
    ],
)
def test_a_damaged_blob_is_named_and_can_be_pushed_again(
    check: Check, folder: Path, registry: Registry, image: str, damage: Any, problem: str
) -> None:
    file = file_of(folder, LAYER)
    damage(file)
    digest = digest_of(LAYER)
    found = Problem("blob", digest, f"{problem}; held by {WHERE}")
    assert check() == [found]
    # Sizes say nothing of bytes.
    assert check(quick=True) == ([] if "other" in problem else [found])
    (mended, missing) = check(repair=True)
    assert mended.mended == "forgotten: push the image again, and the bytes are stored anew"
    assert missing == Problem("image", f"{WHERE}@{image}", f"its layer {digest} is missing; push it again")
    assert not file.exists()
    # What the file had is not lost.
    assert [path.name for path in (folder / "damaged").glob("*")] == [file.name] * ("missing" not in problem)
    assert registry.request("GET", f"/v2/{NAME}/blobs/{digest}").status == 404
    assert registry.push_image(NAME, "v1", LAYER) == image
    assert registry.request("GET", f"/v2/{NAME}/blobs/{digest}").body == LAYER
    assert check() == []


def test_a_second_file_with_the_right_bytes_is_taken(
    check: Check, folder: Path, registry: Registry, image: str
) -> None:
    """A crash between placing a file and writing its row leaves one; so does a restored backup."""
    file = file_of(folder, LAYER)
    wrong = file.with_name(file.name.partition("-")[0] + "-00000000")
    right = file.with_name(file.name.partition("-")[0] + "-ffffffff")
    wrong.write_bytes(b"wrong")
    shutil.copy(file, right)
    assert [problem.is_open for problem in check()] == [False, False]
    file.write_bytes(b"torn")
    mended, *rest = check(repair=True)
    assert mended.mended == "another file has the right bytes, and is used now"
    assert [problem.kind for problem in rest] == ["forgotten file"]
    assert registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}").body == LAYER


def test_a_row_with_another_size_gets_the_right_one(
    check: Check, emulator: Running, registry: Registry, image: str
) -> None:
    digest = digest_of(LAYER)
    execute(emulator, "UPDATE blobs SET size_bytes = 5 WHERE digest = ?", digest)
    (found,) = check()
    assert found == Problem("blob", digest, f"its file has 21 bytes, not 5; held by {WHERE}")
    (mended,) = check(repair=True)
    assert mended.mended == "its bytes are right, and the row has their number now"
    assert registry.request("GET", f"/v2/{NAME}/blobs/{digest}").body == LAYER
    assert check() == []


def test_a_folder_of_blobs_that_is_not_ours_is_named(check: Check, folder: Path, image: str) -> None:
    (folder / "blobs" / "md5" / "aa").mkdir(parents=True)
    (folder / "blobs" / "sha256" / "folder").mkdir()
    (folder / "blobs" / "sha256" / "00" / "folder").mkdir(parents=True)
    (folder / "uploads" / "folder").mkdir()
    found = check(repair=True)
    assert [problem.kind for problem in found] == ["foreign file"] * 4
    names = {"blobs/md5", "blobs/sha256/folder", "blobs/sha256/00/folder", "uploads/folder"}
    assert {problem.what for problem in found} == names


def test_a_torn_key_is_named_and_taken_away(check: Check, folder: Path, image: str) -> None:
    (folder / "key").write_bytes(b"torn")
    assert check() == [Problem("key", "key", "it has 4 bytes, not 32")]
    (mended,) = check(repair=True)
    assert mended.mended == "deleted: the next start makes another"
    assert check() == []


def test_a_damaged_manifest_is_named(check: Check, emulator: Running, image: str) -> None:
    execute(emulator, "UPDATE manifests SET body = body || x'20'")
    (problem,) = check(repair=True)
    assert problem == Problem(
        "manifest", image, "its row has other bytes; delete the image and push it again"
    )
    assert problem.is_open


def test_an_image_whose_child_is_gone_is_named(
    check: Check, emulator: Running, registry: Registry, image: str
) -> None:
    index = image_index(image_manifest(CONFIG, LAYER))
    registry.put_manifest(NAME, "all", index, "application/vnd.oci.image.index.v1+json")
    execute(emulator, "DELETE FROM images WHERE digest = ?", image)
    said = f"its image {image} is missing; push it again"
    assert check() == [Problem("image", f"{WHERE}@{digest_of(index)}", said)]


def test_an_upload_that_lost_bytes_is_named_and_given_up(
    check: Check, folder: Path, registry: Registry, image: str
) -> None:
    location = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
    path = "/v2/" + location.partition("/v2/")[2]
    registry.request("PATCH", path, b"0123456789")
    (file,) = (folder / "uploads").iterdir()
    file.write_bytes(b"0123")
    (problem,) = check()
    assert problem == Problem("upload", file.name, "4 bytes are there, and 10 were acknowledged")
    (mended,) = check(repair=True)
    assert mended.mended == "deleted: its client has to begin again"
    assert registry.request("GET", path).status == 404
    assert check() == []


@pytest.mark.parametrize(
    ("name", "is_foreign"),
    [
        ("notes.txt", True),
        ("blobs/sha256/ab/readme", True),
        (f"blobs/sha256/ab/ab{'0' * 62}-0123abcd", False),
        ("blobs/stray", True),
        ("blobs/sha256/stray", True),
        (f"blobs/sha256/cd/ab{'0' * 62}-0123abcd", True),
        ("uploads/some", True),
        ("uploads/6f2c1b7e-63a5-4c8e-9d53-b1a0f7a0c111", False),
    ],
)
def test_a_file_that_nobody_knows_is_named(check: Check, folder: Path, name: str, is_foreign: bool) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    (problem,) = check(repair=True)
    assert (problem.kind, problem.what) == ("foreign file" if is_foreign else "forgotten file", name)
    assert problem.is_open == is_foreign
    assert path.exists()


def test_references_between_rows_are_checked(check: Check, emulator: Running, image: str) -> None:
    with emulator.application.emulator.store.read() as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("DELETE FROM repositories")
        connection.execute("PRAGMA foreign_keys=ON")
    assert {problem.kind for problem in check()} == {"database"}
