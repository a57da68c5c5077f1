"""python -m conformance.bench.install: brings what ecr-emu is measured beside, in pinned versions.

Debian packages go where apt puts them, everything else below `.cache/peers`. What cannot be installed is
named, and the reason is kept there, so that the benchmark can say it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / ".cache" / "peers"
_ADDRESS = re.compile(r"https?://\S+?(?=[:,;)]?(?:\s|$))")


class NotInstalled(RuntimeError):
    """Why a program could not be installed, in one line."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to install. `path` is where it is then: a name means one on the PATH, as Debian puts it.

    `version` is the pinned one, and empty where Debian decides. `install` raises NotInstalled.
    """

    name: str
    path: Path | str
    version: str
    source: str
    install: Callable[["Program"], None] = field(repr=False)

    @property
    def found(self) -> str:
        """The path to start it by, or nothing."""
        if isinstance(self.path, str):
            # Debian's nginx is in a folder that is on root's PATH only.
            return shutil.which(self.path, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
        return str(self.path) if self.path.exists() and self.stamp == self.version else ""

    @property
    def stamp(self) -> str:
        """The version that was installed last."""
        file = FOLDER / f"{self.name}.version"
        return file.read_text() if file.exists() else ""

    @property
    def missing(self) -> str:
        """Why it is not there; empty when it is."""
        if self.found:
            return ""
        reason = FOLDER / f"{self.name}.missing"
        told = reason.read_text() if reason.exists() else "not installed yet"
        return f"{told} ({self.source})"


def run(program: Program, commands: Sequence[Sequence[str]], **environment: str) -> None:
    """Run commands with their output in a log; the last line of one that fails is the reason."""
    log = FOLDER / "logs" / f"{program.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        for command in commands:
            try:
                done = subprocess.run(
                    command, check=False, stdout=output, stderr=output, env=os.environ | environment, cwd=ROOT
                )
            except OSError as reason:
                raise NotInstalled(f"{command[0]}: {reason.strerror}") from None
            if done.returncode:
                raise NotInstalled(last_line(log.read_text(errors="replace")) or f"{command[0]} failed")


def last_line(text: str) -> str:
    """The last line that says something, without addresses, which are those of this machine."""
    line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return _ADDRESS.sub("(address)", line)


def _debian(program: Program) -> None:
    package = program.source.removeprefix("Debian package ")
    if os.geteuid() or not shutil.which("apt-get"):
        raise NotInstalled("only root can install it, with apt-get")
    run(
        program,
        [["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", package]],
        DEBIAN_FRONTEND="noninteractive",
    )
    # Packages of servers start them; only those that the benchmark starts are wanted.
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", str(program.path)], check=False, capture_output=True)


def _go(command: str, module: str, tags: str, program: Program) -> None:
    tool = subprocess.run([ROOT / ".ci" / "go", ROOT / ".cache" / "go"], capture_output=True, text=True)
    if tool.returncode:
        raise NotInstalled(last_line(tool.stderr) or "there is no Go")
    run(
        program,
        [[str(ROOT / ".ci" / "go-tool"), command, module, program.version]],
        GOBIN=str(FOLDER / "bin"),
        GOFLAGS=f"-tags={tags}" if tags else "",
        CGO_ENABLED="0",
        PATH=f"{Path(tool.stdout.strip()).parent}:{os.environ['PATH']}",
    )


def _python(package: str, program: Program) -> None:
    folder = FOLDER / program.name
    shutil.rmtree(folder, ignore_errors=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(
        program,
        [[sys.executable, "-m", "venv", str(folder)], [*pip, f"{package}=={program.version}"]],
    )


def _cargo(program: Program) -> None:
    command = ["cargo", "install", "--quiet", "--locked", "--root", str(FOLDER / program.name)]
    # A folder that stays: a build that was interrupted goes on.
    build = str(FOLDER / "build" / program.name)
    run(program, [[*command, "--version", program.version, program.name]], CARGO_TARGET_DIR=build)
    shutil.rmtree(build, ignore_errors=True)


def _programs() -> list[Program]:
    go_bin = FOLDER / "bin"
    distribution, zot = "github.com/distribution/distribution/v3", "zotregistry.dev/zot/v2"
    return [
        Program("wrk", "wrk", "", "Debian package wrk", _debian),
        Program("skopeo", "skopeo", "", "Debian package skopeo", _debian),
        Program("docker-registry", "docker-registry", "", "Debian package docker-registry", _debian),
        Program("nginx", "nginx", "", "Debian package nginx-light", _debian),
        Program(
            "distribution",
            go_bin / "registry",
            "v3.1.2",
            f"Go module {distribution}",
            partial(_go, "registry", distribution, ""),
        ),
        # zot's own smallest build: no extensions, no cgo.
        Program(
            "zot",
            go_bin / "zot",
            "v2.1.15",
            f"Go module {zot}",
            partial(_go, "zot", zot, "containers_image_openpgp"),
        ),
        Program(
            "moto",
            FOLDER / "moto" / "bin" / "moto_server",
            "5.2.5",
            "PyPI package moto",
            partial(_python, "moto[server]"),
        ),
        Program(
            "ministack",
            FOLDER / "ministack" / "bin" / "ministack",
            "1.5.33",
            "PyPI package ministack",
            partial(_python, "ministack"),
        ),
        # The largest by far: its lock file names 790 crates, a hundred of them its own.
        Program("fakecloud", FOLDER / "fakecloud" / "bin" / "fakecloud", "0.51.0", "crate fakecloud", _cargo),
    ]


PROGRAMS = {program.name: program for program in _programs()}


def ensure(program: Program) -> str:
    """Install a program unless it is there; what became of it, in a few words."""
    if program.found:
        return "is there"
    FOLDER.mkdir(parents=True, exist_ok=True)
    reason = FOLDER / f"{program.name}.missing"
    try:
        program.install(program)
    except NotInstalled as why:
        reason.write_text(str(why))
        return f"missing: {why}"
    reason.unlink(missing_ok=True)
    (FOLDER / f"{program.name}.version").write_text(program.version)
    return f"missing: {program.missing}" if program.missing else "installed"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PROGRAMS)))
def main(names: Sequence[str]) -> None:
    """Install the programs of these NAMES, or all. One that cannot be had is named and is no failure."""
    for name in names or PROGRAMS:
        program = PROGRAMS[name]
        click.echo(f"{name} {program.version}".strip() + ": ", nl=False)
        click.echo(ensure(program))


if __name__ == "__main__":
    main(prog_name="python -m conformance.bench.install")
