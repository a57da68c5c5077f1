"""`ecr-emu import`: what a real registry holds, without its bytes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

import click

from ecr_emu.cli import options, progress, server, tables
from ecr_emu.cli.images import PATH
from ecr_emu.cli.progress import Progress
from ecr_emu.domain.synthetic_images import CHILD_TYPE

# BatchGetImage takes so many ids.
MANIFESTS_AT_ONCE = 100
# Of other registries, and of ours only where the images come from.
LEFT_OUT = ("registryId", "imageScanFindingsSummary", "imageScanStatus")


@click.group(name="import")
def import_images() -> None:
    """Fill repositories with the metadata of real ones."""


@import_images.command()
@click.option("--repository", "names", multiple=True, required=True, help="Which one; may be said again.")
@click.option("--profile", help="Profile of the AWS configuration; boto3's own choice if not given.")
@click.option("--region", help="Region of the real registry; the profile's if not given.")
@click.option("--source-endpoint-url", help="Read from there in place of AWS.")
@click.option(
    "--with-indexes",
    is_flag=True,
    help="Read the manifests of indexes too: only they say which images belong to an index. AWS takes this "
    "for a pull, and sets lastRecordedPullTime of the indexes.",
)
@server.endpoint_url
@options.output
def aws(
    names: tuple[str, ...], with_indexes: bool, endpoint_url: str, output: str, **source: str | None
) -> None:
    """Copy the metadata of repositories in AWS. AWS is only read; no layer is fetched.

    The images go into the emulator's own account and region. Needs ecr:DescribeImages, and with
    --with-indexes ecr:BatchGetImage.
    """
    with progress.shown() as show:
        with closing(_client(**source)) as client:
            found = {name: _of_aws(partial(_records, client, name, show)) for name in names}
            for name in names if with_indexes else ():
                _of_aws(partial(_add_manifests, client, name, found[name], show))
        stored = _send(endpoint_url, found, show)
    tables.show(stored, output)


def _send(endpoint_url: str, found: Mapping[str, Sequence[object]], show: Progress) -> dict[str, int]:
    """Store the records of all repositories, or none; what was stored."""
    lines = "\n".join(json.dumps(record) for records in found.values() for record in records)
    show(f"sending {tables.size(len(lines))}")
    stored: dict[str, int] = server.post(endpoint_url, PATH, lines.encode())
    # No record names a repository without images.
    for name in [name for name, records in found.items() if not records]:
        server.post(endpoint_url, PATH, b"", {"repositoryName": name})
        stored["repositories"] += 1
    return stored


def _client(profile: str | None, region: str | None, source_endpoint_url: str | None) -> Any:
    """A boto3 client. It does not look at AWS_ENDPOINT_URL, which may name the emulator itself."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise options.failure("reading from AWS needs boto3: pip install 'ecr-emu[aws]'") from None

    def make() -> Any:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        config = Config(ignore_configured_endpoint_urls=True)
        return session.client("ecr", endpoint_url=source_endpoint_url, config=config)

    return _of_aws(make)


def _of_aws(ask: Callable[[], Any]) -> Any:
    """What AWS answers; whatever goes wrong is one line."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except (BotoCoreError, ClientError, ValueError) as error:
        because = " ".join(str(error).split())
        raise options.failure(f"cannot read from AWS: {because}") from None


def _records(source: Any, name: str, show: Progress) -> list[dict[str, Any]]:
    """The records of all images of a repository, archived ones too where the source knows of such."""
    from botocore.exceptions import ClientError, ParamValidationError

    try:
        return list(_described(source, name, show, filter={"imageStatus": "ANY"}))
    except ParamValidationError:
        pass
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InvalidParameterException", "ValidationException"):
            raise
    click.echo(f"{name}: the source knows no archived images, so none were asked for", err=True)
    return list(_described(source, name, show))


def _described(source: Any, name: str, show: Progress, **request: Any) -> Iterator[dict[str, Any]]:
    pages = source.get_paginator("describe_images").paginate(
        repositoryName=name, PaginationConfig={"PageSize": 1000}, **request
    )
    count = 0
    for page in pages:
        for detail in page["imageDetails"]:
            yield {
                member: value.timestamp() if isinstance(value, datetime) else value
                for member, value in detail.items()
                if member not in LEFT_OUT
            }
        count += len(page["imageDetails"])
        show(f"{name}: {count:,} images")


def _add_manifests(source: Any, name: str, records: Sequence[dict[str, Any]], show: Progress) -> None:
    """Give the indexes among the records their manifests."""
    indexes = {
        record["imageDigest"]: record
        for record in records
        if record.get("imageManifestMediaType") in CHILD_TYPE and record.get("imageStatus") != "ARCHIVED"
    }
    digests, count = iter(indexes), 0
    while some := list(islice(digests, MANIFESTS_AT_ONCE)):
        answer = source.batch_get_image(
            repositoryName=name,
            imageIds=[{"imageDigest": digest} for digest in some],
            acceptedMediaTypes=list(CHILD_TYPE),
        )
        for image in answer["images"]:
            indexes[image["imageId"]["imageDigest"]]["imageManifest"] = image["imageManifest"]
        for failure in answer["failures"]:
            digest, because = failure["imageId"].get("imageDigest"), failure.get("failureReason")
            click.echo(f"{name}: no manifest of {digest} ({because})", err=True)
        count += len(some)
        show(f"{name}: {count:,} of {len(indexes):,} indexes")
