"""A reset leaves nothing, and breaks nothing that comes at the same time."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecr_emu.app import Application
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core.reset import reset
from ecr_emu.store import documents
from tests.clients import Registry, Running, digest_of
from tests.consistency import check_consistency, files_in, rows, side_by_side

CONTENT = b"bytes"


@pytest.fixture
def folder(application: Application) -> Path:
    return application.emulator.settings.data_dir


def test_a_reset_leaves_no_row_and_no_bytes(
    ecr: Any, registry: Registry, application: Application, folder: Path
) -> None:
    ecr.create_repository(repositoryName="team/app", tags=[{"Key": "a", "Value": "b"}])
    registry.push_image("team/app", "v1", b"layer")
    registry.push_blob("team/app", b"no image")
    with application.emulator.store.write() as transaction:
        documents.put(transaction, application.emulator.hosts.default, "registry-policy", "", "{}", 1.0)
    location = registry.request("POST", "/v2/team/app/blobs/uploads/").headers["location"]
    upload = "/v2/" + location.partition("/v2/")[2]
    assert registry.request("PATCH", upload, b"some").status == 202

    reset(application.emulator)

    left = rows(application.emulator.store)
    assert left.pop("totals") > 0
    assert set(left.values()) == {0}
    with application.emulator.store.read() as connection:
        assert {value for (value,) in connection.execute("SELECT value FROM totals")} == {0}
    assert files_in(folder / "blobs") == files_in(folder / "uploads") == set()
    assert registry.request("PATCH", upload, b"more").status == 404
    check_consistency(folder)


def test_after_a_reset_the_same_can_be_pushed_with_the_same_login(
    ecr: Any, registry: Registry, application: Application
) -> None:
    digests = set()
    for _ in range(2):
        ecr.create_repository(repositoryName="team/app")
        digests.add(registry.push_image("team/app", "v1", b"layer"))
        reset(application.emulator)
    assert len(digests) == 1


def test_what_is_pushed_while_a_reset_deletes_the_old_bytes_stays(
    ecr: Any, registry: Registry, application: Application, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same layer comes again at the moment in which the rows are gone and the files are not."""
    ecr.create_repository(repositoryName="team/app")
    registry.push_blob("team/app", CONTENT)
    delete = FileBlobs.delete

    def delete_after_a_push(blobs: FileBlobs, file: str) -> None:
        monkeypatch.setattr(FileBlobs, "delete", delete)
        ecr.create_repository(repositoryName="team/app")
        registry.push_blob("team/app", CONTENT)
        delete(blobs, file)

    monkeypatch.setattr(FileBlobs, "delete", delete_after_a_push)
    reset(application.emulator)
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(CONTENT)}").body == CONTENT
    check_consistency(folder)
    assert len(files_in(folder / "blobs")) == 1


def test_resetting_beside_pushes_never_leaves_a_row_without_bytes(start: Callable[..., Running]) -> None:
    emulator = start(ephemeral=True)
    registry = emulator.registry()
    pushing = ["one", "two", "three"]
    clients = {name: emulator.ecr() for name in pushing}

    def push(name: str) -> None:
        try:
            for number in range(60):
                with suppress(ClientError):
                    clients[name].create_repository(repositoryName=name)
                reply = registry.request(
                    "POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(CONTENT)}", CONTENT
                )
                assert reply.status in (201, 404), (number, reply)
        finally:
            pushing.remove(name)

    def reset_on() -> None:
        while pushing:
            reset(emulator.application.emulator)
            with emulator.application.emulator.store.write():
                check_consistency(emulator.application.emulator.settings.data_dir)

    side_by_side([*[partial(push, name) for name in pushing], reset_on])
