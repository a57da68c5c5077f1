"""Options that several commands have, made from the settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ecr_emu.settings import SETTINGS, Setting, default_data_dir

Function = TypeVar("Function", bound=Callable[..., Any])

_SETTING = {setting.name: setting for setting in SETTINGS}


def of_setting(setting: Setting) -> Callable[[Function], Function]:
    """A setting as an option; `--name` or ECR_EMU_NAME."""
    shared: dict[str, Any] = {"envvar": setting.variable, "help": setting.help, "show_envvar": True}
    if isinstance(setting.default, bool):
        return click.option(setting.flag, is_flag=True, default=setting.default, **shared)
    if setting.repeats:
        return click.option(setting.flag, multiple=True, metavar=setting.metavar, **shared)
    plain = str if setting.default is None else type(setting.default)
    kind: Any = click.Choice(setting.choices) if setting.choices else plain
    return click.option(
        setting.flag, type=kind, default=setting.default, show_default=setting.default is not None, **shared
    )


def all_settings(command: Function) -> Function:
    for setting in reversed(SETTINGS):
        command = of_setting(setting)(command)
    return command


data_dir = of_setting(_SETTING["data_dir"])
durability = of_setting(_SETTING["durability"])
account = of_setting(_SETTING["account"])
region = of_setting(_SETTING["region"])
sweep_interval = of_setting(_SETTING["sweep_interval"])
lifecycle_interval = of_setting(_SETTING["lifecycle_interval"])
lifecycle_children = of_setting(_SETTING["lifecycle_children"])
scanner = of_setting(_SETTING["scanner"])
limit = of_setting(_SETTING["limit"])

output = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


def existing_data_dir(given: str | None) -> Path:
    """The data folder that is meant, which a server has made."""
    folder = Path(given) if given else default_data_dir()
    if not (folder / "metadata.db").is_file():
        raise failure(f"{folder} is no data folder of ecr-emu; give one with --data-dir")
    return folder


def failure(message: str) -> click.ClickException:
    """One line on stderr and exit code 1."""
    return click.ClickException(message)
