"""`ecr-emu operations`: what of the AWS API is built."""

import click

from ecr_emu.cli import options, tables
from ecr_emu.control import model
from ecr_emu.control.operations import implemented


@click.command()
@options.output
def operations(output: str) -> None:
    """List the operations of the AWS API and whether they are built."""
    built = implemented()
    names = model.load().operation_names
    tables.show({names[name]: "yes" if name in built else "no" for name in sorted(names)}, output)
