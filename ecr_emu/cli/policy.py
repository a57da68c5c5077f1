"""`ecr-emu policy`: what a principal needs, from what it did."""

import json
from typing import Any

import click

from ecr_emu.cli import options, server
from ecr_emu.domain.iam import least_privilege


@click.group()
def policy() -> None:
    """Write least-privilege policies."""


@policy.command()
@server.endpoint_url
def mark(endpoint_url: str) -> None:
    """Print the number of the last decision, for --since."""
    click.echo(server.get(endpoint_url, "/_emu/decisions", {"limit": "0"})["mark"])


@policy.command()
@click.option("--principal", metavar="ARN", help="Whose policy; of sessions, the role's ARN takes all.")
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="MARK", help="From `policy mark`.")
@click.option("--with-refused", is_flag=True, help="Allow also what was tried and refused.")
@server.endpoint_url
def from_traffic(principal: str | None, since: int, with_refused: bool, endpoint_url: str) -> None:
    """Print the policy that allows what a principal did, and nothing else.

    The server counts from its start, or from a mark. With --auth open nothing is asked, so nothing is known.
    """
    answer = server.get(endpoint_url, "/_emu/uses", {"since": str(since)})
    if not answer["isComplete"]:
        raise options.failure("so much was done since that some is forgotten; take a newer mark with --since")
    uses = [use for use in answer["uses"] if use["allowed"] or with_refused]
    theirs = _of_principal(uses, principal)
    click.echo(
        json.dumps(least_privilege.policy((use["action"], use["resource"]) for use in theirs), indent=2)
    )


def _of_principal(uses: list[dict[str, Any]], principal: str | None) -> list[dict[str, Any]]:
    known = sorted({use["identity"] for use in uses})
    if not known:
        raise options.failure(
            "nobody was allowed anything since; --auth open asks nothing, so nothing is known"
        )
    if principal is None and len(known) > 1:
        raise options.failure(f"say whose with --principal: {', '.join(known)}")
    found = [use for use in uses if principal in (None, use["principal"], use["identity"])]
    if not found:
        raise options.failure(f"{principal} was allowed nothing since; others are {', '.join(known)}")
    return found
