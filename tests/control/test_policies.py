"""Operations on repository policies and the registry's policy."""

import json
from typing import Any

import pytest

from tests.clients import Running
from tests.control.calls import Api, Repo, authorization, invalid, refusal

BAD = invalid("PolicyText", "Invalid repository policy provided")
BAD_REGISTRY = invalid("PolicyText", "Invalid registry policy provided")
NO_REPOSITORY = (
    "RepositoryNotFoundException",
    "The repository with name 'gone' does not exist in the registry with id '000000000000'",
)
NO_POLICY = (
    "RepositoryPolicyNotFoundException",
    "Repository policy does not exist for the repository with name 'team/app' "
    "in the registry with id '000000000000'",
)
NO_REGISTRY_POLICY = (
    "RegistryPolicyNotFoundException",
    "Registry policy does not exist in the registry with id '000000000000'",
)
GIVEN = """
{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["ecr:BatchGetImage","ecr:PutImage"]},
"Id":"mine"}"""
PRETTY = """{
  "Statement" : {
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "ecr:BatchGetImage", "ecr:PutImage" ]
  },
  "Id" : "mine"
}"""
ANSWER = {"registryId": "000000000000", "repositoryName": "team/app", "policyText": PRETTY}


def answer(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


def policy(**elements: Any) -> str:
    """A policy of one statement, with a resource, as JSON."""
    resource = "arn:aws:ecr:us-east-1:000000000000:repository/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:ReplicateImage", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **elements}]})


def test_policy_is_set_got_and_deleted_in_its_pretty_form(app: Repo) -> None:
    name = {"repositoryName": "team/app"}
    assert answer(app.ecr.set_repository_policy(**name, policyText=GIVEN)) == ANSWER
    assert answer(app.ecr.get_repository_policy(**name)) == ANSWER
    assert answer(app.ecr.delete_repository_policy(**name)) == ANSWER
    assert refusal(app.ecr.get_repository_policy, **name) == NO_POLICY


def test_policy_that_is_set_again_is_replaced(app: Repo) -> None:
    app.ecr.set_repository_policy(repositoryName="team/app", policyText=GIVEN)
    app.ecr.set_repository_policy(repositoryName="team/app", policyText=policy())
    text = app.ecr.get_repository_policy(repositoryName="team/app")["policyText"]
    assert json.loads(text) == json.loads(policy())


def test_repository_has_no_policy_at_first(app: Repo) -> None:
    assert refusal(app.ecr.get_repository_policy, repositoryName="team/app") == NO_POLICY
    assert refusal(app.ecr.delete_repository_policy, repositoryName="team/app") == NO_POLICY


def test_policy_needs_its_repository(ecr: Any) -> None:
    assert refusal(ecr.set_repository_policy, repositoryName="gone", policyText=GIVEN) == NO_REPOSITORY
    assert refusal(ecr.get_repository_policy, repositoryName="gone") == NO_REPOSITORY
    assert refusal(ecr.delete_repository_policy, repositoryName="gone") == NO_REPOSITORY


def test_policy_goes_with_its_repository(app: Repo) -> None:
    app.ecr.set_repository_policy(repositoryName="team/app", policyText=GIVEN)
    app.ecr.delete_repository(repositoryName="team/app")
    app.ecr.create_repository(repositoryName="team/app")
    assert refusal(app.ecr.get_repository_policy, repositoryName="team/app") == NO_POLICY


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "{}", "[" * 5000, '{"Id":"\\ud800"}', policy(Effect="Maybe"), policy(Action="s3:*")],
)
def test_bad_policy_is_refused_and_changes_nothing(app: Repo, text: str) -> None:
    app.ecr.set_repository_policy(repositoryName="team/app", policyText=GIVEN)
    assert refusal(app.ecr.set_repository_policy, repositoryName="team/app", policyText=text) == BAD
    assert app.ecr.get_repository_policy(repositoryName="team/app")["policyText"] == PRETTY


def test_policy_text_has_a_largest_length(app: Repo) -> None:
    short = policy(Sid="")
    longest = policy(Sid="x" * (10240 - len(short)))
    app.ecr.set_repository_policy(repositoryName="team/app", policyText=longest)
    too_long = invalid("policyText", "Member must have length less than or equal to 10240")
    got = refusal(app.ecr.set_repository_policy, repositoryName="team/app", policyText=longest + " ")
    assert got == too_long
    assert refusal(app.ecr.put_registry_policy, policyText=longest + " ") == too_long


def test_policy_that_locks_its_author_out_must_be_forced(app: Repo) -> None:
    request = {"repositoryName": "team/app", "policyText": policy(Effect="Deny", Action="ecr:*")}
    assert refusal(app.ecr.set_repository_policy, **request) == BAD
    assert refusal(app.ecr.set_repository_policy, **request, force=False) == BAD
    assert app.ecr.set_repository_policy(**request, force=True)["repositoryName"] == "team/app"


@pytest.mark.parametrize(
    ("is_locked", "elements"),
    [
        (True, {"Principal": {"AWS": "*"}}),
        (True, {"Principal": {"AWS": ["111111111111", "000000000000"]}}),
        (True, {"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}),
        (True, {"Action": ["ecr:PutImage", "ecr:set*Policy"]}),
        (True, {"Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}),
        (True, {"NotPrincipal": {"AWS": "111111111111"}, "Principal": None}),
        (True, {"NotAction": "ecr:BatchGetImage", "Action": None}),
        (False, {"NotPrincipal": {"AWS": "arn:aws:iam::000000000000:root"}, "Principal": None}),
        (False, {"NotAction": "ecr:Set*", "Action": None}),
        (False, {"Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}),
        (False, {"Principal": {"AWS": "111111111111"}}),
        (False, {"Principal": {"Service": "codebuild.amazonaws.com"}}),
        (False, {"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}),
    ],
)
def test_who_could_not_set_the_next_policy_is_locked_out(
    app: Repo, is_locked: bool, elements: dict[str, Any]
) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "ecr:*", **elements}
    statement = {name: value for name, value in deny.items() if value is not None}
    request = {"repositoryName": "team/app", "policyText": json.dumps({"Statement": [statement]})}
    if is_locked:
        assert refusal(app.ecr.set_repository_policy, **request) == BAD
        assert refusal(app.ecr.get_repository_policy, repositoryName="team/app") == NO_POLICY
    else:
        app.ecr.set_repository_policy(**request)


def test_policy_of_another_account_is_closed(api: Api, app: Repo) -> None:
    for operation in ("SetRepositoryPolicy", "GetRepositoryPolicy", "DeleteRepositoryPolicy"):
        request = {"repositoryName": "team/app", "registryId": "000000000000", "policyText": GIVEN}
        code, message = api.refusal(operation, request, authorization("222222222222"))
        assert code == "AccessDeniedException"
        assert (
            f"ecr:{operation} on resource: arn:aws:ecr:us-east-1:000000000000:repository/team/app" in message
        )


def test_each_region_has_its_own_policies(emulator: Running, app: Repo) -> None:
    app.ecr.set_repository_policy(repositoryName="team/app", policyText=GIVEN)
    app.ecr.put_registry_policy(policyText=policy())
    there = emulator.ecr(region="eu-west-1")
    there.create_repository(repositoryName="team/app")
    assert refusal(there.get_repository_policy, repositoryName="team/app") == NO_POLICY
    assert refusal(there.get_registry_policy) == NO_REGISTRY_POLICY


def test_registry_policy_is_put_got_and_deleted_in_its_pretty_form(ecr: Any) -> None:
    wanted = {
        "registryId": "000000000000",
        "policyText": """{
  "Version" : "2012-10-17",
  "Statement" : [ {
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "111111111111"
    },
    "Action" : [ "ecr:CreateRepository", "ecr:ReplicateImage" ],
    "Resource" : "arn:aws:ecr:us-east-1:000000000000:repository/*"
  } ]
}""",
    }
    given = policy(Principal={"AWS": "111111111111"}, Action=["ecr:CreateRepository", "ecr:ReplicateImage"])
    assert answer(ecr.put_registry_policy(policyText=given)) == wanted
    assert answer(ecr.get_registry_policy()) == wanted
    assert answer(ecr.delete_registry_policy()) == wanted
    assert refusal(ecr.get_registry_policy) == NO_REGISTRY_POLICY


def test_registry_has_no_policy_at_first(ecr: Any) -> None:
    assert refusal(ecr.get_registry_policy) == NO_REGISTRY_POLICY
    assert refusal(ecr.delete_registry_policy) == NO_REGISTRY_POLICY


@pytest.mark.parametrize("text", ["", "x", "{}", GIVEN, policy(Resource="team/app"), policy(Principal={})])
def test_bad_registry_policy_is_refused(ecr: Any, text: str) -> None:
    assert refusal(ecr.put_registry_policy, policyText=text) == BAD_REGISTRY
    assert refusal(ecr.get_registry_policy) == NO_REGISTRY_POLICY


def test_each_account_has_its_own_registry_policy(emulator: Running, ecr: Any) -> None:
    ecr.put_registry_policy(policyText=policy())
    other = emulator.ecr("111111111111")
    code, message = refusal(other.get_registry_policy)
    assert code == "RegistryPolicyNotFoundException"
    assert message == "Registry policy does not exist in the registry with id '111111111111'"
    other.put_registry_policy(policyText=policy(Sid="other"))
    assert "other" not in ecr.get_registry_policy()["policyText"]


def test_registry_policy_of_scope_v2_takes_any_action(ecr: Any) -> None:
    assert ecr.put_registry_policy(policyText=policy(Action="ecr:PutImage"))["registryId"] == "000000000000"


def test_registry_policy_of_scope_v1_takes_three_actions(emulator: Running, ecr: Any) -> None:
    ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
    assert refusal(ecr.put_registry_policy, policyText=policy(Action="ecr:PutImage")) == BAD_REGISTRY
    assert ecr.put_registry_policy(policyText=policy(Action="ecr:*"))["registryId"] == "000000000000"
    there = emulator.ecr(region="eu-west-1")
    assert there.put_registry_policy(policyText=policy(Action="ecr:PutImage"))["policyText"]
