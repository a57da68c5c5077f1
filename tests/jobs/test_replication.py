"""Copies between registries of one emulator: what arrives, where, how, and what is said of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running, digest_of, image_index, image_manifest
from tests.consistency import check_consistency

NAME = "team/app"
OTHER = "111111111111"
HERE, THERE = "us-east-1", "eu-west-1"
CONFIG = b'{"architecture":"amd64","os":"linux"}'


def place(region: str = THERE, account: str = DEFAULT_ACCOUNT) -> dict[str, str]:
    return {"region": region, "registryId": account}


def rule(*destinations: dict[str, str], prefixes: Any = (), deletes: bool | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"destinations": list(destinations)}
    if prefixes:
        found["repositoryFilters"] = [{"filter": one, "filterType": "PREFIX_MATCH"} for one in prefixes]
    if deletes is not None:
        found["deleteReplication"] = {"enabled": deletes}
    return found


def configure(ecr: Any, *rules: dict[str, Any]) -> None:
    ecr.put_replication_configuration(replicationConfiguration={"rules": list(rules)})


def run(emulator: Running) -> list[dict[str, object]]:
    """Make the copies that wait."""
    return emulator.application.runner.run_due()


def statuses(ecr: Any, digest: str, name: str = NAME) -> dict[tuple[str, str], tuple[str, str | None]]:
    answer = ecr.describe_image_replication_status(repositoryName=name, imageId={"imageDigest": digest})
    return {
        (entry["region"], entry["registryId"]): (entry["status"], entry.get("failureCode"))
        for entry in answer["replicationStatuses"]
    }


def tags(ecr: Any, name: str = NAME) -> dict[str, list[str]]:
    """The tags of each image."""
    details = ecr.describe_images(repositoryName=name)["imageDetails"]
    return {image["imageDigest"]: sorted(image.get("imageTags", [])) for image in details}


def names(ecr: Any) -> list[str]:
    return sorted(entry["repositoryName"] for entry in ecr.describe_repositories()["repositories"])


def allow(ecr: Any, *actions: str, account: str = DEFAULT_ACCOUNT) -> None:
    statement = {
        "Sid": "replication",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": list(actions),
        "Resource": "*",
    }
    ecr.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


@pytest.fixture
def there(emulator: Running) -> Any:
    """A client of the region to which everything of the default registry is copied."""
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName=NAME)
    configure(ecr, rule(place()))
    return emulator.ecr(region=THERE)


# --- What arrives ----------------------------------------------------------------------------------------


def test_an_image_arrives_with_its_tag_and_can_be_pulled(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    assert statuses(ecr, digest) == {(THERE, DEFAULT_ACCOUNT): ("IN_PROGRESS", None)}
    assert names(there) == []
    (report,) = run(emulator)
    assert (report["kind"], report["copied"]) == ("replication", 1)
    assert statuses(ecr, digest) == {(THERE, DEFAULT_ACCOUNT): ("COMPLETE", None)}
    assert tags(there) == {digest: ["v1"]}
    pulling = emulator.registry(region=THERE)
    manifest = pulling.request("GET", f"/v2/{NAME}/manifests/v1")
    assert manifest.body == registry.request("GET", f"/v2/{NAME}/manifests/v1").body
    assert pulling.request("GET", f"/v2/{NAME}/blobs/{digest_of(b'layer')}").body == b"layer"
    assert run(emulator) == []
    # Linked, not copied.
    folder = emulator.application.emulator.settings.data_dir
    assert len([path for path in (folder / "blobs").rglob("*") if path.is_file()]) == 2
    check_consistency(folder)


def test_the_runner_copies_by_itself(emulator: Running, ecr: Any, registry: Registry, there: Any) -> None:
    from tests.jobs.test_runner import until

    emulator.application.runner.start()
    try:
        digest = registry.push_image(NAME, "v1", b"layer")
        until(lambda: statuses(ecr, digest)[THERE, DEFAULT_ACCOUNT][0] == "COMPLETE")
    finally:
        emulator.application.runner.stop()
    assert tags(there) == {digest: ["v1"]}


def test_only_the_tag_that_was_pushed_is_copied(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    configure(ecr)
    digest = registry.push_image(NAME, "old", b"layer")
    configure(ecr, rule(place()))
    assert registry.push_image(NAME, "new", b"layer") == digest
    run(emulator)
    assert tags(there) == {digest: ["new"]}
    assert tags(ecr) == {digest: ["new", "old"]}


def test_a_tag_that_moves_moves_there_too(emulator: Running, registry: Registry, there: Any) -> None:
    first = registry.push_image(NAME, "v1", b"one")
    run(emulator)
    second = registry.push_image(NAME, "v1", b"two")
    run(emulator)
    assert tags(there) == {first: [], second: ["v1"]}
    # The tag is back before anybody has copied: only where it is now counts.
    registry.push_image(NAME, "v1", b"one")
    registry.push_image(NAME, "v1", b"two")
    run(emulator)
    assert tags(there) == {first: [], second: ["v1"]}


def test_an_index_arrives_with_its_images(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    configure(ecr)
    children = []
    for layer in (b"one", b"two"):
        registry.push_image(NAME, None, layer)
        children.append(image_manifest(CONFIG, layer))
    configure(ecr, rule(place()))
    index = image_index(*children)
    assert registry.put_manifest(NAME, "all", index, OCI_INDEX).status == 201
    run(emulator)
    assert statuses(ecr, digest_of(index)) == {(THERE, DEFAULT_ACCOUNT): ("COMPLETE", None)}
    assert tags(there) == {digest_of(index): ["all"], **{digest_of(child): [] for child in children}}


def test_a_referrer_comes_after_its_subject(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    """The signature was pushed first."""
    image = image_manifest(CONFIG, b"layer")
    subject = {"mediaType": "x/y", "digest": digest_of(image), "size": len(image)}
    signature = registry.push_image(NAME, None, b"signature", subject=subject)
    registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    shown = there.describe_images(repositoryName=NAME)["imageDetails"]
    assert [entry["imageDigest"] for entry in shown] == [digest_of(image), signature]
    found = there.list_image_referrers(repositoryName=NAME, subjectId={"imageDigest": digest_of(image)})
    assert [entry["digest"] for entry in found["referrers"]] == [signature]


def test_prefixes_choose_and_end_anywhere(emulator: Running, ecr: Any, registry: Registry) -> None:
    for name in ("production/x", "prod", "dev"):
        ecr.create_repository(repositoryName=name)
    configure(ecr, rule(place(), prefixes=["prod"]), rule(place("us-west-2"), prefixes=["de", "prod"]))
    for name in ("production/x", "prod", "dev"):
        registry.push_image(name, "v1", b"layer")
    run(emulator)
    assert names(emulator.ecr(region=THERE)) == ["prod", "production/x"]
    assert names(emulator.ecr(region="us-west-2")) == ["dev", "prod", "production/x"]


def test_what_arrives_goes_no_further(emulator: Running, registry: Registry, there: Any) -> None:
    configure(there, rule(place("us-west-2")))
    digest = registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    run(emulator)
    assert statuses(there, digest) == {}
    assert names(emulator.ecr(region="us-west-2")) == []
    # What is pushed there is.
    emulator.registry(region=THERE).push_image(NAME, "v2", b"other")
    run(emulator)
    assert names(emulator.ecr(region="us-west-2")) == [NAME]


def test_an_immutable_tag_that_is_taken_is_left_out(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    there.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    first = registry.push_image(NAME, "v1", b"one")
    run(emulator)
    second = registry.push_image(NAME, "v1", b"two")
    run(emulator)
    assert tags(there) == {first: ["v1"], second: []}
    assert statuses(ecr, second) == {(THERE, DEFAULT_ACCOUNT): ("COMPLETE", None)}


def test_an_image_that_is_archived_there_is_restored(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    there.update_image_storage_class(
        repositoryName=NAME, imageId={"imageDigest": digest}, targetStorageClass="ARCHIVE"
    )
    registry.push_image(NAME, "v2", b"layer")
    assert tags(there) == {}
    run(emulator)
    assert tags(there) == {digest: ["v1", "v2"]}


def test_archiving_is_not_copied_and_restoring_is_a_push(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    configure(ecr)
    digest = registry.push_image(NAME, "v1", b"layer")
    configure(ecr, rule(place()))
    for storage in ("ARCHIVE", "STANDARD"):
        ecr.update_image_storage_class(
            repositoryName=NAME, imageId={"imageDigest": digest}, targetStorageClass=storage
        )
        run(emulator)
    assert tags(there) == {digest: ["v1"]}


def test_a_push_that_is_a_copy_is_scanned_there(emulator: Running, registry: Registry, there: Any) -> None:
    there.put_registry_scanning_configuration(
        scanType="BASIC",
        rules=[
            {
                "scanFrequency": "SCAN_ON_PUSH",
                "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}],
            }
        ],
    )
    digest = registry.push_image(NAME, "v1", b"layer")
    emulator.application.runner._couriers.run_here()
    found = there.describe_image_scan_findings(repositoryName=NAME, imageId={"imageDigest": digest})
    assert found["imageScanStatus"]["status"] == "IN_PROGRESS"


# --- Deletions -------------------------------------------------------------------------------------------


def test_deletions_are_not_copied(emulator: Running, ecr: Any, registry: Registry, there: Any) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
    run(emulator)
    assert tags(there) == {digest: ["v1"]}


def test_deletions_are_copied_where_a_rule_says_so(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    configure(ecr, rule(place(), deletes=True), rule(place("us-west-2"), deletes=False))
    first = registry.push_image(NAME, "v1", b"one")
    registry.push_image(NAME, "v2", b"one")
    second = registry.push_image(NAME, "v3", b"two")
    third = registry.push_image(NAME, "v4", b"three")
    run(emulator)
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}, {"imageTag": "v3"}])
    assert registry.request("DELETE", f"/v2/{NAME}/manifests/{third}").status == 202
    (report,) = run(emulator)
    assert report["deleted"] == 3
    assert tags(there) == {first: ["v2"]}
    far = emulator.ecr(region="us-west-2")
    assert tags(far) == {first: ["v1", "v2"], second: ["v3"], third: ["v4"]}
    check_consistency(emulator.application.emulator.settings.data_dir)


def test_what_was_deleted_before_it_was_copied_does_not_arrive(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    digest = registry.push_image(NAME, "v1", b"layer")
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
    assert run(emulator) == []
    assert names(there) == []


# --- What the destination decides ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "has_repository", "failure"),
    [
        ((), True, "AccessDenied"),
        (("ecr:ReplicateImage",), False, "AccessDenied"),
        (("ecr:ReplicateImage",), True, None),
        (("ecr:ReplicateImage", "ecr:CreateRepository"), False, None),
        (("ecr:CreateRepository",), True, "AccessDenied"),
    ],
)
def test_another_account_is_asked(
    emulator: Running,
    ecr: Any,
    registry: Registry,
    actions: tuple[str, ...],
    has_repository: bool,
    failure: str | None,
) -> None:
    other = emulator.ecr(OTHER)
    if actions:
        allow(other, *actions)
    if has_repository:
        other.create_repository(repositoryName=NAME)
    ecr.create_repository(repositoryName=NAME)
    configure(ecr, rule(place(HERE, OTHER)))
    digest = registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    status = ("FAILED", failure) if failure else ("COMPLETE", None)
    assert statuses(ecr, digest) == {(HERE, OTHER): status}
    assert names(other) == ([NAME] if has_repository or not failure else [])
    if not failure:
        assert tags(other) == {digest: ["v1"]}


def test_nobody_is_asked_where_nobody_logs_in(start: Callable[..., Running]) -> None:
    emulator = start(auth="open")
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName=NAME)
    configure(ecr, rule(place(HERE, OTHER)))
    digest = Registry(emulator.port, None).push_image(NAME, "v1", b"layer")
    run(emulator)
    assert statuses(ecr, digest) == {(HERE, OTHER): ("COMPLETE", None)}


def test_another_push_after_a_failure_begins_anew(emulator: Running, ecr: Any, registry: Registry) -> None:
    ecr.create_repository(repositoryName=NAME)
    configure(ecr, rule(place(HERE, OTHER)))
    digest = registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    allow(emulator.ecr(OTHER), "ecr:*")
    registry.push_image(NAME, "v2", b"layer")
    assert statuses(ecr, digest) == {(HERE, OTHER): ("IN_PROGRESS", None)}
    run(emulator)
    assert statuses(ecr, digest) == {(HERE, OTHER): ("COMPLETE", None)}
    assert tags(emulator.ecr(OTHER)) == {digest: ["v2"]}


def test_a_template_makes_the_repository(emulator: Running, registry: Registry, there: Any) -> None:
    for prefix, applied, mutability in (
        ("team", "REPLICATION", "IMMUTABLE"),
        ("ROOT", "REPLICATION", "MUTABLE"),
        ("team/app", "CREATE_ON_PUSH", "MUTABLE"),
    ):
        there.create_repository_creation_template(
            prefix=prefix, appliedFor=[applied], imageTagMutability=mutability
        )
    registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    (repository,) = there.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"


def test_a_template_without_the_role_that_it_needs_makes_nothing(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    there.create_repository_creation_template(
        prefix="ROOT", appliedFor=["REPLICATION"], resourceTags=[{"Key": "a", "Value": "b"}]
    )
    digest = registry.push_image(NAME, "v1", b"layer")
    run(emulator)
    assert statuses(ecr, digest) == {(THERE, DEFAULT_ACCOUNT): ("FAILED", "AccessDenied")}
    assert names(there) == []


def test_quotas_of_the_destination_hold(start: Callable[..., Running], clock: Clock) -> None:
    emulator = start(limit=(("images-per-repository", 1),))
    ecr, registry = emulator.ecr(), emulator.registry()
    for name in ("one", "two"):
        ecr.create_repository(repositoryName=name)
    configure(ecr, rule(place()))
    there = emulator.ecr(region=THERE)
    there.create_repository(repositoryName="one")
    emulator.registry(region=THERE).push_image("one", "full", b"x")
    digests = {name: registry.push_image(name, "v1", b"layer") for name in ("one", "two")}
    run(emulator)
    assert statuses(ecr, digests["one"], "one") == {(THERE, DEFAULT_ACCOUNT): ("FAILED", "LimitExceeded")}
    assert statuses(ecr, digests["two"], "two") == {(THERE, DEFAULT_ACCOUNT): ("COMPLETE", None)}
    check_consistency(emulator.application.emulator.settings.data_dir)


def test_a_record_without_a_manifest_cannot_be_copied(
    emulator: Running, ecr: Any, registry: Registry, there: Any
) -> None:
    """An index whose image is known by a record alone."""
    child = image_manifest(CONFIG, b"nobody has this")
    record = {"imageDigest": digest_of(child), "imageManifestMediaType": OCI_MANIFEST}
    body = json.dumps(record).encode()
    path = f"/_emu/images?repositoryName={NAME}"
    reply = Registry(emulator.port, None).request("POST", path, body)
    assert reply.status == 200, reply.body
    index = image_index(child)
    assert registry.put_manifest(NAME, "all", index, OCI_INDEX).status == 201
    run(emulator)
    assert statuses(ecr, digest_of(index)) == {
        (THERE, DEFAULT_ACCOUNT): ("FAILED", "ReferencedImagesNotFound")
    }
    # Not even the repository was made.
    assert names(there) == []
