"""What the tests of the JSON API share."""

from typing import Any

import pytest

from tests.clients import Running
from tests.control.calls import Api, Repo


@pytest.fixture
def api(emulator: Running) -> Api:
    return Api(emulator)


@pytest.fixture
def app(ecr: Any) -> Repo:
    """A repository called team/app."""
    ecr.create_repository(repositoryName="team/app")
    return Repo(ecr, "team/app")
