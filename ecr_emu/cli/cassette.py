"""`ecr-emu cassette`: a server that records what upstream registries answer, or replays it."""

import click

from ecr_emu.cli.serve import serve as serve_command

_PASSED_ON = {"ignore_unknown_options": True}


@click.group()
def cassette() -> None:
    """Record the answers of upstream registries, or replay them without a network."""


@cassette.command(context_settings=_PASSED_ON)
@click.argument("folder", type=click.Path(file_okay=False))
@click.argument("serve", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF SERVE]...")
@click.pass_context
def record(context: click.Context, folder: str, serve: tuple[str, ...]) -> None:
    """Serve, and write to FOLDER what upstream registries answer to pulls through a cache."""
    _serve(context, "--cassette-record", folder, serve)


@cassette.command(context_settings=_PASSED_ON)
@click.argument("folder", type=click.Path(file_okay=False))
@click.argument("serve", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF SERVE]...")
@click.pass_context
def replay(context: click.Context, folder: str, serve: tuple[str, ...]) -> None:
    """Serve, and answer for upstream registries with what FOLDER has; no upstream is asked."""
    _serve(context, "--cassette-replay", folder, serve)


def _serve(context: click.Context, flag: str, folder: str, given: tuple[str, ...]) -> None:
    """`ecr-emu serve` with one option more."""
    arguments = [flag, folder, *given]
    with serve_command.make_context("serve", arguments, parent=context.parent) as serving:
        serve_command.invoke(serving)
