"""Every step of a push and a pull, on both planes, under every combination of policies.

Both planes are held against tables that are written here from the reference (control plane 7.5), not from
the code: a Deny anywhere wins; in one account an Allow of either side is enough; across accounts both sides
have to allow; a policy that names an account only passes the decision on to it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.steps import (
    ACTIONS,
    ARN,
    GUEST,
    LOG_IN,
    NAME,
    OWNER,
    REGION,
    STEPS,
    Caller,
    Site,
    check,
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
ELSEWHERE = f"arn:aws:ecr:{REGION}:{OWNER}:repository/team/other"


def of_identity_saying(says: str) -> list[Any]:
    """Identity policies; the one that says nothing speaks of something else."""
    actions = "ecr:DescribeImages" if says == "nothing" else ACTIONS
    effect = "Deny" if says == "Deny" else "Allow"
    return [LOG_IN, identity_policy(of_identity(effect, actions))]


def principals() -> Mapping[str, Any]:
    """A user for each account and each thing that its identity policies may say, and some of other kinds."""
    users = [
        user(f"{says}{account}", *of_identity_saying(says), account=account)
        for account in (OWNER, GUEST)
        for says in SAYS
    ]
    admin = identity_policy(of_identity("Allow", "ecr:*"))
    session = {"name": "ci", "accessKeyId": "ASIACI", "secret": "secret-of-ci", "token": "token-of-ci"}
    roles = [
        {"name": "deploy", "path": "/teams/", "account": account, "policies": policies, "sessions": [found]}
        for account, policies, found in (
            (OWNER, of_identity_saying("nothing"), session),
            (GUEST, of_identity_saying("Allow"), {**session, "accessKeyId": "ASIAGUEST"}),
        )
    ]
    roots = {
        account: {"root": {"accessKeys": [{"id": f"AKIAROOT{account}", "secret": "secret-of-root"}]}}
        for account in (OWNER, GUEST)
    }
    others = [{"name": "bob", "account": account} for account in (OWNER, GUEST)]
    return {
        "accounts": roots,
        "users": [user("admin", admin), *users, *others],
        "roles": [*roles, {"name": "idle", "account": OWNER}],
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("matrix"), "iam", principals()) as site:
        admin = of_user(site, "admin")
        for name in (NAME, "team/other"):
            admin.did("CreateRepository", repositoryName=name)
            admin.push_image(name)
        yield site


@pytest.fixture(scope="module")
def callers(site: Site) -> Mapping[tuple[str, str], Caller]:
    """By account and by what the identity policies say."""
    return {
        (account, says): of_user(site, f"{says}{account}", account)
        for account in (OWNER, GUEST)
        for says in SAYS
    }


@pytest.fixture
def admin(site: Site) -> Iterator[Caller]:
    """Who sets the policies, which are gone after the test."""
    admin = of_user(site, "admin")
    yield admin
    clear(admin)


def clear(admin: Caller) -> None:
    """Without policies. They go first: in scope V2 one of V1 could be about taking it away."""
    admin.api("DeleteRepositoryPolicy", repositoryName=NAME)
    admin.api("DeleteRegistryPolicy")
    admin.did("PutAccountSetting", name="REGISTRY_POLICY_SCOPE", value="V2")


# users of both accounts, with policies for everybody

# Scope, effect and action of the registry's policy; one of scope V1 can name no other actions than these.
REGISTRY_POLICIES = {
    "V2 Allow": ("V2", "Allow", ACTIONS),
    "V2 nothing": ("V2", "Allow", "ecr:DescribeImages"),
    "V2 Deny": ("V2", "Deny", ACTIONS),
    "V1 Allow": ("V1", "Allow", "ecr:*"),
    "V1 Deny": ("V1", "Deny", "ecr:*"),
}


def because(account: str, identity: str, repository: str, registry: str, action: str) -> str:
    """Reference 7.5, and the clauses of 1.5; "" for a caller who is let in.

    That a registry policy of scope V2 grants as a repository policy does is inferred ("enforced on every
    request"); IAM's user guide makes no difference between resource policies.
    """
    of_registry = registry.removeprefix("V2 ") if registry.startswith("V2") else "nothing"
    if "Deny" in (repository, of_registry):
        return "with an explicit deny in a resource-based policy"
    if identity == "Deny":
        return "with an explicit deny in an identity-based policy"
    of_resource = "Allow" in (repository, of_registry)
    if identity == "nothing" and not (account == OWNER and of_resource):
        return f"because no identity-based policy allows the {action} action"
    if account == GUEST and not of_resource:
        return f"because no resource-based policy allows the {action} action"
    return ""


def set_policies(admin: Caller, repository: str, registry: str) -> None:
    scope, effect, actions = REGISTRY_POLICIES[registry]
    admin.did("PutAccountSetting", name="REGISTRY_POLICY_SCOPE", value=scope)
    set_registry_policy(admin, statement(effect, actions, Resource="*"))
    # One that says nothing speaks of something else.
    is_silent = repository == "nothing"
    said = statement("Allow", "ecr:TagResource") if is_silent else statement(repository, ACTIONS)
    set_repository_policy(admin, said)


@pytest.mark.parametrize("registry", REGISTRY_POLICIES)
@pytest.mark.parametrize("repository", SAYS)
def test_both_planes_agree_with_the_table(
    repository: str, registry: str, admin: Caller, callers: Mapping[tuple[str, str], Caller]
) -> None:
    set_policies(admin, repository, registry)
    for (account, identity), caller in callers.items():
        for step in STEPS:
            clause = because(account, identity, repository, registry, step.action)
            check(step, caller, clause)


@pytest.mark.parametrize("resource", [ARN, ELSEWHERE])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_registry_policy_is_about_the_repositories_it_names(
    effect: str, resource: str, admin: Caller, callers: Mapping[tuple[str, str], Caller]
) -> None:
    set_registry_policy(admin, statement(effect, ACTIONS, Resource=resource))
    registry = f"V2 {effect}" if resource == ARN else "V2 nothing"
    for (account, identity), caller in callers.items():
        for step in STEPS:
            check(step, caller, because(account, identity, "nothing", registry, step.action))


# the same where every key is believed


@pytest.fixture(scope="module")
def believing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`--auth token`: a key is its account's root, and what identity policies say counts as allowing."""
    with open_site(tmp_path_factory.mktemp("believing"), "token") as site:
        owner = root_of(site, OWNER)
        owner.did("CreateRepository", repositoryName=NAME)
        owner.push_image(NAME)
        yield site


def root_of(site: Site, account: str) -> Caller:
    return Caller(site, f"arn:aws:iam::{account}:root", account, "any")


@pytest.mark.parametrize("registry", REGISTRY_POLICIES)
@pytest.mark.parametrize("repository", SAYS)
def test_a_key_that_is_believed_has_every_identity_policy(
    repository: str, registry: str, believing: Site
) -> None:
    owner = root_of(believing, OWNER)
    set_policies(owner, repository, registry)
    for account in (OWNER, GUEST):
        for step in STEPS:
            clause = because(account, "Allow", repository, registry, step.action)
            check(step, root_of(believing, account), clause)
    clear(owner)


# principals of all kinds, and how a policy names them

SESSION_ARN = f"arn:aws:sts::{OWNER}:assumed-role/deploy/ci"
KINDS = {
    "user": (f"arn:aws:iam::{OWNER}:user/nothing{OWNER}", f"AKIANOTHING{OWNER}", f"secret-of-nothing{OWNER}"),
    "session": (SESSION_ARN, "ASIACI", "secret-of-ci"),
    "root": (f"arn:aws:iam::{OWNER}:root", f"AKIAROOT{OWNER}", "secret-of-root"),
    "guest's user": (
        f"arn:aws:iam::{GUEST}:user/Allow{GUEST}",
        f"AKIAALLOW{GUEST}",
        f"secret-of-Allow{GUEST}",
    ),
    "guest's session": (SESSION_ARN.replace(OWNER, GUEST), "ASIAGUEST", "secret-of-ci"),
    "guest's root": (f"arn:aws:iam::{GUEST}:root", f"AKIAROOT{GUEST}", "secret-of-root"),
}
# How a policy may name somebody, and whom it then means. The first three say nothing of who in the account.
NAMED: dict[str, tuple[Any, set[str]]] = {
    "the account's number": ({"AWS": OWNER}, {"user", "session", "root"}),
    "the account's root": ({"AWS": f"arn:aws:iam::{OWNER}:root"}, {"user", "session", "root"}),
    "the guest's number": ({"AWS": GUEST}, {"guest's user", "guest's session", "guest's root"}),
    "everybody": ("*", set(KINDS)),
    "everybody of AWS": ({"AWS": "*"}, set(KINDS)),
    "the user": ({"AWS": KINDS["user"][0]}, {"user"}),
    "the session": ({"AWS": SESSION_ARN}, {"session"}),
    "the role": ({"AWS": f"arn:aws:iam::{OWNER}:role/teams/deploy"}, {"session"}),
    "another role": ({"AWS": f"arn:aws:iam::{OWNER}:role/idle"}, set()),
    "the guest's user": ({"AWS": KINDS["guest's user"][0]}, {"guest's user"}),
    "the guest's role": ({"AWS": f"arn:aws:iam::{GUEST}:role/teams/deploy"}, {"guest's session"}),
    "another user": ({"AWS": [f"arn:aws:iam::{OWNER}:user/bob", f"arn:aws:iam::{GUEST}:user/bob"]}, set()),
    "a service": ({"Service": "codebuild.amazonaws.com"}, set()),
}
ONLY_DELEGATE = ("the account's number", "the account's root")


def caller_of(site: Site, kind: str) -> Caller:
    return Caller(site, *KINDS[kind], "token-of-ci" if "session" in kind else None)


def silent(kind: str, action: str, named: str) -> str:
    """What is missing for principals of whom the owner's say nothing, and the guest's allow everything."""
    is_meant = kind in NAMED[named][1]
    if kind.startswith("guest"):
        return "" if is_meant else f"because no resource-based policy allows the {action} action"
    if kind == "root" or (is_meant and named not in ONLY_DELEGATE):
        return ""
    return f"because no identity-based policy allows the {action} action"


@pytest.mark.parametrize("where", ["repository", "registry"])
@pytest.mark.parametrize("named", NAMED)
def test_whom_a_policy_names_and_how_decides(named: str, where: str, site: Site, admin: Caller) -> None:
    allow = statement("Allow", ACTIONS, NAMED[named][0])
    if where == "repository":
        set_repository_policy(admin, allow)
    else:
        set_registry_policy(admin, {**allow, "Resource": ARN})
    for kind in KINDS:
        caller = caller_of(site, kind)
        for step in STEPS[1::3]:
            check(step, caller, silent(kind, step.action, named))


@pytest.mark.parametrize("named", NAMED)
def test_a_deny_hits_whom_it_names_the_root_too(named: str, site: Site, admin: Caller) -> None:
    deny = statement("Deny", ACTIONS, NAMED[named][0])
    set_repository_policy(admin, deny, statement("Allow", ACTIONS))
    for kind in KINDS:
        is_hit = kind in NAMED[named][1]
        clause = "with an explicit deny in a resource-based policy" if is_hit else ""
        for step in STEPS[1::3]:
            check(step, caller_of(site, kind), clause)


def test_a_role_that_the_policy_names_is_still_held_by_its_session_policy(site: Site, admin: Caller) -> None:
    """IAM user guide, session policies: a grant to the role is cut by them, a grant to the session is not."""
    session: dict[str, Any] = {
        "name": "cut",
        "accessKeyId": "ASIACUT",
        "secret": "secret-of-cut",
        "token": "token-of-cut",
    }
    session["policy"] = LOG_IN
    site.put({"roles": [{"name": "narrow", "account": OWNER, "policies": [LOG_IN], "sessions": [session]}]})
    arn = f"arn:aws:sts::{OWNER}:assumed-role/narrow/cut"
    cut = Caller(site, arn, "ASIACUT", "secret-of-cut", "token-of-cut")
    for principal, clause in (
        (f"arn:aws:iam::{OWNER}:role/narrow", "because no session policy allows the {} action"),
        (arn, ""),
    ):
        set_repository_policy(admin, statement("Allow", ACTIONS, {"AWS": principal}))
        for step in STEPS:
            check(step, cut, clause.format(step.action))
