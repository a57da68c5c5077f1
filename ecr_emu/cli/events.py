"""`ecr-emu events`: what happened on a running server."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from ecr_emu.cli import options, server, tables

WAIT = "20s"
HEAD = ("TIME", "EVENT", "REPOSITORY", "WHAT")
# Room for the columns of --follow, whose widths cannot wait for the last row.
ROW = "{:<20}  {:<29}  {:<30}  {}"


@click.command()
@click.option(
    "--detail-type", multiple=True, help="Only of this kind, as in 'ECR Image Action'; may be said again."
)
@click.option("--repository", help="Only of this repository.")
@click.option("--since", help="Only behind the event with this number, or from this time on.")
@click.option("--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@server.endpoint_url
@options.output
def events(
    detail_type: Sequence[str], repository: str | None, since: str | None, follow: bool, **where: str
) -> None:
    """Show what happened, as EventBridge tells it: pushes, scans, copies and so on.

    With --output json, each event is a line.
    """
    query = {"detail-type": detail_type, "repository": repository, "since": since}
    pages = _pages(where["endpoint_url"], query, follow=follow)
    if where["output"] == "json":
        for event in (event for page in pages for event in page):
            click.echo(json.dumps(event))
    elif follow:
        for event in (event for page in pages for event in page):
            click.echo(ROW.format(*_row(event)).rstrip())
    else:
        click.echo(tables.table(HEAD, [_row(event) for page in pages for event in page]))


def _pages(endpoint: str, query: dict[str, Any], *, follow: bool) -> Iterator[list[dict[str, Any]]]:
    """The events, in parts; without an end when more are waited for."""
    waiting = {"wait": WAIT} if follow else {}
    while True:
        answer = server.get(endpoint, "/_emu/events", {**query, **waiting})
        yield answer["events"]
        if not (answer["events"] or follow):
            return
        query = {**query, "since": str(answer["mark"])}


def _row(event: dict[str, Any]) -> tuple[str, str, str, str]:
    detail = event["detail"]
    kind = event["detail-type"]
    repository = str(detail.get("repository-name", "")).rpartition(":repository/")[2]
    if "eventName" in detail:
        repository = _name_of((detail["resources"] or [{}])[0].get("ARN", ""))
    return event["time"], kind.removesuffix(" via CloudTrail"), repository, _what(detail)


def _name_of(arn: str) -> str:
    return arn.partition(":repository/")[2]


def _what(detail: dict[str, Any]) -> str:
    """What was done, to which tag, and how it went, as far as the event says so."""
    members = ("eventName", "action-type", "target-storage-class", "scan-status", "image-tag", "severity")
    said = [str(detail[name]) for name in members if detail.get(name)]
    went = [detail[name] for name in ("result", "sync-status", "errorCode", "title") if detail.get(name)]
    return " ".join([*said, *(word for word in went if word != "SUCCESS")])
