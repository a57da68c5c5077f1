"""When pulls are recorded, and whose are not."""

import pytest

from ecr_emu.domain.pull_times import REFRESH_SECONDS, is_due, is_excluded

NOW = 1_750_000_000.0
ROLE = "arn:aws:iam::111111111111:role/scanner"
DEEP_ROLE = "arn:aws:iam::111111111111:role/teams/a/scanner"
USER = "arn:aws:iam::111111111111:user/ops/ann"
SESSION = "arn:aws:sts::111111111111:assumed-role/scanner/nightly"


@pytest.mark.parametrize(
    ("pulled_at", "due"),
    [
        (None, True),
        (NOW, False),
        (NOW - REFRESH_SECONDS + 1, False),
        (NOW - REFRESH_SECONDS, True),
        (NOW - 2 * REFRESH_SECONDS, True),
        (NOW + 5, False),
    ],
)
def test_pull_is_recorded_when_the_last_record_is_a_day_old(pulled_at: float | None, due: bool) -> None:
    assert is_due(pulled_at, NOW) is due


@pytest.mark.parametrize(
    ("principal", "exclusions", "excluded"),
    [
        (USER, [USER], True),
        (ROLE, [ROLE], True),
        (SESSION, [ROLE], True),
        (SESSION, [DEEP_ROLE], True),
        (SESSION, [USER, ROLE], True),
        (SESSION, [], False),
        (SESSION, ["arn:aws:iam::111111111111:role/scanner2"], False),
        (SESSION, ["arn:aws:iam::222222222222:role/scanner"], False),
        (SESSION, ["arn:aws-cn:iam::111111111111:role/scanner"], False),
        (SESSION, ["arn:aws:iam::111111111111:user/scanner"], False),
        ("arn:aws:iam::111111111111:user/ann", [USER], False),
        ("arn:aws:iam::111111111111:root", [ROLE, USER], False),
    ],
)
def test_session_of_a_role_means_the_role(principal: str, exclusions: list[str], excluded: bool) -> None:
    assert is_excluded(principal, exclusions) is excluded
