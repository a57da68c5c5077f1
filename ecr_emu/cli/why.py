"""`ecr-emu why`: what decided about a request."""

from typing import Any

import click

from ecr_emu.cli import options, server, tables


@click.command()
@click.argument("request_id")
@server.endpoint_url
@options.output
def why(request_id: str, endpoint_url: str, output: str) -> None:
    """Say which statement of which policy allowed or refused a request.

    REQUEST_ID is in the answer's x-amzn-RequestId; `GET /_emu/decisions` lists the last ones.
    """
    answer = server.get(endpoint_url, f"/_emu/decisions/{request_id}")
    if output == "json":
        tables.show(answer, output)
        return
    for decision in answer["decisions"]:
        click.echo(_text(decision))


def _text(decision: dict[str, Any]) -> str:
    verdict = "allowed" if decision["allowed"] else f"refused {decision['because']}"
    lines = [
        f"{decision['at']}  {decision['principal']}",
        f"{decision['action']} on {decision['resource']}: {verdict}",
    ]
    if not decision["identityIsKnown"]:
        lines.append("Access keys are believed: identity policies count as allowing (--auth iam knows them).")
    head = ("EFFECT", "POLICY", "STATEMENT", "APPLIES", "WANTED", "ACTUAL")
    rows = [_row(one) for one in decision["considered"]]
    lines.append(tables.table(head, rows) if rows else "There is no policy.")
    return "\n".join(lines) + "\n"


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    source = one["statement"]
    applies = "yes" if one["matched"] else f"no: {one['missed']}"
    return (
        one["effect"],
        f"{source['policy']} ({source['kind']})",
        source["sid"] or str(source["index"]),
        f"{applies}; {one['note']}" if one["note"] else applies,
        ", ".join(one["wanted"]),
        ", ".join(one["actual"]),
    )
