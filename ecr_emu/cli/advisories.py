"""`ecr-emu advisories`: the vulnerabilities that images are compared with."""

import http.client
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import click

from ecr_emu.cli import options, progress, tables
from ecr_emu.domain import timestamps
from ecr_emu.scanner.advisories import FILE_NAME, Added, AdvisoryError, Database, Source
from ecr_emu.scanner.ecosystems import family
from ecr_emu.settings import default_data_dir

# Where osv.dev exports its records, one zip for each ecosystem (google.github.io/osv.dev/data).
PUBLIC_URL = "https://osv-vulnerabilities.storage.googleapis.com"
TIMEOUT_SECONDS = 60
_CHUNK_BYTES = 1 << 20
# Releases that a table names; of more it says how many.
_MAX_NAMES = 10


@click.group()
def advisories() -> None:
    """Known vulnerabilities, from the OSV exports of osv.dev, that scans compare images with."""


@advisories.command()
@click.argument("path", type=click.Path(path_type=Path))
@options.data_dir
@options.output
def add(path: Path, data_dir: str | None, output: str) -> None:
    """Add an OSV zip, an <ID>.json, or a folder of them. The server may be running.

    A file of the same name that was about the same ecosystem is replaced.
    """
    if not path.exists():
        raise options.failure(f"there is no file or folder {path}")
    with closing(_database(data_dir)) as database:
        added = _add(database, path)
    _show_added(added, output)


@advisories.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--url",
    default=PUBLIC_URL,
    show_default=True,
    help="Where the folders with an all.zip are; a mirror has the same ones.",
)
@options.data_dir
@options.output
def fetch(names: tuple[str, ...], url: str, data_dir: str | None, output: str) -> None:
    """Download and add the records of ecosystems: Debian, Alpine, PyPI, npm, Go, "Rocky Linux" and so on."""
    if not url.lower().startswith(("http://", "https://")):
        raise options.failure(f"--url '{url}' is no URL; write it as {PUBLIC_URL}")
    added: list[Added] = []
    with closing(_database(data_dir)) as database:
        # osv.dev has one zip for all releases of Debian.
        for name in dict.fromkeys(map(family, names)):
            with tempfile.NamedTemporaryFile(dir=database.path.parent, suffix=".zip") as file:
                _download(name, f"{url.rstrip('/')}/{quote(name, safe='')}/all.zip", file)
                added += _add(database, Path(file.name), f"{name}.zip")
    _show_added(added, output)


@advisories.command(name="list")
@options.data_dir
@options.output
def list_sources(data_dir: str | None, output: str) -> None:
    """Show what was added: how much, and how old it is."""
    with closing(_database(data_dir)) as database, _failing():
        sources, revision = database.sources(), database.revision
    if output == "json":
        tables.show({"revision": revision, "sources": [_listed(one) for one in sources]}, output)
    elif sources:
        head = ("ecosystem", "releases", "file", "added", "newest", "records", "withdrawn", "packages")
        click.echo(tables.table(head, [_row(one) for one in sources]))
    else:
        click.echo(
            f"no advisories in {database.path.parent}; add some with `ecr-emu advisories add FILE`"
            " or `ecr-emu advisories fetch Debian`"
        )


def _database(data_dir: str | None) -> Database:
    """The database of a data folder; a server need not have made it."""
    folder = Path(data_dir) if data_dir else default_data_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise options.failure(f"cannot make {folder}: {reason.strerror}") from None
    return Database(folder / FILE_NAME)


@contextmanager
def _failing() -> Iterator[None]:
    """What the database cannot do is one line."""
    try:
        yield
    except AdvisoryError as reason:
        raise options.failure(" ".join(str(reason).split())) from None


def _add(database: Database, path: Path, origin: str = "") -> list[Added]:
    with _failing(), progress.shown() as show:
        return database.add(path, now=time.time(), origin=origin, progress=show)


def _download(name: str, url: str, file: IO[bytes]) -> None:
    """Write what is at `url` into a file. Whatever goes wrong is one line that says what to do."""
    try:
        # Without the handler for files: only http and https were allowed.
        with closing(urllib.request.build_opener().open(url, timeout=TIMEOUT_SECONDS)) as response:
            _copy(name, response, file)
    except urllib.error.HTTPError as error:
        error.close()
        told = f"{url} answered {error.code} {error.reason}"
        if error.code in (403, 404):
            told += f"; names are those of OSV, as Debian, PyPI or crates.io, and '{name}' may be none"
        raise options.failure(told) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        because = " ".join(str(getattr(reason, "strerror", None) or reason).split()) or type(error).__name__
        raise options.failure(
            f"cannot fetch {url} ({because}); name a mirror with --url, or download it elsewhere"
            " and use `ecr-emu advisories add FILE`"
        ) from None


def _copy(name: str, response: Any, file: IO[bytes]) -> None:
    length = response.headers.get("Content-Length", "")
    whole = int(length) if length.isdigit() else None
    done = 0
    with progress.shown() as show:
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            show(f"{name}: {tables.size(done)}{f' of {tables.size(whole)}' if whole else ''}")
    file.flush()
    if whole is not None and done != whole:
        raise OSError(f"the connection ended after {done:,} of {whole:,} bytes")


def _show_added(added: list[Added], output: str) -> None:
    if output == "json":
        tables.show({"added": [asdict(one) for one in added]}, output)
        return
    head = ("file", "ecosystems", "records", "withdrawn", "malformed")
    rows = [
        (one.origin, _names(one.ecosystems), f"{one.records:,}", f"{one.withdrawn:,}", f"{one.malformed:,}")
        for one in added
    ]
    click.echo(tables.table(head, rows))
    for one in added:
        for example in one.examples:
            click.echo(f"left out {example}", err=True)


def _listed(source: Source) -> dict[str, Any]:
    times = {name: timestamps.text(getattr(source, name)) for name in ("added_at", "modified_at")}
    return {**asdict(source), **times}


def _row(source: Source) -> tuple[str, ...]:
    releases = [name.removeprefix(source.ecosystem).lstrip(":") for name in source.releases]
    return (
        source.ecosystem,
        _names([name for name in releases if name]),
        source.origin,
        timestamps.text(source.added_at)[:10],
        timestamps.text(source.modified_at)[:10],
        f"{source.records:,}",
        f"{source.withdrawn:,}",
        f"{source.packages:,}",
    )


def _names(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= _MAX_NAMES else f"{len(names)} of them"
