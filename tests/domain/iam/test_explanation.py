"""What `ecr-emu why` has to tell."""

import pytest

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.explanation import explain
from ecr_emu.domain.iam.policies import Source
from tests.domain.iam.samples import (
    BOB,
    OTHER,
    OWNER,
    REPOSITORY,
    SESSION,
    policy,
    request,
    resource_policy,
    statement,
)

ASKED = request(BOB, "ecr:BatchGetImage", context={"aws:sourceip": ("203.0.113.7",)})


def test_every_statement_of_every_policy_is_considered_in_order() -> None:
    boundary = policy(statement(Sid="B"), kind=policies.BOUNDARY)
    session = policy(statement(Sid="S"), kind=policies.SESSION)
    control = policy(statement(Sid="C"), statement("Deny", Sid="D"), kind=policies.SERVICE_CONTROL)
    told = explain(
        ASKED,
        identity=[policy(statement(Sid="I"))],
        boundary=boundary,
        session=[session],
        service_control=[control],
        resource=[resource_policy(Sid="R")],
    )
    assert [each.statement.sid for each in told] == ["C", "D", "R", "I", "B", "S"]
    assert [each.effect for each in told] == ["Allow", "Deny", "Allow", "Allow", "Allow", "Allow"]
    assert all(each.matched for each in told)
    assert explain(ASKED, identity=None) == ()


@pytest.mark.parametrize(
    ("elements", "missed", "wanted", "actual"),
    [
        (
            {"Principal": {"AWS": OTHER}, "Action": "s3:*"},
            "principal",
            (OTHER,),
            (f"arn:aws:iam::{OWNER}:user/staff/bob",),
        ),
        ({"NotPrincipal": {"AWS": BOB.arn}}, "NotPrincipal", (BOB.arn,), (BOB.arn,)),
        ({"Action": ["ecr:PutImage"]}, "action", ("ecr:PutImage",), ("ecr:BatchGetImage",)),
        ({"NotAction": "ecr:Batch*"}, "NotAction", ("ecr:Batch*",), ("ecr:BatchGetImage",)),
        (
            {"Resource": "arn:aws:ecr:*:*:repository/x"},
            "resource",
            ("arn:aws:ecr:*:*:repository/x",),
            (REPOSITORY,),
        ),
        ({"NotResource": "*"}, "NotResource", ("*",), (REPOSITORY,)),
        (
            {"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.1"]}}},
            "condition IpAddress aws:SourceIp",
            ("10.0.0.0/8", "192.0.2.1"),
            ("203.0.113.7",),
        ),
        (
            {
                "Condition": {
                    "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
                    "Bool": {"aws:SecureTransport": True},
                }
            },
            "condition Bool aws:SecureTransport",
            ("true",),
            (),
        ),
    ],
)
def test_the_first_thing_that_does_not_fit_is_told(
    elements: dict[str, object], missed: str, wanted: tuple[str, ...], actual: tuple[str, ...]
) -> None:
    (told,) = explain(ASKED, identity=[], resource=[resource_policy("Deny", **elements)])
    assert not told.matched
    assert (told.missed, told.wanted, told.actual) == (missed, wanted, actual)


def test_a_grant_that_does_not_suffice_says_so() -> None:
    told = explain(
        request(SESSION),
        identity=[],
        resource=[
            resource_policy(principal={"AWS": OWNER}),
            resource_policy(principal={"AWS": SESSION.role_arn}),
            resource_policy(principal={"AWS": SESSION.arn}),
            resource_policy("Deny", {"AWS": OWNER}),
        ],
    )
    assert [each.note.partition(":")[0] for each in told] == [
        "names the account only",
        "names the role or user of a session",
        "",
        "",
    ]
    assert told[0].statement == Source(policies.RESOURCE, policies.RESOURCE, 0, "")
