"""Operations on managed signing."""

from typing import Any

import pytest

from tests.clients import DEFAULT_ACCOUNT, Registry, Running
from tests.control.calls import Repo, invalid, no_repository, no_tagged_image, refusal

NONE = (
    "SigningConfigurationNotFoundException",
    f"Signing configuration does not exist in the registry with id '{DEFAULT_ACCOUNT}'",
)


def profile(name: str, region: str = "us-east-1", account: str = DEFAULT_ACCOUNT) -> str:
    return f"arn:aws:signer:{region}:{account}:/signing-profiles/{name}"


def rule(name: str, *filters: str) -> dict[str, Any]:
    described = [{"filter": pattern, "filterType": "WILDCARD_MATCH"} for pattern in filters]
    members = {"repositoryFilters": described} if filters else {}
    return {"signingProfileArn": profile(name), **members}


def status(name: str, word: str = "IN_PROGRESS") -> dict[str, str]:
    return {"signingProfileArn": profile(name), "status": word}


def put(ecr: Any, *rules: Any) -> Any:
    configuration = {"rules": list(rules)}
    return ecr.put_signing_configuration(signingConfiguration=configuration)["signingConfiguration"]


def statuses(ecr: Any, **image_id: str) -> Any:
    answer = ecr.describe_image_signing_status(repositoryName="team/app", imageId=image_id)
    return answer["signingStatuses"]


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [rule("release")],
        [rule("release", "myapp/*", "*/production"), rule("other", "*prod*")],
        [rule(f"profile_{number}") for number in range(10)],
    ],
)
def test_the_configuration_is_kept_as_given(ecr: Any, rules: Any) -> None:
    assert put(ecr, *rules) == {"rules": rules}
    answer = ecr.get_signing_configuration()
    assert answer["registryId"] == DEFAULT_ACCOUNT
    assert answer["signingConfiguration"] == {"rules": rules}


def test_a_deleted_configuration_is_gone(ecr: Any) -> None:
    put(ecr, rule("release"))
    put(ecr, rule("newer"))
    answer = ecr.delete_signing_configuration()
    assert answer["registryId"] == DEFAULT_ACCOUNT
    assert answer["signingConfiguration"] == {"rules": [rule("newer")]}
    assert refusal(ecr.get_signing_configuration) == NONE


def test_without_a_configuration_there_is_none_to_get_or_delete(ecr: Any) -> None:
    assert refusal(ecr.get_signing_configuration) == NONE
    assert refusal(ecr.delete_signing_configuration) == NONE


@pytest.mark.parametrize(
    ("rules", "member", "constraint"),
    [
        ([rule("release")] * 11, ".rules", "Member must have length less than or equal to 10"),
        (
            [rule("release", *["a"] * 101)],
            ".rules.1.member.repositoryFilters",
            "Member must have length less than or equal to 100",
        ),
        (
            [rule("r")],
            ".rules.1.member.signingProfileArn",
            "Member must satisfy regular expression pattern: ^arn:aws(-[a-z]+)*:signer:[a-z0-9-]+:"
            r"[0-9]{12}:\/signing-profiles\/[a-zA-Z0-9_]{2,}$",
        ),
        (
            [rule("release"), {"signingProfileArn": profile("release", "eu-west-1")}],
            "",
            "Signing profile must be in the same region as the registry",
        ),
    ],
)
def test_rules_that_cannot_be_are_refused(ecr: Any, rules: Any, member: str, constraint: str) -> None:
    assert refusal(ecr.put_signing_configuration, signingConfiguration={"rules": rules}) == invalid(
        f"signingConfiguration{member}", constraint
    )
    assert refusal(ecr.get_signing_configuration) == NONE


def test_a_profile_may_belong_to_another_account(ecr: Any) -> None:
    foreign = {"signingProfileArn": profile("release", account="111111111111")}
    assert put(ecr, foreign) == {"rules": [foreign]}


def test_every_registry_has_its_own_configuration(emulator: Running, ecr: Any) -> None:
    put(ecr, rule("release"))
    for other in (emulator.ecr("111111111111"), emulator.ecr(region="eu-west-1")):
        assert refusal(other.get_signing_configuration)[0] == "SigningConfigurationNotFoundException"


# --- DescribeImageSigningStatus --------------------------------------------------------------------------


def test_pushes_on_both_planes_are_signed_where_rules_match(
    ecr: Any, app: Repo, registry: Registry, emulator: Running
) -> None:
    put(ecr, rule("team", "team/*"), rule("all"), rule("other", "app"), rule("all", "*app"))
    for digest in (app.push(b"by the API"), registry.push_image(app.name, "v1", b"by docker")):
        assert statuses(ecr, imageDigest=digest) == [status("all"), status("team")]
    emulator.application.runner.run_due()
    assert statuses(ecr, imageDigest=digest) == [status("all", "COMPLETE"), status("team", "COMPLETE")]
    answer = ecr.describe_image_signing_status(repositoryName=app.name, imageId={"imageTag": "v1"})
    assert answer["registryId"] == DEFAULT_ACCOUNT
    assert answer["repositoryName"] == app.name
    assert answer["imageId"] == {"imageDigest": digest, "imageTag": "v1"}


def test_images_without_a_rule_have_no_status(ecr: Any, app: Repo) -> None:
    before = app.push(b"before", "v1")
    put(ecr, rule("other", "other/*"))
    after = app.push(b"after", "v2")
    assert statuses(ecr, imageDigest=before) == statuses(ecr, imageDigest=after) == []


def test_deleting_the_configuration_leaves_the_statuses(ecr: Any, app: Repo) -> None:
    put(ecr, rule("release"))
    digest = app.push(b"layer", "v1")
    ecr.delete_signing_configuration()
    app.push(b"layer", "v2")
    assert statuses(ecr, imageDigest=digest) == [status("release")]


def test_a_signature_is_not_signed(ecr: Any, app: Repo) -> None:
    put(ecr, rule("release"))
    digest = app.put(app.image(b"signature", artifactType="application/vnd.cncf.notary.signature"))
    assert statuses(ecr, imageDigest=digest) == []


def test_status_of_what_is_not_there_is_refused(ecr: Any, app: Repo) -> None:
    call = ecr.describe_image_signing_status
    assert refusal(call, repositoryName="none", imageId={"imageTag": "v1"}) == no_repository("none")
    assert refusal(call, repositoryName=app.name, imageId={"imageTag": "v1"}) == no_tagged_image(
        app.name, "v1"
    )
