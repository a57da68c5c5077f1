"""Reading policy documents: IAM user guide, Grammar of the IAM JSON policy language."""

from typing import Any

import pytest

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.policies import BOUNDARY, ENDPOINT, IDENTITY, KINDS, RESOURCE, Source
from tests.domain.iam.samples import statement


def parse(entry: Any, kind: str = IDENTITY, **elements: Any) -> policies.Policy:
    return policies.parse({"Version": "2012-10-17", "Statement": entry} | elements, kind, "p")


def test_one_statement_needs_no_list_and_every_statement_knows_its_place() -> None:
    assert parse(statement(Sid="Only")).statements[0].source == Source(IDENTITY, "p", 0, "Only")
    read = parse([statement(), statement("Deny", Sid="No")])
    assert [each.source.index for each in read.statements] == [0, 1]
    assert [each.source.sid for each in read.denials] == ["No"]
    assert [each.source.sid for each in read.allowances] == [""]


def test_a_repository_policy_needs_no_resource() -> None:
    """Amazon ECR user guide, Private repository policy examples: none of the older ones has one."""
    read = parse({"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}, RESOURCE, Id="x")
    assert read.statements[0].resources.everything


def test_a_policy_without_a_version_is_of_the_older_language() -> None:
    entry = statement(Resource="arn:aws:ecr:${aws:username}")
    old = policies.parse({"Statement": entry}, IDENTITY, "p")
    assert old.statements[0].resources.exact == {"arn:aws:ecr:${aws:username}"}


PRINCIPAL = {"Principal": "*"}


@pytest.mark.parametrize(
    ("entry", "kind", "problem"),
    [
        (None, IDENTITY, "no Statement"),
        ([], IDENTITY, "no Statement"),
        ("Allow", IDENTITY, "no Statement"),
        ([statement(), 3], IDENTITY, "no Statement"),
        (statement(Sid=3), IDENTITY, "Sid is not text"),
        (statement(Efect="Allow"), IDENTITY, "Statement[0]: unknown element Efect"),
        (statement("allow"), IDENTITY, "Statement[0]: Effect is Allow or Deny, not allow"),
        (statement("Al\nlow"), IDENTITY, "Statement[0]: Effect is Allow or Deny, not Al low"),
        ([statement(), {"Action": "*"}], IDENTITY, "Statement[1]: Effect is Allow or Deny, not None"),
        (statement() | {"NotAction": "*"}, IDENTITY, "Statement[0]: both Action and NotAction"),
        (statement() | {"NotResource": "*"}, IDENTITY, "Statement[0]: both Resource and NotResource"),
        ({"Effect": "Deny", "Action": "*"}, IDENTITY, "Statement[0]: neither Resource nor NotResource"),
        ({"Effect": "Deny", "Resource": "*"}, IDENTITY, "Statement[0]: neither Action nor NotAction"),
        (statement(Action=[]), IDENTITY, "Statement[0]: Action is not text"),
        (statement(Action=""), IDENTITY, "Statement[0]: Action is not text"),
        (statement(Action="BatchGetImage"), IDENTITY, "Statement[0]: BatchGetImage is no action"),
        (statement(Action="e?r:BatchGetImage"), IDENTITY, "Statement[0]: e?r:BatchGetImage is no action"),
        (statement(Resource="repo"), IDENTITY, "Statement[0]: resource repo is neither an ARN nor *"),
        (
            statement(Resource="arn:aws:ecr:*:${aws:PrincipalAccount}:x"),
            IDENTITY,
            "Statement[0]: a variable before the fifth colon of arn:aws:ecr:*:${aws:PrincipalAccount}:x",
        ),
        (statement(**PRINCIPAL), IDENTITY, f"Statement[0]: no {IDENTITY} names a principal"),
        (statement(NotPrincipal="*"), BOUNDARY, f"Statement[0]: no {BOUNDARY} names a principal"),
        (
            statement() | PRINCIPAL | {"NotPrincipal": "*"},
            RESOURCE,
            "Statement[0]: both Principal and NotPrincipal",
        ),
        (statement(), RESOURCE, "Statement[0]: neither Principal nor NotPrincipal"),
        (
            {"Effect": "Deny", "Action": "*"} | PRINCIPAL,
            ENDPOINT,
            "Statement[0]: neither Resource nor NotResource",
        ),
        (statement(Principal="bob"), RESOURCE, "Statement[0]: Principal is * or an object"),
        (statement(Principal={}), RESOURCE, "Statement[0]: Principal is * or an object"),
        (statement(Principal={"User": "x"}), RESOURCE, "Statement[0]: unknown element User"),
        (statement(Principal={"AWS": []}), RESOURCE, "Statement[0]: Principal AWS is not text"),
        (statement(Principal={"AWS": 1}), RESOURCE, "Statement[0]: Principal AWS is not text"),
        (
            statement(Principal={"AWS": "arn:aws:iam::111122223333:user/*"}),
            RESOURCE,
            "Statement[0]: a wildcard in principal arn:aws:iam::111122223333:user/*",
        ),
        (
            statement(Principal={"AWS": "*", "Service": "*"}),
            RESOURCE,
            "Statement[0]: a wildcard in principal *",
        ),
        (statement(Condition=3), IDENTITY, "Statement[0]: Condition is not an object"),
        (statement(), "trust policy", "there is no trust policy"),
    ],
)
def test_what_iam_refuses_is_refused_in_one_line(entry: Any, kind: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"\Ap: [^\n]+\Z") as refusal:
        parse(entry, kind)
    assert str(refusal.value) == f"p: {problem}"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "a policy is a JSON object"),
        ({"Version": "2020-01-01"}, "there is no Version 2020-01-01"),
        ({"Statements": []}, "unknown element Statements"),
    ],
)
def test_a_document_that_is_no_policy_is_refused(document: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        policies.parse(document, IDENTITY, "p")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_read(kind: str) -> None:
    named = PRINCIPAL if kind in (RESOURCE, ENDPOINT) else {}
    assert parse(statement(**named), kind).kind == kind
