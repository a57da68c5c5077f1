"""`ecr-emu images`: giving a repository a past."""

import json

import click

from ecr_emu.cli import files, options, progress, server, tables

PATH = "/_emu/images"
DAY_SECONDS = 86_400
MAX_COUNT = 1_000_000


@click.group()
def images() -> None:
    """Images that are known by records and were never pushed."""


@images.command()
@click.argument("file", required=False)
@click.option("--repository", help="Repository of the records that name none.")
@click.option("--count", type=click.IntRange(1, MAX_COUNT), help="Make so many images, in place of a FILE.")
@click.option(
    "--days",
    type=click.FloatRange(0, 36_500),
    default=30.0,
    show_default=True,
    help="With --count: push them evenly over the last so many days.",
)
@server.endpoint_url
@options.output
def synthesize(
    file: str | None,
    repository: str | None,
    count: int | None,
    days: float,
    endpoint_url: str,
    output: str,
) -> None:
    """Make images from the records in FILE, or - for the standard input.

    Records are JSON lines, a JSON list, or what `aws ecr describe-images --output json` prints. All are
    stored, or none.
    """
    if (file is None) == (count is None):
        raise options.failure("give either a FILE of records (- for the standard input), or --count")
    if count is not None and repository is None:
        raise options.failure("--count needs --repository: where the images go")
    if count is not None:
        now = float(server.get(endpoint_url, "/_emu/clock")["epochSeconds"])
        records = _builds(count, now, days)
    else:
        records = files.read(file or "-")
    with progress.shown() as show:
        show(f"sending {tables.size(len(records))}")
        stored = server.post(endpoint_url, PATH, records, {"repositoryName": repository})
    tables.show(stored, output)


def _builds(count: int, now: float, days: float) -> bytes:
    """Records of a build server: build-1, build-2 and so on, the last one pushed now."""
    gap = days * DAY_SECONDS / count
    lines = (
        json.dumps(
            {
                "imageTags": [f"build-{number}"],
                "imagePushedAt": max(0.0, now - (count - number) * gap),
                # From 40 to 90 MB, as uneven as builds are and always the same.
                "imageSizeInBytes": 40_000_000 + number * 7_919 % 1_000 * 50_000,
            }
        )
        for number in range(1, count + 1)
    )
    return "\n".join(lines).encode()
