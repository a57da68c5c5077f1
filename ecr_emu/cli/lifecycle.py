"""`ecr-emu lifecycle`: running lifecycle policies, and explaining them."""

import click

from ecr_emu.cli import options, server, tables
from ecr_emu.cli.explain import explain


@click.group()
def lifecycle() -> None:
    """Run lifecycle policies now, or find out what one would do."""


@lifecycle.command()
@click.option("--repository", help="Only the policy of this repository.")
@click.option("--registry-id", help="Account of the repository; the server's own if not given.")
@click.option("--region", help="Region of the repository; the server's own if not given.")
@server.endpoint_url
@options.output
def run(
    repository: str | None, registry_id: str | None, region: str | None, endpoint_url: str, output: str
) -> None:
    """Run the lifecycle policies of a server at once."""
    wanted = {"repositoryName": repository, "registryId": registry_id, "region": region}
    given = {name: value for name, value in wanted.items() if value is not None}
    answer = server.post(endpoint_url, "/_emu/lifecycle/run", given)
    if output == "json":
        tables.show(answer, output)
        return
    head = ("REPOSITORY", "ACCOUNT", "REGION", "EXPIRED", "ARCHIVED", "FAILED")
    rows = [
        (
            one["repositoryName"],
            one["registryId"],
            one["region"],
            str(one["expired"]),
            str(one["archived"]),
            str(len(one["failures"])),
        )
        for one in answer["runs"]
    ]
    click.echo(tables.table(head, rows))
    click.echo(f"{len(rows)} of {answer['policies']} policies touched an image")


lifecycle.add_command(explain)
