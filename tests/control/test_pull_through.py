"""Pull through cache rules."""

from typing import Any

import pytest

from tests.clients import Clock, Running
from tests.control.calls import invalid, refusal

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-a1b2c3"
OTHER_SECRET = SECRET.replace("hub", "hub2")
FOREIGN_SECRET = SECRET.replace("us-east-1", "eu-west-1")
ROLE = "arn:aws:iam::000000000000:role/puller"
QUAY = {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"}
HUB = {
    "ecrRepositoryPrefix": "hub",
    "upstreamRegistryUrl": "registry-1.docker.io",
    "credentialArn": SECRET,
}
NOT_FOUND = (
    "PullThroughCacheRuleNotFoundException",
    "The pull through cache rule was not found. Specify a valid pull through cache rule and try again.",
)


def plain(answer: Any) -> Any:
    """An answer without what boto3 adds, and times as seconds."""
    return {
        name: value.timestamp() if name in ("createdAt", "updatedAt") else value
        for name, value in answer.items()
        if name != "ResponseMetadata"
    }


def test_rule_is_made_described_and_deleted(ecr: Any, clock: Clock) -> None:
    rule = {
        **QUAY,
        "registryId": "000000000000",
        "upstreamRepositoryPrefix": "ROOT",
        "createdAt": pytest.approx(clock.now, abs=0.001),
    }
    whole = {**rule, "upstreamRegistry": "quay"}
    assert plain(ecr.create_pull_through_cache_rule(**QUAY)) == whole
    (found,) = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert plain(found) == {**whole, "updatedAt": pytest.approx(clock.now, abs=0.001)}
    clock.advance(60)
    assert plain(ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="quay")) == rule
    assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


def test_rule_with_everything(ecr: Any) -> None:
    request = {
        **HUB,
        "upstreamRegistry": "docker-hub",
        "upstreamRepositoryPrefix": "library",
        "customRoleArn": ROLE,
    }
    answer = plain(ecr.create_pull_through_cache_rule(**request))
    assert answer.items() >= request.items()


def test_second_rule_for_a_prefix_is_refused(ecr: Any) -> None:
    ecr.create_pull_through_cache_rule(**QUAY)
    for prefix in ("quay", "quay/"):
        got = refusal(ecr.create_pull_through_cache_rule, **{**QUAY, "ecrRepositoryPrefix": prefix})
        assert got == (
            "PullThroughCacheRuleAlreadyExistsException",
            "A pull through cache rule with these settings already exists for the private registry.",
        )


@pytest.mark.parametrize(
    "request_",
    [
        {"upstreamRegistryUrl": "registry.example.com"},
        {"upstreamRegistryUrl": "quay.io", "upstreamRegistry": "k8s"},
    ],
)
def test_upstream_that_is_none_is_refused(ecr: Any, request_: dict[str, str]) -> None:
    got = refusal(ecr.create_pull_through_cache_rule, ecrRepositoryPrefix="some", **request_)
    assert got == ("UnsupportedUpstreamRegistryException", "The specified upstream registry isn't supported.")


@pytest.mark.parametrize("url", ["registry-1.docker.io", "ghcr.io", "registry.gitlab.com", "mine.azurecr.io"])
def test_upstream_with_a_login_needs_a_secret(ecr: Any, url: str) -> None:
    request = {"ecrRepositoryPrefix": "some", "upstreamRegistryUrl": url}
    assert refusal(ecr.create_pull_through_cache_rule, **request) == (
        "UnsupportedUpstreamRegistryException",
        "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN "
        "containing the upstream registry credentials.",
    )
    assert ecr.create_pull_through_cache_rule(**request, credentialArn=SECRET)["credentialArn"] == SECRET


def test_secret_must_be_where_the_rule_is(ecr: Any) -> None:
    expected = (
        "UnableToAccessSecretException",
        "The secret is unable to be accessed. Verify the resource permissions for the secret and try again.",
    )
    foreign = {**HUB, "credentialArn": FOREIGN_SECRET}
    assert refusal(ecr.create_pull_through_cache_rule, **foreign) == expected
    ecr.create_pull_through_cache_rule(**HUB)
    got = refusal(ecr.update_pull_through_cache_rule, ecrRepositoryPrefix="hub", credentialArn=FOREIGN_SECRET)
    assert got == expected


def test_rule_for_everything_has_no_upstream_prefix(ecr: Any) -> None:
    root = {**QUAY, "ecrRepositoryPrefix": "ROOT"}
    got = refusal(ecr.create_pull_through_cache_rule, **root, upstreamRepositoryPrefix="team")
    assert got == invalid(
        "upstreamRepositoryPrefix", "must not be set when ecrRepositoryPrefix is set as ROOT"
    )
    ecr.create_pull_through_cache_rule(**root, upstreamRepositoryPrefix="ROOT")


@pytest.mark.parametrize("prefix", ["Team", "a" * 31, "/a", "a//b", "root_"])
def test_prefix_that_is_none_is_refused(ecr: Any, prefix: str) -> None:
    code, message = refusal(
        ecr.create_pull_through_cache_rule, ecrRepositoryPrefix=prefix, upstreamRegistryUrl="quay.io"
    )
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'ecrRepositoryPrefix'")


def test_update_changes_secret_and_role_alone(ecr: Any, clock: Clock) -> None:
    ecr.create_pull_through_cache_rule(**HUB, customRoleArn=ROLE)
    clock.advance(60)
    answer = ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=OTHER_SECRET)
    assert plain(answer) == {
        "ecrRepositoryPrefix": "hub",
        "registryId": "000000000000",
        "updatedAt": pytest.approx(clock.now, abs=0.001),
        "credentialArn": OTHER_SECRET,
        "customRoleArn": ROLE,
        "upstreamRepositoryPrefix": "ROOT",
    }
    (found,) = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert plain(found)["updatedAt"] - plain(found)["createdAt"] == pytest.approx(60)


def test_rule_that_is_not_there_is_said_so(ecr: Any) -> None:
    for call in (
        ecr.update_pull_through_cache_rule,
        ecr.delete_pull_through_cache_rule,
        ecr.validate_pull_through_cache_rule,
    ):
        assert refusal(call, ecrRepositoryPrefix="quay") == NOT_FOUND
    ecr.create_pull_through_cache_rule(**QUAY)
    got = refusal(ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=["quay", "hub"])
    assert got == NOT_FOUND


def test_validation_says_that_no_secret_can_be_read(ecr: Any) -> None:
    """What it says where it tries is in tests/upstream."""
    ecr.create_pull_through_cache_rule(**HUB)
    answer = plain(ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="hub"))
    assert "neither --secrets-file nor --secrets-endpoint" in answer.pop("failure")
    assert answer == {
        **HUB,
        "registryId": "000000000000",
        "upstreamRepositoryPrefix": "ROOT",
        "isValid": False,
    }


def test_rules_come_in_pages_and_by_prefix(ecr: Any) -> None:
    names = [f"quay-{letter}" for letter in "abcde"]
    for name in names:
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=name, upstreamRegistryUrl="quay.io")

    def listed(**request: Any) -> list[list[str]]:
        pages = ecr.get_paginator("describe_pull_through_cache_rules").paginate(
            **request, PaginationConfig={"PageSize": 2}
        )
        return [[rule["ecrRepositoryPrefix"] for rule in page["pullThroughCacheRules"]] for page in pages]

    assert listed() == [names[:2], names[2:4], names[4:]]
    assert listed(ecrRepositoryPrefixes=["quay-e", "quay-a", "quay-c/"]) == [["quay-a", "quay-c"], ["quay-e"]]


def test_fifty_rules_and_no_more(ecr: Any) -> None:
    for number in range(50):
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=f"q{number}", upstreamRegistryUrl="quay.io")
    assert refusal(ecr.create_pull_through_cache_rule, **QUAY) == (
        "LimitExceededException",
        "The registry with id '000000000000' already has the maximum allowed number of pull through cache "
        "rules which is '50'",
    )


def test_rules_are_those_of_an_account_in_a_region(emulator: Running, ecr: Any) -> None:
    ecr.create_pull_through_cache_rule(**QUAY)
    stranger = emulator.ecr("222222222222")
    for other in (stranger, emulator.ecr(region="eu-west-1")):
        assert other.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
    code, _ = refusal(stranger.describe_pull_through_cache_rules, registryId="000000000000")
    assert code == "AccessDeniedException"
