"""What the door recalls between two writes: nothing of it outlives what it was made of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecr_emu import access
from ecr_emu.context import Call
from ecr_emu.domain.registries import Registry
from ecr_emu.store import principals
from tests.steps import (
    LOG_IN,
    NAME,
    OWNER,
    PULL,
    REGION,
    Site,
    identity_policy,
    of_identity,
    of_user,
    open_site,
    user,
)

HERE = Registry(OWNER, REGION)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    admin = user("admin", identity_policy(of_identity("Allow", "ecr:*")))
    one = user("one", LOG_IN, identity_policy(of_identity("Allow", PULL)))
    with open_site(tmp_path, "iam", {"users": [admin, one]}) as site:
        of_user(site, "admin").did("CreateRepository", repositoryName=NAME)
        of_user(site, "admin").push_image(NAME)
        yield site


def call_of(site: Site, key: str) -> Call:
    """A request that has just found out who asks."""
    emulator = site.application.emulator
    with emulator.store.read() as connection:
        credential = principals.find_key(connection, key)
    assert credential is not None
    return Call(emulator, credential.principal, HERE, "", emulator.clock(), credential=credential)


def may_pull(call: Call) -> bool:
    return access.allows(call, PULL[0], HERE, NAME)


def status(site: Site) -> int:
    return of_user(site, "one").v2("GET", f"{NAME}/manifests/v1").status


def detach(site: Site) -> None:
    site.put({"users": [{"name": "one", "account": OWNER, "policies": [LOG_IN]}]})


def test_a_request_that_began_before_a_policy_went_leaves_nothing_behind(site: Site) -> None:
    assert status(site) == 200
    early = call_of(site, "AKIAONE")
    detach(site)
    # It may still do what it might when it began; it is the first to ask after the write.
    assert may_pull(early)
    assert not may_pull(call_of(site, "AKIAONE"))
    assert status(site) == 403


def test_a_request_that_knows_the_new_policy_is_not_told_the_old_answer(site: Site) -> None:
    early = call_of(site, "AKIAONE")
    assert may_pull(early)
    detach(site)
    late = call_of(site, "AKIAONE")
    assert not may_pull(late)
    assert may_pull(early)
    assert not may_pull(late)


def test_a_condition_is_asked_each_time(site: Site) -> None:
    """Only what no condition and no variable decides is settled."""
    emulator = site.application.emulator
    until = {"DateLessThan": {"aws:CurrentTime": "2100-01-01T00:00:00Z"}}
    policy = identity_policy(of_identity("Allow", PULL, Condition=until))
    site.put({"users": [{"name": "one", "account": OWNER, "policies": [LOG_IN, policy]}]})
    call = call_of(site, "AKIAONE")
    assert may_pull(call)
    late = Call(emulator, call.principal, HERE, "", 4102444801.0, credential=call.credential)
    assert not may_pull(late)


def test_a_statement_about_other_actions_leaves_the_answer_settled(site: Site) -> None:
    condition = {"StringEquals": {"ecr:ResourceTag/team": "red"}}
    other = identity_policy(of_identity("Deny", "ecr:PutImage", Condition=condition), name="other")
    pull = identity_policy(of_identity("Allow", PULL))
    site.put({"users": [{"name": "one", "account": OWNER, "policies": [LOG_IN, pull, other]}]})
    call = call_of(site, "AKIAONE")
    known = access._find_known(call, PULL[0], HERE, NAME)
    assert known is not None
    assert (known.settled is not None, known.asks_tags) == (True, False)
    known = access._find_known(call, "ecr:PutImage", HERE, NAME)
    assert known is not None
    assert (known.settled is None, known.asks_tags) == (True, True)
