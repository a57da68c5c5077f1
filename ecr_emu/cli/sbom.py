"""`ecr-emu sbom`: what is installed in an image."""

import re

import click

from ecr_emu.cli import server

_ECR_HOST = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.", re.ASCII)


@click.command()
@click.argument("image")
@click.option("--attach", is_flag=True, help="Push it as an OCI artifact whose subject is IMAGE.")
@server.endpoint_url
def sbom(image: str, attach: bool, endpoint_url: str) -> None:
    """Print what is installed in IMAGE, as CycloneDX JSON. A scan has to have read it.

    IMAGE is a repository with a tag or a digest: team/app:v1, team/app@sha256:…. In front of it may be a
    registry host.
    """
    name, at, digest = image.partition("@")
    tag = None
    if not at:
        # A port comes before the last slash, a tag after it.
        head, slash, last = name.rpartition("/")
        last, colon, tag = last.partition(":")
        name, tag = f"{head}{slash}{last}", tag if colon else "latest"
    query = {**_parts(name), "imageTag": tag, "imageDigest": digest or None}
    if attach:
        answer = server.post(endpoint_url, "/_emu/sbom", {}, query)
        news = "attached" if answer["isNew"] else "was attached already"
        click.echo(f"{answer['digest']} {news} to {answer['subject']}")
        return
    for line in server.lines(endpoint_url, "/_emu/sbom", query):
        click.echo(line, nl=False)


def _parts(name: str) -> dict[str, str]:
    """The repository, and the account and the region of an ECR host in front of it.

    As for docker, a first part with a dot or a colon, or localhost, is a host.
    """
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    found = _ECR_HOST.match(first) if is_host else None
    where = {"registryId": found[1], "region": found[2]} if found else {}
    return {"repositoryName": rest if is_host else name, **where}
