"""What each step of a push and a pull takes, with `--auth iam`: its own action, and no other.

The actions are those of the reference (data plane 0, control plane 7.4), not of the code.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.clients import Reply, digest_of
from tests.steps import (
    ACTIONS,
    ARN,
    CONFIG,
    GUEST,
    IMAGE,
    LAYER,
    LOG_IN,
    NAME,
    NOBODYS,
    OWNER,
    PULL,
    PUSH,
    STEPS,
    Caller,
    Site,
    Step,
    basic,
    check,
    denied,
    identity_policy,
    of_identity,
    of_user,
    open_site,
    set_registry_policy,
    set_repository_policy,
    statement,
    user,
)

SAYS = ("Allow", "nothing", "Deny")
ADMIN = identity_policy(of_identity("Allow", "ecr:*"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    users = [user("admin", ADMIN), user("one"), user("guest", ADMIN, account=GUEST)]
    with open_site(tmp_path_factory.mktemp("steps"), "iam", {"users": users}) as site:
        admin = of_user(site, "admin")
        for name in (NAME, "team/other"):
            admin.did("CreateRepository", repositoryName=name)
            admin.push_image(name)
        yield site


@pytest.fixture
def admin(site: Site) -> Iterator[Caller]:
    """Who sets the policies, which are gone after the test."""
    admin = of_user(site, "admin")
    yield admin
    for name in (NAME, "team/other"):
        admin.api("DeleteRepositoryPolicy", repositoryName=name)
    admin.api("DeleteRegistryPolicy")


def one(site: Site, *policies: Any) -> Caller:
    """A user who has these policies and no others."""
    site.put({"users": [{"name": "one", "account": OWNER, "policies": list(policies)}]})
    return of_user(site, "one")


def allow_one(site: Site, *actions: str, resource: str = ARN) -> Caller:
    """A user who may do this and log in, and nothing else."""
    allowed = [identity_policy(of_identity("Allow", list(actions), resource))] if actions else []
    return one(site, LOG_IN, *allowed)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_each_step_needs_its_own_action_and_no_other(step: Step, site: Site) -> None:
    check(step, allow_one(site, step.action), "")
    without = [action for action in ACTIONS if action != step.action]
    check(
        step, allow_one(site, *without), f"because no identity-based policy allows the {step.action} action"
    )


NEEDED = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]


@pytest.mark.parametrize("lacking", [*NEEDED, ""])
def test_a_layer_in_one_post_needs_all_three_actions(lacking: str, site: Site) -> None:
    caller = allow_one(site, *(action for action in NEEDED if action != lacking))
    content = f"a layer without {lacking}".encode()
    reply = caller.v2("POST", f"{NAME}/blobs/uploads/?digest={digest_of(content)}", content)
    check_upload(reply, caller, lacking, site, content)


@pytest.mark.parametrize("lacking", ["ecr:UploadLayerPart", "ecr:CompleteLayerUpload", ""])
def test_a_put_that_brings_bytes_uploads_a_part(lacking: str, site: Site) -> None:
    caller = allow_one(site, *(action for action in NEEDED if action != lacking))
    begun = caller.v2("POST", f"{NAME}/blobs/uploads/").headers["location"].rpartition("/")[2]
    content = f"a layer whose PUT lacks {lacking}".encode()
    reply = caller.v2("PUT", f"{NAME}/blobs/uploads/{begun}?digest={digest_of(content)}", content)
    check_upload(reply, caller, lacking, site, content)


def check_upload(reply: Reply, caller: Caller, lacking: str, site: Site, content: bytes) -> None:
    """The upload ended in a stored layer, or nothing was stored and the action that lacks is named."""
    is_there = of_user(site, "admin").v2("HEAD", f"{NAME}/blobs/{digest_of(content)}").status
    if not lacking:
        assert (reply.status, is_there) == (201, 200)
        return
    clause = f"because no identity-based policy allows the {lacking} action"
    assert (reply.status, is_there) == (403, 404)
    assert reply.error == ("DENIED", denied(caller.arn, lacking, clause))


@pytest.mark.parametrize("lacking", ["ecr:CreateRepository", ""])
@pytest.mark.parametrize("kind", ["uploads", "manifests"])
def test_a_push_that_makes_its_repository_takes_the_permission_to(
    kind: str, lacking: str, site: Site, admin: Caller
) -> None:
    """Creating a repository with a push: a template does not lend the rights of its maker."""
    name = f"made/by-{kind}-{bool(lacking)}".lower()
    admin.api("CreateRepositoryCreationTemplate", prefix="made", appliedFor=["CREATE_ON_PUSH"])
    action, method, path, body = {
        "uploads": ("ecr:InitiateLayerUpload", "POST", "blobs/uploads/", b""),
        "manifests": ("ecr:PutImage", "PUT", "manifests/v1", IMAGE),
    }[kind]
    actions = [one for one in (action, "ecr:CreateRepository") if one != lacking]
    caller = allow_one(site, *actions, resource=ARN.replace(NAME, name))
    reply = caller.v2(method, f"{name}/{path}", body)
    is_there = admin.api("DescribeRepositories", repositoryNames=[name]).status == 200
    if not lacking:
        # The layers of the image are not there; the repository is.
        assert (reply.status, is_there) == ({"uploads": 202, "manifests": 404}[kind], True)
        return
    clause = f"because no identity-based policy allows the {lacking} action"
    assert reply.error == ("DENIED", denied(caller.arn, lacking, clause, ARN.replace(NAME, name)))
    assert not is_there


# whole pushes and pulls


class Refused(Exception):
    """The first 403: docker ends there."""


def ask(caller: Caller, statuses: list[int], method: str, path: str, body: bytes = b"") -> Reply:
    """A request whose status is written down."""
    reply = caller.v2(method, path, body)
    statuses.append(reply.status)
    if reply.status == 403:
        raise Refused
    return reply


def pull(caller: Caller) -> list[int]:
    """What docker pull asks, and the statuses it gets."""
    statuses: list[int] = []
    with suppress(Refused):
        ask(caller, statuses, "HEAD", f"{NAME}/manifests/v1")
        ask(caller, statuses, "GET", f"{NAME}/manifests/{digest_of(IMAGE)}")
        for blob in (CONFIG, LAYER):
            ask(caller, statuses, "GET", f"{NAME}/blobs/{digest_of(blob)}")
    return statuses


def push(caller: Caller, name: str) -> list[int]:
    """What docker push asks, and the statuses it gets."""
    statuses: list[int] = []
    with suppress(Refused):
        for blob in (CONFIG, LAYER):
            ask(caller, statuses, "HEAD", f"{name}/blobs/{digest_of(blob)}")
            begun = ask(caller, statuses, "POST", f"{name}/blobs/uploads/")
            upload = begun.headers["location"].partition("/v2/")[2]
            ask(caller, statuses, "PATCH", upload, blob)
            ask(caller, statuses, "PUT", f"{upload}?digest={digest_of(blob)}")
        ask(caller, statuses, "HEAD", f"{name}/manifests/v1")
        ask(caller, statuses, "PUT", f"{name}/manifests/v1", IMAGE)
        ask(caller, statuses, "HEAD", f"{name}/manifests/v1")
    return statuses


@pytest.mark.parametrize("lacking", [*PULL, ""])
def test_a_pull_takes_exactly_the_documented_actions(lacking: str, site: Site) -> None:
    caller = allow_one(site, *(action for action in PULL if action != lacking))
    assert pull(caller) == {"ecr:BatchGetImage": [403], PULL[1]: [200, 200, 403], "": [200] * 4}[lacking]


LAYER_PUSHED = [404, 202, 202, 201]
STOPS = {
    "ecr:BatchCheckLayerAvailability": [403],
    "ecr:InitiateLayerUpload": [404, 403],
    "ecr:UploadLayerPart": [404, 202, 403],
    "ecr:CompleteLayerUpload": [404, 202, 202, 403],
    "ecr:BatchGetImage": [*LAYER_PUSHED, *LAYER_PUSHED, 403],
    "ecr:PutImage": [*LAYER_PUSHED, *LAYER_PUSHED, 404, 403],
    "": [*LAYER_PUSHED, *LAYER_PUSHED, 404, 201, 200],
}


@pytest.mark.parametrize("lacking", STOPS)
def test_a_push_takes_exactly_the_documented_actions(lacking: str, site: Site) -> None:
    """Without one of them it ends where that one is needed."""
    name = f"team/push-{list(STOPS).index(lacking)}"
    of_user(site, "admin").did("CreateRepository", repositoryName=name)
    actions = [action for action in PUSH if action != lacking]
    assert push(allow_one(site, *actions, resource=ARN.replace(NAME, name)), name) == STOPS[lacking]


# mount


@pytest.mark.parametrize("named", [True, False], ids=["from", "no from"])
@pytest.mark.parametrize("may_write", [True, False])
@pytest.mark.parametrize("source", SAYS)
def test_a_mount_reads_the_source_and_writes_the_target(
    source: str, may_write: bool, named: bool, site: Site, admin: Caller
) -> None:
    """Reference, data plane 2.7: what may not be read becomes an ordinary upload, and tells nothing."""
    name = f"team/mount-{source.lower()}-{may_write}-{named}".lower()
    admin.did("CreateRepository", repositoryName=name)
    content = f"a layer for {name}".encode()
    admin.push_blob(NAME, content)
    target = ARN.replace(NAME, name)
    statements = [of_identity("Allow", "ecr:InitiateLayerUpload", target)] if may_write else []
    if source != "nothing":
        statements.append(of_identity(source, "ecr:GetDownloadUrlForLayer", ARN))
    policies = [LOG_IN, *([identity_policy(*statements)] if statements else [])]
    caller = one(site, *policies)
    if source == "Deny":
        set_repository_policy(admin, statement("Allow", "ecr:GetDownloadUrlForLayer"))
    reply = caller.v2(
        "POST", f"{name}/blobs/uploads/?mount={digest_of(content)}" + (f"&from={NAME}" if named else "")
    )
    is_there = admin.v2("HEAD", f"{name}/blobs/{digest_of(content)}").status == 200
    if not may_write:
        clause = "because no identity-based policy allows the ecr:InitiateLayerUpload action"
        assert reply.error == ("DENIED", denied(caller.arn, "ecr:InitiateLayerUpload", clause, target))
    assert reply.status == ((201 if source == "Allow" else 202) if may_write else 403)
    assert is_there == (may_write and source == "Allow")


def test_a_mount_across_accounts_needs_the_policies_of_both_repositories(site: Site, admin: Caller) -> None:
    guest = of_user(site, "guest", GUEST)
    content = b"a layer for the guest"
    admin.push_blob("team/other", content)
    path = f"{NAME}/blobs/uploads/?mount={digest_of(content)}&from=team/other"
    assert guest.v2("POST", path).status == 403
    set_repository_policy(admin, statement("Allow", "ecr:InitiateLayerUpload", {"AWS": GUEST}))
    assert guest.v2("POST", path).status == 202
    set_repository_policy(admin, statement("Allow", PULL, {"AWS": GUEST}), name="team/other")
    assert guest.v2("POST", path).status == 201


# what no repository policy is about


@pytest.mark.parametrize("identity", SAYS)
@pytest.mark.parametrize("resource", SAYS)
def test_the_list_of_repositories_is_asked_of_all_of_them(
    resource: str, identity: str, site: Site, admin: Caller
) -> None:
    """On both planes: ecr:DescribeRepositories on repository/*, of which no repository's policy speaks."""
    statements = (
        [] if identity == "nothing" else [identity_policy(of_identity(identity, "ecr:DescribeRepositories"))]
    )
    caller = one(site, LOG_IN, *statements)
    if resource != "nothing":
        set_repository_policy(admin, statement(resource, "ecr:DescribeRepositories"))
    api, registry = caller.api("DescribeRepositories"), caller.v2("GET", "_catalog")
    if identity == "Allow":
        assert (api.status, registry.status) == (200, 200)
        return
    clause = (
        "with an explicit deny in an identity-based policy"
        if identity == "Deny"
        else "because no identity-based policy allows the ecr:DescribeRepositories action"
    )
    wanted = denied(caller.arn, "ecr:DescribeRepositories", clause, ARN.replace(NAME, "*"))
    assert (api.json()["message"], registry.error) == (wanted, ("DENIED", wanted))


@pytest.mark.parametrize("identity", SAYS)
@pytest.mark.parametrize("repository", ["nothing", "Allow"])
def test_a_login_takes_an_identity_policy(repository: str, identity: str, site: Site, admin: Caller) -> None:
    """Reference 7.5, 4: GetAuthorizationToken comes from identity policies only."""
    if repository == "Allow":
        set_repository_policy(admin, statement("Allow", "ecr:*"))
    check_login(site, identity)


def test_a_login_does_not_come_from_a_registry_policy(site: Site, admin: Caller) -> None:
    set_registry_policy(admin, statement("Allow", "ecr:GetAuthorizationToken", Resource="*"))
    check_login(site, "nothing")


def check_login(site: Site, identity: str) -> None:
    """Who gets a token is decided by what the identity policies say, and the refusal says so."""
    action = "ecr:GetAuthorizationToken"
    policies = [] if identity == "nothing" else [identity_policy(of_identity(identity, action))]
    caller = one(site, *policies)
    reply = caller.api("GetAuthorizationToken")
    if identity == "Allow":
        assert reply.status == 200
        return
    clause = (
        "with an explicit deny in an identity-based policy"
        if identity == "Deny"
        else f"because no identity-based policy allows the {action} action"
    )
    assert (reply.status, reply.json().get("message")) == (400, denied(caller.arn, action, clause, "*"))


# who may do nothing learns nothing


def test_a_repository_that_is_not_there_is_refused_in_the_same_words(site: Site) -> None:
    caller = allow_one(site)
    for step in STEPS:
        there, missing = step.on_api(caller), step.on_api(caller, "no/such/one")
        assert missing == there.replace(NAME, "no/such/one") != ""
        assert step.on_registry(caller, "no/such/one") == step.on_registry(caller).replace(
            NAME, "no/such/one"
        )


def test_a_layers_url_is_given_to_who_may_read_it_only(site: Site, admin: Caller) -> None:
    """It opens the layer without a login (reference, control plane 5.5)."""
    asked = {"repositoryName": NAME, "registryId": OWNER, "layerDigest": digest_of(LAYER)}
    url = allow_one(site, PULL[1]).did("GetDownloadUrlForLayer", **asked)["downloadUrl"]
    assert url.startswith("http://localhost:4566/_layers/")
    reply = site.ask("GET", url.removeprefix("http://localhost:4566"))
    assert (reply.status, reply.body) == (200, LAYER)
    assert allow_one(site, PULL[0]).api("GetDownloadUrlForLayer", **asked).status == 400
    assert admin.v2("GET", f"{NAME}/blobs/{NOBODYS}").status == 404


def test_a_step_in_another_region_is_another_registry(site: Site, admin: Caller) -> None:
    """The same names and the same caller; only the policies of this region's registry count there."""
    there = dataclasses.replace(admin, region="eu-west-1")
    there.did("CreateRepository", repositoryName=NAME)
    set_repository_policy(admin, statement("Deny", PULL))
    elsewhere = f"{OWNER}.dkr.ecr.eu-west-1.localhost:4566"
    assert there.v2("GET", f"{NAME}/manifests/v1", host=elsewhere).status == 404
    assert admin.v2("GET", f"{NAME}/manifests/v1").status == 403
    assert admin.v2("GET", f"{NAME}/manifests/v1", host=elsewhere).error[0] == "DENIED"
    login = {"Authorization": basic(there.password)}
    assert there.v2("GET", f"{NAME}/manifests/v1", headers=login).error[0] == "DENIED"
