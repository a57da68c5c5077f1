"""Limits on the planes where they can be hit, made small; refusals leave everything as it was."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ecr_emu.domain.limits import LIMITS
from tests.clients import DEFAULT_ACCOUNT, Clock, Reply, Running, digest_of, image_manifest
from tests.control.calls import CONFIG, Repo, invalid, refusal
from tests.registry.steps import begin

ARN = f"arn:aws:ecr:us-east-1:{DEFAULT_ACCOUNT}:repository/team/app"
PLACE = f"repository with name 'team/app' in registry with id '{DEFAULT_ACCOUNT}'"
REGISTRY = f"The registry with id '{DEFAULT_ACCOUNT}' already"

Limited = Callable[..., Running]


def exceeded(message: str) -> tuple[str, str]:
    return "LimitExceededException", message


def no_room(what: str, limit: int) -> tuple[str, str]:
    return exceeded(f"{REGISTRY} has the maximum allowed number of {what} which is '{limit}'")


def denied(reply: Reply) -> tuple[str, str]:
    """The same refusal as the registry tells it."""
    assert reply.status == 403
    code, message = reply.error
    assert code == "DENIED"
    return exceeded(message)


@pytest.fixture
def limited(start: Limited) -> Limited:
    """Starts an emulator with these limits, `tags_per_image=2`, and a repository team/app."""

    def start_one(**limits: int) -> Running:
        changed = tuple((name.replace("_", "-"), value) for name, value in limits.items())
        assert {name for name, _ in changed} <= {limit.name for limit in LIMITS}
        emulator = start(limit=changed)
        emulator.ecr().create_repository(repositoryName="team/app")
        return emulator

    return start_one


# --- Repositories ----------------------------------------------------------------------------------------


def test_a_registry_takes_no_more_repositories_than_its_limit(limited: Limited) -> None:
    emulator = limited(repositories=2)
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName="second")
    full = no_room("repositories", 2)
    assert refusal(ecr.create_repository, repositoryName="third") == full
    # Of a name that is taken just this is said.
    assert refusal(ecr.create_repository, repositoryName="second")[0] == "RepositoryAlreadyExistsException"
    # Another region is another registry.
    for name in ("one", "two"):
        emulator.ecr(region="eu-west-1").create_repository(repositoryName=name)
    ecr.delete_repository(repositoryName="second")
    ecr.create_repository(repositoryName="third")
    assert refusal(ecr.create_repository, repositoryName="second") == full
    assert len(ecr.describe_repositories()["repositories"]) == 2


def test_a_push_makes_no_repository_beyond_the_limit(limited: Limited) -> None:
    emulator = limited(repositories=2)
    ecr, registry = emulator.ecr(), emulator.registry()
    ecr.create_repository_creation_template(prefix="ROOT", appliedFor=["CREATE_ON_PUSH"])
    registry.push_image("second", "v1", b"layer")
    full = no_room("repositories", 2)
    assert denied(registry.request("POST", "/v2/third/blobs/uploads/")) == full
    assert denied(registry.put_manifest("third", "v1", b"{}")) == full
    # What is there can be pushed to.
    registry.push_image("second", "v2", b"other")
    ecr.delete_repository(repositoryName="team/app")
    registry.push_image("third", "v1", b"layer")


def test_a_limit_below_what_is_there_refuses_only_what_is_new(start: Limited, tmp_path: Any) -> None:
    emulator = start(data_dir=tmp_path / "kept")
    for name in ("one", "two", "three"):
        emulator.ecr().create_repository(repositoryName=name)
    for number in range(3):
        emulator.registry().push_image("one", f"v{number}", b"layer %d" % number)
    emulator.stop()
    emulator = start(data_dir=tmp_path / "kept", limit=(("repositories", 1), ("images-per-repository", 1)))
    ecr, registry = emulator.ecr(), emulator.registry()
    assert len(ecr.describe_repositories()["repositories"]) == 3
    assert len(ecr.describe_images(repositoryName="one")["imageDetails"]) == 3
    assert registry.request("GET", "/v2/one/manifests/v2").status == 200
    assert refusal(ecr.create_repository, repositoryName="four") == no_room("repositories", 1)
    ecr.delete_repository(repositoryName="three")
    assert refusal(ecr.create_repository, repositoryName="three") == no_room("repositories", 1)
    # An image that is there gets another tag.
    registry.push_image("one", "again", b"layer 0")
    registry.push_image("two", "v1", b"layer")


def test_resource_tags_of_a_repository_have_a_limit(limited: Limited) -> None:
    ecr = limited(tags_per_resource=1).ecr()
    pairs = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": ""}]
    too_many = ("TooManyTagsException", "The number of tags exceeds the limit of 1 for the resource")
    assert refusal(ecr.create_repository, repositoryName="other", tags=pairs) == too_many
    assert refusal(ecr.tag_resource, resourceArn=ARN, tags=pairs) == too_many
    ecr.tag_resource(resourceArn=ARN, tags=pairs[:1])
    assert refusal(ecr.tag_resource, resourceArn=ARN, tags=pairs[1:]) == too_many
    ecr.tag_resource(resourceArn=ARN, tags=pairs[:1])


def test_resource_tags_of_a_template_have_a_limit(limited: Limited) -> None:
    ecr = limited(tags_per_resource=1).ecr()
    pairs = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": ""}]
    template: dict[str, Any] = {"prefix": "team", "appliedFor": ["CREATE_ON_PUSH"]}
    refused = invalid("resourceTags", "Tag parameters are invalid")
    assert refusal(ecr.create_repository_creation_template, **template, resourceTags=pairs) == refused
    ecr.create_repository_creation_template(**template, resourceTags=pairs[:1])
    got = refusal(ecr.update_repository_creation_template, prefix="team", resourceTags=pairs)
    assert got == refused


# --- Images ----------------------------------------------------------------------------------------------


def test_a_repository_takes_no_more_images_than_its_limit_on_either_plane(limited: Limited) -> None:
    emulator = limited(images_per_repository=2)
    registry, app = emulator.registry(), Repo(emulator.ecr(), "team/app")
    first = app.push(b"first", "v1")
    registry.push_image("team/app", "v2", b"second")
    third = app.image(b"third")
    message = f"The {PLACE} already has the maximum allowed number of images which is '2'"
    assert refusal(app.put, manifest=third, tag="v3") == exceeded(message)
    assert denied(registry.put_manifest("team/app", "v3", third.encode())) == exceeded(message)
    assert app.tags().keys() == {"v1", "v2"}
    # Another tag is no other image, and what is missing is said first.
    app.push(b"first", "again")
    missing = image_manifest(CONFIG, b"never pushed").decode()
    assert refusal(app.put, manifest=missing, tag="v3")[0] == "LayersNotFoundException"
    # Room for one again, taken from either plane.
    for plane in (app.ecr, registry):
        if plane is registry:
            assert registry.request("DELETE", f"/v2/team/app/manifests/{first}").status == 202
        else:
            ids = [{"imageTag": "v2"}]
            assert app.ecr.batch_delete_image(repositoryName="team/app", imageIds=ids)["failures"] == []
        registry.push_image("team/app", None, b"filling" if plane is registry else b"fill")
        assert denied(registry.put_manifest("team/app", "v3", third.encode())) == exceeded(message)
    # The other repositories are counted on their own.
    app.ecr.create_repository(repositoryName="other")
    registry.push_image("other", "v1", b"layer")


def test_an_image_takes_no_more_tags_than_its_limit_on_either_plane(limited: Limited) -> None:
    emulator = limited(tags_per_image=2)
    registry, app = emulator.registry(), Repo(emulator.ecr(), "team/app")
    digest = app.push(b"layer", "v1", "v2")
    manifest = app.image(b"layer")
    message = (
        f"Adding tag 'v3' to an image in the {PLACE} exceeds the maximum allowed number of tags per image "
        "which is '2'"
    )
    assert refusal(app.put, manifest=manifest, tag="v3") == exceeded(message)
    assert denied(registry.put_manifest("team/app", "v3", manifest.encode())) == exceeded(message)
    # Pushed under a tag that it has, it gets none.
    assert registry.put_manifest("team/app", "v1", manifest.encode()).status == 201
    # A new image that comes with too many tags does not stay.
    several = image_manifest(CONFIG, annotations={"a": "b"})
    query = f"{digest_of(several)}?tag=a&tag=b&tag=v3"
    assert denied(registry.put_manifest("team/app", query, several)) == exceeded(message)
    assert app.digests() == {digest}


# --- Layers ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_layers(limited: Limited) -> Running:
    """An emulator that takes layers up to 100 bytes, and some more of its own limits."""
    return limited(maximum_layer_bytes=100, minimum_layer_part_bytes=10, maximum_layer_part_bytes=60)


def layer_too_large(upload_id: str) -> tuple[str, str]:
    return exceeded(
        f"The upload with id '{upload_id}' exceeds the maximum allowed layer size which is '100' bytes"
    )


def test_a_layer_grows_no_larger_than_its_limit_by_parts(small_layers: Running) -> None:
    app = Repo(small_layers.ecr(), "team/app")
    begun = app.ecr.initiate_layer_upload(repositoryName="team/app")
    assert begun["partSize"] == 60
    upload_id = begun["uploadId"]
    app.part(upload_id, 0, b"x" * 60)
    got = refusal(app.part, upload_id=upload_id, first=60, content=b"x" * 41)
    assert got == layer_too_large(upload_id)
    app.part(upload_id, 60, b"x" * 40)
    assert refusal(app.part, upload_id=upload_id, first=100, content=b"x") == layer_too_large(upload_id)
    assert app.complete(upload_id)["layerDigest"] == digest_of(b"x" * 100)


def pieces(size_bytes: int) -> Iterator[bytes]:
    """A body that says nothing of its length."""
    return iter([b"x"] * size_bytes)


@pytest.mark.parametrize("body", [lambda size: b"x" * size, pieces], ids=["announced", "chunked"])
def test_a_layer_grows_no_larger_than_its_limit_on_the_registry(
    small_layers: Running, body: Callable[[int], Any]
) -> None:
    registry = small_layers.registry()
    upload = begin(registry, "team/app")
    upload_id = upload.rpartition("/")[2]
    too_large = layer_too_large(upload_id)
    assert denied(registry.request("PATCH", upload, body(101))) == too_large
    assert registry.request("GET", upload).headers["range"] == "0-0"
    assert registry.request("PATCH", upload, body(70)).status == 202
    assert denied(registry.request("PATCH", upload, body(31))) == too_large
    content = b"x" * 100
    finish = f"{upload}?digest={digest_of(content)}"
    assert denied(registry.request("PUT", finish, body(31))) == too_large
    assert registry.request("GET", upload).headers["range"] == "0-69"
    assert registry.request("PUT", finish, body(30)).status == 201
    assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(content)}").body == content


@pytest.mark.parametrize("body", [lambda size: b"x" * size, pieces], ids=["announced", "chunked"])
def test_a_layer_in_one_request_is_no_larger_than_its_limit(
    small_layers: Running, body: Callable[[int], Any]
) -> None:
    registry = small_layers.registry()
    for size, status in ((101, 403), (100, 201)):
        path = f"/v2/team/app/blobs/uploads/?digest={digest_of(b'x' * size)}"
        assert registry.request("POST", path, body(size)).status == status


def test_a_part_has_a_largest_and_a_smallest_size(small_layers: Running) -> None:
    app = Repo(small_layers.ecr(), "team/app")
    upload_id = app.ecr.initiate_layer_upload(repositoryName="team/app")["uploadId"]
    assert refusal(app.part, upload_id=upload_id, first=0, content=b"x" * 61) == (
        "InvalidLayerPartException",
        "Layer part has 61 bytes, and the maximum is 60",
    )
    app.part(upload_id, 0, b"x" * 10)
    app.part(upload_id, 10, b"x" * 9)
    app.part(upload_id, 19, b"x")
    assert refusal(app.complete, upload_id=upload_id) == (
        "LayerPartTooSmallException",
        "All layer parts except the last part should be at least 10 bytes",
    )


def test_an_upload_has_a_limit_of_parts(limited: Limited) -> None:
    app = Repo(limited(layer_parts=2, minimum_layer_part_bytes=1).ecr(), "team/app")
    upload_id = app.ecr.initiate_layer_upload(repositoryName="team/app")["uploadId"]
    app.part(upload_id, 0, b"a")
    app.part(upload_id, 1, b"b")
    assert refusal(app.part, upload_id=upload_id, first=2, content=b"c") == exceeded(
        f"The upload with id '{upload_id}' exceeds the maximum allowed number of layer parts which is '2'"
    )
    assert app.complete(upload_id)["layerDigest"] == digest_of(b"ab")


# --- What a registry keeps -------------------------------------------------------------------------------


def test_pull_through_cache_rules_have_a_limit(limited: Limited) -> None:
    ecr = limited(pull_through_cache_rules=1).ecr()
    rule = {"upstreamRegistryUrl": "quay.io"}
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", **rule)
    got = refusal(ecr.create_pull_through_cache_rule, ecrRepositoryPrefix="other", **rule)
    assert got == no_room("pull through cache rules", 1)
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="other", **rule)


def role(name: str) -> str:
    return f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/{name}"


def test_pull_time_exclusions_have_a_limit(limited: Limited) -> None:
    ecr = limited(pull_time_exclusions=1).ecr()
    ecr.register_pull_time_update_exclusion(principalArn=role("one"))
    got = refusal(ecr.register_pull_time_update_exclusion, principalArn=role("two"))
    assert got == no_room("pull time update exclusions", 1)


def test_all_exclusions_count_when_there_are_more_than_the_limit(start: Limited, tmp_path: Any) -> None:
    emulator = start(data_dir=tmp_path / "kept")
    for name in ("one", "two"):
        emulator.ecr().register_pull_time_update_exclusion(principalArn=role(name))
    root = f"arn:aws:iam::{DEFAULT_ACCOUNT}:root"
    application = emulator.application
    emulator.ecr().create_repository(repositoryName="team/app")
    emulator.registry().push_image("team/app", "v1", b"layer")
    with application.emulator.store.write() as transaction:
        transaction.execute("UPDATE registry_documents SET key = ? WHERE key = ?", (root, role("two")))
    emulator.stop()
    emulator = start(data_dir=tmp_path / "kept", limit=(("pull-time-exclusions", 1),))
    assert emulator.registry().request("GET", "/v2/team/app/manifests/v1").status == 200
    (image,) = emulator.ecr().describe_images(repositoryName="team/app")["imageDetails"]
    assert "lastRecordedPullTime" not in image


def test_a_replication_configuration_has_limits(limited: Limited) -> None:
    ecr = limited(replication_rules=2, filters_per_replication_rule=1, replication_destinations=2).ecr()

    def put(*rules: dict[str, Any]) -> Any:
        return ecr.put_replication_configuration(replicationConfiguration={"rules": list(rules)})

    def rule(*regions: str, filters: int = 0) -> dict[str, Any]:
        places = [{"region": region, "registryId": DEFAULT_ACCOUNT} for region in regions]
        prefixes = [{"filter": f"team{n}", "filterType": "PREFIX_MATCH"} for n in range(filters)]
        return {"destinations": places, **({"repositoryFilters": prefixes} if prefixes else {})}

    def refused(*rules: dict[str, Any]) -> str:
        with pytest.raises(ecr.exceptions.InvalidParameterException) as caught:
            put(*rules)
        return str(caught.value).partition("constraint: ")[2]

    west, north = rule("us-west-2"), rule("eu-north-1")
    assert refused(west, west, west) == "'The number of replication rules exceeds the limit of 2'"
    assert refused(west, rule("eu-north-1", "eu-west-1")) == (
        "'The number of unique replication destinations exceeds the limit of 2'"
    )
    assert refused(rule("us-west-2", filters=2)) == (
        "'The number of filters in a replication rule exceeds the limit of 1'"
    )
    assert ecr.describe_registry()["replicationConfiguration"] == {"rules": []}
    put(west, {**north, **rule("eu-north-1", filters=1)})


def test_backfills_in_progress_have_a_limit(limited: Limited) -> None:
    ecr = limited(replication_backfills=1).ecr()
    places = [{"region": region, "registryId": DEFAULT_ACCOUNT} for region in ("us-west-2", "eu-west-1")]
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": places}]})
    ecr.start_replication_backfill(destination=places[0])
    assert refusal(ecr.start_replication_backfill, destination=places[1]) == exceeded(
        f"The number of replication backfills in progress in the registry with id '{DEFAULT_ACCOUNT}' "
        "exceeds the limit of '1'"
    )


def test_basic_scans_of_a_day_have_a_limit(limited: Limited, clock: Clock) -> None:
    emulator = limited(basic_scans_per_day=2)
    ecr, registry = emulator.ecr(), emulator.registry()
    digests = [registry.push_image("team/app", None, b"layer %d" % number) for number in range(3)]

    def scan(number: int) -> dict[str, Any]:
        return {"repositoryName": "team/app", "imageId": {"imageDigest": digests[number]}}

    # A scan on push counts.
    scan_on_push = {"scanOnPush": True}
    ecr.create_repository(repositoryName="other", imageScanningConfiguration=scan_on_push)
    registry.push_image("other", "v1", b"layer")
    ecr.start_image_scan(**scan(0))
    full = exceeded(f"{REGISTRY} had the maximum allowed number of image scans in 24 hours which is '2'")
    assert refusal(ecr.start_image_scan, **scan(1)) == full
    # Once for an image is what it says of one that was scanned.
    assert "per image" in refusal(ecr.start_image_scan, **scan(0))[1]
    clock.advance(22 * 3600)
    assert refusal(ecr.start_image_scan, **scan(1)) == full
    clock.advance(2 * 3600)
    ecr.start_image_scan(**scan(1))
    ecr.start_image_scan(**scan(2))
    assert refusal(ecr.start_image_scan, **scan(0)) == full
    # A push is not refused; its scan says why there is none.
    emulator.registry().push_image("other", "v2", b"other")
    found = ecr.describe_image_scan_findings(repositoryName="other", imageId={"imageTag": "v2"})
    assert found["imageScanStatus"]["status"] == "LIMIT_EXCEEDED"
