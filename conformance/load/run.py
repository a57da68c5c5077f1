"""One run: server, clients and troubles, and what is there in the end."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from conformance.load.clients import Budget, Client, GaveUp, Site
from conformance.load.journal import Journal
from conformance.load.server import Sample, Server
from conformance.load.troubles import Troubles, small_disk

# The data's file system, and how much of it is pushed; what is left is for the database.
DISK_BYTES, BUDGET_BYTES = 3 << 30, 1 << 30
REPOSITORIES = 64
# What the clients would do in a second if every answer came at once.
REQUESTS_A_SECOND = 400
# Threads without work end after half a minute.
REST_SECONDS = 45.0
CHECKERS = 8


@dataclass(slots=True)
class Result:
    """What a run has shown. `idle` is before the first client, `rested` some time after the last."""

    seconds: float
    clients: int
    journal: Journal
    samples: list[Sample]
    idle: Sample
    rested: Sample
    checked_images: int = 0
    fsck: str = ""
    exit_code: int = 0
    log_levels: dict[str, int] = field(default_factory=dict)
    not_done: list[str] = field(default_factory=list)


def run(seconds: float, clients: int, rest_seconds: float, tell: Callable[[str], None]) -> Result:
    """Run for so many seconds, then verify everything."""
    with tempfile.TemporaryDirectory(prefix="ecr-emu-load-") as name:
        folder = Path(name)
        with small_disk(folder, DISK_BYTES) as disk:
            data = (disk or folder) / "data"
            server = Server(data, folder / "log")
            try:
                return asyncio.run(_run(server, data, disk, (seconds, clients, rest_seconds), tell))
            except BaseException:
                tell((folder / "log").read_text()[-3000:])
                raise
            finally:
                server.kill()


async def _run(
    server: Server,
    data: Path,
    disk: Path | None,
    plan: tuple[float, int, float],
    tell: Callable[[str], None],
) -> Result:
    seconds, count, rest_seconds = plan
    site = Site(server.port, Journal(), Budget(BUDGET_BYTES), pause_seconds=count / REQUESTS_A_SECOND)
    journal = site.journal
    first = Client(site, 0, is_slow=False)
    await first.log_in()
    for number in range(REPOSITORIES):
        await first.api("CreateRepository", repositoryName=f"load/c{number}")
    samples: list[Sample] = []
    idle = server.sample(journal.began)
    assert idle is not None
    troubles = Troubles(server, journal, data, disk)
    watching = asyncio.create_task(_watch(server, journal, samples, tell))
    clients = [Client(site, number, is_slow=number % 2 == 1) for number in range(count)]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run())
        trouble = group.create_task(troubles.run(seconds))
        await asyncio.sleep(seconds)
        await trouble
        site.stopping.set()
    loaded_seconds = journal.now()
    tell("checking what was acknowledged")
    checked = await _check_all(site)
    first.close()
    await asyncio.sleep(rest_seconds)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    rested = server.sample(journal.began)
    assert rested is not None
    result = Result(loaded_seconds, count, journal, samples, idle, rested, checked)
    result.fsck = await asyncio.to_thread(_fsck, data)
    server.terminate()
    result.exit_code = await asyncio.to_thread(server.wait)
    result.log_levels = server.log_levels()
    result.not_done = troubles.not_done
    return result


async def _watch(
    server: Server, journal: Journal, samples: list[Sample], tell: Callable[[str], None]
) -> None:
    while True:
        sample = await asyncio.to_thread(server.sample, journal.began)
        if sample is not None:
            samples.append(sample)
            total = sum(journal.answers.values())
            tell(f"{sample.at:.0f} s, {total:,} answers, {sample.pss_mb:.0f} MB, {sample.threads} threads")
        await asyncio.sleep(1)


async def _check_all(site: Site) -> int:
    """Read every image that was acknowledged, byte for byte, and look for what was deleted."""
    images = list(site.journal.images.values())
    queue = iter(images)

    async def check(client: Client) -> None:
        for image in queue:
            with suppress(GaveUp):
                await client.verify(image)
        client.close()

    checkers = [Client(site, 100_000 + number, is_slow=False) for number in range(CHECKERS)]
    await asyncio.gather(*(check(checker) for checker in checkers))
    gone = Client(site, 200_000, is_slow=False)
    for repository, tag in site.journal.deleted:
        await gone.verify_gone(repository, tag)
    gone.close()
    return len(images)


def _fsck(data: Path) -> str:
    """What fsck says of the data folder, beside the server that runs."""
    command = [sys.executable, "-m", "ecr_emu", "fsck", "--data-dir", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).replace(str(data), "the data folder").strip()
    return said if done.returncode in (0, 1) else f"fsck failed: {said}"
