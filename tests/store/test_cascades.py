"""What goes when something is deleted: all that belongs to it, and nothing else."""

from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.domain.manifests import OCI_INDEX
from ecr_emu.store.database import Database
from tests.clients import Registry, image_index


def rows(store: Database) -> dict[str, int]:
    """How many rows each table has; the tables are those of the database, so that none is forgotten."""
    with store.read() as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - its own names
            for (name,) in names
        }


@pytest.fixture
def store(application: Application) -> Database:
    return application.emulator.store


def fill(ecr: Any, registry: Registry, name: str) -> None:
    """A repository with something in every table."""
    ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "x"}])
    digest = registry.push_image(name, "v1", b"layer")
    child = registry.request("GET", f"/v2/{name}/manifests/{digest}").body
    assert registry.put_manifest(name, "all", image_index(child), OCI_INDEX).status == 201
    registry.push_image(name, None, b"other", subject={"digest": digest, "size": len(child)})
    ecr.initiate_layer_upload(repositoryName=name)


def test_deleting_a_repository_leaves_no_row(ecr: Any, registry: Registry, store: Database) -> None:
    fill(ecr, registry, "team/app")
    assert {name for name, count in rows(store).items() if count == 0} == set()
    ecr.delete_repository(repositoryName="team/app", force=True)
    assert {name: count for name, count in rows(store).items() if count} == {"blobs": 3}


def test_deleting_a_repository_leaves_the_others_as_they_are(
    ecr: Any, registry: Registry, store: Database
) -> None:
    fill(ecr, registry, "one")
    before = rows(store)
    fill(ecr, registry, "two")
    ecr.delete_repository(repositoryName="two", force=True)
    assert rows(store) == before
    assert registry.request("GET", "/v2/one/manifests/v1").status == 200


def test_the_bytes_of_a_manifest_go_with_the_last_image_that_has_them(
    ecr: Any, registry: Registry, store: Database
) -> None:
    for name in ("one", "two"):
        ecr.create_repository(repositoryName=name)
        registry.push_image(name, "v1", b"layer")
    for name, manifests_left in (("one", 1), ("two", 0)):
        ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
        assert rows(store)["manifests"] == manifests_left
    assert rows(store)["image_layers"] == rows(store)["layers"] == 0
