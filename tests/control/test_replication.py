"""Operations on replication. No courier runs here (tests/jobs), so what is to be copied stays in progress."""

from typing import Any

import pytest

from tests.clients import DEFAULT_ACCOUNT, Registry, Running
from tests.control.calls import Repo, invalid, no_repository, no_tagged_image, refusal

OTHER = "111111111111"
SELF = "Replication destination cannot be the same as the source registry"


def place(region: str, account: str = DEFAULT_ACCOUNT) -> dict[str, str]:
    return {"region": region, "registryId": account}


def rule(*destinations: dict[str, str], prefixes: Any = None, **members: Any) -> dict[str, Any]:
    if prefixes:
        filters = [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in prefixes]
        members["repositoryFilters"] = filters
    return {"destinations": list(destinations), **members}


def put(ecr: Any, *rules: Any) -> Any:
    answer = ecr.put_replication_configuration(replicationConfiguration={"rules": list(rules)})
    return answer["replicationConfiguration"]


def configured(ecr: Any) -> Any:
    return ecr.describe_registry()["replicationConfiguration"]


def statuses(ecr: Any, **image_id: str) -> Any:
    answer = ecr.describe_image_replication_status(repositoryName="team/app", imageId=image_id)
    return answer["replicationStatuses"]


# --- PutReplicationConfiguration -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        [rule(place("eu-west-1"))],
        [rule(place("eu-west-1"), place("us-east-1", OTHER), prefixes=["prod", "team/"])],
        [rule(), rule(place("eu-west-1"), deleteReplication={"enabled": True})],
        [rule(place("eu-west-1"), deleteReplication={"enabled": False})] * 25,
    ],
)
def test_the_configuration_is_kept_as_given(ecr: Any, rules: Any) -> None:
    assert put(ecr, *rules) == {"rules": rules}
    assert configured(ecr) == {"rules": rules}


def test_a_second_configuration_takes_the_place_of_the_first(ecr: Any) -> None:
    put(ecr, rule(place("eu-west-1")))
    put(ecr, rule(place("eu-west-2")))
    assert configured(ecr) == {"rules": [rule(place("eu-west-2"))]}
    assert put(ecr) == {"rules": []}
    assert configured(ecr) == {"rules": []}


@pytest.mark.parametrize(
    ("rules", "constraint"),
    [
        ([rule(place("us-east-1"))], SELF),
        ([rule(place("eu-west-1")), rule(place("us-west-2"), place("us-east-1"))], SELF),
        (
            [rule(place("cn-north-1"))],
            "Replication destination must be in the same partition as the source registry",
        ),
        (
            [rule(*(place("eu-west-1", f"{number:012d}") for number in range(26)))],
            "The number of unique replication destinations exceeds the limit of 25",
        ),
    ],
)
def test_destinations_that_cannot_be_are_refused(ecr: Any, rules: Any, constraint: str) -> None:
    put(ecr, rule(place("eu-west-3")))
    assert refusal(ecr.put_replication_configuration, replicationConfiguration={"rules": rules}) == invalid(
        "replicationConfiguration", constraint
    )
    assert configured(ecr) == {"rules": [rule(place("eu-west-3"))]}


@pytest.mark.parametrize(
    ("rules", "member", "constraint"),
    [
        ([rule(place("eu-west-1"))] * 26, "rules", "Member must have length less than or equal to 25"),
        (
            [rule(*[place("eu-west-1")] * 101)],
            "rules.1.member.destinations",
            "Member must have length less than or equal to 100",
        ),
        (
            [rule(place("eu-west-1"), prefixes=["ab"] * 101)],
            "rules.1.member.repositoryFilters",
            "Member must have length less than or equal to 100",
        ),
        (
            [rule(place("EU"))],
            "rules.1.member.destinations.1.member.region",
            "Member must satisfy regular expression pattern: [0-9a-z-]{2,25}",
        ),
    ],
)
def test_malformed_rules_are_refused(ecr: Any, rules: Any, member: str, constraint: str) -> None:
    assert refusal(ecr.put_replication_configuration, replicationConfiguration={"rules": rules}) == invalid(
        f"replicationConfiguration.{member}", constraint
    )


def test_every_registry_has_its_own_configuration(emulator: Running, ecr: Any) -> None:
    put(ecr, rule(place("eu-west-1")))
    for other in (emulator.ecr(OTHER), emulator.ecr(region="eu-west-1")):
        assert configured(other) == {"rules": []}


# --- DescribeImageReplicationStatus ----------------------------------------------------------------------


def test_nothing_is_copied_without_rules(ecr: Any, app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    answer = ecr.describe_image_replication_status(repositoryName=app.name, imageId={"imageTag": "v1"})
    assert answer["repositoryName"] == app.name
    assert answer["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    assert answer["replicationStatuses"] == []


def test_pushes_on_both_planes_are_to_be_copied_where_rules_match(
    ecr: Any, app: Repo, registry: Registry
) -> None:
    put(
        ecr,
        rule(place("us-west-2"), place("eu-west-1", OTHER), prefixes=["te"]),
        rule(place("eu-west-1"), place("us-west-2")),
        rule(place("us-west-1"), prefixes=["my/team"]),
    )
    expected = [
        {**place("eu-west-1"), "status": "IN_PROGRESS"},
        {**place("eu-west-1", OTHER), "status": "IN_PROGRESS"},
        {**place("us-west-2"), "status": "IN_PROGRESS"},
    ]
    assert statuses(ecr, imageDigest=app.push(b"by the API")) == expected
    assert statuses(ecr, imageDigest=registry.push_image(app.name, "v1", b"by docker")) == expected
    index = app.push_index(app.image(b"by the API"), tag="all")
    assert statuses(ecr, imageDigest=index) == expected


def test_only_what_is_pushed_after_the_configuration_is_copied(ecr: Any, app: Repo) -> None:
    before = app.push(b"before", "v1")
    put(ecr, rule(place("eu-west-1")))
    after = app.push(b"after", "v2")
    put(ecr)
    assert statuses(ecr, imageDigest=before) == []
    assert [entry["status"] for entry in statuses(ecr, imageDigest=after)] == ["IN_PROGRESS"]


def test_another_tag_is_a_push_too(ecr: Any, app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    put(ecr, rule(place("eu-west-1")))
    app.push(b"layer", "v2")
    assert statuses(ecr, imageDigest=digest) == [{**place("eu-west-1"), "status": "IN_PROGRESS"}]


def test_status_of_what_is_not_there_is_refused(ecr: Any, app: Repo) -> None:
    call = ecr.describe_image_replication_status
    assert refusal(call, repositoryName="none", imageId={"imageTag": "v1"}) == no_repository("none")
    assert refusal(call, repositoryName=app.name, imageId={"imageTag": "v1"}) == no_tagged_image(
        app.name, "v1"
    )
    code, _ = refusal(call, registryId=OTHER, repositoryName=app.name, imageId={"imageTag": "v1"})
    assert code == "AccessDeniedException"
