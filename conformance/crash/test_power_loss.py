"""What a loss of power may take: the order of a server's system calls, and the states that they allow."""

import shutil
from pathlib import Path

import pytest

from conformance.crash.disk import VARIANTS
from conformance.crash.power import PowerLoss, Recording
from conformance.crash.rules import RULES, Order
from conformance.crash.story import Lost
from conformance.crash.trace import NO_STRACE, CannotTrace, TracedServer
from conformance.crash.wire import Wire

SEED = 5
CUTS = 5


def order_of(recording: Recording) -> Order:
    order = Order(recording.folder)
    order.read(recording.events())
    return order


@pytest.mark.timeout(300)
def test_each_thing_is_synced_before_what_relies_on_it(tmp_path: Path) -> None:
    order = order_of(Recording(tmp_path, 1, 60, SEED))
    assert order.broken == []
    assert {rule for rule in RULES if order.checked[rule]} == set(RULES)


@pytest.mark.timeout(300)
def test_a_server_that_does_not_wait_for_the_disk_breaks_every_rule(tmp_path: Path) -> None:
    order = order_of(Recording(tmp_path, 1, 60, SEED, "--durability", "fast"))
    assert {rule for rule, _ in order.broken} == set(RULES)


@pytest.mark.timeout(300)
def test_what_was_acknowledged_survives_a_loss_of_power(tmp_path: Path) -> None:
    loss = PowerLoss(Recording(tmp_path, 4, 30, SEED), tmp_path, SEED)
    for at in loss.cuts(CUTS):
        for variant in VARIANTS:
            loss.check(at, variant)
    assert loss.figures.facts > CUTS * len(VARIANTS)
    assert loss.figures.images_read > 0


@pytest.mark.timeout(300)
def test_what_was_not_synced_is_found_missing(tmp_path: Path) -> None:
    loss = PowerLoss(Recording(tmp_path, 1, 30, SEED, "--durability", "fast"), tmp_path, SEED)
    with pytest.raises(Lost):
        loss.check(loss.places[-1], next(iter(VARIANTS)))


def syncs(tmp_path: Path, durability: str) -> tuple[int, int]:
    """How many syncs there are in the server's process, and in that of its background work."""
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    options = ("--data-dir", str(tmp_path / "data"), "--auth", "open", "--durability", durability)
    server = TracedServer(tmp_path / "trace", *options)
    wire = Wire(server.port)
    config = b"{}"
    digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    wire.call("CreateRepository", repositoryName="app")
    wire.ask("POST", f"/v2/app/blobs/uploads/?digest={digest}", config, (201,))
    manifest = (
        f'{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],'
        f'"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{digest}","size":2}}}}'
    )
    wire.ask("PUT", "/v2/app/manifests/v1", manifest.encode(), (201,))
    wire.call("StartImageScan", repositoryName="app", imageId={"imageTag": "v1"})
    # Which does what is due before it answers: the scan, in a process of its own.
    wire.ask("POST", "/_emu/clock", b'{"advance": "1m"}')
    wire.close()
    server.stop()
    threads: dict[str, int] = {}
    child = ""
    for line in (tmp_path / "trace").read_text(encoding="ascii").splitlines():
        thread, _, text = line.partition(" ")
        threads.setdefault(thread, 0)
        threads[thread] += text.lstrip().startswith(("fsync(", "fdatasync("))
        # The child is the only one beside the server that opens what Python programs open first.
        if b"pyvenv.cfg".hex("x").replace("x", "\\x") in text and thread != next(iter(threads)):
            child = thread
    assert child, "there was no child"
    return sum(count for thread, count in threads.items() if thread != child), threads[child]


@pytest.mark.timeout(300)
def test_durability_is_that_of_the_server_and_of_its_background_work(tmp_path: Path) -> None:
    assert syncs(tmp_path, "fast") == (0, 0)
    in_server, in_child = syncs(tmp_path, "safe")
    assert in_server > 5
    assert in_child > 0


def test_without_strace_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotTrace, match="apt-get install strace"):
        TracedServer(tmp_path / "trace")
    assert "docs/conformance.md" in NO_STRACE
