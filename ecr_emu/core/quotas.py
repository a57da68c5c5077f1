"""The limits of this emulator."""

from ecr_emu.context import Call
from ecr_emu.domain.limits import Limits


def of(call: Call) -> Limits:
    """The limits in force: AWS's, but for those that the settings change."""
    return Limits(call.emulator.settings.limit)
