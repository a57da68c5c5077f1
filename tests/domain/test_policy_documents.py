"""What a repository or registry policy must look like, and how ECR writes it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.policy_documents import (
    InvalidPolicy,
    named_principals,
    pretty,
    registry_policy,
    repository_policy,
)

ACCOUNT = "000000000000"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SAMPLE = """{
  "Version" : "2008-10-17",
  "Statement" : [ {
    "Sid" : "allow public pull",
    "Effect" : "Allow",
    "Principal" : "*",
    "Action" : [ "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer" ]
  } ]
}"""


def statement(drop: str = "", **elements: Any) -> dict[str, Any]:
    """A statement that lets all of the account pull, with other elements."""
    given = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:BatchGetImage", **elements}
    return {name: value for name, value in given.items() if name != drop}


def policy(*statements: Any, **elements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **elements}


def read(document: Any) -> Any:
    text = document if isinstance(document, str) else json.dumps(document)
    return repository_policy(text, json.loads)


@pytest.mark.parametrize(
    "document",
    [
        policy(statement()),
        policy(statement(), Version="2008-10-17", Id="mine"),
        {"Statement": statement()},
        policy(statement(Sid="new statement"), statement(Sid="new statement")),
        policy(statement(Sid="")),
        policy(statement(Effect="Deny", Principal="*")),
        policy(statement("Principal", NotPrincipal={"AWS": ROOT})),
        policy(statement("Action", NotAction=["ecr:PutImage"])),
        policy(statement(Action="*")),
        policy(statement(Action="ecr:*")),
        policy(statement(Action=["ECR:Get*", "ecr:?atchGetImage"])),
        policy(statement(Resource="*")),
        policy(statement(Resource=["arn:aws:ecr:us-east-1:000000000000:repository/a*"])),
        policy(statement(NotResource="arn:aws:ecr:*:*:repository/a")),
        policy(statement(Principal={"AWS": ["*", ACCOUNT, ROOT, "AIDACKCEVSQ6C2EXAMPLE"]})),
        policy(statement(Principal={"AWS": "arn:aws:iam::000000000000:role/path/name"})),
        policy(statement(Principal={"AWS": "arn:aws-cn:sts::000000000000:assumed-role/name/session"})),
        policy(statement(Principal={"Service": "codebuild.amazonaws.com"})),
        policy(
            statement(Principal={"Service": ["lambda.amazonaws.com", "ecs.amazonaws.com.cn"], "AWS": "*"})
        ),
        policy(statement(Principal={"Federated": "accounts.google.com", "CanonicalUser": "79a59d"})),
        policy(statement(Condition={})),
        policy(statement(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
        policy(statement(Condition={"ArnLike": {"aws:SourceArn": ["a", "b"]}, "Null": {"aws:k": "true"}})),
        policy(statement(Condition={"ForAnyValue:StringLikeIfExists": {"a:k": []}, "Bool": {"a:k": True}})),
        policy(
            statement(
                Condition={"NumericLessThanEquals": {"a:k": 5}, "DateGreaterThan": {"a:k": "2025-01-01"}}
            )
        ),
        policy(statement(Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}})),
    ],
)
def test_a_policy_is_read_as_it_is(document: Any) -> None:
    assert read(document) == document


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "{}",
        {"Version": "2012-10-17"},
        policy(),
        policy(statement(), Version="2013-10-17"),
        policy(statement(), Version=20121017),
        policy(statement(), Id=5),
        policy(statement(), Statements=[]),
        {"Statement": None},
        policy("x"),
        policy(statement(), []),
        policy(statement(Principals="*")),
        policy(statement("Effect")),
        policy(statement(Effect="allow")),
        policy(statement(Effect=["Allow"])),
        policy(statement(Sid=1)),
        policy(statement("Principal")),
        policy(statement(NotPrincipal="*")),
        policy(statement(Principal=ACCOUNT)),
        policy(statement(Principal={})),
        policy(statement(Principal=["*"])),
        policy(statement(Principal={"AWS": []})),
        policy(statement(Principal={"AWS": [5]})),
        policy(statement(Principal={"AWS": "12345"})),
        policy(statement(Principal={"AWS": "arn:aws:iam::000000000000:group/x"})),
        policy(statement(Principal={"AWS": "arn:aws:s3:::bucket"})),
        policy(statement(Principal={"Service": "codebuild"})),
        policy(statement(Principal={"User": "*"})),
        policy(statement("Action")),
        policy(statement(NotAction="ecr:*")),
        policy(statement(Action=[])),
        policy(statement(Action={"ecr": "*"})),
        policy(statement(Action="BatchGetImage")),
        policy(statement(Action="s3:GetObject")),
        policy(statement(Action=["ecr:BatchGetImage", "ecr:"])),
        policy(statement(Resource=[])),
        policy(statement(Resource="team/app")),
        policy(statement(Resource="*", NotResource="*")),
        policy(statement(Condition=None)),
        policy(statement(Condition=[])),
        policy(statement(Condition={"Equals": {"aws:k": "v"}})),
        policy(statement(Condition={"NullIfExists": {"aws:k": "true"}})),
        policy(statement(Condition={"StringEquals": "v"})),
        policy(statement(Condition={"StringEquals": {"aws:k": {"v": 1}}})),
        policy(statement(Condition={"StringEquals": {"aws:k": [None]}})),
    ],
)
def test_what_has_another_structure_is_refused(document: Any) -> None:
    with pytest.raises(InvalidPolicy):
        read(document)


RESOURCE = "arn:aws:ecr:us-east-1:000000000000:repository/*"


@pytest.mark.parametrize(
    ("scope", "is_taken", "elements"),
    [
        ("V2", True, {"Resource": RESOURCE}),
        ("V2", True, {"NotResource": RESOURCE}),
        ("V2", False, {}),
        ("V2", True, {"Resource": "*", "Action": "*"}),
        ("V1", False, {"Resource": RESOURCE}),
        ("V1", True, {"Resource": RESOURCE, "Action": "ecr:*"}),
        ("V1", True, {"Resource": RESOURCE, "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"]}),
        ("V1", True, {"Resource": RESOURCE, "Action": "ecr:BatchImportUpstreamImage"}),
        ("V1", False, {"Resource": RESOURCE, "Action": ["ecr:ReplicateImage", "ecr:PutImage"]}),
        ("V1", False, {"Resource": RESOURCE, "Action": "*"}),
    ],
)
def test_a_registry_policy_has_resources_and_in_v1_three_actions(
    scope: str, is_taken: bool, elements: dict[str, Any]
) -> None:
    text = json.dumps(policy(statement(**elements)))
    if is_taken:
        assert registry_policy(text, scope, json.loads) == json.loads(text)
    else:
        with pytest.raises(InvalidPolicy):
            registry_policy(text, scope, json.loads)


def test_an_exception_of_actions_is_beyond_scope_v1() -> None:
    text = json.dumps(policy(statement("Action", NotAction="ecr:PutImage", Resource="*")))
    assert registry_policy(text, "V2", json.loads)
    with pytest.raises(InvalidPolicy):
        registry_policy(text, "V1", json.loads)


def test_a_policy_is_written_as_in_the_samples_of_aws() -> None:
    assert pretty(json.loads(SAMPLE)) == SAMPLE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{ }"),
        ([], "[ ]"),
        ({"a": {}, "b": []}, '{\n  "a" : { },\n  "b" : [ ]\n}'),
        ([1, 1.5, True, False, None], "[ 1, 1.5, true, false, null ]"),
        ([[1], {"a": 1}], '[ [ 1 ], {\n  "a" : 1\n} ]'),
        ({"a": [{"b": {"c": 1}}]}, '{\n  "a" : [ {\n    "b" : {\n      "c" : 1\n    }\n  } ]\n}'),
        ('"\\/\b\f\n\r\t', r'"\"\\/\b\f\n\r\t"'),
        ("\x00\x1f\x7fé\u2028😀", '"\\u0000\\u001F\x7fé\u2028😀"'),
        ({'"': 1}, '{\n  "\\"" : 1\n}'),
    ],
)
def test_json_is_written_as_jackson_does(value: Any, text: str) -> None:
    assert pretty(value) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_what_is_written_says_the_same(value: Any) -> None:
    assert json.loads(pretty(value)) == value


@pytest.mark.parametrize(
    ("principal", "names"),
    [
        ("*", set()),
        ({"AWS": "*"}, set()),
        ({"Service": "codebuild.amazonaws.com"}, set()),
        ({"AWS": ["111111111111", ROOT], "Service": "codebuild.amazonaws.com"}, {"111111111111", ROOT}),
    ],
)
@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
def test_the_principals_of_aws_are_named(element: str, principal: Any, names: set[str]) -> None:
    one = {"Effect": "Deny", element: principal, "Action": "ecr:*"}
    assert named_principals({"Statement": [one, statement(Principal="*")]}) == names
