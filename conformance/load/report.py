"""What a run has shown: judged, as a table, as JSON, as the page docs/load.md with its curve."""

import json
import math
import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from conformance.load.journal import RESTART
from conformance.load.run import REST_SECONDS, Result
from conformance.load.server import Sample

# What may be left of memory, descriptors and threads some time after the last client, above the idle server.
LEFT_MB, LEFT_FILES, LEFT_THREADS = 100.0, 80, 16
# What may be in use at any time; descriptors and threads for each client, besides those of the server.
PEAK_MB, PER_CLIENT_FILES, PER_CLIENT_THREADS = 700.0, 4, 2
WIDTH, HEIGHT, MARGIN = 760, 260, 46


def judge(result: Result) -> list[str]:
    """What is wrong; nothing when all is as it should be."""
    journal, idle, rested = result.journal, result.idle, result.rested
    found = list(journal.problems)
    peak_files = max(sample.files for sample in result.samples)
    peak_threads = max(sample.threads for sample in result.samples)
    # Threads without work end after half a minute; a shorter rest shows nothing.
    has_rested = result.samples[-1].at - result.seconds > REST_SECONDS - 5
    most_threads = idle.threads + LEFT_THREADS if has_rested else peak_threads
    bounds = (
        ("memory at its peak (MB)", max(sample.pss_mb for sample in result.samples), PEAK_MB),
        ("descriptors at their peak", peak_files, idle.files + PER_CLIENT_FILES * result.clients),
        ("threads at their peak", peak_threads, idle.threads + PER_CLIENT_THREADS * result.clients),
        ("memory afterwards (MB)", rested.pss_mb, idle.pss_mb + LEFT_MB),
        ("descriptors afterwards", rested.files, idle.files + LEFT_FILES),
        ("threads afterwards", rested.threads, most_threads),
    )
    found += [
        f"{what}: {value:.0f}, and {most:.0f} is the most" for what, value, most in bounds if value > most
    ]
    if "nothing is wrong" not in result.fsck:
        found.append(f"fsck: {result.fsck[:500]}")
    if result.exit_code:
        found.append(f"the server ended with {result.exit_code}")
    if not result.checked_images:
        found.append("no image was acknowledged")
    return found


def as_json(result: Result) -> str:
    journal = result.journal
    content = {
        "seconds": round(result.seconds, 1),
        "clients": result.clients,
        "requests": sum(journal.answers.values()),
        "answers": [
            {"kind": kind, "status": status, "count": count}
            for (kind, status), count in sorted(journal.answers.items())
        ],
        "milliseconds": {
            kind: {"count": len(values), "p50": _part(values, 0.5), "p99": _part(values, 0.99)}
            for kind, values in sorted(journal.seconds.items())
        },
        "troubles": [{**asdict(one), "seen": _seen(result, one.name)} for one in journal.troubles],
        "notDone": result.not_done,
        "cutUploads": journal.cuts,
        "resumedUploads": journal.resumed,
        "clientsThatReadNothing": journal.stares,
        "sentBytes": journal.sent_bytes,
        "readBytes": journal.read_bytes,
        "checkedImages": result.checked_images,
        "deletedImages": len(journal.deleted),
        "fsck": result.fsck,
        "exitCode": result.exit_code,
        "logLines": result.log_levels,
        "idle": asdict(result.idle),
        "rested": asdict(result.rested),
        "samples": [asdict(sample) for sample in result.samples],
        "problems": judge(result),
        "problemCount": journal.problem_count,
    }
    return json.dumps(content, indent=2)


def table(result: Result) -> str:
    """The same for people, in Markdown."""
    return "\n\n".join(["\n".join(_facts(result)), *_tables(result)])


def page(result: Result) -> str:
    """docs/load.md."""
    machine = f"{os.cpu_count()} processors, {_memory_gb():.0f} GB, {platform.system()} {platform.release()}"
    date = time.strftime("%Y-%m-%d", time.gmtime())
    program = (
        f"ecr-emu {version('ecr-emu')}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
    return f"""# Under load

<!-- Written by `python -m conformance.load --page docs/load.md`. -->

{date}, {machine}; {program}, granian {version("granian")}. The clients ran on the same machine.

Every second client is slow: it sends its requests and reads its answers drop by drop. Now and then one hangs
up in the middle of an upload and goes on later, or asks for a layer and reads nothing. Each checks the digest
of all that it reads. In the course of it the troubles below come and go. In the end every image that was
acknowledged is read, byte for byte, and `ecr-emu fsck` looks at the folder. An answer of 500 is a failure at
any time, and so is 503 when no trouble is on.

{table(result)}

## Memory

![Memory of the server, second by second](load-memory.svg)
"""


def _facts(result: Result) -> Iterator[str]:
    journal, found = result.journal, judge(result)
    requests = sum(journal.answers.values())
    verdict = "as it should be" if not found else f"{max(len(found), journal.problem_count)} problems (below)"
    yield f"**{requests:,} answers to {result.clients} clients in {result.seconds:,.0f} s: {verdict}.**"
    yield ""
    sent, read = journal.sent_bytes / 1e6, journal.read_bytes / 1e6
    yield f"- Bytes of bodies: {sent:,.0f} MB sent, {read:,.0f} MB read."
    yield f"- Uploads cut at a random byte: {journal.cuts:,}; of these, {journal.resumed:,} went on."
    yield f"- Clients that asked for a layer and read nothing: {journal.stares:,}."
    yield f"- Images acknowledged, and read again in the end: {result.checked_images:,}."
    yield f"- Images deleted, and not found in the end: {len(journal.deleted):,}."
    yield f"- fsck: {result.fsck}. Exit code after SIGTERM: {result.exit_code}."
    levels = ", ".join(f"{count:,} {level}" for level, count in sorted(result.log_levels.items())) or "none"
    yield f"- Lines in the log: {levels}."
    yield from (f"- Not done: {one}" for one in result.not_done)
    yield from (f"- Problem: {one}" for one in found)


def _tables(result: Result) -> Iterator[str]:
    journal = result.journal
    rows = [
        (f"{one.began:,.0f} to {one.ended:,.0f} s", one.name, one.note, _seen_text(result, one.name))
        for one in journal.troubles
    ]
    yield "## Troubles\n\n" + _markdown(("when", "what", "how", "seen by clients"), rows)
    statuses = sorted({status for _, status in journal.answers})
    kinds = sorted({kind for kind, _ in journal.answers})
    counts = [
        (
            kind,
            *(
                f"{journal.answers[kind, status]:,}" if journal.answers[kind, status] else ""
                for status in statuses
            ),
        )
        for kind in kinds
    ]
    yield "## Answers by status\n\n" + _markdown(("request", *map(str, statuses)), counts)
    times = [
        (kind, f"{len(values):,}", f"{_part(values, 0.5):,.1f}", f"{_part(values, 0.99):,.1f}")
        for kind, values in sorted(journal.seconds.items())
    ]
    yield (
        "## Milliseconds\n\nOf clients that are not slow, from the request to the whole answer, while no "
        "trouble is on.\n\n" + _markdown(("request", "answers", "p50", "p99"), times)
    )
    peak = [
        max(getattr(one, name) for one in result.samples) for name in ("pss_mb", "rss_mb", "files", "threads")
    ]
    resources = [
        (name, f"{getattr(result.idle, key):,.0f}", f"{most:,.0f}", f"{getattr(result.rested, key):,.0f}")
        for (name, key), most in zip(_RESOURCES, peak, strict=True)
    ]
    yield "## Resources\n\n" + _markdown(("", "before", "at the peak", "afterwards"), resources)


_RESOURCES = (
    ("memory, PSS (MB)", "pss_mb"),
    ("memory, RSS (MB)", "rss_mb"),
    ("file descriptors", "files"),
    ("threads", "threads"),
)


def curve(result: Result) -> str:
    """Memory over time, as an SVG; grey where there was a trouble."""
    samples = result.samples
    end, top = max(samples[-1].at, 1.0), _round_up(max(sample.pss_mb for sample in samples))

    def x(at: float) -> float:
        return round(MARGIN + at / end * (WIDTH - 2 * MARGIN), 1)

    def y(megabytes: float) -> float:
        return round(HEIGHT - MARGIN - megabytes / top * (HEIGHT - 2 * MARGIN), 1)

    bars = "".join(
        f'<rect x="{x(one.began)}" y="{MARGIN}" width="{max(x(one.ended) - x(one.began), 2)}" '
        f'height="{HEIGHT - 2 * MARGIN}" fill="#dddddd"/>'
        f'<text x="{x(one.began)}" y="{MARGIN - 6}">{one.name}</text>'
        for one in result.journal.troubles
    )
    lines = "".join(
        f'<polyline points="{points}" fill="none" stroke="#3060c0"/>' for points in _lines(samples, x, y)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{bars}'
        f'<line x1="{MARGIN}" y1="{y(0)}" x2="{WIDTH - MARGIN}" y2="{y(0)}" stroke="black"/>'
        f'<text x="4" y="{y(top) + 4}">{top} MB</text><text x="4" y="{y(0) + 4}">0</text>'
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 26}" text-anchor="end">{end:.0f} s; after '
        f"{result.seconds:.0f} s no client is there</text>{lines}</svg>\n"
    )


def _lines(samples: Sequence[Sample], x: object, y: object) -> Iterator[str]:
    """The curve, in pieces: between them no server ran."""
    assert callable(x)
    assert callable(y)
    piece: list[str] = []
    last = samples[0].at
    for sample in samples:
        if sample.at - last > 4:
            yield " ".join(piece)
            piece = []
        piece.append(f"{x(sample.at)},{y(sample.pss_mb)}")
        last = sample.at
    yield " ".join(piece)


def write_page(result: Result, path: Path) -> None:
    path.write_text(page(result))
    (path.parent / "load-memory.svg").write_text(curve(result))


def _seen(result: Result, trouble: str) -> dict[str, int]:
    return {what: count for (name, what), count in result.journal.by_trouble.items() if name == trouble}


def _seen_text(result: Result, trouble: str) -> str:
    seen = _seen(result, trouble)
    text = ", ".join(f"{what} {count:,} times" for what, count in sorted(seen.items()))
    return text or ("nothing" if trouble != RESTART else "no broken connection")


def _part(values: list[float], part: float) -> float:
    """A percentile in milliseconds."""
    ordered = sorted(values)
    return round(ordered[min(math.ceil(part * len(ordered)), len(ordered)) - 1] * 1000, 1)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _round_up(megabytes: float) -> int:
    step = 50 if megabytes < 500 else 200
    return max(math.ceil(megabytes / step) * step, step)


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
