"""What a principal says about itself."""

import pytest

from ecr_emu.domain.iam.requests import Principal
from tests.domain.iam.samples import (
    ANYONE,
    BOB,
    CODEBUILD,
    FEDERATED,
    OTHER,
    OWNER,
    ROOT,
    SESSION,
    STRANGE_SESSION,
    STRANGER,
    request,
)

# IAM user guide, Variables and tags, Principal key values; and Global condition context keys.
DOCUMENTED = [
    (ROOT, "aws:principaltype", "Account"),
    (ROOT, "aws:userid", OWNER),
    (ROOT, "aws:username", None),
    (ROOT, "aws:principalarn", f"arn:aws:iam::{OWNER}:root"),
    (BOB, "aws:principaltype", "User"),
    (BOB, "aws:userid", "AIDABOBBOBBOBBOBBOBBO"),
    (BOB, "aws:username", "bob"),
    (BOB, "aws:principalarn", f"arn:aws:iam::{OWNER}:user/staff/bob"),
    (BOB, "aws:principalaccount", OWNER),
    (BOB, "aws:principalisawsservice", "false"),
    (BOB, "aws:principalservicename", None),
    (BOB, "aws:resourceaccount", OWNER),
    (STRANGER, "aws:userid", None),
    (SESSION, "aws:principaltype", "AssumedRole"),
    (SESSION, "aws:userid", "AROABUILDERBUILDERBUI:run-1"),
    (SESSION, "aws:username", None),
    (SESSION, "aws:principalarn", f"arn:aws:iam::{OWNER}:role/ci/builder"),
    (STRANGE_SESSION, "aws:principalarn", f"arn:aws:iam::{OTHER}:role/pull"),
    (STRANGE_SESSION, "aws:userid", None),
    (FEDERATED, "aws:principaltype", "FederatedUser"),
    (FEDERATED, "aws:userid", f"{OWNER}:guest"),
    (FEDERATED, "aws:username", None),
    (FEDERATED, "aws:principalarn", f"arn:aws:sts::{OWNER}:federated-user/guest"),
    (CODEBUILD, "aws:principalarn", None),
    (CODEBUILD, "aws:principalaccount", None),
    (CODEBUILD, "aws:principaltype", None),
    (CODEBUILD, "aws:principalisawsservice", "true"),
    (CODEBUILD, "aws:principalservicename", "codebuild.amazonaws.com"),
    (ANYONE, "aws:principaltype", "Anonymous"),
    (ANYONE, "aws:principalarn", None),
    (ANYONE, "aws:principalaccount", None),
    (ANYONE, "aws:userid", None),
]


@pytest.mark.parametrize(("principal", "key", "value"), DOCUMENTED)
def test_the_principal_gives_the_keys_that_the_guide_lists(
    principal: Principal, key: str, value: str | None
) -> None:
    assert request(principal).values_of(key) == (() if value is None else (value,))


def test_the_context_goes_before_the_principal() -> None:
    asked = request(context={"aws:username": ("carol",), "aws:userid": ()})
    assert asked.values_of("aws:username") == ("carol",)
    assert asked.values_of("aws:userid") == ()
    assert asked.values_of("aws:sourceip") == ()
