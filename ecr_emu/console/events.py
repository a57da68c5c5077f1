"""/_emu/events: what happened, as EventBridge tells it. /_emu/trail: API calls, as CloudTrail keeps them."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import orjson
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from ecr_emu.console.admin import Admin, refuse
from ecr_emu.domain import durations, timestamps, trail
from ecr_emu.store import events as rows
from ecr_emu.store.database import Database
from ecr_emu.store.events import Stored, Wanted

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 10_000
# A request that waits keeps a thread of the server.
MAX_WAIT_SECONDS = 60
# How often a waiting request looks by itself: background work in another process tells nobody.
LOOK_SECONDS = 0.5
PARAMETERS = {"detail-type", "repository", "account", "region", "since", "limit", "wait"}


class Found(NamedTuple):
    """Events; the number of the last one that was looked at; whether none before them is forgotten."""

    events: Sequence[Stored]
    mark: int
    is_complete: bool


def add(pages: Flask, admin: Admin) -> None:
    store = admin.emulator.store

    @pages.get("/_emu/events")
    def list_events() -> ResponseReturnValue:
        found = _find(store, _wanted())
        return _answer(found, "events", [orjson.Fragment(event.body) for event in found.events])

    @pages.get("/_emu/trail")
    def list_records() -> ResponseReturnValue:
        if "detail-type" in request.args:
            refuse("detail-type is for /_emu/events")
        kinds = (trail.API_CALL, trail.SERVICE_EVENT)
        found = _find(store, replace(_wanted(), detail_types=kinds))
        return _answer(found, "Records", [orjson.loads(event.body)["detail"] for event in found.events])


def _answer(found: Found, name: str, content: Sequence[object]) -> Response:
    answer = {name: content, "mark": found.mark, "isComplete": found.is_complete}
    return Response(orjson.dumps(answer), mimetype="application/json")


def _wanted() -> Wanted:
    """What the query asks for."""
    unknown = sorted(set(request.args) - PARAMETERS)
    if unknown:
        refuse(f"'{unknown[0]}' is not known; there are {', '.join(sorted(PARAMETERS))}")
    after, since = _since(request.args.get("since", "0"))
    said = {name: request.args.get(name) for name in ("repository", "account", "region")}
    return Wanted(after, since, tuple(request.args.getlist("detail-type")), **said)


def _since(text: str) -> tuple[int, float | None]:
    """The number of an event, or a time: what comes behind the one, or from the other on."""
    if text.isascii() and text.isdecimal():
        return int(text[:18]), None
    try:
        return 0, timestamps.parse(text)
    except ValueError:
        refuse("since is the number of an event, or a time such as 2027-01-01T00:00:00Z")


def _limit() -> int:
    text = request.args.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= MAX_LIMIT):
        refuse(f"limit is a number from 1 to {MAX_LIMIT}")
    return int(text)


def _wait_seconds() -> float:
    try:
        seconds = durations.seconds(request.args.get("wait", "0s"))
    except ValueError as problem:
        refuse(f"wait: {problem}")
    if seconds > MAX_WAIT_SECONDS:
        refuse(f"wait is {MAX_WAIT_SECONDS}s at most; ask again with since")
    return seconds


def _find(store: Database, wanted: Wanted) -> Found:
    """The events that are wanted; if there are none yet, the first ones that come while the client waits."""
    limit, deadline = _limit(), time.monotonic() + _wait_seconds()
    written = threading.Event()
    with store.listening(written):
        while True:
            written.clear()
            found = _look(store, wanted, limit)
            left = deadline - time.monotonic()
            if found.events or left <= 0:
                return found
            written.wait(min(left, LOOK_SECONDS))


def _look(store: Database, wanted: Wanted, limit: int) -> Found:
    with store.snapshot() as connection:
        events = rows.page(connection, wanted, limit)
        mark = events[-1].number if len(events) == limit else rows.mark(connection)
        forgotten = rows.forgotten(connection)
    return Found(events, mark, wanted.after >= forgotten)
