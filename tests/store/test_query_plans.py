"""Look-ups of a request use an index, however many rows there are."""

import re
from collections.abc import Callable
from sqlite3 import Connection

import pytest

from ecr_emu.domain.manifests import OCI_MANIFEST, Layer, Manifest
from ecr_emu.store import (
    backfills,
    deletions,
    documents,
    events,
    image_listings,
    image_records,
    images,
    layers,
    replications,
    repositories,
    scans,
    signings,
    uploads,
    upstream_checks,
)
from ecr_emu.store.database import Database
from ecr_emu.store.images import Content, Filter
from ecr_emu.store.layers import Blob
from ecr_emu.store.repositories import Repository
from ecr_emu.store.uploads import Upload
from tests.store.conftest import HOME

DIGEST = "sha256:" + "a" * 64
IMAGE = images.Image(1, DIGEST, OCI_MANIFEST, None, None, 1, 1.0)
SHOWN = Filter(1.0)
DUE_SIGNATURE = signings.Due(1, 1, DIGEST, "arn", 1.0, None)
MANIFEST = Manifest(OCI_MANIFEST, (Layer(DIGEST, 1, ""),), (DIGEST,), None, None)

# Steps that read no table: rows of a subquery, and none at all.
NO_TABLE = re.compile(r"SCAN (CONSTANT ROW|\(subquery-\d+\))$")

LOOKUPS: dict[str, Callable[[Connection, Repository], object]] = {
    "repositories.find": lambda c, r: repositories.find(c, HOME, r.name),
    "repositories.confirm": lambda c, r: repositories.confirm(c, r),
    "repositories.page": lambda c, r: repositories.page(c, HOME, "a", 10),
    "repositories.resource_tags": lambda c, r: repositories.resource_tags(c, r),
    "repositories.count": lambda c, r: repositories.count(c, HOME),
    "repositories.image_count": lambda c, r: repositories.image_count(c, r),
    "repositories.delete": lambda c, r: repositories.delete(c, r),
    "events.after": lambda c, r: events.after(c, 1, 10),
    "events.append": lambda c, r: events.append(c, HOME, r.name, "x", b"{}", 1.0),
    "events.cursor": lambda c, r: events.cursor(c, "stdout"),
    "events.advance": lambda c, r: events.advance(c, "stdout", 1),
    "images.find": lambda c, r: images.find(c, r, DIGEST),
    "images.find_tagged": lambda c, r: images.find_tagged(c, r, "v1"),
    "images.pullable by tag": lambda c, r: images.pullable(c, HOME, r.name, "v1", 1.0),
    "images.pullable by digest": lambda c, r: images.pullable(c, HOME, r.name, DIGEST, 1.0),
    "images.exist": lambda c, r: images.exist(c, r),
    "image_listings.page": lambda c, r: image_listings.page(c, r, SHOWN, 5, 10),
    "image_listings.page of tagged": lambda c, r: image_listings.page(
        c, r, Filter(1.0, tags="TAGGED"), 5, 10
    ),
    "image_listings.page of untagged": lambda c, r: image_listings.page(
        c, r, Filter(1.0, tags="UNTAGGED"), 5, 10
    ),
    "image_listings.page_of_ids": lambda c, r: image_listings.page_of_ids(c, r, SHOWN, (5, ""), 10),
    "image_listings.page_of_tags": lambda c, r: image_listings.page_of_tags(c, r, 1.0, "a", 10),
    "images.referrers": lambda c, r: images.referrers(c, r, DIGEST, ["text/x"], SHOWN, 0),
    "images.sizes": lambda c, r: images.sizes(c, r, [DIGEST]),
    "images.only_archived_need": lambda c, r: images.only_archived_need(c, r, DIGEST, 1.0),
    "images.archive": lambda c, r: images.archive(c, IMAGE, 1.0),
    "images.restore": lambda c, r: images.restore(c, IMAGE, 1.0),
    "images.record_pulls": lambda c, r: images.record_pulls(c, [1], 1.0),
    "images.parents": lambda c, r: images.parents(c, r, DIGEST),
    "images.insert": lambda c, r: images.insert(c, r, Content(DIGEST, OCI_MANIFEST, b"{}"), MANIFEST, 1, 1.0),
    "images.delete": lambda c, r: images.delete(c, IMAGE),
    "upstream_checks.find": lambda c, r: upstream_checks.find(c, r, "v1"),
    "upstream_checks.put": lambda c, r: upstream_checks.put(c, r, "v1", DIGEST, 1.0),
    "upstream_checks.put_failure": lambda c, r: upstream_checks.put_failure(c, r, "v1", 1.0),
    "images.delete_tag": lambda c, r: images.delete_tag(c, r, "v1"),
    "image_records.find": lambda c, r: image_records.find(c, r, [DIGEST]),
    "image_records.is_record": lambda c, r: image_records.is_record(c, IMAGE),
    "image_records.children": lambda c, r: image_records.children(c, [1, 2]),
    "image_records.complete": lambda c, r: image_records.complete(
        c, r, IMAGE, Content(DIGEST, OCI_MANIFEST, b"{}"), Manifest(OCI_MANIFEST, (), (), None, None), 1
    ),
    "layers.find": lambda c, r: layers.find(c, r, DIGEST),
    "layers.locate": lambda c, r: layers.locate(c, HOME, r.name, DIGEST),
    "layers.held_by one": lambda c, r: layers.held_by(c, HOME, DIGEST, r.name),
    "layers.held_by any": lambda c, r: layers.held_by(c, HOME, DIGEST, None),
    "layers.media_type": lambda c, r: layers.media_type(c, r, DIGEST),
    "layers.put_blob": lambda c, r: layers.put_blob(c, Blob(DIGEST, "file", 1)),
    "layers.remove": lambda c, r: layers.remove(c, r, DIGEST),
    "layers.remove_unused": lambda c, r: layers.remove_unused(c, r.id, [DIGEST], 1.0),
    "layers.of_image": lambda c, r: layers.of_image(c, 1),
    "layers.is_known_file": lambda c, r: layers.is_known_file(c, "file", DIGEST),
    "documents.beside": lambda c, r: documents.beside(c, r, ("a", "b")),
    "backfills.of_registry": lambda c, r: backfills.of_registry(c, HOME),
    "backfills.find": lambda c, r: backfills.find(c, HOME, "id"),
    "backfills.running": lambda c, r: backfills.running(c, "eu-west-1"),
    "backfills.items": lambda c, r: backfills.items(c, "id", None, 0, 10),
    "backfills.items of a status": lambda c, r: backfills.items(c, "id", "FAILED", 0, 10),
    "backfills.candidates": lambda c, r: backfills.candidates(c, r, 1.0),
    "deletions.first": lambda c, r: deletions.first(c, "eu-west-1"),
    "replications.waiting": lambda c, r: replications.waiting(c, "eu-west-1", 10),
    "replications.find_waiting": lambda c, r: replications.find_waiting(c, 1, HOME),
    "replications.of_image": lambda c, r: replications.of_image(c, IMAGE),
    "scans.find": lambda c, r: scans.find(c, IMAGE),
    "scans.blob_types": lambda c, r: scans.blob_types(c, IMAGE),
    "signings.of_image": lambda c, r: signings.of_image(c, IMAGE),
    "signings.first_due": lambda c, r: signings.first_due(c, 1.0),
    "signings.next_due_at": lambda c, r: signings.next_due_at(c),
    "signings.announce": lambda c, r: signings.announce(c, DUE_SIGNATURE, DIGEST),
    "signings.finish": lambda c, r: signings.finish(c, DUE_SIGNATURE, None),
    "signings.find_key": lambda c, r: signings.find_key(c, "arn"),
    "uploads.find": lambda c, r: uploads.find(c, r, "id"),
    "uploads.exists": lambda c, r: uploads.exists(c, "id"),
    "uploads.update": lambda c, r: uploads.update(c, Upload("id"), 1.0),
    "uploads.delete": lambda c, r: uploads.delete(c, "id"),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_lookup_reads_no_whole_table(store: Database, repository: Repository, name: str) -> None:
    statements: list[str] = []
    with store.write() as transaction:
        transaction.set_trace_callback(statements.append)
        LOOKUPS[name](transaction, repository)
        transaction.set_trace_callback(None)
        # Statements of triggers are shown as comments.
        plans = [
            step
            for sql in statements
            if not sql.startswith("--")
            for *_, step in transaction.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]
    assert statements != []
    assert [step for step in plans if step.startswith("SCAN") and not NO_TABLE.match(step)] == []
