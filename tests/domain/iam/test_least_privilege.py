"""The smallest policy: it allows what was done, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_emu.domain.iam import policies
from ecr_emu.domain.iam.evaluation import evaluate
from ecr_emu.domain.iam.least_privilege import policy
from ecr_emu.domain.iam.requests import Principal, Request

ACCOUNT = "111122223333"
REPOSITORIES = [f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}" for name in ("a", "a/b", "ab", "b")]
ACTIONS = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage", "ecr:ListImages"]
PAIRS = [(action, resource) for action in ACTIONS for resource in REPOSITORIES]
PRINCIPAL = Principal(f"arn:aws:iam::{ACCOUNT}:user/u", ACCOUNT, "user")


@given(st.sets(st.sampled_from(PAIRS), min_size=1))
def test_it_allows_what_was_done_and_nothing_else(done: set[tuple[str, str]]) -> None:
    written = policies.parse(policy(done), policies.IDENTITY, "made")
    allowed = {
        pair for pair in PAIRS if evaluate(Request(PRINCIPAL, *pair, ACCOUNT, {}), identity=[written]).allowed
    }
    assert allowed == done


def test_resources_that_need_the_same_share_a_statement() -> None:
    first, second = REPOSITORIES[:2]
    uses = [(ACTIONS[1], second), (ACTIONS[0], second), (ACTIONS[0], first), (ACTIONS[1], first)]
    assert policy([*uses, *uses, ("ecr:GetAuthorizationToken", "*")]) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Statement1", "Effect": "Allow", "Action": ACTIONS[:2], "Resource": [first, second]},
            {
                "Sid": "Statement2",
                "Effect": "Allow",
                "Action": ["ecr:GetAuthorizationToken"],
                "Resource": ["*"],
            },
        ],
    }


def test_there_is_no_policy_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing was done"):
        policy([])
