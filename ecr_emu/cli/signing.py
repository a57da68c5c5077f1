"""`ecr-emu signing`: what verifiers of the emulator's signatures need."""

import click

from ecr_emu.cli import options, server, tables


@click.group()
def signing() -> None:
    """Show what the signatures of managed signing are verified with."""


@signing.command()
@server.endpoint_url
def certificates(endpoint_url: str) -> None:
    """Print the root certificate, for a trust store, as PEM."""
    for line in server.lines(endpoint_url, "/_emu/signing/certificates"):
        click.echo(line, nl=False)


@signing.command()
@server.endpoint_url
@options.output
def profiles(endpoint_url: str, output: str) -> None:
    """List the profiles that have signed, with the identity that a trust policy can ask for."""
    found = server.get(endpoint_url, "/_emu/signing/profiles")
    if output == "json":
        tables.show(found, output)
        return
    rows = [(entry["signingProfileArn"], entry["identity"]) for entry in found["profiles"]]
    click.echo(tables.table(("PROFILE", "IDENTITY"), rows))
