"""The emulator that is attacked: `--auth iam`, in this process."""

import logging
from collections.abc import Iterator

import pytest

from tests.attacks.victims import PRINCIPALS, PUBLIC
from tests.steps import (
    GUEST,
    NAME,
    Caller,
    Site,
    of_user,
    open_site,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("attacks"), "iam", PRINCIPALS) as site:
        admin = of_user(site, "admin")
        for name in (NAME, PUBLIC, "team-a", "team-a/b", "own/app", "aa", "aa/bb", "aab"):
            admin.did("CreateRepository", repositoryName=name)
        admin.push_image(NAME)
        guest = of_user(site, "guest", GUEST)
        for number in range(3):
            guest.did("CreateRepository", repositoryName=f"of-guest/{number}")
        yield site


@pytest.fixture
def admin(site: Site) -> Caller:
    return of_user(site, "admin")


@pytest.fixture(autouse=True)
def nothing_fails(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No request ends in an exception that nobody foresaw: those are logged."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
