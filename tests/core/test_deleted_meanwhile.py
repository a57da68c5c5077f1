"""A repository or an upload that goes while a request works on it."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.context import Call, root_principal
from ecr_emu.core import push, upload
from ecr_emu.core.reset import reset
from ecr_emu.core.sweep import UPLOAD_SECONDS, sweep
from ecr_emu.core.upload import Chunk
from ecr_emu.domain.manifests import OCI_INDEX
from ecr_emu.errors import EcrError
from ecr_emu.store.repositories import Repository
from tests.clients import Clock, Registry, digest_of, image_index, image_manifest
from tests.consistency import check_consistency, files_in

WRITES: dict[str, Callable[[Call, Repository], object]] = {
    "an upload that begins": upload.start,
    "a mount": lambda call, gone: upload.mount(call, gone, digest_of(b"layer"), None),
    "an image": lambda call, gone: push.put_image(call, gone, image_index(), OCI_INDEX, None, ["v1"]),
}


@pytest.fixture
def call(application: Application) -> Call:
    home = application.emulator.hosts.default
    return Call(application.emulator, root_principal(home.account), home, "http://localhost", Clock().now)


@pytest.fixture
def gone(ecr: Any, registry: Registry, call: Call) -> Repository:
    """A repository that the request has found, and that is another one by now."""
    ecr.create_repository(repositoryName="other")
    registry.push_image("other", "v1", b"layer")
    ecr.create_repository(repositoryName="team/app")
    found = call.repository("ecr:PutImage", call.registry, "team/app")
    ecr.delete_repository(repositoryName="team/app")
    ecr.create_repository(repositoryName="newcomer")
    return found


@pytest.mark.parametrize("name", WRITES)
def test_a_write_into_it_is_refused_and_reaches_no_newcomer(
    ecr: Any, call: Call, gone: Repository, name: str
) -> None:
    with pytest.raises(EcrError) as refused:
        WRITES[name](call, gone)
    assert refused.value.code == "RepositoryNotFoundException"
    assert ecr.list_images(repositoryName="newcomer")["imageIds"] == []


MEANWHILE: dict[str, Callable[[Call, Any], object]] = {
    "its repository is deleted": lambda call, ecr: ecr.delete_repository(repositoryName="team/app"),
    "all is reset": lambda call, ecr: reset(call.emulator),
    "it is swept away": lambda call, ecr: sweep(call.store, call.blobs, call.now + UPLOAD_SECONDS + 1),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_an_upload_that_goes_while_it_is_finished_is_not_found_and_leaves_no_blob(
    ecr: Any, call: Call, what: str
) -> None:
    ecr.create_repository(repositoryName="team/app")
    repository = call.repository("ecr:PutImage", call.registry, "team/app")
    upload_id = upload.start(call, repository)

    def choose(compute: Callable[[str], str]) -> str:
        digest = compute("sha256")
        MEANWHILE[what](call, ecr)
        return digest

    with pytest.raises(EcrError) as refused:
        upload.complete(call, repository, upload_id, choose, Chunk(io.BytesIO(b"layer")))
    assert refused.value.code == "UploadNotFoundException"
    folder = call.emulator.settings.data_dir
    assert files_in(folder / "blobs") == set()
    check_consistency(folder)


@pytest.mark.parametrize("what", MEANWHILE)
def test_an_upload_that_goes_while_it_receives_bytes_is_not_found(ecr: Any, call: Call, what: str) -> None:
    ecr.create_repository(repositoryName="team/app")
    repository = call.repository("ecr:PutImage", call.registry, "team/app")
    upload_id = upload.start(call, repository)
    chunk = Chunk(io.BytesIO(b"layer"), check=lambda state: MEANWHILE[what](call, ecr) and None)
    with pytest.raises(EcrError) as refused:
        upload.append(call, repository, upload_id, chunk)
    assert refused.value.code == "UploadNotFoundException"


def test_a_layer_that_is_pushed_again_survives_the_image_that_had_it(
    ecr: Any, registry: Registry, clock: Clock
) -> None:
    """Between the layers of a push and its manifest somebody deletes another image with the same layer."""
    ecr.create_repository(repositoryName="team/app")
    old = registry.push_image("team/app", "old", b"shared")
    clock.advance(1)
    config = b'{"architecture":"amd64","os":"linux"}'
    for blob in (config, b"shared"):
        registry.push_blob("team/app", blob)
    ecr.batch_delete_image(repositoryName="team/app", imageIds=[{"imageDigest": old}])
    reply = registry.put_manifest(
        "team/app", "new", image_manifest(config, b"shared", annotations={"n": "2"})
    )
    assert reply.status == 201, reply.body
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(b'shared')}").body == b"shared"
