"""DescribeImages and ListImages."""

from typing import Any

import pytest

from ecr_emu.domain.manifests import OCI_MANIFEST
from tests.clients import CONFIG_TYPE, DEFAULT_ACCOUNT, Clock, digest_of
from tests.control.calls import CONFIG, Api, Repo, invalid, refusal

UNKNOWN = digest_of(b"never pushed")


def listed(app: Repo, **request: Any) -> list[tuple[str, str | None]]:
    """Digest and tag of each entry of ListImages."""
    answer = app.ecr.list_images(repositoryName=app.name, **request)
    return [(entry["imageDigest"], entry.get("imageTag")) for entry in answer["imageIds"]]


def pages(app: Repo, operation: str, size: int, **request: Any) -> list[list[Any]]:
    key = {"list_images": "imageIds", "describe_images": "imageDetails"}[operation]
    paginator = app.ecr.get_paginator(operation)
    config = {"PageSize": size}
    found = paginator.paginate(repositoryName=app.name, PaginationConfig=config, **request)
    return [page[key] for page in found]


@pytest.fixture
def five(app: Repo) -> list[str]:
    """Five images, of which the third has no tag and the fourth two, by their digests."""
    tags: list[tuple[str, ...]] = [("a",), ("b",), (), ("d1", "d2"), ("e",)]
    return [app.push(f"layer {number}".encode(), *names) for number, names in enumerate(tags)]


# --- DescribeImages --------------------------------------------------------------------------------------


def test_image_is_described(app: Repo, clock: Clock) -> None:
    digest = app.push(b"layer", "v2", "v1")
    (image,) = app.details()
    assert image == {
        "registryId": DEFAULT_ACCOUNT,
        "repositoryName": "team/app",
        "imageDigest": digest,
        "imageTags": image["imageTags"],
        "imageSizeInBytes": len(CONFIG) + len(b"layer"),
        "imagePushedAt": image["imagePushedAt"],
        "imageManifestMediaType": OCI_MANIFEST,
        "artifactMediaType": CONFIG_TYPE,
        "imageStatus": "ACTIVE",
    }
    assert sorted(image["imageTags"]) == ["v1", "v2"]
    assert image["imagePushedAt"].timestamp() == clock.now


def test_artifact_type_outranks_the_type_of_the_config(app: Repo) -> None:
    app.put(app.image(b"layer", artifactType="application/vnd.example.sbom"))
    assert app.details()[0]["artifactMediaType"] == "application/vnd.example.sbom"


def test_index_without_an_artifact_type_has_none(app: Repo) -> None:
    app.push_index(tag="v1")
    assert "artifactMediaType" not in app.details()[0]


def test_empty_repository_has_no_images(app: Repo) -> None:
    assert (app.details(), listed(app)) == ([], [])


def test_asking_by_one_tag_gives_the_image_with_all_of_them(app: Repo, five: list[str]) -> None:
    (image,) = app.details(imageIds=[{"imageTag": "d2"}])
    assert (image["imageDigest"], sorted(image["imageTags"])) == (five[3], ["d1", "d2"])


def test_image_that_is_asked_for_twice_is_described_once(app: Repo, five: list[str]) -> None:
    asked = [{"imageTag": "d2"}, {"imageDigest": five[3]}, {"imageTag": "d1"}, {"imageTag": "a"}]
    assert {image["imageDigest"] for image in app.details(imageIds=asked)} == {five[0], five[3]}
    assert len(app.details(imageIds=asked)) == 2


@pytest.mark.parametrize(
    ("image_id", "shown"),
    [
        ({"imageTag": "none"}, "{imageDigest:'null', imageTag:'none'}"),
        ({"imageDigest": UNKNOWN}, f"{{imageDigest:'{UNKNOWN}', imageTag:'null'}}"),
        (
            {"imageDigest": UNKNOWN, "imageTag": "a"},
            f"{{imageDigest:'{UNKNOWN}', imageTag:'a'}}",
        ),
    ],
)
def test_describe_fails_whole_when_one_image_is_missing(
    app: Repo, five: list[str], image_id: dict[str, str], shown: str
) -> None:
    got = refusal(app.ecr.describe_images, repositoryName=app.name, imageIds=[{"imageTag": "a"}, image_id])
    assert got == (
        "ImageNotFoundException",
        f"The image with imageId {shown} does not exist within the repository "
        f"with name 'team/app' in the registry with id '{DEFAULT_ACCOUNT}'",
    )


@pytest.mark.parametrize("image_id", [{}, {"imageDigest": "latest"}, {"imageTag": "a/b"}])
def test_describe_refuses_what_cannot_name_an_image(api: Api, app: Repo, image_id: dict[str, str]) -> None:
    code, message = api.refusal("DescribeImages", {"repositoryName": app.name, "imageIds": [image_id]})
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'imageIds' failed to satisfy constraint: '")


@pytest.mark.parametrize("member", [{"nextToken": "x"}, {"maxResults": 5}])
def test_describe_takes_ids_or_paging_and_not_both(app: Repo, member: dict[str, Any]) -> None:
    (name,) = member
    request = {"repositoryName": app.name, "imageIds": [{"imageTag": "a"}], **member}
    got = refusal(app.ecr.describe_images, **request)
    assert got == invalid("imageIds", f"'imageIds' and '{name}' cannot be specified together")


# --- ListImages ------------------------------------------------------------------------------------------


def test_list_has_one_entry_for_each_tag_and_one_for_each_untagged_image(app: Repo, five: list[str]) -> None:
    assert sorted(listed(app), key=str) == sorted(
        [
            (five[0], "a"),
            (five[1], "b"),
            (five[2], None),
            (five[3], "d1"),
            (five[3], "d2"),
            (five[4], "e"),
        ],
        key=str,
    )


# --- Filters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag_status", "wanted"), [("TAGGED", [0, 1, 3, 4]), ("UNTAGGED", [2]), ("ANY", [0, 1, 2, 3, 4])]
)
def test_tag_status_chooses_images(app: Repo, five: list[str], tag_status: str, wanted: list[int]) -> None:
    chosen = {five[number] for number in wanted}
    status = {"tagStatus": tag_status}
    assert {digest for digest, _ in listed(app, filter=status)} == chosen
    assert {image["imageDigest"] for image in app.details(filter=status)} == chosen


@pytest.mark.parametrize(
    ("image_status", "count"), [("ACTIVE", 5), ("ANY", 5), ("ARCHIVED", 0), ("ACTIVATING", 0)]
)
def test_image_status_chooses_images(app: Repo, five: list[str], image_status: str, count: int) -> None:
    status = {"imageStatus": image_status}
    assert len({digest for digest, _ in listed(app, filter=status)}) == count
    assert len(app.details(filter=status)) == count


def test_empty_filter_is_none(app: Repo, five: list[str]) -> None:
    assert len(app.details(filter={})) == 5


def test_filter_applies_before_paging(app: Repo, five: list[str]) -> None:
    sizes = [len(page) for page in pages(app, "list_images", 2, filter={"tagStatus": "TAGGED"})]
    assert sizes == [2, 2, 1]
    assert [len(page) for page in pages(app, "list_images", 1, filter={"tagStatus": "UNTAGGED"})] == [1]


# --- Paging ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "size", "sizes"),
    [
        ("list_images", 4, [4, 2]),
        ("list_images", 3, [3, 3]),
        ("list_images", 1, [1] * 6),
        ("list_images", 6, [6]),
        ("describe_images", 2, [2, 2, 1]),
        ("describe_images", 5, [5]),
        ("describe_images", 1, [1] * 5),
    ],
)
def test_pages_hold_everything_once(
    app: Repo, five: list[str], operation: str, size: int, sizes: list[int]
) -> None:
    found = pages(app, operation, size)
    assert [len(page) for page in found] == sizes
    entries = [entry for page in found for entry in page]
    assert len({str(entry) for entry in entries}) == len(entries)
    assert {entry["imageDigest"] for entry in entries} == set(five)


def test_page_may_end_between_two_tags_of_an_image(app: Repo) -> None:
    digest = app.push(b"layer", "c", "a", "b")
    found = [entry["imageTag"] for page in pages(app, "list_images", 1) for entry in page]
    assert sorted(found) == ["a", "b", "c"]
    assert set(app.tags().values()) == {digest}


@pytest.mark.parametrize(
    ("operation", "key"), [("list_images", "imageIds"), ("describe_images", "imageDetails")]
)
def test_pages_stay_whole_while_images_come_and_go(
    app: Repo, five: list[str], operation: str, key: str
) -> None:
    call = getattr(app.ecr, operation)
    first = call(repositoryName=app.name, maxResults=2)
    shown = {entry["imageDigest"] for entry in first[key]}
    app.ecr.batch_delete_image(
        repositoryName=app.name, imageIds=[{"imageDigest": digest} for digest in shown]
    )
    fresh = app.push(b"fresh", "fresh")
    rest = call(repositoryName=app.name, nextToken=first["nextToken"])
    assert {entry["imageDigest"] for entry in rest[key]} == {*five, fresh} - shown
    assert "nextToken" not in rest


@pytest.mark.parametrize("operation", ["list_images", "describe_images"])
def test_token_is_good_for_one_listing(app: Repo, five: list[str], operation: str) -> None:
    app.ecr.create_repository(repositoryName="other")
    call = getattr(app.ecr, operation)
    token = call(repositoryName=app.name, maxResults=2)["nextToken"]
    other = app.ecr.list_images if operation == "describe_images" else app.ecr.describe_images
    refused = invalid("nextToken", "Invalid next token")
    assert refusal(call, repositoryName="other", nextToken=token) == refused
    tagged = {"tagStatus": "TAGGED"}
    assert refusal(call, repositoryName=app.name, nextToken=token, filter=tagged) == refused
    assert refusal(other, repositoryName=app.name, nextToken=token) == refused
    assert refusal(call, repositoryName=app.name, nextToken="x") == refused
    assert call(repositoryName=app.name, nextToken=token)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_token_of_a_deleted_repository_is_refused(app: Repo, five: list[str]) -> None:
    token = app.ecr.list_images(repositoryName=app.name, maxResults=1)["nextToken"]
    app.ecr.delete_repository(repositoryName=app.name, force=True)
    app.ecr.create_repository(repositoryName=app.name)
    got = refusal(app.ecr.list_images, repositoryName=app.name, nextToken=token)
    assert got == invalid("nextToken", "Invalid next token")


@pytest.mark.parametrize(
    ("size", "bound"), [(0, "greater than or equal to 1"), (1001, "less than or equal to 1000")]
)
@pytest.mark.parametrize("operation", ["ListImages", "DescribeImages"])
def test_page_size_has_bounds(api: Api, app: Repo, operation: str, size: int, bound: str) -> None:
    request = {"repositoryName": app.name, "maxResults": size}
    assert api.refusal(operation, request) == invalid("maxResults", f"Member must have value {bound}")
