"""`ecr-emu clock`: the time of a running server."""

from typing import Any

import click

from ecr_emu.cli import options, server, tables


@click.group(invoke_without_command=True)
@server.endpoint_url
@options.output
@click.pass_context
def clock(context: click.Context, endpoint_url: str, output: str) -> None:
    """Show the server's time, or move it. Moving it does what falls due on the way."""
    context.obj = (endpoint_url, output)
    if context.invoked_subcommand is None:
        _show(server.get(endpoint_url, "/_emu/clock"), output)


@clock.command()
@click.argument("duration")
@click.pass_obj
def advance(where: tuple[str, str], duration: str) -> None:
    """Let time pass: 90d, 12h, 30m, 45s, 1d12h."""
    _move(where, advance=duration)


@clock.command(name="set")
@click.argument("time")
@click.pass_obj
def set_time(where: tuple[str, str], time: str) -> None:
    """Make it this time: 2027-01-01T00:00:00Z."""
    _move(where, set=time)


@clock.command()
@click.pass_obj
def freeze(where: tuple[str, str]) -> None:
    """Let no time pass."""
    _move(where, freeze=True)


@clock.command()
@click.pass_obj
def release(where: tuple[str, str]) -> None:
    """Let time pass again, from where it is."""
    _move(where, release=True)


@clock.command()
@click.pass_obj
def reset(where: tuple[str, str]) -> None:
    """Make it the machine's time again."""
    _move(where, reset=True)


def _move(where: tuple[str, str], **wanted: object) -> None:
    endpoint_url, output = where
    _show(server.post(endpoint_url, "/_emu/clock", wanted), output)


def _show(answer: dict[str, Any], output: str) -> None:
    if output == "table":
        jobs = answer.pop("jobs", None)
        answer = {
            "now": answer["now"],
            "ahead": f"{answer['aheadSeconds']:,.0f} s",
            "frozen": "yes" if answer["frozen"] else "no",
            **({} if jobs is None else {"jobs done": len(jobs)}),
        }
    tables.show(answer, output)
