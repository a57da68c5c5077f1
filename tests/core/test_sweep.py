"""A sweep frees what nobody can reach, and nothing else, whatever happens at the same time."""

import http.client
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.core import sweep as sweeping
from ecr_emu.core.sweep import GRACE_SECONDS, UPLOAD_SECONDS, Swept
from tests.clients import Clock, Registry, Running, digest_of
from tests.consistency import check_consistency, files_in, side_by_side

Sweep = Callable[..., Swept]
NAME = "team/app"
NOTHING = Swept()


@pytest.fixture
def emulator(start: Callable[..., Running]) -> Running:
    """Here the clock runs for days, longer than a login is good for."""
    return start(auth="open")


@pytest.fixture
def registry(emulator: Running) -> Registry:
    return Registry(emulator.port, None)


@pytest.fixture
def folder(emulator: Running, ecr: Any) -> Path:
    """The data folder of an emulator with a repository in it."""
    ecr.create_repository(repositoryName=NAME)
    return emulator.application.emulator.settings.data_dir


def begin_upload(registry: Registry, content: bytes) -> str:
    """Where an upload goes on that has some bytes."""
    location = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
    path = location.partition("/v2/")[2]
    assert registry.request("PATCH", f"/v2/{path}", content).status == 202
    return f"/v2/{path}"


def test_an_upload_is_abandoned_after_a_day(
    registry: Registry, folder: Path, clock: Clock, sweep_now: Sweep
) -> None:
    upload = begin_upload(registry, b"some")
    clock.advance(UPLOAD_SECONDS)
    assert sweep_now() == NOTHING
    assert registry.request("GET", upload).status == 204
    clock.advance(1)
    assert sweep_now() == Swept(uploads=1)
    assert registry.request("GET", upload).status == 404
    assert files_in(folder / "uploads") == set()


def test_an_upload_that_goes_on_is_kept(
    registry: Registry, folder: Path, clock: Clock, sweep_now: Sweep
) -> None:
    upload = begin_upload(registry, b"one")
    for _ in range(3):
        clock.advance(UPLOAD_SECONDS - 1)
        assert registry.request("PATCH", upload, b"more").status == 202
        assert sweep_now() == NOTHING


def test_an_upload_whose_repository_went_in_a_crash_leaves_no_file(
    emulator: Running, registry: Registry, folder: Path, sweep_now: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PLACING_SECONDS", 0)
    begin_upload(registry, b"some")
    with emulator.application.emulator.store.write() as transaction:
        transaction.execute("DELETE FROM repositories")
    assert sweep_now(grace_seconds=0) == Swept(files=1, freed_bytes=4)
    assert files_in(folder / "uploads") == set()


def test_a_layer_waits_an_hour_for_its_image(
    registry: Registry, folder: Path, clock: Clock, sweep_now: Sweep
) -> None:
    path = f"/v2/{NAME}/blobs/{registry.push_blob(NAME, b'layer')}"
    clock.advance(GRACE_SECONDS)
    assert sweep_now() == NOTHING
    clock.advance(1)
    assert registry.request("GET", path).body == b"layer"
    assert sweep_now() == Swept(layers=1, blobs=1, freed_bytes=5)
    assert registry.request("GET", path).status == 404
    assert files_in(folder / "blobs") == set()


def test_pushing_a_layer_again_makes_it_wait_anew(
    registry: Registry, folder: Path, clock: Clock, sweep_now: Sweep
) -> None:
    registry.push_blob(NAME, b"layer")
    clock.advance(GRACE_SECONDS)
    registry.push_blob(NAME, b"layer")
    clock.advance(GRACE_SECONDS)
    assert sweep_now() == NOTHING
    assert len(files_in(folder / "blobs")) == 1


def test_what_images_need_is_never_swept(
    ecr: Any, registry: Registry, folder: Path, clock: Clock, sweep_now: Sweep
) -> None:
    registry.push_image(NAME, "v1", b"one", b"two")
    registry.push_image(NAME, None, b"untagged")
    clock.advance(365 * 86400)
    assert sweep_now(grace_seconds=0) == NOTHING
    for content in (b"one", b"two", b"untagged"):
        assert registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(content)}").body == content
    check_consistency(folder)


def test_the_bytes_of_a_deleted_image_are_freed_when_no_repository_holds_them(
    ecr: Any, registry: Registry, folder: Path, sweep_now: Sweep
) -> None:
    ecr.create_repository(repositoryName="other")
    registry.push_image(NAME, "v1", b"shared", b"own")
    registry.push_image("other", "v1", b"shared")
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    assert sweep_now() == Swept(blobs=1, freed_bytes=3)
    ecr.delete_repository(repositoryName="other", force=True)
    assert sweep_now().blobs == 2
    assert files_in(folder / "blobs") == set()


def test_a_file_without_a_row_is_freed_when_it_is_old(
    folder: Path, sweep_now: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = folder / "blobs" / "sha256" / "aa" / f"{'a' * 64}-0123abcd"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"12345")
    # However short the grace: the row of a file this young may be about to be written.
    assert sweep_now(grace_seconds=0) == NOTHING
    monkeypatch.setattr(sweeping, "PLACING_SECONDS", 0)
    assert sweep_now(grace_seconds=3600) == NOTHING
    assert sweep_now(grace_seconds=0) == Swept(files=1, freed_bytes=5)
    assert not orphan.exists()


def test_many_blobs_go_in_batches_that_are_reported(
    ecr: Any, registry: Registry, folder: Path, sweep_now: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    for number in range(5):
        registry.push_blob(NAME, f"layer {number}".encode())
    ecr.delete_repository(repositoryName=NAME)
    reported: list[int] = []
    sweep_now(progress=lambda swept: reported.append(swept.blobs))
    assert reported == [2, 4, 5, 5]


def test_a_download_under_way_survives_the_sweep(
    ecr: Any, registry: Registry, folder: Path, sweep_now: Sweep
) -> None:
    content = random.Random(2).randbytes(24 << 20)  # noqa: S311 - not a secret
    registry.push_image(NAME, "v1", content)
    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=30)
    path = ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=digest_of(content))["downloadUrl"]
    connection.request("GET", path)
    with connection.getresponse() as response:
        beginning = response.read(1000)
        ecr.delete_repository(repositoryName=NAME, force=True)
        assert sweep_now(grace_seconds=0).blobs == 2
        assert files_in(folder / "blobs") == set()
        assert beginning + response.read() == content
    connection.close()


def test_a_folder_that_somebody_made_stops_no_sweep(
    folder: Path, sweep_now: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PLACING_SECONDS", 0)
    foreign = folder / "blobs" / "sha256" / "00" / "folder"
    foreign.mkdir(parents=True)
    assert sweep_now(grace_seconds=0) == NOTHING
    assert foreign.is_dir()


def test_sweeping_beside_pushes_of_one_digest_never_leaves_a_row_without_bytes(
    start: Callable[..., Running],
) -> None:
    emulator = start(ephemeral=True)
    store, blobs = emulator.application.emulator.store, emulator.application.emulator.blobs
    registry = emulator.registry()
    pushing = ["one", "two", "three", "four"]
    for name in pushing:
        emulator.ecr().create_repository(repositoryName=name)

    def push(name: str) -> None:
        try:
            for _ in range(50):
                path = f"/v2/{name}/blobs/{registry.push_blob(name, b'same')}"
                assert registry.request("GET", path).body == b"same"
                assert registry.request("DELETE", path).status == 202
        finally:
            pushing.remove(name)

    def sweep_on() -> None:
        while pushing:
            sweeping.sweep(store, blobs, 0.0)

    def check_on() -> None:
        while pushing:
            # While nobody else writes, rows stay and with them the files.
            with store.write():
                check_consistency(emulator.application.emulator.settings.data_dir)

    side_by_side([*[partial(push, name) for name in pushing], sweep_on, check_on])
    sweeping.sweep(store, blobs, 0.0)
    assert files_in(emulator.application.emulator.settings.data_dir / "blobs") == set()
