"""/_emu/clock: reading and moving the emulator's time."""

from collections.abc import Callable
from typing import Any

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue

from ecr_emu.clock import UserClock
from ecr_emu.console.admin import Admin, body, refuse
from ecr_emu.domain import durations, timestamps

VERBS = ("set", "advance", "freeze", "release", "reset")
EXAMPLES = '{"advance": "45d"}, {"set": "2027-01-01T00:00:00Z"}, {"freeze": true}, {"release": true}'


def add(pages: Flask, admin: Admin) -> None:
    @pages.get("/_emu/clock")
    def show_clock() -> ResponseReturnValue:
        return jsonify(_describe(admin.emulator.clock))

    @pages.post("/_emu/clock")
    def move_clock() -> ResponseReturnValue:
        clock = admin.emulator.clock
        wanted = body()
        _check(wanted)
        _move(clock, wanted)
        admin.jobs.arrange()
        return jsonify({**_describe(clock), "jobs": admin.jobs.run_due()})


def _describe(clock: UserClock) -> dict[str, Any]:
    now = clock()
    return {
        "now": timestamps.text(now),
        "epochSeconds": now,
        "aheadSeconds": clock.ahead_seconds,
        "frozen": clock.is_frozen,
    }


def _check(wanted: dict[str, Any]) -> None:
    if not wanted or set(wanted) - set(VERBS):
        refuse(f"say what to do with the clock: {EXAMPLES}")
    if {"set", "advance"} <= set(wanted) or {"freeze", "release"} <= set(wanted):
        refuse("set and advance, and freeze and release, exclude each other")
    switches = [wanted[name] for name in ("freeze", "release", "reset") if name in wanted]
    if any(switch is not True for switch in switches):
        refuse("freeze, release and reset take only true")


def _move(clock: UserClock, wanted: dict[str, Any]) -> None:
    """Everything is read before anything is done."""
    now = _time(clock, wanted)
    if "reset" in wanted:
        clock.reset()
    if now is not None:
        clock.set(now)
    if "freeze" in wanted:
        clock.freeze()
    if "release" in wanted:
        clock.release()


def _time(clock: UserClock, wanted: dict[str, Any]) -> float | None:
    """The time that is asked for, or None."""
    if "set" in wanted:
        now = _read(wanted["set"], timestamps.parse)
    elif "advance" in wanted:
        now = clock() + _read(wanted["advance"], durations.seconds)
    else:
        return None
    if not 0 <= now <= timestamps.MAX_SECONDS:
        refuse("the clock goes from 1970 to 9999")
    return now


def _read(value: object, parse: Callable[[str], float]) -> float:
    """A number of seconds, or a text that says it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        refuse(f"a time is a text or a number of seconds, as in {EXAMPLES}")
    try:
        seconds = parse(value) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError) as problem:
        refuse(str(problem))
    if not seconds >= 0:
        refuse("time is not negative; to go back, set the clock")
    return seconds
