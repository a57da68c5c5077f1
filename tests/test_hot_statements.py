"""No statement of a request reads a whole table, but for those named here with a reason."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.domain.manifests import OCI_INDEX
from ecr_emu.store.database import Database
from tests.clients import Registry, Running, digest_of, image_index
from tests.policies import keep_newest, policy

NAME = {"repositoryName": "team/app"}
# What a plan says of a table that is read from its beginning. Rows of a subquery are no table.
SCAN = re.compile(r"SCAN (?!CONSTANT ROW|\(subquery|json_each)(.*)")
# Parts of statements that may, and why.
ALLOWED = {
    "FROM injected_scans": "one for each call of ecr-emu scan inject",
    "FROM jobs ORDER BY due_at": "the first of an index, and no more",
    "FROM jobs GROUP BY kind": "for metrics: one for each repository with a policy, at most",
    "FROM registry_counts": "for metrics: one for each registry",
    "FROM pragma_page_count": "no table",
    "FROM sqlite_sequence": "one for each table",
    "sum(received_bytes), 0) FROM uploads": "for metrics: one for each upload under way",
    "DELETE FROM uploads WHERE touched_at": "a job of every hour",
    "FROM lifecycle_policies": "when the clock is moved: one for each repository with a policy",
    "SELECT 1 FROM image_replications WHERE waiting_since": "the first of an index, and no more",
    "SELECT DISTINCT region FROM image_replications": "for couriers: an index of the copies that wait",
    "SELECT count(*) FROM (SELECT 1 FROM images LIMIT": "stops at a limit",
}


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The SQL of all statements from now on, with those of triggers."""
    found: set[str] = set()
    open_one = Database._open

    def open_traced(database: Database) -> sqlite3.Connection:
        connection = open_one(database)
        connection.set_trace_callback(found.add)
        return connection

    monkeypatch.setattr(Database, "_open", open_traced)
    return found


@pytest.fixture
def traced(statements: set[str], emulator: Running) -> Running:
    """An emulator of which nothing is traced yet: the schema was made before."""
    idle = emulator.application.emulator.store._idle
    while idle:
        idle.pop().close()
    statements.clear()
    return emulator


def plans(application: Application, statements: set[str]) -> Iterator[tuple[str, str]]:
    """Statements, and the steps of them that read a table from its beginning."""
    path = application.emulator.settings.data_dir / "metadata.db"
    with closing(sqlite3.connect(path)) as connection:
        for sql in sorted(statements):
            # Those of triggers are shown as comments, with names in place of values.
            text = re.sub(r"\b(NEW|OLD)\.\w+", "1", sql.removeprefix("-- "))
            if not text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                continue
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {text}"):
                if SCAN.match(step):
                    yield text, step


def use_everything(emulator: Running) -> None:
    ecr, registry = emulator.ecr(), emulator.registry()
    emulator.application.runner.arrange()
    ecr.put_registry_scanning_configuration(
        scanType="BASIC",
        rules=[
            {
                "scanFrequency": "SCAN_ON_PUSH",
                "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}],
            }
        ],
    )
    place = {"region": "eu-west-1", "registryId": "000000000000"}
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [place]}]})
    ecr.create_repository(**NAME, tags=[{"Key": "team", "Value": "x"}])
    push_everything(registry)
    read_everything(ecr, registry)
    for jobs in range(2):
        emulator.application.runner.run_due()
        ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=policy(keep_newest(1)))
        ecr.start_lifecycle_policy_preview(**NAME)
        if jobs:
            emulator.post("/_emu/lifecycle/run")
    ecr.batch_delete_image(**NAME, imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}])
    ecr.delete_repository(**NAME, force=True)
    emulator.post("/_emu/clock", advance="2d")


def push_everything(registry: Registry) -> None:
    digest = registry.push_image("team/app", "v1", b"layer")
    body = registry.request("GET", f"/v2/team/app/manifests/{digest}").body
    assert registry.put_manifest("team/app", "all", image_index(body), OCI_INDEX).status == 201
    registry.push_image("team/app", "signature", b"other", subject={"digest": digest, "size": len(body)})
    gone = registry.push_image("team/app", "gone", b"gone")
    assert registry.put_manifest("team/app", "v2", body).status == 201
    for path in (
        "/_catalog?n=1",
        "/team/app/tags/list?n=1&last=a",
        "/team/app/manifests/v1",
        f"/team/app/referrers/{digest}",
        f"/team/app/blobs/{digest_of(b'layer')}",
    ):
        assert registry.request("GET", f"/v2{path}").status == 200
    assert registry.request("DELETE", "/v2/team/app/manifests/signature").status == 202
    assert registry.request("DELETE", f"/v2/team/app/manifests/{gone}").status == 202


def read_everything(ecr: Any, registry: Registry) -> None:
    image_id = {"imageTag": "v1"}
    for status in ("ACTIVE", "ARCHIVED", "ACTIVATING", "ANY"):
        for tags in ("TAGGED", "UNTAGGED", "ANY"):
            wanted = {"imageStatus": status, "tagStatus": tags}
            ecr.describe_images(**NAME, filter=wanted, maxResults=1)
            ecr.list_images(**NAME, filter=wanted, maxResults=1)
    ecr.describe_images(**NAME, imageIds=[image_id])
    ecr.batch_get_image(**NAME, imageIds=[image_id])
    layer = digest_of(b"layer")
    ecr.batch_check_layer_availability(**NAME, layerDigests=[layer])
    ecr.get_download_url_for_layer(**NAME, layerDigest=layer)
    ecr.describe_repositories(maxResults=1)
    ecr.describe_repositories(repositoryNames=[NAME["repositoryName"]])
    ecr.describe_registry()
    ecr.describe_pull_through_cache_rules()
    ecr.describe_image_replication_status(**NAME, imageId=image_id)
    ecr.list_image_referrers(**NAME, subjectId={"imageDigest": layer})
    ecr.update_image_storage_class(**NAME, imageId={"imageTag": "all"}, targetStorageClass="ARCHIVE")
    ecr.update_image_storage_class(**NAME, imageId={"imageTag": "all"}, targetStorageClass="STANDARD")
    for path in ("/_emu/metrics", "/_emu/health", "/_emu/events"):
        assert registry.request("GET", path).status == 200


def test_no_request_reads_a_whole_table(statements: set[str], traced: Running) -> None:
    use_everything(traced)
    assert len(statements) > 150
    found = {
        (sql, step)
        for sql, step in plans(traced.application, statements)
        if not any(part in sql for part in ALLOWED)
    }
    assert found == set()


def test_every_exception_is_needed(statements: set[str], traced: Running) -> None:
    use_everything(traced)
    scanning = [sql for sql, _ in plans(traced.application, statements)]
    unneeded = [part for part in ALLOWED if not any(part in sql for sql in scanning)]
    assert unneeded == []
