"""The fuzzing over HTTP: what it makes can be made again, and it sees what is wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.fuzz import sites
from conformance.fuzz.asks import CONTROL, DATA, PAGES, QUERY, Ask, InProcess, Said
from conformance.fuzz.http_report import Outcome
from conformance.fuzz.http_worker import Worker
from conformance.fuzz.playing import Faults, Player
from conformance.fuzz.rounds import Round
from conformance.fuzz.sites import Inside
from conformance.fuzz.verdicts import judge
from conformance.fuzz.world import MODES

NUMBERS = range(60)
# Servers start, and rounds are played to them; machines do other things too.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    sites.prepare(tmp_path / "given")
    return tmp_path / "given"


@pytest.fixture
def inside(tmp_path: Path, given: Path) -> Iterator[Inside]:
    site = Inside(tmp_path / "data", "token", given)
    yield site
    site.close()


def played(site: Inside, number: int) -> list[tuple[str, str, int]]:
    """What was asked in a round, and answered."""
    told: list[tuple[str, str, int]] = []

    def tell(ask: Ask, said: Said) -> None:
        told.append((ask.kind, ask.method, said.status))

    assert list(Player(Faults.listening()).play(Round("x", number), site, tell, NUMBERS)) == []
    return told


def test_a_round_is_made_of_the_seed_and_its_number(inside: Inside) -> None:
    first, other = played(inside, 0), played(inside, 3)
    assert played(inside, 0) == first
    assert other != first
    assert {kind for kind, _, _ in first} & {"patch", "put manifest", "complete upload"}


def test_rounds_have_every_mode() -> None:
    assert {Round("x", number).mode for number in range(3)} == set(MODES)


def test_a_server_is_asked_in_all_modes_and_gets_raw_bytes(tmp_path: Path) -> None:
    worker = Worker("x", tmp_path, "wire")
    try:
        reports = list(worker.run(range(3)))
    finally:
        worker.close()
    assert [report["failure"] for report in reports if "failure" in report] == []
    assert worker.tally.raw > 100
    assert worker.tally.wire == worker.tally.requests - worker.tally.raw
    assert set(worker.tally.servers) == set(MODES)


OCI_ERROR = b'{"errors":[{"code":"NAME_UNKNOWN","message":"no"}]}'
V2 = Ask(DATA, "x", "GET", "/v2/a/tags/list")
API = Ask(CONTROL, "x", "POST", "/", (("X-Amz-Target", "a.DescribeRegistry"),))
FORM = Ask(QUERY, "x", "POST", "/")
PAGE = Ask(PAGES, "x", "GET", "/_emu/health")
JSON = ("Content-Type", "application/json")
REQUEST_ID = ("x-amzn-RequestId", "1")


def said(status: int, body: bytes, *headers: tuple[str, str], length: int | None = None) -> Said:
    size = len(body) if length is None else length
    return Said(status, [*headers, ("Content-Length", str(size))], body)


@pytest.mark.parametrize(
    ("ask", "answer", "problem"),
    [
        (V2, said(404, OCI_ERROR, JSON), ""),
        (V2, said(200, b"{}"), ""),
        (
            V2,
            said(503, b'{"errors":[{"code":"UNAVAILABLE","message":"the cassette has no answer"}]}', JSON),
            "",
        ),
        (API, said(400, b'{"__type":"ValidationException","message":"x"}', REQUEST_ID), ""),
        (V2, said(500, OCI_ERROR, JSON), "status 500"),
        (V2, said(503, OCI_ERROR, JSON), "status 503"),
        (V2, said(404, OCI_ERROR), "an error of the type None"),
        (V2, said(404, OCI_ERROR.replace(b"UNK", b"unk"), JSON), "not an error of OCI"),
        (V2, said(404, b"[]", JSON), "not an error of OCI"),
        (V2, said(200, b"{}", length=3), "Content-Length is 3"),
        (V2, said(200, b"{}", ("Link", "a\r\nX: y")), "the header 'Link'"),
        (V2, said(200, b"{}", ("Link", "\u2028")), "the header 'Link'"),
        (V2.but(method="HEAD"), said(200, b"{}"), "a body where there is none"),
        (V2, Said(200, [("Content-Length", "0")], b"", 3.0), "took 3.0 seconds"),
        (API, said(400, b'{"__type":"ScanNotFoundException","message":"x"}', REQUEST_ID), "does not list"),
        (API, said(200, b'{"colour":"red"}', REQUEST_ID), "colour is not in the model"),
        (API, said(200, b"{}"), "no x-amzn-RequestId"),
        (FORM, said(400, b"<a>", ("Content-Type", "text/xml")), "no XML"),
        (FORM, said(400, b"<a/>", ("Content-Type", "text/xml")), "an error without a code"),
        (PAGE, said(404, b"<html>"), "not an error of a page"),
    ],
)
def test_what_is_wrong_is_named(ask: Ask, answer: Said, problem: str) -> None:
    found = judge(ask, answer)
    assert problem in found
    assert bool(found) == bool(problem)


def test_a_fault_in_the_emulator_is_found_and_made_short(inside: Inside, monkeypatch: Any) -> None:
    ask = InProcess.ask

    def broken(self: InProcess, request: Ask) -> Said:
        if request.kind == "catalog":
            raise ValueError("planted")
        return ask(self, request)

    monkeypatch.setattr(InProcess, "ask", broken)
    player = Player(Faults.listening())
    round_ = Round("x", 0)
    failure = next(player.play(round_, inside, lambda ask, said: None, range(400)))
    assert "planted" in failure.reason
    assert len(player.shortened(round_, inside, failure).steps) == 1


def curve(**grown: float) -> list[tuple[int, dict[str, float]]]:
    start = {"resident_mb": 100.0, "files": 20.0, "threads": 3.0, "left_over": 0.0, "blocks": 500_000.0}
    share = {name: amount / 9 for name, amount in grown.items()}
    return [
        (number * 1000, {name: value + share.get(name, 0) * number for name, value in start.items()})
        for number in range(10)
    ]


@pytest.mark.parametrize(
    ("grown", "problem"),
    [
        ({}, ""),
        ({"resident_mb": 20.0, "files": 5.0, "blocks": 20_000.0}, ""),
        ({"resident_mb": 200.0}, "resident_mb has grown"),
        ({"files": 100.0}, "files has grown"),
        ({"threads": 100.0}, "threads has grown"),
        ({"left_over": 9.0}, "left_over has grown"),
        ({"blocks": 90_000.0}, "blocks of memory are kept of a request"),
    ],
)
def test_what_grows_is_named(grown: dict[str, float], problem: str) -> None:
    outcome = Outcome("x", {0: {"curve": curve(**grown), "servers": {}}})
    outcome.judge()
    assert problem in " ".join(outcome.failures)
    assert bool(outcome.failures) == bool(problem)
