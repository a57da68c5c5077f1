"""Operations on repositories."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config

from ecr_emu.app import Application
from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running
from tests.control.calls import Api, Repo, authorization, invalid, refusal, tampered

NAME_RULE = (
    "must satisfy regular expression "
    r"'[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*'"
)
FILTERS = "imageTagMutabilityExclusionFilters"


def wildcards(*patterns: str) -> list[dict[str, str]]:
    return [{"filterType": "WILDCARD", "filter": pattern} for pattern in patterns]


def not_found(name: str) -> tuple[str, str]:
    message = f"The repository with name '{name}' does not exist in the registry with id '{DEFAULT_ACCOUNT}'"
    return "RepositoryNotFoundException", message


def arn_of(name: str) -> str:
    return f"arn:aws:ecr:us-east-1:{DEFAULT_ACCOUNT}:repository/{name}"


def names_of(page: Any) -> list[str]:
    return [repository["repositoryName"] for repository in page["repositories"]]


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DescribeRepositories", {"repositoryNames": ["none/such"]}),
        ("DeleteRepository", {}),
        ("DeleteRepository", {"force": True}),
        ("PutImageTagMutability", {"imageTagMutability": "MUTABLE"}),
        ("PutImage", {"imageManifest": "not JSON"}),
        ("BatchGetImage", {"imageIds": [{"imageTag": "v1"}]}),
        ("BatchDeleteImage", {"imageIds": [{"imageTag": "v1"}]}),
        ("DescribeImages", {}),
        ("ListImages", {}),
        ("BatchCheckLayerAvailability", {"layerDigests": ["sha256:00"]}),
        ("InitiateLayerUpload", {}),
        ("GetDownloadUrlForLayer", {"layerDigest": "sha256:00"}),
        ("ListTagsForResource", {"resourceArn": arn_of("none/such")}),
        ("TagResource", {"resourceArn": arn_of("none/such"), "tags": []}),
        ("UntagResource", {"resourceArn": arn_of("none/such"), "tagKeys": []}),
    ],
)
def test_unknown_repository_is_refused(api: Api, operation: str, members: dict[str, Any]) -> None:
    request = {"repositoryName": "none/such", **members}
    assert api.refusal(operation, request) == not_found("none/such")


# --- CreateRepository ------------------------------------------------------------------------------------


def test_create_answers_with_the_defaults(ecr: Any, emulator: Running, clock: Clock) -> None:
    created = ecr.create_repository(repositoryName="team/app")["repository"]
    assert created == {
        "repositoryArn": arn_of("team/app"),
        "registryId": DEFAULT_ACCOUNT,
        "repositoryName": "team/app",
        "repositoryUri": f"localhost:{emulator.port}/team/app",
        "createdAt": created["createdAt"],
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    assert created["createdAt"].astimezone(UTC) == datetime.fromtimestamp(clock.now, UTC)


def test_create_keeps_every_setting(ecr: Any) -> None:
    settings: dict[str, Any] = {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        FILTERS: wildcards("latest", "dev-*"),
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {
            "encryptionType": "KMS",
            "kmsKey": "arn:aws:kms:us-east-1:000000000000:key/0f0e0d0c-0b0a-4908-8706-050403020100",
        },
    }
    created = ecr.create_repository(repositoryName="app", **settings)["repository"]
    assert {name: created[name] for name in settings} == settings
    assert ecr.describe_repositories(repositoryNames=["app"])["repositories"] == [created]


def test_repository_uri_follows_the_host_template(start: Callable[..., Running]) -> None:
    ecr = start(registry_host="https://{account}.ecr.{region}.example.test").ecr(region="eu-west-1")
    created = ecr.create_repository(repositoryName="app")["repository"]
    assert created["repositoryUri"] == f"{DEFAULT_ACCOUNT}.ecr.eu-west-1.example.test/app"


def test_repository_uri_of_another_registry_names_account_and_region(emulator: Running) -> None:
    created = emulator.ecr("222222222222", "eu-west-1").create_repository(repositoryName="app")["repository"]
    host = f"222222222222.dkr.ecr.eu-west-1.localhost:{emulator.port}"
    assert created["repositoryUri"] == f"{host}/app"


@pytest.mark.parametrize(
    "name", ["team/app", "a__b", "a--b", "a---b", "a/b__c", "a.b", "00", "a" * 256, "a/" * 127 + "aa"]
)
def test_create_takes_every_legal_name(api: Api, name: str) -> None:
    assert api.post("CreateRepository", {"repositoryName": name}).status == 200


@pytest.mark.parametrize(
    "name",
    [
        *("Bad_Name!", "Team/App", "a___b", "a_-b", "a._b", "a..b", "_a", "a_", "/a", "a/", "a//b"),
        *("a b", "é" * 3, "a-", "-a", "a/-b", "a\n", "a\u0000b"),
    ],
)
def test_create_refuses_every_other_name(api: Api, name: str) -> None:
    assert api.refusal("CreateRepository", {"repositoryName": name}) == invalid("repositoryName", NAME_RULE)


def test_create_refuses_a_second_repository_of_the_name(ecr: Any) -> None:
    first = ecr.create_repository(repositoryName="app")["repository"]
    code, message = refusal(ecr.create_repository, repositoryName="app", imageTagMutability="IMMUTABLE")
    assert code == "RepositoryAlreadyExistsException"
    assert message == (
        f"The repository with name 'app' already exists in the registry with id '{DEFAULT_ACCOUNT}'"
    )
    assert ecr.describe_repositories()["repositories"] == [first]


def test_create_checks_the_request_before_it_looks_for_the_name(app: Repo) -> None:
    code, _ = refusal(
        app.ecr.create_repository, repositoryName=app.name, imageTagMutability="MUTABLE_WITH_EXCLUSION"
    )
    assert code == "InvalidParameterException"


def test_create_stores_tags(ecr: Any) -> None:
    tags = [{"Key": "team", "Value": "red"}, {"Key": "Team", "Value": ""}]
    created = ecr.create_repository(repositoryName="app", tags=tags)["repository"]
    assert "tags" not in created
    stored = ecr.list_tags_for_resource(resourceArn=created["repositoryArn"])["tags"]
    assert sorted(stored, key=str) == sorted(tags, key=str)


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "aws:team", "Value": "red"}], "InvalidTagParameterException"),
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "InvalidTagParameterException"),
        ([{"Key": f"k{n}", "Value": ""} for n in range(51)], "TooManyTagsException"),
    ],
)
def test_create_with_tags_that_cannot_be_makes_no_repository(
    ecr: Any, tags: list[dict[str, str]], code: str
) -> None:
    assert refusal(ecr.create_repository, repositoryName="app", tags=tags)[0] == code
    assert ecr.describe_repositories()["repositories"] == []


def test_create_takes_fifty_tags(ecr: Any) -> None:
    tags = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    created = ecr.create_repository(repositoryName="app", tags=tags)["repository"]
    assert len(ecr.list_tags_for_resource(resourceArn=created["repositoryArn"])["tags"]) == 50


def test_create_refuses_a_key_for_aes256(ecr: Any) -> None:
    encryption = {"encryptionType": "AES256", "kmsKey": "alias/mine"}
    got = refusal(ecr.create_repository, repositoryName="app", encryptionConfiguration=encryption)
    assert got == invalid(
        "encryptionConfiguration",
        "Invalid encryption configuration: Encryption key should not be set for AES256 encryption.",
    )


@pytest.mark.parametrize("encryption_type", ["KMS", "KMS_DSSE"])
def test_create_with_kms_and_no_key_answers_with_the_key_of_the_account(
    emulator: Running, encryption_type: str
) -> None:
    def key_of(name: str, region: str) -> str:
        created = emulator.ecr(region=region).create_repository(
            repositoryName=name, encryptionConfiguration={"encryptionType": encryption_type}
        )
        return str(created["repository"]["encryptionConfiguration"]["kmsKey"])

    key = key_of("app", "us-east-1")
    assert key.startswith(f"arn:aws:kms:us-east-1:{DEFAULT_ACCOUNT}:key/")
    assert key_of("other", "us-east-1") == key
    assert key_of("app", "eu-west-1") != key


# --- Tag mutability --------------------------------------------------------------------------------------


def set_mode(app: Repo, mode: str, *patterns: str) -> Any:
    members = {FILTERS: wildcards(*patterns)} if patterns else {}
    return app.ecr.put_image_tag_mutability(repositoryName=app.name, imageTagMutability=mode, **members)


@pytest.mark.parametrize("mode", ["MUTABLE", "IMMUTABLE"])
@pytest.mark.parametrize("operation", ["create_repository", "put_image_tag_mutability"])
def test_plain_mode_takes_no_filters(app: Repo, operation: str, mode: str) -> None:
    got = refusal(
        getattr(app.ecr, operation),
        repositoryName="other" if operation == "create_repository" else app.name,
        imageTagMutability=mode,
        **{FILTERS: wildcards("v*")},
    )
    assert got == invalid(
        FILTERS,
        f"ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set as {mode}",
    )


@pytest.mark.parametrize("mode", ["MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"])
@pytest.mark.parametrize("operation", ["create_repository", "put_image_tag_mutability"])
def test_mode_with_exclusion_needs_filters(app: Repo, operation: str, mode: str) -> None:
    name = "other" if operation == "create_repository" else app.name
    got = refusal(getattr(app.ecr, operation), repositoryName=name, imageTagMutability=mode)
    assert got == invalid(
        FILTERS, f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mode}"
    )


def test_create_refuses_filters_without_a_mode(ecr: Any) -> None:
    got = refusal(ecr.create_repository, repositoryName="app", **{FILTERS: wildcards("v*")})
    assert got == invalid(
        FILTERS,
        "ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set as MUTABLE",
    )


def test_empty_filters_are_too_few(ecr: Any, emulator: Running, anything_goes: Config) -> None:
    ecr.create_repository(repositoryName="app")
    got = refusal(
        emulator.ecr(config=anything_goes).put_image_tag_mutability,
        repositoryName="app",
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        **{FILTERS: []},
    )
    assert got == invalid(FILTERS, "Member must have length greater than or equal to 1")


def test_put_mutability_replaces_mode_and_filters(app: Repo) -> None:
    answer = set_mode(app, "MUTABLE_WITH_EXCLUSION", "v*", "release")
    del answer["ResponseMetadata"]
    assert answer == {
        "registryId": DEFAULT_ACCOUNT,
        "repositoryName": app.name,
        "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
        FILTERS: wildcards("v*", "release"),
    }
    set_mode(app, "IMMUTABLE_WITH_EXCLUSION", "dev")
    (repository,) = app.ecr.describe_repositories()["repositories"]
    assert (repository["imageTagMutability"], repository[FILTERS]) == (
        "IMMUTABLE_WITH_EXCLUSION",
        wildcards("dev"),
    )
    assert FILTERS not in set_mode(app, "IMMUTABLE")
    (repository,) = app.ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert FILTERS not in repository


@pytest.mark.parametrize(
    ("mode", "patterns", "tag", "is_mutable"),
    [
        ("MUTABLE", (), "v1", True),
        ("IMMUTABLE", (), "v1", False),
        ("IMMUTABLE_WITH_EXCLUSION", ("dev-*", "latest"), "latest", True),
        ("IMMUTABLE_WITH_EXCLUSION", ("dev-*", "latest"), "dev-1", True),
        ("IMMUTABLE_WITH_EXCLUSION", ("dev-*", "latest"), "latest2", False),
        ("IMMUTABLE_WITH_EXCLUSION", ("dev-*", "latest"), "my-dev-1", False),
        ("MUTABLE_WITH_EXCLUSION", ("v*.0",), "v1.0", False),
        ("MUTABLE_WITH_EXCLUSION", ("v*.0",), "v1.0.1", True),
        ("MUTABLE_WITH_EXCLUSION", ("v*.0",), "v1x0", True),
        ("MUTABLE_WITH_EXCLUSION", ("*",), "anything", False),
    ],
)
def test_mode_decides_whether_a_tag_can_be_moved(
    app: Repo, mode: str, patterns: tuple[str, ...], tag: str, is_mutable: bool
) -> None:
    before = app.push(b"first", tag)
    set_mode(app, mode, *patterns)
    request = {"repositoryName": app.name, "imageManifest": app.image(b"second"), "imageTag": tag}
    if is_mutable:
        after = app.ecr.put_image(**request)["image"]["imageId"]["imageDigest"]
        assert app.tags() == {tag: after}
        assert after != before
        return
    refused = (
        "ImageTagAlreadyExistsException",
        f"The image tag '{tag}' already exists in the 'team/app' repository "
        "and cannot be overwritten because the tag is immutable.",
    )
    assert refusal(app.ecr.put_image, **request) == refused
    # The same image under the same tag is refused in the same words.
    same = app.image(b"first")
    assert refusal(app.ecr.put_image, **{**request, "imageManifest": same}) == refused
    assert (app.tags(), app.digests()) == ({tag: before}, {before})


def test_immutable_repository_takes_new_tags_and_gives_up_old_ones(app: Repo) -> None:
    set_mode(app, "IMMUTABLE")
    digest = app.push(b"layer", "v1", "v2")
    app.ecr.batch_delete_image(repositoryName=app.name, imageIds=[{"imageTag": "v1"}])
    other = app.push(b"other", "v1")
    assert app.tags() == {"v1": other, "v2": digest}


# --- DescribeRepositories --------------------------------------------------------------------------------


@pytest.fixture
def five(ecr: Any) -> list[str]:
    """Five repositories, by the names they were made with."""
    names = ["app-1", "app-3", "app-2", "app-5", "app-4"]
    for name in names:
        ecr.create_repository(repositoryName=name)
    return names


def test_describe_gives_the_repositories_that_were_named(ecr: Any, five: list[str]) -> None:
    page = ecr.describe_repositories(repositoryNames=["app-4", "app-1", "app-4"])
    assert sorted(names_of(page)) == ["app-1", "app-4"]
    assert "nextToken" not in page


def test_describe_fails_whole_when_one_is_missing(ecr: Any, five: list[str]) -> None:
    got = refusal(ecr.describe_repositories, repositoryNames=["app-1", "none_such"])
    assert got == not_found("none_such")


def test_describe_pages_through_everything_once(ecr: Any, five: list[str]) -> None:
    pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["repositories"]) for page in pages] == [2, 2, 1]
    assert sorted(name for page in pages for name in names_of(page)) == sorted(five)


def test_describe_gives_no_token_for_nothing_more(ecr: Any, five: list[str]) -> None:
    assert "nextToken" not in ecr.describe_repositories(maxResults=5)


def test_describe_gives_a_hundred_by_default(api: Api) -> None:
    for number in range(101):
        api.post("CreateRepository", {"repositoryName": f"app-{number}"})
    first = api.post("DescribeRepositories", {}).json()
    assert len(first["repositories"]) == 100
    second = api.post("DescribeRepositories", {"nextToken": first["nextToken"]}).json()
    assert (len(second["repositories"]), "nextToken" in second) == (1, False)


def test_pages_stay_whole_while_repositories_come_and_go(ecr: Any, five: list[str]) -> None:
    first = ecr.describe_repositories(maxResults=2)
    shown = names_of(first)
    ecr.delete_repository(repositoryName=shown[0])
    ecr.delete_repository(repositoryName=shown[1])
    ecr.create_repository(repositoryName="aa")
    rest = ecr.describe_repositories(nextToken=first["nextToken"])
    assert set(five) - set(shown) <= set(names_of(rest))
    assert not set(shown) & set(names_of(rest))


@pytest.mark.parametrize("member", [{"nextToken": "x"}, {"maxResults": 5}])
def test_describe_takes_names_or_paging_and_not_both(ecr: Any, member: dict[str, Any]) -> None:
    (name,) = member
    got = refusal(ecr.describe_repositories, repositoryNames=["app"], **member)
    assert got == invalid("repositoryNames", f"'repositoryNames' and '{name}' cannot be specified together")


def test_token_is_good_for_one_listing_of_one_caller(emulator: Running, ecr: Any, five: list[str]) -> None:
    token = ecr.describe_repositories(maxResults=2)["nextToken"]
    refused = invalid("nextToken", "Invalid next token")
    forged = ("x", tampered(token), token[:-1], token + "AAAA", "a.b.c", "\u20ac", token.upper())
    for text in forged:
        assert refusal(ecr.describe_repositories, nextToken=text) == refused, text
    for other in (emulator.ecr("222222222222"), emulator.ecr(region="eu-west-1")):
        assert refusal(other.describe_repositories, nextToken=token) == refused
    assert refusal(ecr.list_images, repositoryName="app-1", nextToken=token) == refused
    assert len(names_of(ecr.describe_repositories(nextToken=token))) == 3


def test_token_outlives_the_server(start: Callable[..., Running], tmp_path: Any) -> None:
    emulator = start(data_dir=tmp_path / "kept")
    for name in ("app-1", "app-2"):
        emulator.ecr().create_repository(repositoryName=name)
    token = emulator.ecr().describe_repositories(maxResults=1)["nextToken"]
    emulator.stop()
    again = start(data_dir=tmp_path / "kept").ecr().describe_repositories(nextToken=token)
    assert names_of(again) == ["app-2"]


# --- DeleteRepository ------------------------------------------------------------------------------------


def test_delete_answers_with_what_was_deleted(ecr: Any) -> None:
    created = ecr.create_repository(repositoryName="app")["repository"]
    assert ecr.delete_repository(repositoryName="app")["repository"] == created
    assert refusal(ecr.delete_repository, repositoryName="app") == not_found("app")


@pytest.mark.parametrize("tags", [(), ("v1",)])
def test_delete_refuses_a_repository_with_images(app: Repo, tags: tuple[str, ...]) -> None:
    app.push(b"layer", *tags)
    for members in ({}, {"force": False}):
        assert refusal(app.ecr.delete_repository, repositoryName=app.name, **members) == (
            "RepositoryNotEmptyException",
            f"The repository with name 'team/app' in registry with id '{DEFAULT_ACCOUNT}' "
            "cannot be deleted because it still contains images",
        )
    assert len(app.digests()) == 1


def test_delete_by_force_takes_everything_along(
    app: Repo, registry: Registry, api: Api, clock: Clock
) -> None:
    image = app.push(b"layer", "v1")
    layer = app.layer(b"unused")
    upload_id = app.ecr.initiate_layer_upload(repositoryName=app.name)["uploadId"]
    arn = arn_of(app.name)
    app.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "red"}])
    app.ecr.delete_repository(repositoryName=app.name, force=True)
    assert registry.request("GET", f"/v2/team/app/manifests/{image}").status == 404
    clock.advance(60)
    again = app.ecr.create_repository(repositoryName=app.name)["repository"]
    assert again["createdAt"].timestamp() == clock.now
    assert app.details() == []
    assert app.ecr.list_tags_for_resource(resourceArn=arn)["tags"] == []
    checked = app.ecr.batch_check_layer_availability(repositoryName=app.name, layerDigests=[layer])
    assert checked["layers"] == [{"layerDigest": layer, "layerAvailability": "UNAVAILABLE"}]
    assert refusal(app.part, upload_id=upload_id, first=0, content=b"x")[0] == "UploadNotFoundException"


def test_layers_without_images_do_not_keep_a_repository(app: Repo) -> None:
    app.layer(b"layer")
    app.ecr.initiate_layer_upload(repositoryName=app.name)
    app.ecr.delete_repository(repositoryName=app.name)
    assert app.ecr.describe_repositories()["repositories"] == []


def test_delete_takes_the_bytes_of_uploads_along(app: Repo, application: Application) -> None:
    """Nobody can go on with them, and without a row no reset would find them."""
    upload_id = app.ecr.initiate_layer_upload(repositoryName=app.name)["uploadId"]
    app.part(upload_id=upload_id, first=0, content=b"some bytes")
    file = application.emulator.settings.data_dir / "uploads" / upload_id
    assert file.read_bytes() == b"some bytes"
    app.ecr.delete_repository(repositoryName=app.name)
    assert not file.exists()


def test_delete_does_not_reach_the_same_name_elsewhere(api: Api) -> None:
    for account in ("111111111111", "222222222222"):
        api.post("CreateRepository", {"repositoryName": "app"}, authorization(account))
    assert (
        api.post("DeleteRepository", {"repositoryName": "app"}, authorization("111111111111")).status == 200
    )
    left = api.post("DescribeRepositories", {}, authorization("222222222222")).json()
    assert names_of(left) == ["app"]
