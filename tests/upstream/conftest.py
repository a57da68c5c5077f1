"""An upstream that does as it is told, and caches in front of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients import Running
from tests.upstream.hostile import Hostile, hostile

QUAY = {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"}


@pytest.fixture
def bad() -> Iterator[Hostile]:
    with hostile() as server:
        yield server


@pytest.fixture
def cached(start: Callable[..., Running], bad: Hostile) -> Callable[..., Running]:
    """Starts an emulator with a rule for the bad upstream under the prefix quay."""

    def start_one(**settings: Any) -> Running:
        running = start(**{"upstream": (("quay", bad.url),), "upstream_timeout": 2, **settings})
        running.ecr().create_pull_through_cache_rule(**QUAY)
        return running

    return start_one
