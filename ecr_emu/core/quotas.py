"""The limits of this emulator."""

from ecr_emu.context import Call
from ecr_emu.domain.limits import Limits
from ecr_emu.settings import Settings


def of(call: Call) -> Limits:
    """The limits in force: AWS's, but for those that the settings change."""
    return in_force(call.emulator.settings)


def in_force(settings: Settings) -> Limits:
    """The same for work that no request asked for."""
    return Limits(settings.limit)
