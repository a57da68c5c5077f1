"""The `ecr-emu` command."""

import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ecr_emu import __version__
from ecr_emu.app import CannotStart, build, open_database
from ecr_emu.blobs.filesystem import FileBlobs
from ecr_emu.core.sweep import Swept, sweep
from ecr_emu.domain.registries import check_template
from ecr_emu.settings import SETTINGS, Setting, Settings, default_data_dir

if TYPE_CHECKING:
    from ecr_emu.server import StopSignal

Function = TypeVar("Function", bound=Callable[..., Any])


def _option(setting: Setting) -> Callable[[Function], Function]:
    """A setting as an option; `--name` or ECR_EMU_NAME."""
    shared: dict[str, Any] = {"envvar": setting.variable, "help": setting.help, "show_envvar": True}
    if isinstance(setting.default, bool):
        return click.option(setting.flag, is_flag=True, default=setting.default, **shared)
    plain = str if setting.default is None else type(setting.default)
    kind: Any = click.Choice(setting.choices) if setting.choices else plain
    return click.option(
        setting.flag, type=kind, default=setting.default, show_default=setting.default is not None, **shared
    )


def _settings_options(command: Function) -> Function:
    for setting in reversed(SETTINGS):
        command = _option(setting)(command)
    return command


_SETTING = {setting.name: setting for setting in SETTINGS}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ecr-emu")
def main() -> None:
    """Amazon ECR on your own machine."""


@main.command()
@_settings_options
def serve(**given: Any) -> None:
    """Serve the AWS API and the registry until SIGTERM or Ctrl-C."""
    from ecr_emu.server import StopSignal

    _check(given)
    logging.basicConfig(
        level=given["log_level"].upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # granian's own lines about its workers mean nothing to a user.
    logging.getLogger("_granian").setLevel(logging.WARNING)
    # From here on nothing is left behind: not by a signal that comes before the server is ready.
    asked_to_stop = StopSignal()
    given["data_dir"] = _data_dir(given)
    settings = Settings(**given)
    try:
        _serve(settings, asked_to_stop)
    except CannotStart as reason:
        raise _failure(str(reason)) from None
    finally:
        if settings.ephemeral:
            shutil.rmtree(settings.data_dir, ignore_errors=True)


def _serve(settings: Settings, asked_to_stop: "StopSignal") -> None:
    from dataclasses import replace

    from ecr_emu.jobs.runner import Runner
    from ecr_emu.server import Server, bind

    sockets = bind(settings.host, settings.port)
    settings = replace(settings, port=sockets[0].getsockname()[1])
    application = build(settings)
    runner = Runner(settings.data_dir, settings.sweep_interval)
    server = Server(application, sockets)
    server.start()
    runner.start()
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    click.echo(f"ready: http://{f'[{host}]' if ':' in host else host}:{settings.port}")
    asked_to_stop.wait()
    server.stop()
    runner.stop()
    application.close()


@main.command()
@_option(_SETTING["data_dir"])
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    help="Seconds for which unfinished pushes are left alone (default: a day for uploads, an hour else).",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def gc(data_dir: str | None, grace: float | None, output: str) -> None:
    """Free the bytes that nobody can reach any more. The server may be running."""
    folder = Path(data_dir) if data_dir else default_data_dir()
    if not (folder / "metadata.db").is_file():
        raise _failure(f"{folder} is no data folder of ecr-emu; give one with --data-dir")
    try:
        store = open_database(folder)
    except CannotStart as reason:
        raise _failure(str(reason)) from None
    swept = sweep(store, FileBlobs(folder), time.time(), grace_seconds=grace, progress=_progress())
    store.close()
    _show(asdict(swept), output)


@main.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def operations(output: str) -> None:
    """List the operations of the AWS API and whether they are built."""
    from ecr_emu.control import model
    from ecr_emu.control.operations import implemented

    built = implemented()
    names = model.load().operation_names
    _show({names[name]: "yes" if name in built else "no" for name in sorted(names)}, output)


def _check(given: dict[str, Any]) -> None:
    account, template = given["account"], given["registry_host"]
    if not (len(account) == 12 and account.isascii() and account.isdecimal()):
        raise _failure(f"--account must be 12 digits, and is '{account}'")
    if template and (problem := check_template(template)):
        raise _failure(f"--registry-host '{template}' cannot be used: {problem}")
    if given["ephemeral"] and given["data_dir"]:
        raise _failure("--ephemeral keeps nothing, so leave out --data-dir")


def _data_dir(given: dict[str, Any]) -> Path:
    if given["ephemeral"]:
        return Path(tempfile.mkdtemp(prefix="ecr-emu-"))
    return Path(given["data_dir"]) if given["data_dir"] else default_data_dir()


def _progress() -> Callable[[Swept], None]:
    """A line on a terminal that says how far a sweep has come; nothing in a pipe."""
    if not sys.stderr.isatty():
        return lambda swept: None
    return lambda swept: click.echo(f"\rfreed {swept.freed_bytes:,} bytes", err=True, nl=False)


def _show(rows: dict[str, Any], output: str) -> None:
    if output == "json":
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, rows))
    for name, value in rows.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {value}")


def _failure(message: str) -> click.ClickException:
    """One line on stderr and exit code 1."""
    return click.ClickException(message)
