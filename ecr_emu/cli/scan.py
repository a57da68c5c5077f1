"""`ecr-emu scan`: what scans shall find."""

import json
from typing import Any

import click

from ecr_emu.cli import files, options, server, tables
from ecr_emu.domain import durations
from ecr_emu.domain.findings import SEVERITIES

PATH = "/_emu/scan-findings"


@click.group()
def scan() -> None:
    """Decide what scans find, for tests that need a certain result."""


@scan.command()
@click.argument("file", required=False)
@click.option("--repository", required=True, help="Repository of the images.")
@click.option("--tag", help="The image with this tag only.")
@click.option("--digest", help="The image with this digest only.")
@click.option(
    "--label", metavar="KEY=VALUE", multiple=True, help="Images with this label in their configuration."
)
@click.option(
    "--finding", metavar="SEVERITY=COUNT", multiple=True, help="In place of FILE: so many findings."
)
@click.option("--status", help="COMPLETE if not given; ACTIVE for enhanced scans.")
@click.option("--description", help="What the scan says of its status.")
@click.option("--delay", metavar="DURATION", help="How long the scan stays IN_PROGRESS: 30s, 5m.")
@server.endpoint_url
@options.output
def inject(file: str | None, endpoint_url: str, output: str, **given: Any) -> None:
    """Let scans find what FILE says, or so many findings.

    FILE, or - for the standard input, is JSON with `findings`, `enhancedFindings` and
    `findingSeverityCounts`: the imageScanFindings that `aws ecr describe-image-scan-findings` prints.
    """
    if (file is None) == (not given["finding"] and given["status"] is None):
        raise options.failure(
            "give either a FILE of findings (- for the standard input), or --finding or --status"
        )
    document = {"repositoryName": given["repository"], **_selector(given), **_result(given)}
    if file is not None:
        document |= _findings(file)
    elif given["finding"]:
        document["findings"] = _counts(given["finding"])
    tables.show(server.put(endpoint_url, PATH, document), output)


@scan.command()
@server.endpoint_url
@options.output
def injected(endpoint_url: str, output: str) -> None:
    """List what scans shall find."""
    answer = server.get(endpoint_url, PATH)
    if output == "json":
        tables.show(answer, output)
        return
    rows = [
        (
            str(one["number"]),
            one["registryId"],
            one["region"],
            one["repositoryName"],
            _images(one),
            _what(one),
        )
        for one in answer["injections"]
    ]
    head = ("NUMBER", "ACCOUNT", "REGION", "REPOSITORY", "IMAGES", "RESULT")
    click.echo(tables.table(head, rows) if rows else "nothing is injected")


@scan.command()
@click.argument("number", type=int, required=False)
@server.endpoint_url
@options.output
def clear(number: int | None, endpoint_url: str, output: str) -> None:
    """Take back injection NUMBER, or all. Scans that are over stay as they are."""
    path = PATH if number is None else f"{PATH}/{number}"
    tables.show(server.delete(endpoint_url, path), output)


def _selector(given: dict[str, Any]) -> dict[str, Any]:
    labels = dict(text.partition("=")[::2] for text in given["label"])
    said = {"imageTag": given["tag"], "imageDigest": given["digest"], "label": labels or None}
    return {name: value for name, value in said.items() if value is not None}


def _result(given: dict[str, Any]) -> dict[str, Any]:
    said = {name: given[name] for name in ("status", "description") if given[name] is not None}
    if given["delay"] is None:
        return said
    try:
        return {**said, "delaySeconds": durations.seconds(given["delay"])}
    except ValueError as problem:
        raise options.failure(f"--delay: {problem}") from None


def _counts(texts: tuple[str, ...]) -> dict[str, int]:
    counts = {}
    for text in texts:
        severity, _, number = text.partition("=")
        if severity not in SEVERITIES or not (number or "1").isdecimal():
            raise options.failure(
                f"--finding {text}: write it as CRITICAL=1; there are {', '.join(SEVERITIES)}"
            )
        counts[severity] = int(number or "1")
    return counts


def _findings(file: str) -> dict[str, Any]:
    """The findings of a file: an answer of the API, or the part of it that has them."""
    try:
        document = json.loads(files.read_text(file))
    except ValueError as problem:
        raise options.failure(f"{file}: not JSON: {problem}") from None
    inside = document.get("imageScanFindings", document) if isinstance(document, dict) else None
    if not isinstance(inside, dict):
        raise options.failure(f"{file}: no object with findings")
    names = ("findings", "enhancedFindings", "findingSeverityCounts")
    return {name: inside[name] for name in names if name in inside}


def _images(one: dict[str, Any]) -> str:
    if "label" in one:
        return ", ".join(f"{name}={value}" for name, value in one["label"].items())
    return str(one.get("imageTag") or one.get("imageDigest") or "all")


def _what(one: dict[str, Any]) -> str:
    findings = one.get("findings", {})
    if isinstance(findings, dict):
        found = ", ".join(f"{name} {count}" for name, count in findings.items())
    else:
        found = f"{len(findings)} findings"
    return " ".join(part for part in (one.get("status", ""), found) if part)
