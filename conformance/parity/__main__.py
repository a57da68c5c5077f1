"""python -m conformance.parity: play the cases against ecr-emu, or against any endpoint."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
from botocore.exceptions import BotoCoreError

from conformance.engines.server import Emulator
from conformance.parity.accounts import Accounts, FixedAccount, FreshAccounts, NoAccounts
from conformance.parity.cases import load_cases
from conformance.parity.endpoint import Endpoint
from conformance.parity.play import play_all
from conformance.parity.report import as_json, table
from conformance.parity.values import BadCase


@click.command()
@click.option("--endpoint", help="URL to ask; without it an ecr-emu of its own is started.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--only", metavar="OPERATION", help="Play the cases of one operation.")
@click.option(
    "--account",
    type=click.Choice(["each", "fixed"]),
    default="each",
    show_default=True,
    help="each: a new account for each case, named by the access key; "
    "fixed: the environment's credentials, and what was made is deleted.",
)
def main(endpoint: str | None, output: str, only: str | None, account: str) -> None:
    """Ask an endpoint what AWS answers, and say where it differs. Exit code 1 if it does."""
    # As an exception, so that the server is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        cases = [case for case in load_cases() if only in (None, case.operation)]
        with serving(endpoint) as url, closing(Endpoint(url)) as asked:
            played = play_all(cases, asked, accounts_for(asked, account))
            with click.progressbar(played, len(cases), label="Playing", file=sys.stderr) as bar:
                outcomes = list(bar)
    except (BadCase, NoAccounts, BotoCoreError) as reason:
        raise click.ClickException(str(reason)) from None
    if not cases:
        raise click.ClickException(f"no case calls {only}" if only else "there are no cases")
    click.echo(as_json(outcomes) if output == "json" else table(outcomes))
    if any(outcome.problems for outcome in outcomes):
        sys.exit(1)


def accounts_for(endpoint: Endpoint, account: str) -> Accounts:
    if account == "fixed":
        return FixedAccount(endpoint)
    fresh = FreshAccounts()
    fresh.check(endpoint)
    return fresh


@contextmanager
def serving(endpoint: str | None) -> Iterator[str]:
    """The endpoint, or that of an ecr-emu that is stopped afterwards."""
    if endpoint is not None:
        yield endpoint
        return
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        # A rule that is tried shall not look for quay.io.
        options = ("--ephemeral", "--upstream", "quay=http://127.0.0.1:1")
        emulator = Emulator(Path(folder) / "log", *options)
        try:
            yield emulator.url
        finally:
            emulator.stop()


if __name__ == "__main__":
    main(prog_name="python -m conformance.parity")
