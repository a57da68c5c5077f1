"""Who may have images signed: the permissions of who pushes decide (ECR user guide, Managed signing)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients import digest_of
from tests.steps import (
    ARN,
    GUEST,
    IMAGE,
    LOG_IN,
    NAME,
    OWNER,
    REGION,
    Caller,
    Site,
    denied,
    identity_policy,
    of_identity,
    of_user,
    open_site,
    user,
)

PROFILE = f"arn:aws:signer:{REGION}:{OWNER}:/signing-profiles/release"
FOREIGN = PROFILE.replace(OWNER, GUEST)
STORING = [
    *("ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart"),
    *("ecr:CompleteLayerUpload", "ecr:PutImage"),
]
ALL = [*STORING, "signer:SignPayload"]


@pytest.fixture(params=["iam", "token", "open"])
def mode(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def site(tmp_path: Any, mode: str) -> Iterator[Site]:
    admin = user("admin", identity_policy(of_identity("Allow", ["ecr:*", "signer:*"])))
    with open_site(tmp_path, mode, {"users": [admin]}) as site:
        if mode == "iam":
            found = of_user(site, "admin")
            found.did("CreateRepository", repositoryName=NAME)
            found.push_image(NAME, "unsigned")
            sign_with(found, PROFILE)
        yield site


def sign_with(admin: Caller, *profiles: str) -> None:
    rules = [{"signingProfileArn": arn} for arn in profiles]
    admin.did("PutSigningConfiguration", signingConfiguration={"rules": rules})


def allow(site: Site, *actions: str, profile: str = PROFILE, **more: Any) -> Caller:
    """A user who may do these things to the repository and the profile, and nothing else."""
    of_ecr = [action for action in actions if action.startswith("ecr:")]
    statements = [of_identity("Allow", of_ecr, ARN)]
    if "signer:SignPayload" in actions:
        statements.append(of_identity("Allow", "signer:SignPayload", profile))
    site.put({"users": [user("pusher", LOG_IN, identity_policy(*statements), **more)]})
    return of_user(site, "pusher")


def push(caller: Caller, tag: str = "v1") -> list[Any]:
    """Push by tag, sign what is to be signed, and return the statuses."""
    assert caller.v2("PUT", f"{NAME}/manifests/{tag}", IMAGE).status == 201
    caller.site.application.runner.run_due()
    admin = of_user(caller.site, "admin")
    members = {"repositoryName": NAME, "imageId": {"imageDigest": digest_of(IMAGE)}}
    found: list[Any] = admin.did("DescribeImageSigningStatus", **members)["signingStatuses"]
    return found


def signatures(site: Site) -> int:
    admin = of_user(site, "admin")
    members = {"repositoryName": NAME, "subjectId": {"imageDigest": digest_of(IMAGE)}}
    return len(admin.did("ListImageReferrers", **members)["referrers"])


@pytest.mark.parametrize("mode", ["iam"], indirect=True)
class TestIam:
    @pytest.mark.parametrize("lacking", [one for one in ALL if one != "ecr:PutImage"])
    def test_each_permission_is_needed_and_the_push_succeeds_without(self, site: Site, lacking: str) -> None:
        caller = allow(site, *(one for one in ALL if one != lacking))
        resource = PROFILE if lacking == "signer:SignPayload" else ARN
        clause = f"because no identity-based policy allows the {lacking} action"
        assert push(caller) == [
            {
                "signingProfileArn": PROFILE,
                "status": "FAILED",
                "failureCode": "AccessDeniedException",
                "failureReason": denied(caller.arn, lacking, clause, resource),
            }
        ]
        assert signatures(site) == 0

    def test_with_all_permissions_it_is_signed(self, site: Site) -> None:
        assert push(allow(site, *ALL)) == [{"signingProfileArn": PROFILE, "status": "COMPLETE"}]
        assert signatures(site) == 1

    def test_a_refused_signature_is_made_when_somebody_else_pushes(self, site: Site) -> None:
        caller = allow(site, *STORING)
        assert push(caller)[0]["status"] == "FAILED"
        assert push(of_user(site, "admin"), "v2")[0]["status"] == "COMPLETE"
        # A signature that is there stays, whoever pushes.
        assert push(caller, "v3")[0]["status"] == "COMPLETE"
        assert signatures(site) == 1

    def test_the_permission_is_asked_of_the_profile(self, site: Site) -> None:
        caller = allow(site, *ALL, profile=PROFILE.replace("release", "other"))
        assert push(caller)[0]["failureReason"].startswith(f"User: {caller.arn} is not authorized to perform")

    def test_a_boundary_holds_for_signing_too(self, site: Site) -> None:
        boundary = {
            "name": "boundary",
            "document": identity_policy(of_identity("Allow", "ecr:*"))["document"],
        }
        caller = allow(site, *ALL, boundary=boundary)
        clause = "because no permissions boundary allows the signer:SignPayload action"
        assert push(caller)[0]["failureReason"] == denied(caller.arn, "signer:SignPayload", clause, PROFILE)

    def test_a_profile_of_another_account_asks_the_pusher_only(self, site: Site) -> None:
        sign_with(of_user(site, "admin"), FOREIGN)
        assert push(allow(site, *ALL))[0]["status"] == "FAILED"
        assert push(allow(site, *ALL, profile=FOREIGN), "v2") == [
            {"signingProfileArn": FOREIGN, "status": "COMPLETE"}
        ]

    def test_what_is_decided_later_changes_nothing(self, site: Site) -> None:
        """The identity of the push counts: nobody is asked again when the signature is made."""
        caller = allow(site, *ALL)
        assert caller.v2("PUT", f"{NAME}/manifests/v1", IMAGE).status == 201
        site.put({"users": [user("pusher", LOG_IN)]})
        site.application.runner.run_due()
        assert signatures(site) == 1

    def test_the_decisions_are_told(self, site: Site) -> None:
        caller = allow(site, *STORING)
        push(caller)
        (record,) = [
            one
            for one in site.application.emulator.decisions.last(100)
            if one.request.action == "signer:SignPayload" and one.request.principal.arn == caller.arn
        ]
        assert (record.request.resource, record.decision.allowed) == (PROFILE, False)


@pytest.mark.parametrize("mode", ["token", "open"], indirect=True)
def test_without_identity_policies_everybody_may(site: Site) -> None:
    anybody = Caller(site, "", "AKIAANY", "any")
    anybody.did("CreateRepository", repositoryName=NAME)
    anybody.push_image(NAME, "unsigned")
    sign_with(anybody, PROFILE)
    assert anybody.v2("PUT", f"{NAME}/manifests/v1", IMAGE).status == 201
    site.application.runner.run_due()
    members = {"repositoryName": NAME, "imageId": {"imageDigest": digest_of(IMAGE)}}
    found = anybody.did("DescribeImageSigningStatus", **members)["signingStatuses"]
    assert found == [{"signingProfileArn": PROFILE, "status": "COMPLETE"}]
