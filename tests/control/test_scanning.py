"""Operations on scanning. The background work, which looks into images, does not run here."""

from typing import Any

import pytest

from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running
from tests.control.calls import Repo, invalid, no_repository, no_tagged_image, refusal

DAY = 24 * 3600
WAITING = {"status": "IN_PROGRESS", "description": "The scan is in progress."}
QUOTA = ("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")


def rule(frequency: str, *filters: str) -> dict[str, Any]:
    described = [{"filter": pattern, "filterType": "WILDCARD"} for pattern in filters]
    return {"scanFrequency": frequency, "repositoryFilters": described}


def frequencies(ecr: Any, *names: str) -> list[Any]:
    answer = ecr.batch_get_repository_scanning_configuration(repositoryNames=list(names))
    return [
        (found["scanFrequency"], [entry["filter"] for entry in found["appliedScanFilters"]])
        for found in answer["scanningConfigurations"]
    ]


def start(ecr: Any, digest: str, **members: str) -> Any:
    return ecr.start_image_scan(repositoryName="team/app", imageId={"imageDigest": digest, **members})


def findings(ecr: Any, **image_id: str) -> Any:
    return ecr.describe_image_scan_findings(repositoryName="team/app", imageId=image_id)


def no_scan(digest: str, tag: str) -> tuple[str, str]:
    return (
        "ScanNotFoundException",
        f"Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{tag}'}}' "
        f"in the repository with name 'team/app' in the registry with id '{DEFAULT_ACCOUNT}'",
    )


# --- Configuration ---------------------------------------------------------------------------------------


def test_scan_on_push_of_a_repository_is_kept_and_shown(ecr: Any, app: Repo) -> None:
    for flag in (True, False):
        configuration = {"scanOnPush": flag}
        answer = ecr.put_image_scanning_configuration(
            repositoryName=app.name, imageScanningConfiguration=configuration
        )
        assert answer["registryId"] == DEFAULT_ACCOUNT
        assert answer["repositoryName"] == app.name
        assert answer["imageScanningConfiguration"] == configuration
        (described,) = ecr.describe_repositories()["repositories"]
        assert described["imageScanningConfiguration"] == configuration


def test_scan_on_push_is_off_unless_said(ecr: Any, app: Repo) -> None:
    answer = ecr.put_image_scanning_configuration(repositoryName=app.name, imageScanningConfiguration={})
    assert answer["imageScanningConfiguration"] == {"scanOnPush": False}


def test_scan_on_push_of_an_unknown_repository_is_refused(ecr: Any) -> None:
    assert refusal(
        ecr.put_image_scanning_configuration, repositoryName="none", imageScanningConfiguration={}
    ) == no_repository("none")


def test_a_registry_is_scanned_by_hand_until_it_is_configured(ecr: Any) -> None:
    answer = ecr.get_registry_scanning_configuration()
    assert answer["registryId"] == DEFAULT_ACCOUNT
    assert answer["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}


@pytest.mark.parametrize(
    "configuration",
    [
        {"scanType": "BASIC", "rules": [rule("SCAN_ON_PUSH", "prod*", "*test")]},
        {"scanType": "ENHANCED", "rules": [rule("CONTINUOUS_SCAN", "*"), rule("SCAN_ON_PUSH", "a")]},
        {"scanType": "ENHANCED", "rules": []},
        {"scanType": "BASIC", "rules": [rule("MANUAL"), rule("SCAN_ON_PUSH", "team/app")]},
    ],
)
def test_a_registry_configuration_is_kept_as_given(ecr: Any, configuration: Any) -> None:
    answer = ecr.put_registry_scanning_configuration(**configuration)
    assert answer["registryScanningConfiguration"] == configuration
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"] == configuration


def test_a_second_registry_configuration_takes_the_place_of_the_first(ecr: Any) -> None:
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule("SCAN_ON_PUSH", "*")])
    ecr.put_registry_scanning_configuration()
    configuration = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
    assert configuration == {"scanType": "BASIC", "rules": []}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            {"scanType": "BASIC", "rules": [rule("CONTINUOUS_SCAN", "*")]},
            invalid("rules", "Scan frequency CONTINUOUS_SCAN is not supported for scan type BASIC"),
        ),
        (
            {"scanType": "ENHANCED", "rules": [rule("SCAN_ON_PUSH", "a"), rule("SCAN_ON_PUSH", "b")]},
            invalid("rules", "Each scan frequency can have one rule only"),
        ),
        (
            {"scanType": "BASIC", "rules": [rule("SCAN_ON_PUSH", "a")] * 3},
            invalid("rules", "Member must have length less than or equal to 2"),
        ),
        (
            {"scanType": "BEST"},
            invalid("scanType", "Member must satisfy enum value set: [BASIC, ENHANCED]"),
        ),
        (
            {"rules": [rule("SCAN_ON_PUSH", *["a"] * 101)]},
            invalid("rules.1.member.repositoryFilters", "Member must have length less than or equal to 100"),
        ),
    ],
)
def test_a_registry_configuration_that_makes_no_sense_is_refused(
    ecr: Any, request_: Any, expected: tuple[str, str]
) -> None:
    assert refusal(ecr.put_registry_scanning_configuration, **request_) == expected
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"] == []


def test_configuration_of_repositories_follows_the_rules(ecr: Any) -> None:
    for name in ("prod", "test"):
        ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
    assert frequencies(ecr, "prod", "test") == [("SCAN_ON_PUSH", [])] * 2
    ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[rule("SCAN_ON_PUSH", "pr*", "*od")])
    assert frequencies(ecr, "test", "prod") == [("MANUAL", []), ("SCAN_ON_PUSH", ["pr*", "*od"])]
    rules = [rule("SCAN_ON_PUSH", "*"), rule("CONTINUOUS_SCAN", "od")]
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    assert frequencies(ecr, "prod", "test") == [("CONTINUOUS_SCAN", ["od"]), ("SCAN_ON_PUSH", ["*"])]


def test_configuration_of_a_repository_names_it_and_its_own_setting(ecr: Any, app: Repo) -> None:
    answer = ecr.batch_get_repository_scanning_configuration(
        repositoryNames=["none", app.name, "none", app.name]
    )
    assert answer["scanningConfigurations"] == [
        {
            "repositoryArn": f"arn:aws:ecr:us-east-1:{DEFAULT_ACCOUNT}:repository/team/app",
            "repositoryName": "team/app",
            "scanOnPush": False,
            "scanFrequency": "MANUAL",
            "appliedScanFilters": [],
        }
    ]
    code = "REPOSITORY_NOT_FOUND"
    assert answer["failures"] == [{"repositoryName": "none", "failureCode": code, "failureReason": code}]


def test_at_most_25_repositories_are_asked_about_at_once(ecr: Any) -> None:
    names = [f"repo-{number}" for number in range(26)]
    assert refusal(ecr.batch_get_repository_scanning_configuration, repositoryNames=names) == invalid(
        "repositoryNames", "Member must have length less than or equal to 25"
    )


def test_every_registry_has_its_own_configuration(emulator: Running, ecr: Any) -> None:
    ecr.put_registry_scanning_configuration(scanType="ENHANCED")
    for other in (emulator.ecr("111111111111"), emulator.ecr(region="eu-west-1")):
        assert other.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"


# --- Scans -----------------------------------------------------------------------------------------------


def test_a_scan_that_waits_has_no_findings(ecr: Any, app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    started = start(ecr, digest)
    described = findings(ecr, imageTag="v1")
    for answer, image_id in (
        (started, {"imageDigest": digest}),
        (described, {"imageDigest": digest, "imageTag": "v1"}),
    ):
        assert answer["registryId"] == DEFAULT_ACCOUNT
        assert answer["repositoryName"] == app.name
        assert answer["imageId"] == image_id
        assert answer["imageScanStatus"] == WAITING
        assert "imageScanFindings" not in answer
        assert "nextToken" not in answer


def test_an_image_is_scanned_once_in_24_hours(ecr: Any, app: Repo, clock: Clock) -> None:
    digest, other = app.push(b"layer"), app.push(b"other")
    start(ecr, digest)
    clock.advance(DAY - 1)
    assert refusal(start, ecr=ecr, digest=digest) == QUOTA
    start(ecr, other)
    clock.advance(1)
    start(ecr, digest)
    assert refusal(start, ecr=ecr, digest=digest) == QUOTA


def test_scan_on_push_counts_as_the_scan_of_the_day(ecr: Any, app: Repo) -> None:
    ecr.put_image_scanning_configuration(
        repositoryName=app.name, imageScanningConfiguration={"scanOnPush": True}
    )
    digest = app.push(b"layer")
    assert findings(ecr, imageDigest=digest)["imageScanStatus"] == WAITING
    assert refusal(start, ecr=ecr, digest=digest) == QUOTA


def test_an_image_that_was_not_scanned_has_no_findings(ecr: Any, app: Repo) -> None:
    digest = app.push(b"layer", "v1")
    assert refusal(findings, ecr=ecr, imageDigest=digest) == no_scan(digest, "null")
    assert refusal(findings, ecr=ecr, imageTag="v1") == no_scan("null", "v1")
    both = refusal(findings, ecr=ecr, imageTag="v1", imageDigest=digest)
    assert both == no_scan(digest, "v1")


@pytest.mark.parametrize("operation", ["start_image_scan", "describe_image_scan_findings"])
def test_scanning_what_is_not_there_is_refused(ecr: Any, app: Repo, operation: str) -> None:
    call = getattr(ecr, operation)
    assert refusal(call, repositoryName="none", imageId={"imageTag": "v1"}) == no_repository("none")
    assert refusal(call, repositoryName=app.name, imageId={"imageTag": "v1"}) == no_tagged_image(
        app.name, "v1"
    )
    code, _ = refusal(call, repositoryName=app.name, imageId={})
    assert code == "InvalidParameterException"
    code, message = refusal(
        call, registryId="111111111111", repositoryName=app.name, imageId={"imageTag": "v1"}
    )
    assert code == "AccessDeniedException"
    assert "arn:aws:ecr:us-east-1:111111111111:repository/team/app" in message


def test_an_index_cannot_be_scanned(ecr: Any, app: Repo) -> None:
    app.push(b"layer")
    digest = app.push_index(app.image(b"layer"))
    unsupported = ("UnsupportedImageTypeException", "The image is of a type that cannot be scanned.")
    assert refusal(start, ecr=ecr, digest=digest) == unsupported


def test_an_artifact_cannot_be_scanned_and_is_not_on_push(ecr: Any, app: Repo) -> None:
    ecr.put_image_scanning_configuration(
        repositoryName=app.name, imageScanningConfiguration={"scanOnPush": True}
    )
    digest = app.put(app.image(b"layer", artifactType="application/vnd.cncf.helm.config.v1+json"))
    assert refusal(start, ecr=ecr, digest=digest)[0] == "UnsupportedImageTypeException"
    assert refusal(findings, ecr=ecr, imageDigest=digest) == no_scan(digest, "null")


def test_an_archived_image_cannot_be_scanned(ecr: Any, app: Repo) -> None:
    image_id = {"imageDigest": app.push(b"layer")}
    ecr.update_image_storage_class(repositoryName=app.name, imageId=image_id, targetStorageClass="ARCHIVE")
    assert refusal(ecr.start_image_scan, repositoryName=app.name, imageId=image_id) == (
        "ImageArchivedException",
        "The specified image is archived and cannot be scanned.",
    )


def test_enhanced_scanning_takes_no_orders(ecr: Any, app: Repo) -> None:
    digest = app.push(b"layer")
    ecr.put_registry_scanning_configuration(scanType="ENHANCED")
    refused = ("ValidationException", "This feature is disabled")
    assert refusal(start, ecr=ecr, digest=digest) == refused


def test_a_token_of_something_else_is_refused(ecr: Any, app: Repo) -> None:
    start(ecr, digest := app.push(b"layer"))
    assert refusal(
        ecr.describe_image_scan_findings,
        repositoryName=app.name,
        imageId={"imageDigest": digest},
        nextToken="made-up",
    ) == invalid("nextToken", "Invalid next token")


def test_the_scan_goes_with_its_image(ecr: Any, app: Repo) -> None:
    digest = app.push(b"layer")
    start(ecr, digest)
    ecr.batch_delete_image(repositoryName=app.name, imageIds=[{"imageDigest": digest}])
    app.layers.clear()
    assert app.push(b"layer") == digest
    assert refusal(findings, ecr=ecr, imageDigest=digest) == no_scan(digest, "null")


@pytest.mark.parametrize(
    ("configuration", "is_scanned"),
    [
        (None, False),
        ({"scanType": "BASIC", "rules": [rule("SCAN_ON_PUSH", "team")]}, True),
        ({"scanType": "BASIC", "rules": [rule("SCAN_ON_PUSH", "team*x")]}, False),
        ({"scanType": "BASIC", "rules": [rule("MANUAL", "*")]}, False),
        ({"scanType": "ENHANCED", "rules": [rule("CONTINUOUS_SCAN", "*")]}, True),
        ({"scanType": "ENHANCED", "rules": []}, False),
    ],
)
def test_both_planes_scan_on_push_as_the_rules_say(
    ecr: Any, app: Repo, registry: Registry, configuration: Any, is_scanned: bool
) -> None:
    if configuration:
        ecr.put_registry_scanning_configuration(**configuration)
    for digest in (app.push(b"by the API"), registry.push_image(app.name, "v1", b"by docker")):
        if is_scanned:
            assert findings(ecr, imageDigest=digest)["imageScanStatus"] == WAITING
        else:
            assert refusal(findings, ecr=ecr, imageDigest=digest) == no_scan(digest, "null")


def test_another_tag_starts_no_second_scan_in_24_hours(ecr: Any, app: Repo, clock: Clock) -> None:
    digest = app.push(b"layer", "v1")
    ecr.put_image_scanning_configuration(
        repositoryName=app.name, imageScanningConfiguration={"scanOnPush": True}
    )
    app.push(b"layer", "v2")
    clock.advance(DAY - 1)
    app.push(b"layer", "v3")
    assert refusal(start, ecr=ecr, digest=digest) == QUOTA
    clock.advance(1)
    start(ecr, digest)
