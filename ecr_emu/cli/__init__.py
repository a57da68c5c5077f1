"""The `ecr-emu` command. Each command has a file of its own, imported when it is asked for."""

from importlib import import_module

import click

from ecr_emu import __version__

# Where each command is: the server shall not wait for the imports of the others.
COMMANDS = {
    "advisories": "ecr_emu.cli.advisories:advisories",
    "fsck": "ecr_emu.cli.fsck:fsck",
    "events": "ecr_emu.cli.events:events",
    "cassette": "ecr_emu.cli.cassette:cassette",
    "gc": "ecr_emu.cli.gc:gc",
    "images": "ecr_emu.cli.images:images",
    "import": "ecr_emu.cli.import_aws:import_images",
    "operations": "ecr_emu.cli.operations:operations",
    "clock": "ecr_emu.cli.clock:clock",
    "lifecycle": "ecr_emu.cli.lifecycle:lifecycle",
    "policy": "ecr_emu.cli.policy:policy",
    "sbom": "ecr_emu.cli.sbom:sbom",
    "scan": "ecr_emu.cli.scan:scan",
    "serve": "ecr_emu.cli.serve:serve",
    "signing": "ecr_emu.cli.signing:signing",
    "why": "ecr_emu.cli.why:why",
    "work": "ecr_emu.cli.work:work",
}


class Commands(click.Group):
    """A group whose commands are imported one by one."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ecr-emu")
def main() -> None:
    """Amazon ECR on your own machine."""
