"""`ecr-emu serve`: the server."""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ecr_emu import logs
from ecr_emu.app import Application, CannotStart, build, is_quick
from ecr_emu.cli import options
from ecr_emu.delivery import targets as event_targets
from ecr_emu.domain import limits, region_endpoints
from ecr_emu.domain.registries import check_template
from ecr_emu.errors.failures import is_passing
from ecr_emu.settings import Settings, default_data_dir

if TYPE_CHECKING:
    from ecr_emu.server import StopSignal

RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


@click.command()
@options.all_settings
def serve(**given: Any) -> None:
    """Serve the AWS API and the registry until SIGTERM or Ctrl-C."""
    from ecr_emu.server import StopSignal

    _check(given)
    given["limit"] = _limits(given["limit"])
    given["region_endpoint"] = _endpoints(given["region_endpoint"])
    given["events"] = _targets(given["events"])
    given["upstream"] = _upstreams(given["upstream"])
    logs.configure(given["log_level"], given["log_format"])
    # From here on nothing is left behind: not by a signal that comes before the server is ready.
    asked_to_stop = StopSignal()
    given["data_dir"] = _data_dir(given)
    settings = Settings(**given)
    try:
        _serve(settings, asked_to_stop)
    except CannotStart as reason:
        raise options.failure(str(reason)) from None
    finally:
        if settings.ephemeral:
            import shutil

            shutil.rmtree(settings.data_dir, ignore_errors=True)
    _exit()


def _exit() -> NoReturn:
    """End the process, all being closed: granian's threads still hold objects of the interpreter, which must
    not be taken down before them.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _serve(settings: Settings, asked_to_stop: "StopSignal") -> None:
    from dataclasses import replace

    from ecr_emu.server import Server, bind

    sockets = bind(settings.host, settings.port)
    settings = replace(settings, port=sockets[0].getsockname()[1])
    application = build(settings)
    server = Server(application, sockets, is_quick)
    server.start()
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    click.echo(f"ready: http://{f'[{host}]' if ':' in host else host}:{settings.port}")
    # The first request need not wait for these.
    workers = _start(("runner", "deliverer"), application, asked_to_stop)
    asked_to_stop.wait()
    server.stop()
    for worker in workers:
        worker.stop()
    application.close()


def _start(names: tuple[str, ...], application: Application, asked_to_stop: "StopSignal") -> list[Any]:
    """Start what works between the requests. What the machine refuses is tried again: the server goes on.

    They are imported by this, which takes an open file; so does a connection, of which there may be many.
    """
    started: list[Any] = []
    for name in names:
        while not asked_to_stop.is_set:
            try:
                worker = getattr(application, name)
                worker.start()
            except Exception as problem:
                # RuntimeError: no thread can be made.
                if not (is_passing(problem) or isinstance(problem, RuntimeError)):
                    raise
                log.warning("the %s could not be started, and is tried again: %s", name, problem)
                asked_to_stop.wait(RETRY_SECONDS)
            else:
                started.append(worker)
                break
    return started


def _check(given: dict[str, Any]) -> None:
    account, template = given["account"], given["registry_host"]
    if not (len(account) == 12 and account.isascii() and account.isdecimal()):
        raise options.failure(f"--account must be 12 digits, and is '{account}'")
    if template and (problem := check_template(template)):
        raise options.failure(f"--registry-host '{template}' cannot be used: {problem}")
    if given["ephemeral"] and given["data_dir"]:
        raise options.failure("--ephemeral keeps nothing, so leave out --data-dir")
    if given["cassette_record"] and given["cassette_replay"]:
        raise options.failure("--cassette-record writes and --cassette-replay reads; leave one of them out")
    if given["iam_file"] and given["auth"] != "iam":
        raise options.failure("--iam-file is for --auth iam; give that as well")


def _limits(given: Iterable[str]) -> tuple[tuple[str, int], ...]:
    try:
        return limits.parse(",".join(given))
    except ValueError as problem:
        raise options.failure(f"--limit {problem}") from None


def _endpoints(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    try:
        return region_endpoints.parse(",".join(given))
    except ValueError as problem:
        raise options.failure(f"--region-endpoint {problem}") from None


def _targets(given: Iterable[str]) -> tuple[str, ...]:
    """The targets of events, each of which can be used."""
    targets = tuple(given)
    for text in targets:
        try:
            event_targets.parse(text)
        except ValueError as problem:
            raise options.failure(f"--events {problem}") from None
    return targets


def _upstreams(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    if not given:
        return ()
    from ecr_emu.domain import pull_through
    from ecr_emu.upstream import addresses

    try:
        found = addresses.parse_all(given)
    except ValueError as problem:
        raise options.failure(f"--upstream {problem}") from None
    unknown = [name for name, _ in found if not pull_through.may_be_named(name)]
    if unknown:
        raise options.failure(
            f"--upstream {unknown[0]} is neither an upstreamRegistry of ECR nor a host of one"
        )
    return found


def _data_dir(given: dict[str, Any]) -> Path:
    if given["ephemeral"]:
        import tempfile

        return Path(tempfile.mkdtemp(prefix="ecr-emu-"))
    return Path(given["data_dir"]) if given["data_dir"] else default_data_dir()
