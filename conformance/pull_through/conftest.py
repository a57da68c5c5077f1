"""The docker daemon of these tests."""

from collections.abc import Iterator

import pytest
from engines.dockerd import Docker


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Docker]:
    engine = Docker()
    yield engine
    engine.stop()
