"""Operations on lifecycle policies and their previews."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config

from tests.clients import Clock, Running
from tests.control.calls import Api, Repo, authorization, invalid, refusal, tampered

NAME = {"repositoryName": "team/app"}
# As in AWS's own sample (aws-cli, examples/ecr/put-lifecycle-policy.rst).
GIVEN = """{
   "rules": [
       {
           "rulePriority": 1,
           "description": "Expire images older than 14 days",
           "selection": {
               "tagStatus": "untagged",
               "countType": "sinceImagePushed",
               "countUnit": "days",
               "countNumber": 14
           },
           "action": {
               "type": "expire"
           }
       }
   ]
}
"""
COMPACT = (
    '{"rules":[{"rulePriority":1,"description":"Expire images older than 14 days",'
    '"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},'
    '"action":{"type":"expire"}}]}'
)
ANSWER = {"registryId": "000000000000", "repositoryName": "team/app", "lifecyclePolicyText": COMPACT}
NO_POLICY = (
    "LifecyclePolicyNotFoundException",
    "Lifecycle policy does not exist for the repository with name 'team/app' "
    "in the registry with id '000000000000'",
)
NO_PREVIEW = (
    "LifecyclePolicyPreviewNotFoundException",
    "Lifecycle policy preview does not exist for the repository with name 'team/app' "
    "in the registry with id '000000000000'",
)
IN_PROGRESS = (
    "LifecyclePolicyPreviewInProgressException",
    "Lifecycle policy preview is already in progress for the repository with name 'team/app' "
    "in the registry with id '000000000000'",
)
PADDING = "d" * 100


# A policy that has never run says so with the time 0 (reference, control plane 6.7).
NEVER = datetime.fromtimestamp(0, UTC)
NEVER_RUN = {**ANSWER, "lastEvaluatedAt": NEVER}


def answer(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


def rule(priority: int, status: str, count: int = 5, **members: Any) -> dict[str, Any]:
    selection = {"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": count, **members}
    return {
        "rulePriority": priority,
        "description": PADDING,
        "selection": selection,
        "action": {"type": "expire"},
    }


def policy(*rules: Any) -> str:
    return json.dumps({"rules": rules})


def test_policy_is_put_got_and_deleted_in_its_compact_form(app: Repo) -> None:
    assert answer(app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=GIVEN)) == ANSWER
    assert answer(app.ecr.get_lifecycle_policy(**NAME)) == NEVER_RUN
    assert answer(app.ecr.delete_lifecycle_policy(**NAME)) == NEVER_RUN
    assert refusal(app.ecr.get_lifecycle_policy, **NAME) == NO_POLICY


def test_rules_come_back_by_priority(app: Repo) -> None:
    text = policy(rule(30, "any"), rule(2, "untagged"), rule(10, "tagged", tagPrefixList=["v"]))
    stored = app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=text)["lifecyclePolicyText"]
    assert [entry["rulePriority"] for entry in json.loads(stored)["rules"]] == [2, 10, 30]


def test_policy_that_is_put_again_is_replaced(app: Repo) -> None:
    app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=policy(rule(5, "any")))
    app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=GIVEN)
    assert answer(app.ecr.get_lifecycle_policy(**NAME)) == NEVER_RUN


def test_repository_has_no_policy_at_first(app: Repo) -> None:
    assert refusal(app.ecr.get_lifecycle_policy, **NAME) == NO_POLICY
    assert refusal(app.ecr.delete_lifecycle_policy, **NAME) == NO_POLICY


@pytest.mark.parametrize(
    "operation",
    [
        "put_lifecycle_policy",
        "get_lifecycle_policy",
        "delete_lifecycle_policy",
        "start_lifecycle_policy_preview",
        "get_lifecycle_policy_preview",
    ],
)
def test_policy_needs_its_repository(ecr: Any, operation: str) -> None:
    needs_text = {"lifecyclePolicyText": GIVEN} if operation.startswith("put") else {}
    assert refusal(getattr(ecr, operation), repositoryName="gone", **needs_text) == (
        "RepositoryNotFoundException",
        "The repository with name 'gone' does not exist in the registry with id '000000000000'",
    )


def test_policy_and_preview_go_with_their_repository(app: Repo) -> None:
    app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=GIVEN)
    app.ecr.start_lifecycle_policy_preview(**NAME)
    app.ecr.delete_repository(**NAME)
    app.ecr.create_repository(**NAME)
    assert refusal(app.ecr.get_lifecycle_policy, **NAME) == NO_POLICY
    assert refusal(app.ecr.get_lifecycle_policy_preview, **NAME) == NO_PREVIEW


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        (
            "{" + " " * 100,
            "Lifecycle policy parsing failure: Could not map policyString into LifecyclePolicy.",
        ),
        (
            "{" + " " * 100 + "}",
            'Lifecycle policy validation failure: object has missing required properties (["rules"])',
        ),
        (
            policy(*[rule(1, "any")] * 51),
            "Lifecycle policy validation failure: array is too long: "
            "must have at most 50 elements but instance has 51 elements",
        ),
        (
            policy(rule(1, "untagged"), rule(1, "any")),
            "Lifecycle policy validation failure: Duplicate priority in multiple rules",
        ),
        (
            policy(rule(1, "tagged")),
            "Lifecycle policy validation failure: "
            "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.",
        ),
    ],
)
def test_bad_policy_is_refused_wherever_it_is_given(app: Repo, text: str, constraint: str) -> None:
    app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=GIVEN)
    wanted = invalid("LifecyclePolicyText", constraint)
    assert refusal(app.ecr.put_lifecycle_policy, **NAME, lifecyclePolicyText=text) == wanted
    assert refusal(app.ecr.start_lifecycle_policy_preview, **NAME, lifecyclePolicyText=text) == wanted
    assert answer(app.ecr.get_lifecycle_policy(**NAME)) == NEVER_RUN
    assert refusal(app.ecr.get_lifecycle_policy_preview, **NAME) == NO_PREVIEW


def test_wrong_choice_of_members_is_refused_without_a_closing_quote(app: Repo) -> None:
    text = policy(rule(1, "any", countUnit="days"))
    assert refusal(app.ecr.put_lifecycle_policy, **NAME, lifecyclePolicyText=text) == (
        "InvalidParameterException",
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy "
        "validation failure: instance failed to match exactly one schema (matched 0 out of 4)",
    )


def test_policy_text_has_a_shortest_and_a_largest_length(
    emulator: Running, app: Repo, anything_goes: Config
) -> None:
    raw = emulator.ecr(config=anything_goes)
    too_short = invalid("lifecyclePolicyText", "Member must have length greater than or equal to 100")
    too_long = invalid("lifecyclePolicyText", "Member must have length less than or equal to 30720")
    for operation in (raw.put_lifecycle_policy, raw.start_lifecycle_policy_preview):
        assert refusal(operation, **NAME, lifecyclePolicyText="") == too_short
        assert refusal(operation, **NAME, lifecyclePolicyText="{}") == too_short
        assert refusal(operation, **NAME, lifecyclePolicyText=GIVEN + " " * 30720) == too_long
    longest = GIVEN + " " * (30720 - len(GIVEN))
    assert answer(raw.put_lifecycle_policy(**NAME, lifecyclePolicyText=longest)) == ANSWER


def test_each_account_and_region_has_its_own_policies(emulator: Running, api: Api, app: Repo) -> None:
    app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=GIVEN)
    there = emulator.ecr(region="eu-west-1")
    there.create_repository(**NAME)
    assert refusal(there.get_lifecycle_policy, **NAME) == NO_POLICY
    for verb in ("PutLifecyclePolicy", "GetLifecyclePolicy", "DeleteLifecyclePolicy"):
        request = {**NAME, "registryId": "000000000000", "lifecyclePolicyText": GIVEN}
        code, message = api.refusal(verb, request, authorization("222222222222"))
        assert code == "AccessDeniedException"
        assert f"because no resource-based policy allows the ecr:{verb} action" in message


# --- Previews ----------------------------------------------------------------------------------------------


def test_preview_of_the_current_policy_is_in_progress(app: Repo) -> None:
    app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=GIVEN)
    started = {**ANSWER, "status": "IN_PROGRESS"}
    assert answer(app.ecr.start_lifecycle_policy_preview(**NAME)) == started
    assert answer(app.ecr.get_lifecycle_policy_preview(**NAME)) == {**started, "previewResults": []}


def test_preview_of_another_policy_needs_no_stored_one_and_echoes_the_text(app: Repo) -> None:
    started = app.ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=GIVEN)
    assert started["lifecyclePolicyText"] == GIVEN
    assert app.ecr.get_lifecycle_policy_preview(**NAME)["lifecyclePolicyText"] == GIVEN
    assert refusal(app.ecr.get_lifecycle_policy, **NAME) == NO_POLICY


def test_preview_without_any_policy_is_refused(app: Repo) -> None:
    assert refusal(app.ecr.start_lifecycle_policy_preview, **NAME) == NO_POLICY
    assert refusal(app.ecr.get_lifecycle_policy_preview, **NAME) == NO_PREVIEW


def test_preview_that_no_job_has_made_is_in_progress_and_not_started_twice(app: Repo, clock: Clock) -> None:
    app.ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=GIVEN)
    clock.advance(7 * 24 * 3600)
    assert refusal(app.ecr.start_lifecycle_policy_preview, **NAME, lifecyclePolicyText=GIVEN) == IN_PROGRESS
    assert app.ecr.get_lifecycle_policy_preview(**NAME)["status"] == "IN_PROGRESS"


def test_preview_keeps_its_text_when_the_policy_changes(app: Repo) -> None:
    app.ecr.put_lifecycle_policy(**NAME, lifecyclePolicyText=GIVEN)
    app.ecr.start_lifecycle_policy_preview(**NAME)
    app.ecr.delete_lifecycle_policy(**NAME)
    assert app.ecr.get_lifecycle_policy_preview(**NAME)["lifecyclePolicyText"] == COMPACT


def test_preview_paging_is_checked(emulator: Running, app: Repo, anything_goes: Config) -> None:
    app.ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=GIVEN)
    get = emulator.ecr(config=anything_goes).get_lifecycle_policy_preview
    assert refusal(get, **NAME, nextToken="x") == invalid("nextToken", "Invalid next token")
    assert refusal(get, **NAME, maxResults=0) == invalid(
        "maxResults", "Member must have value greater than or equal to 1"
    )
    assert refusal(get, **NAME, maxResults=101) == invalid(
        "maxResults", "Member must have value less than or equal to 100"
    )
    assert refusal(get, **NAME, filter={"tagStatus": "any"}) == invalid(
        "filter.tagStatus", "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]"
    )
    for member, value in (("nextToken", "x"), ("maxResults", 1)):
        got = refusal(get, **NAME, imageIds=[{"imageTag": "v1"}], **{member: value})
        assert got == invalid("imageIds", f"'imageIds' and '{member}' cannot be specified together")
    assert get(**NAME, maxResults=100, filter={"tagStatus": "ANY"})["previewResults"] == []
    assert get(**NAME, imageIds=[{"imageTag": "v1"}])["status"] == "IN_PROGRESS"


def test_token_of_another_listing_is_no_token_of_a_preview(app: Repo) -> None:
    app.push(b"one", "a", "b")
    token = app.ecr.list_images(**NAME, maxResults=1)["nextToken"]
    app.ecr.start_lifecycle_policy_preview(**NAME, lifecyclePolicyText=GIVEN)
    for text in (token, tampered(token)):
        got = refusal(app.ecr.get_lifecycle_policy_preview, **NAME, nextToken=text)
        assert got == invalid("nextToken", "Invalid next token")


def test_preview_of_another_account_is_closed(api: Api, app: Repo) -> None:
    for verb in ("StartLifecyclePolicyPreview", "GetLifecyclePolicyPreview"):
        request = {**NAME, "registryId": "000000000000"}
        code, _ = api.refusal(verb, request, authorization("222222222222"))
        assert code == "AccessDeniedException"


def test_position_of_a_fault_is_told_when_asked_for(start: Callable[..., Running]) -> None:
    """By a policy and by a template alike; ECR itself says no position, and nor does the default."""
    text = policy(rule(1, "untagged"), rule(2, "any", count=0))
    fault = "Lifecycle policy validation failure: numeric instance is lower than the required minimum"
    told = " The fault is at rules[1].selection.countNumber."
    for settings, position in (({"lifecycle_positions": True}, told), ({}, "")):
        ecr = start(**settings).ecr()
        ecr.create_repository(**NAME)
        of_template = {"prefix": "team", "appliedFor": ["CREATE_ON_PUSH"], "lifecyclePolicy": text}
        for got in (
            refusal(ecr.put_lifecycle_policy, **NAME, lifecyclePolicyText=text),
            refusal(ecr.create_repository_creation_template, **of_template),
        ):
            code, message = invalid("LifecyclePolicyText", f"{fault} (minimum: 1, found: 0)")
            assert got == (code, message + position)
