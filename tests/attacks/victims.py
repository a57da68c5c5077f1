"""Who there is in the emulator that is attacked, and what a refusal is."""

from typing import Any

from tests.clients import Reply
from tests.steps import (
    GUEST,
    LAYER,
    LOG_IN,
    NAME,
    OWNER,
    REGION,
    identity_policy,
    of_identity,
    user,
)

EVERYTHING = identity_policy(of_identity("Allow", "ecr:*"))
PUBLIC = "public/app"
MANIFEST = f"{NAME}/manifests/v1"


def repository(pattern: str) -> str:
    return f"arn:aws:ecr:{REGION}:{OWNER}:repository/{pattern}"


def allow_on(pattern: str) -> dict[str, Any]:
    return identity_policy(of_identity("Allow", "ecr:*", repository(pattern)))


PRINCIPALS = {
    "users": [
        user("admin", EVERYTHING),
        user("guest", EVERYTHING, account=GUEST),
        user("public", LOG_IN, allow_on(PUBLIC)),
        user("short", LOG_IN, allow_on("aa")),
        user("team", LOG_IN, allow_on("team-*")),
        user("own", LOG_IN, allow_on("${aws:username}/*")),
        user("starry", LOG_IN, allow_on("${aws:PrincipalTag/team}/app"), tags={"team": "*"}),
        user("mortal", EVERYTHING),
    ]
}


def check_refused(reply: Reply, *statuses: int) -> None:
    """A client error, which shows nothing of an image."""
    assert 400 <= reply.status < 500, (reply.status, reply.body)
    assert not statuses or reply.status in statuses, (reply.status, reply.body)
    assert "docker-content-digest" not in reply.headers
    assert reply.body != LAYER
