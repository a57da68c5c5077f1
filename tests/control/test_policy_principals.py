"""With `--auth iam` it is known who exists, and who could set the next policy."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import boto
from tests.clients import Clock, Running
from tests.control.calls import invalid, refusal

OWNER, GUEST, NOBODY = "111122223333", "444455556666", "999999999999"
NAME = "team/app"
BAD = invalid("PolicyText", "Invalid repository policy provided")
PRINCIPALS = {
    "accounts": {GUEST: {"alias": "guest"}},
    "users": [
        {
            "name": "admin",
            "accessKeys": [{"id": "AKIAADMIN", "secret": "admin"}],
            "policies": [{"managed": "AmazonEC2ContainerRegistryFullAccess"}],
        },
        {"name": "silent", "id": "AIDASILENTSILENT1234", "accessKeys": [{"id": "AKIASILENT", "secret": "s"}]},
    ],
    "roles": [{"name": "deploy", "account": GUEST, "path": "/ci/"}],
}


@pytest.fixture
def iam(start: Callable[..., Running], tmp_path: Path, clock: Clock) -> Running:
    # Clients sign with the machine's time.
    clock.now = time.time()
    (tmp_path / "iam.json").write_text(json.dumps(PRINCIPALS))
    return start(auth="iam", account=OWNER, iam_file=str(tmp_path / "iam.json"))


def client(iam: Running, key: str, secret: str) -> Any:
    return boto.client("ecr", iam.url, (key, secret))


@pytest.fixture
def admin(iam: Running) -> Any:
    ecr = client(iam, "AKIAADMIN", "admin")
    ecr.create_repository(repositoryName=NAME)
    return ecr


def policy(principal: Any, **elements: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "ecr:BatchGetImage", **elements}
    return json.dumps({"Statement": [statement]})


@pytest.mark.parametrize(
    "name",
    [
        OWNER,
        f"arn:aws:iam::{OWNER}:root",
        GUEST,
        f"arn:aws:iam::{GUEST}:root",
        f"arn:aws:iam::{OWNER}:user/silent",
        f"arn:aws:iam::{GUEST}:role/ci/deploy",
        f"arn:aws:sts::{GUEST}:assumed-role/deploy/any-session",
        "AIDASILENTSILENT1234",
    ],
)
def test_a_principal_that_exists_can_be_named(admin: Any, name: str) -> None:
    admin.set_repository_policy(repositoryName=NAME, policyText=policy({"AWS": ["*", name]}))


@pytest.mark.parametrize(
    "name",
    [
        NOBODY,
        f"arn:aws:iam::{NOBODY}:root",
        f"arn:aws:iam::{OWNER}:user/deploy",
        f"arn:aws:iam::{GUEST}:role/deploy",  # Without its path.
        f"arn:aws:sts::{OWNER}:assumed-role/deploy/any-session",
        "AIDASILENTSILENT9999",
    ],
)
def test_a_principal_that_does_not_exist_is_refused(
    admin: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ecr_emu.control.operations.policies")
    for principal in ({"AWS": name}, {"AWS": [GUEST, name]}):
        text = policy(principal)
        assert refusal(admin.set_repository_policy, repositoryName=NAME, policyText=text) == BAD
    assert f"there is no principal {name}" in caplog.text
    resource = f"arn:aws:ecr:us-east-1:{OWNER}:repository/*"
    wanted = invalid("PolicyText", "Invalid registry policy provided")
    assert refusal(admin.put_registry_policy, policyText=policy({"AWS": name}, Resource=resource)) == wanted


def test_access_keys_that_are_believed_tell_nothing_about_who_exists(emulator: Running) -> None:
    ecr = emulator.ecr()
    ecr.create_repository(repositoryName=NAME)
    ecr.set_repository_policy(repositoryName=NAME, policyText=policy({"AWS": NOBODY}))


def test_who_may_by_the_policy_alone_cannot_take_it_away_without_force(iam: Running, admin: Any) -> None:
    silent = f"arn:aws:iam::{OWNER}:user/silent"
    admin.set_repository_policy(repositoryName=NAME, policyText=policy({"AWS": silent}, Action="ecr:*"))
    ecr = client(iam, "AKIASILENT", "s")
    text = policy({"AWS": silent})
    assert refusal(ecr.set_repository_policy, repositoryName=NAME, policyText=text) == BAD
    ecr.set_repository_policy(repositoryName=NAME, policyText=text, force=True)
    code, _ = refusal(ecr.set_repository_policy, repositoryName=NAME, policyText=text)
    assert code == "AccessDeniedException"
