"""What a sweep needs to be called."""

from collections.abc import Callable
from typing import Any

import pytest

from ecr_emu.app import Application
from ecr_emu.core.sweep import Swept, sweep
from tests.clients import Clock


@pytest.fixture
def sweep_now(application: Application, clock: Clock) -> Callable[..., Swept]:
    """Sweeps the emulator at its own time."""

    def run(**options: Any) -> Swept:
        return sweep(application.emulator.store, application.emulator.blobs, clock.now, **options)

    return run
