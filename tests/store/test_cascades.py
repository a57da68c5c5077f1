"""What goes when something is deleted: all that belongs to it, and nothing else."""

from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.domain.manifests import OCI_INDEX
from ecr_emu.store.database import Database
from tests.clients import Registry, image_index
from tests.consistency import rows
from tests.policies import keep_newest, policy

# What this leaves no row in; other operations do, and their tests look.
LATER = {"registry_documents", "repository_documents", "image_scans", "image_replications", "image_signings"}
LATER |= {"replicated_deletions", "replication_backfills", "replication_backfill_results"}
LATER |= {"image_findings", "image_sboms", "injected_scans", "signing_keys"}
LATER |= {"event_targets"}
LATER |= {"image_findings", "image_sboms", "injected_scans", "upstream_checks"}
LATER |= {"clock", "iam_accounts", "iam_principals", "iam_keys", "lifecycle_preview_results", "moto_states"}
LATER |= {"lifecycle_preview_tags"}


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
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy(keep_newest(5)))
    ecr.start_lifecycle_policy_preview(repositoryName=name)


def test_deleting_a_repository_leaves_no_row(ecr: Any, registry: Registry, store: Database) -> None:
    fill(ecr, registry, "team/app")
    assert {name for name, count in rows(store).items() if count == 0} <= LATER
    ecr.delete_repository(repositoryName="team/app", force=True)
    left = {name: count for name, count in rows(store).items() if count}
    # What happened stays told.
    assert left.pop("events") > 0
    assert left.pop("totals") == 4
    assert left == {"blobs": 3}


def test_deleting_a_repository_leaves_the_others_as_they_are(
    ecr: Any, registry: Registry, store: Database
) -> None:
    fill(ecr, registry, "one")
    before = rows(store)
    fill(ecr, registry, "two")
    ecr.delete_repository(repositoryName="two", force=True)
    after = rows(store)
    assert after.pop("events") > before.pop("events")
    assert after == before
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


def test_all_that_belongs_to_a_repository_or_image_goes_with_it_and_is_found_by_an_index(
    store: Database,
) -> None:
    with store.read() as connection:
        keys = connection.execute(
            """SELECT t.name, k."from", k."table", k.on_delete FROM sqlite_master t
            JOIN pragma_foreign_key_list(t.name) k WHERE t.type = 'table'"""
        ).fetchall()
        first_columns = connection.execute(
            """SELECT t.name, c.name FROM sqlite_master t JOIN pragma_index_list(t.name) i
            JOIN pragma_index_info(i.name) c WHERE t.type = 'table' AND c.seqno = 0
            UNION SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
            WHERE t.type = 'table' AND c.pk = 1"""
        ).fetchall()
    kept = {(table, parent) for table, _, parent, on_delete in keys if on_delete != "CASCADE"}
    assert kept == {("layers", "blobs"), ("images", "manifests")}
    unindexed = {(table, column) for table, column, *_ in keys} - set(first_columns)
    assert unindexed == set()
