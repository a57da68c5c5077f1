"""When a pull is written down as lastRecordedPullTime (ECR user guide, pull-time update exclusions)."""

import re
from collections.abc import Iterable

# "Amazon ECR refreshes the last image pull timestamp at least once every 24 hours."
REFRESH_SECONDS = 24 * 3600

_SESSION = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>[0-9]+):assumed-role/(?P<role>[^/]+)/.+")
_ROLE = re.compile(r"arn:(?P<partition>[a-z-]+):iam::(?P<account>[0-9]+):role/(?:.+/)?(?P<role>[^/]+)")


def is_due(pulled_at: float | None, now: float) -> bool:
    """True when a pull now is to be recorded: none was, or that is a day ago."""
    return pulled_at is None or now - pulled_at >= REFRESH_SECONDS


def is_excluded(principal: str, exclusions: Iterable[str]) -> bool:
    """True when pulls by this ARN are not recorded. The session of a role means the role.

    A session's ARN leaves out the role's path; names of roles are unique in an account all the same.
    """
    session = _SESSION.fullmatch(principal)
    if session is None:
        return principal in exclusions
    return any(
        role is not None and role.groups() == session.groups() for role in map(_ROLE.fullmatch, exclusions)
    )
