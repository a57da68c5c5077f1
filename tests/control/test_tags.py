"""Operations on resource tags."""

from typing import Any

import pytest

from tests.control.calls import Api, Repo, authorization, invalid, refusal

ARN = "arn:aws:ecr:us-east-1:000000000000:repository/team/app"
REFUSED = ("InvalidTagParameterException", "Tag parameters are invalid")


def tags_of(app: Repo) -> dict[str, str]:
    tags = app.ecr.list_tags_for_resource(resourceArn=ARN)["tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def tag(app: Repo, **tags: str) -> Any:
    return app.ecr.tag_resource(resourceArn=ARN, tags=pairs(tags))


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def numbered(*numbers: int) -> dict[str, str]:
    return {f"key-{number}": "" for number in numbers}


def test_fresh_repository_has_no_tags(app: Repo) -> None:
    assert app.ecr.list_tags_for_resource(resourceArn=ARN)["tags"] == []


def test_tags_are_merged_by_key(app: Repo) -> None:
    tag(app, team="red", stage="dev")
    tag(app, stage="prod", Stage="other", empty="")
    assert tags_of(app) == {"team": "red", "stage": "prod", "Stage": "other", "empty": ""}


def test_untag_takes_the_keys_that_are_there(app: Repo) -> None:
    tag(app, team="red", stage="dev")
    app.ecr.untag_resource(resourceArn=ARN, tagKeys=["team", "Stage", "none"])
    assert tags_of(app) == {"stage": "dev"}


def test_tag_and_untag_answer_with_an_empty_object(api: Api, app: Repo) -> None:
    for operation, members in (("TagResource", {"tags": []}), ("UntagResource", {"tagKeys": ["a"]})):
        assert api.post(operation, {"resourceArn": ARN, **members}).body == b"{}"


@pytest.mark.parametrize(
    ("key", "value"),
    [("k" * 128, "v" * 256), ("+ -=._:/@", "+ -=._:/@"), ("größe", "日本"), ("awsome", ""), (" ", " ")],
)
def test_legal_tags_are_kept_as_they_are(app: Repo, key: str, value: str) -> None:
    tag(app, **{key: value})
    assert tags_of(app) == {key: value}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("k" * 129, ""),
        ("k", "v" * 257),
        ("k~", ""),
        ("k", "$v"),
        ("k", "v~"),
        ("aws:k", ""),
        ("AWS:k", ""),
        ("k\u0000", ""),
    ],
)
def test_illegal_tag_is_refused_with_all_others(app: Repo, key: str, value: str) -> None:
    assert refusal(tag, app=app, **{"good": "", key: value}) == REFUSED
    assert tags_of(app) == {}


def test_empty_key_is_refused(api: Api, app: Repo) -> None:
    assert api.refusal("TagResource", {"resourceArn": ARN, "tags": pairs({"": "v"})}) == REFUSED


def test_key_that_is_said_twice_is_refused(app: Repo) -> None:
    got = refusal(app.ecr.tag_resource, resourceArn=ARN, tags=pairs({"a": "1"}) + pairs({"a": "2"}))
    assert got == REFUSED


def test_null_key_is_named_by_its_place(api: Api, app: Repo) -> None:
    request = {"resourceArn": ARN, "tags": [*pairs({"a": "1"}), {"Key": None, "Value": "v"}]}
    assert api.refusal("TagResource", request) == invalid("tags.2.member.key", "Member must not be null")


def test_repository_has_at_most_fifty_tags(app: Repo) -> None:
    too_many = ("TooManyTagsException", "The number of tags exceeds the limit of 50 for the resource")
    tag(app, **numbered(*range(49)))
    assert refusal(tag, app=app, **numbered(49, 50)) == too_many
    assert len(tags_of(app)) == 49
    tag(app, **numbered(48, 49))
    assert refusal(tag, app=app, **numbered(50)) == too_many
    # Another value for a key that is there adds none.
    tag(app, **{"key-0": "new"})
    assert tags_of(app) == {**numbered(*range(50)), "key-0": "new"}


@pytest.mark.parametrize(
    ("operation", "members"),
    [("TagResource", {"tags": []}), ("UntagResource", {"tagKeys": []}), ("ListTagsForResource", {})],
)
@pytest.mark.parametrize(
    "arn",
    [
        "",
        "team/app",
        "arn:aws:ecr:us-east-1:000000000000:repository/",
        "arn:aws:ecr:us-east-1:000000000000:image/team/app",
        "arn:aws:ecr:us-east-1:12345:repository/team/app",
        f"arn:aws:ecr:us-east-1:{chr(0x660) * 12}:repository/team/app",
        "arn:aws:s3:us-east-1:000000000000:repository/team/app",
        "arn:aws-cn:ecr:us-east-1:000000000000:repository/team/app",
        "arn:aws:ecr:eu-west-1:000000000000:repository/team/app",
        f"{ARN}\n",
    ],
)
def test_what_is_no_arn_of_a_repository_here_is_refused(
    api: Api, operation: str, members: dict[str, Any], arn: str
) -> None:
    got = api.refusal(operation, {"resourceArn": arn, **members})
    assert got == invalid("resourceArn", "Invalid ARN")


def test_repository_of_another_account_is_closed(api: Api, app: Repo) -> None:
    code, message = api.refusal("ListTagsForResource", {"resourceArn": ARN}, authorization("222222222222"))
    assert code == "AccessDeniedException"
    assert message == (
        "User: arn:aws:iam::222222222222:root is not authorized to perform: ecr:ListTagsForResource "
        f"on resource: {ARN} because no resource-based policy allows the ecr:ListTagsForResource action"
    )
