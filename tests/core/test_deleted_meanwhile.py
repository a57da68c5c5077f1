"""A repository that is deleted between the look-up and the write of a request."""

from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.context import Call, root_principal
from ecr_emu.core import push, upload
from ecr_emu.domain.manifests import OCI_INDEX
from ecr_emu.errors import EcrError
from ecr_emu.store.repositories import Repository
from tests.clients import Clock, Registry, digest_of, image_index

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
