"""Events reach their targets: all of them, in order, whatever fails meanwhile."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ecr_emu.core.reset import reset
from ecr_emu.delivery import deliverer
from ecr_emu.delivery.deliverer import Deliverer
from ecr_emu.store import events as rows
from tests.clients import Running
from tests.delivery.receivers import wait_for, webhook
from tests.processes import serving


@pytest.fixture
def deliver() -> Iterator[Callable[[Running], Deliverer]]:
    """Lets an emulator deliver, until the test ends."""
    with ExitStack() as stack:

        def start(emulator: Running) -> Deliverer:
            emulator.application.deliverer.start()
            stack.callback(emulator.application.deliverer.stop)
            return emulator.application.deliverer  # type: ignore[no-any-return]

        yield start


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def ids(events: list[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


def written(emulator: Running) -> list[str]:
    """The ids of all events, in order."""
    with emulator.application.emulator.store.read() as connection:
        return [json.loads(event.body)["id"] for event in rows.after(connection, 0, 100_000)]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_file_and_webhook_get_every_event_in_order(
    start: Callable[..., Running], deliver: Callable[[Running], Deliverer], tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    with webhook() as hook:
        emulator = start(events=(f"file:{file}", hook.url))
        deliver(emulator)
        registry, ecr = emulator.registry(), emulator.ecr()
        ecr.create_repository(repositoryName="team/app")
        for number in range(5):
            registry.push_image("team/app", f"v{number}", b"layer")
        expected = written(emulator)
        assert len(expected) == 6
        wait_for(lambda: len(hook.taken) == len(lines(file)) == 6)
        assert ids(hook.taken) == ids(lines(file)) == expected
        assert hook.numbers == [1, 2, 3, 4, 5, 6]


def test_without_a_thread_for_each_target_nothing_starts_and_the_next_try_delivers_once(
    start: Callable[..., Running], deliver: Callable[[Running], Deliverer], tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]
    emulator = start(events=tuple(f"file:{file}" for file in files))
    begin, refusals = threading.Thread.start, [RuntimeError("can't start new thread")]

    def refuse_the_second(self: threading.Thread) -> None:
        if self.name.endswith("b.jsonl") and refusals:
            raise refusals.pop()
        begin(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse_the_second)
        with pytest.raises(RuntimeError, match="new thread"):
            emulator.application.deliverer.start()
    assert not [thread for thread in threading.enumerate() if thread.name.endswith(".jsonl")]
    deliver(emulator)
    emulator.ecr().create_repository(repositoryName="team/app")
    emulator.registry().push_image("team/app", "v1", b"layer")
    expected = written(emulator)
    for file in files:
        wait_for(lambda file=file: len(lines(file)) >= len(expected))  # type: ignore[misc]
        assert ids(lines(file)) == expected


def test_a_new_target_gets_what_happens_from_now_on_and_one_that_comes_back_what_it_missed(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    settings = {"data_dir": tmp_path / "data"}
    names = iter("abcd")
    for targets in ((), (f"file:{file}",), (), (f"file:{file}",)):
        emulator = start(events=targets, **settings)
        emulator.application.deliverer.start()
        emulator.ecr().create_repository(repositoryName=f"team/{next(names)}")
        if targets:
            expected = written(emulator)[1:]
            wait_for(lambda: ids(lines(file)) == expected)  # noqa: B023 - called at once
        emulator.application.deliverer.stop()
        emulator.stop()
    assert len(lines(file)) == 3


def test_a_target_that_is_down_holds_up_nobody_and_gets_everything_later(
    start: Callable[..., Running],
    deliver: Callable[[Running], Deliverer],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file, port = tmp_path / "events.jsonl", closed_port()
    emulator = start(events=(f"http://bob:hush@127.0.0.1:{port}/hook?key=hidden", f"file:{file}"))
    with caplog.at_level(logging.DEBUG):
        deliver(emulator)
        ecr = emulator.ecr()
        began = time.monotonic()
        for number in range(20):
            ecr.create_repository(repositoryName=f"team/{number}")
        assert time.monotonic() - began < deliverer.STOP_SECONDS
        wait_for(lambda: len(lines(file)) == 20)
        with webhook(port, status=500) as hook:
            wait_for(lambda: hook.attempts)
        with webhook(port) as hook:
            wait_for(lambda: len(hook.taken) == 20)
            assert ids(hook.taken) == ids(lines(file)) == written(emulator)
            assert hook.logins == {"Basic Ym9iOmh1c2g="}
    said = [one.getMessage() for one in caplog.records if one.name == deliverer.__name__]
    assert len(said) == 1
    assert "hush" not in caplog.text
    assert "hidden" not in caplog.text


def test_a_slow_target_does_not_slow_a_push(
    start: Callable[..., Running], deliver: Callable[[Running], Deliverer]
) -> None:
    with webhook(delay=0.5) as hook:
        emulator = start(events=(hook.url,))
        deliver(emulator)
        ecr = emulator.ecr()
        began = time.monotonic()
        for number in range(10):
            ecr.create_repository(repositoryName=f"team/{number}")
        assert time.monotonic() - began < 2.5
        wait_for(lambda: len(hook.taken) == 10)


def test_a_stop_keeps_where_each_target_is(start: Callable[..., Running], tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    for _ in range(2):
        emulator = start(data_dir=tmp_path / "data", events=(f"file:{file}",))
        emulator.application.deliverer.start()
        if not lines(file):
            emulator.ecr().create_repository(repositoryName="team/app")
        wait_for(lambda: lines(file))
        emulator.application.deliverer.stop()
        emulator.stop()
    assert len(lines(file)) == 1


def test_after_a_reset_nothing_old_is_delivered_and_what_is_new_is(
    start: Callable[..., Running], deliver: Callable[[Running], Deliverer], tmp_path: Path
) -> None:
    port = closed_port()
    emulator = start(events=(f"http://127.0.0.1:{port}/",), ephemeral=True)
    deliver(emulator)
    emulator.ecr().create_repository(repositoryName="old")
    reset(emulator.application.emulator)
    emulator.ecr().create_repository(repositoryName="new")
    with webhook(port) as hook:
        wait_for(lambda: hook.taken)
        assert [one["detail"]["requestParameters"]["repositoryName"] for one in hook.taken] == ["new"]


def test_a_line_that_a_crash_cut_off_stands_alone(
    start: Callable[..., Running], deliver: Callable[[Running], Deliverer], tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"version":"0","i')
    emulator = start(events=(f"file:{file}",))
    deliver(emulator)
    emulator.ecr().create_repository(repositoryName="team/app")
    wait_for(lambda: file.read_text().endswith("}\n"))
    cut, whole = file.read_text().splitlines()
    assert cut == '{"version":"0","i'
    assert ids([json.loads(whole)]) == written(emulator)


@pytest.mark.parametrize("at", [3, 9, 17])
def test_after_kill_9_everything_arrives_at_least_once_and_in_order(tmp_path: Path, at: int) -> None:
    """Killed while a slow webhook is behind; started again, it goes on where it was."""
    file = tmp_path / "events.jsonl"
    with webhook(delay=0.03) as hook:
        options = ("--data-dir", tmp_path / "data", "--auth", "open", "--events", hook.url)
        options += ("--events", f"file:{file}")
        with serving(*options) as server:
            server.create_repository("team/app")
            for number in range(20):
                server.registry.push_image("team/app", f"v{number}", b"layer")
                if number == at:
                    server.kill()
                    break
            server.ended()
        with serving(*options) as server:
            server.registry.push_image("team/app", "last", b"layer")
            events = server.registry.request("GET", "/_emu/events").json()["events"]
            assert len(events) == at + 3
            wait_for(lambda: set(ids(lines(file))) == set(ids(events)) == set(ids(hook.taken)))
            server.terminate()
            server.ended()
    for got in (ids(lines(file)), ids(hook.taken)):
        # What comes again does so from some event on, in order.
        assert list(dict.fromkeys(got)) == ids(events)
        order = [ids(events).index(one) for one in got]
        assert all(later <= earlier + 1 for earlier, later in pairwise(order))


def test_stdout_has_a_line_for_each_event_behind_the_ready_line(tmp_path: Path) -> None:
    with serving("--ephemeral", "--events", "stdout") as server:
        server.create_repository("team/app")
        assert server.process.stdout is not None
        event = json.loads(server.process.stdout.readline())
        assert event["detail"]["eventName"] == "CreateRepository"
        server.terminate()
        assert server.ended() == (0, "")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("nowhere", "--events takes one of stdout, file:PATH"),
        ("file:", "--events takes one of"),
        ("http://", "--events has a URL that cannot be used"),
        ("eventbridge:bus@ftp://x", "--events has a URL that cannot be used"),
        ("eventbridge:bus@", "--events takes one of"),
        ("sqs:http://localhost/", "--events takes one of"),
        ("http://bob:hush@host:x/", "--events has a URL that cannot be used"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused_at_the_start(target: str, problem: str) -> None:
    from tests.processes import run

    done = run("serve", "--ephemeral", "--port", 0, "--events", target)
    assert done.returncode == 1
    assert problem in done.stderr
    assert "hush" not in done.stderr


def test_targets_come_from_the_environment_too(tmp_path: Path) -> None:
    variables = {"ECR_EMU_EVENTS": f"stdout file:{tmp_path / 'events.jsonl'}"}
    with serving("--ephemeral", variables=variables) as server:
        server.create_repository("team/app")
        wait_for(lambda: lines(tmp_path / "events.jsonl"))
