"""The benchmark's own rules: verdicts, the page that is made of stored samples, peers that are not there."""

import contextlib
import dataclasses
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.bench import install, load, plots, report, roster, targets
from conformance.bench.__main__ import main
from conformance.bench.client import BenchFailed
from conformance.bench.install import NotInstalled, Program
from conformance.bench.measures import QUICK, Measure, Samples, Session
from conformance.bench.subjects import running
from conformance.bench.targets import GO_AND_RUST, Target

RATE = Measure("manifest GET, 16 connections", "requests/s", True, "manifest GET", 16)
START = Measure("cold start to first answer", "ms", False)
PEERS = ("ecr-emu", "docker-registry", "distribution", "zot")


def samples(measure: Measure, **values: list[float]) -> Samples:
    return Samples({measure: {name.replace("_", "-"): found for name, found in values.items()}})


def ratio_target(value: float, *than: str, measure: Measure = RATE) -> Target:
    return Target("servers", measure.name, "ratio", value, than)


def test_a_ratio_of_medians_meets_its_target() -> None:
    found = samples(RATE, ecr_emu=[1.0, 40.0, 90.0], docker_registry=[1.0, 2.0, 3.0])
    verdict = targets.judge(ratio_target(15, "docker-registry"), found)
    assert (verdict.is_met, verdict.found) == (True, "20.00 times docker-registry")


def test_a_missed_ratio_says_how_much_is_lacking() -> None:
    found = samples(RATE, ecr_emu=[30.0], docker_registry=[3.0])
    verdict = targets.judge(ratio_target(15, "docker-registry"), found)
    assert (verdict.is_met, verdict.found) == (False, "10.00 times docker-registry; 33% short")


def test_the_peer_that_wins_is_named_and_so_is_one_that_was_not_measured() -> None:
    found = samples(RATE, ecr_emu=[10.0], distribution=[5.0], fakecloud=[20.0])
    verdict = targets.judge(ratio_target(2, *GO_AND_RUST), found)
    assert verdict.found == (
        "0.50 times fakecloud (zot not measured); fakecloud wins, 2.00 times as good; 75% short"
    )


def test_a_target_is_not_met_for_good_while_a_peer_is_missing() -> None:
    stored_parts = stored()
    found = samples(RATE, ecr_emu=[10.0], distribution=[5.0], fakecloud=[4.0])
    stored_parts["servers"]["data"] = found.stored()
    wanted = "| manifest GET, 16 connections | at least 2 times the best of distribution, zot, fakecloud |"
    told = " met by those measured | 2.00 times distribution (zot not measured) |"
    assert wanted + told in lines_of(report.text(stored_parts))


def test_where_less_is_better_the_ratio_is_the_other_way_round() -> None:
    found = samples(START, ecr_emu=[200.0], docker_registry=[50.0])
    verdict = targets.judge(ratio_target(1, "docker-registry", measure=START), found)
    assert (verdict.is_met, verdict.found[:27]) == (False, "0.25 times docker-registry;")


@pytest.mark.parametrize(
    ("value", "is_met", "told"),
    [(150.0, True, "150 ms"), (151.0, False, "151 ms; 1% over"), (300.0, False, "300 ms; 100% over")],
)
def test_a_limit_may_be_reached_and_not_passed(value: float, is_met: bool, told: str) -> None:
    target = Target("servers", START.name, "at most", 150)
    verdict = targets.judge(target, samples(START, ecr_emu=[value]))
    assert (verdict.is_met, verdict.found) == (is_met, told)


@pytest.mark.parametrize(("large", "is_met"), [(65.0, True), (66.0, False)])
def test_growth_is_held_against_the_other_measure(large: float, is_met: bool) -> None:
    first, second = Measure("at 10 MB", "MB", False), Measure("at 2 GB", "MB", False)
    found = Samples({first: {"ecr-emu": [50.0]}, second: {"ecr-emu": [large]}})
    verdict = targets.judge(Target("large", second.name, "growth", 1.3, (first.name,)), found)
    assert verdict.is_met is is_met


@pytest.mark.parametrize("found", [None, samples(START, docker_registry=[1.0]), samples(RATE, zot=[1.0])])
def test_what_was_not_measured_is_neither_met_nor_missed(found: Samples | None) -> None:
    target = Target("servers", START.name, "at most", 150)
    assert (targets.judge(target, found).is_met, targets.judge(target, found).found) == (None, "not measured")


def test_targets_name_peers_that_there_are() -> None:
    known = {peer.name for peer in roster.all_peers()}
    assert {name for it in targets.TARGETS if it.kind == "ratio" for name in it.than} <= known
    assert {it.than for it in targets.TARGETS if len(it.than) > 1} == set(targets.GROUPS)


def how(**changed: Any) -> dict[str, Any]:
    peers = [
        {"name": name, "version": "1.0", "about": f"how {name} runs", "missing": ""} for name in PEERS[:3]
    ]
    peers.append({"name": "zot", "version": "v2", "about": "", "missing": "403 Forbidden (Go module z)"})
    return {
        "date": "2026-11-26",
        "machine": {"processor": "a processor", "processors": "2"},
        "load": "0.1",
        "rounds": 3,
        "load_seconds": 2,
        "load_client": "wrk, 1 thread",
        "peers": peers,
        "warnings": [],
    } | changed


def stored(**changed: Any) -> report.Stored:
    found = samples(RATE, ecr_emu=[9e3, 1e4, 2e4], docker_registry=[400.0, 500.0, 600.0])
    found.values[START] = {"ecr-emu": [180.0], "distribution": [20.0]}
    lifecycle = [{"images": 1000, "tags": 20, "seconds": 0.0137, "bytes_per_image": 626.0}]
    return {
        "servers": {"how": how(**changed), "data": found.stored()},
        "lifecycle": {"how": how(), "data": lifecycle},
        "authorization": {
            "how": how(),
            "data": {"16": {"open": [200.0], "token": [100.0], "iam": [50.0]}},
        },
    }


def lines_of(text: str) -> list[str]:
    """Lines whose tables are without padding."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_page_shows_medians_ranges_and_ratios() -> None:
    lines = lines_of(report.text(stored()))
    assert "| | unit | ecr-emu | docker-registry | distribution |" in lines
    cells = "10,000 (9,000 to 20,000) | 500 (400 to 600), **20.00** | -"
    assert f"| manifest GET, 16 connections | requests/s | {cells} |" in lines
    assert "| cold start to first answer | ms | 180 | - | 20, **0.11** |" in lines
    assert "1,000 20 0.0137 13.7 626 1.00" in lines
    assert "16 200 100 50 +100 % +300 %" in lines


def test_a_missing_peer_stands_in_the_page_with_its_reason() -> None:
    assert "| zot | v2 | **missing**: 403 Forbidden (Go module z) |" in lines_of(report.text(stored()))


def test_what_went_wrong_stands_in_the_page() -> None:
    text = report.text(stored(warnings=["zot, push 2 GB: BenchFailed: answered 413"]))
    assert "- zot, push 2 GB: BenchFailed: answered 413" in text.splitlines()


def test_the_page_is_the_same_when_it_is_made_of_the_stored_samples(tmp_path: Path) -> None:
    written = []
    for number in range(2):
        pictures = tmp_path / str(number)
        page = tmp_path / f"{number}.md"
        source = stored() if number == 0 else json.loads((tmp_path / "0" / "samples.json").read_text())
        report.write(source, page, pictures)
        written.append((page.read_text(), {file.name: file.read_bytes() for file in pictures.iterdir()}))
    assert written[0] == written[1]
    text, files = written[0]
    assert set(files) == {"samples.json", "manifest-get.svg"}
    assert "![manifest GET](benchmarks/manifest-get.svg)" in text.splitlines()
    assert "## Scans\n\nNot measured." in text


def test_the_page_of_the_documentation_is_what_its_samples_and_texts_make(tmp_path: Path) -> None:
    """`python -m conformance.bench --from-json docs/benchmarks/samples.json --write` mends it."""
    report.write(json.loads(report.SAMPLES.read_text()), tmp_path / "page.md", tmp_path / "pictures")
    assert (tmp_path / "page.md").read_text() == report.PAGE.read_text()
    made, kept = (
        {file.name for file in folder.iterdir()} for folder in (tmp_path / "pictures", report.PICTURES)
    )
    assert made == kept


def test_a_picture_is_small_and_names_who_is_in_it() -> None:
    picture = plots.draw({"servers": samples(RATE, ecr_emu=[3.0], docker_registry=[1.0])})["manifest-get.svg"]
    assert ">docker-registry</text>" in picture
    assert len(picture) < 40_000


def test_every_part_has_its_text_by_hand() -> None:
    assert set(report.notes(report.NOTES.read_text())) == {"intro", *report.PARTS}


def test_the_command_shows_a_file_and_measures_nothing(tmp_path: Path) -> None:
    source = tmp_path / "samples.json"
    source.write_text(json.dumps(stored()))
    result = CliRunner().invoke(main, ["--from-json", str(source)])
    assert result.exit_code == 0, result.output
    assert "20.00 times docker-registry" in result.output


def test_a_peer_that_there_is_not_is_refused() -> None:
    result = CliRunner().invoke(main, ["--quick", "--peers", "zot,nosuch"])
    assert (result.exit_code, result.output[:27]) == (1, "Error: no such peer: nosuch")


def test_ours_is_measured_whatever_is_chosen() -> None:
    assert [peer.name for peer in roster.choose("nginx, zot")] == ["ecr-emu", "zot", "nginx"]


def test_a_peer_that_does_not_start_is_told_and_the_others_are_measured() -> None:
    def broken(folder: Path, port: int) -> list[str]:
        return ["sh", "-c", "echo no such option >&2; exit 1"]

    ours, *_ = roster.all_peers()
    warnings: list[str] = []
    peers = [ours, dataclasses.replace(ours, name="broken", command=broken)]
    session = Session(QUICK, peers, load.python, lambda: None, warnings.append)
    with running(session, peers) as subjects:
        assert [subject.name for subject in subjects] == ["ecr-emu"]
    assert warnings == ["broken, start: BenchFailed: broken did not start: no such option\n"]
    with pytest.raises(BenchFailed), running(session, [dataclasses.replace(ours, command=broken)]):
        pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(install, "FOLDER", tmp_path / "peers")
    return tmp_path / "peers"


def program(folder: Path, script: str, version: str = "1.0") -> Program:
    def run(it: Program) -> None:
        install.run(it, [["sh", "-c", script]], TARGET=str(folder / "bin"))

    return Program("thing", folder / "bin", version, "crate thing", run)


def test_a_program_that_cannot_be_installed_keeps_the_reason_without_addresses(folder: Path) -> None:
    it = program(folder, "echo trying; echo 'error: https://example.com/a/b: 403 Forbidden' >&2; exit 1")
    assert it.missing == "not installed yet (crate thing)"
    assert install.ensure(it) == "missing: error: (address): 403 Forbidden"
    assert (it.found, it.missing) == ("", "error: (address): 403 Forbidden (crate thing)")


def test_a_program_that_was_installed_is_found_until_its_version_changes(folder: Path) -> None:
    it = program(folder, 'echo >"$TARGET"')
    assert (install.ensure(it), it.missing, it.found) == ("installed", "", str(folder / "bin"))
    assert install.ensure(it) == "is there"
    assert program(folder, "exit 1", "2.0").missing == "not installed yet (crate thing)"


def test_a_tool_that_is_not_there_is_a_reason(folder: Path) -> None:
    it = program(folder, "")
    with pytest.raises(NotInstalled, match="no-such-tool: No such file or directory"):
        install.run(it, [["no-such-tool"]])


class _Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5000")
        self.end_headers()

    def handle(self) -> None:
        # A client that has counted enough goes away.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if body == b'{"a": 1}' and self.headers["X-Amz-Target"] == "T" else 400)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("client", [load.wrk, load.python])
def test_requests_with_and_without_a_body_are_counted(client: load.Load, port: int) -> None:
    assert client(port, "/", {}, 2, 1, load.HEAD) > 20
    assert client(port, "/", {"X-Amz-Target": "T"}, 2, 1, load.Sent("POST", '{"a": 1}')) > 20
    with pytest.raises(BenchFailed):
        client(port, "/", {"X-Amz-Target": "T"}, 2, 1, load.Sent("POST", '{"a": 2}'))
