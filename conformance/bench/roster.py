"""Everything that is compared: how each is started, with which guarantees, and which login it has."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import ecr_emu
from conformance.bench import machine
from conformance.bench.client import MANIFEST_TYPE
from conformance.bench.install import PROGRAMS
from conformance.bench.peers import CONTROL, FILES, REGISTRY, Peer, log_in, our_command

OURS = "ecr-emu"
# Debian's configuration of the package, but for the folder, the address and the logs.
DOCKER_REGISTRY_CONFIG = """\
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: {folder}/data
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
"""
# Debian's settings for sending files, without its logs.
NGINX_CONFIG = """\
daemon off;
{user}
worker_processes auto;
pid {folder}/pid;
events {{ worker_connections 768; }}
http {{
  sendfile on;
  tcp_nopush on;
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/data; }}
}}
"""
BOTH = frozenset({REGISTRY, CONTROL})


def all_peers() -> list[Peer]:
    """Ours first, then everything that it is compared with, installed or not."""
    return [
        Peer(
            OURS,
            our_command,
            HTTPStatus.UNAUTHORIZED,
            log_in,
            roles=BOTH,
            version=f"{ecr_emu.__version__} {machine.commit()}".strip(),
            about="Default settings. Basic login by a token of GetAuthorizationToken. "
            "What is acknowledged is synced.",
        ),
        _registry(
            "docker-registry",
            "Debian's build of distribution 2.8 and its configuration, logs off. No login. Files are synced.",
        ),
        _registry(
            "distribution",
            "Cache in memory, logs off, else its defaults. No login. Files are synced.",
        ),
        Peer(
            "zot",
            _zot_command,
            HTTPStatus.OK,
            _no_login,
            **_found("zot"),
            about="Its minimal build; deduplication and garbage collection on (defaults), logs off. "
            "No login. Files are not synced (`commit` is off by default).",
        ),
        Peer(
            "fakecloud",
            _fakecloud_command,
            HTTPStatus.UNAUTHORIZED,
            log_in,
            **_found("fakecloud"),
            roles=BOTH,
            environment=lambda folder, _: {"TMPDIR": str(folder)},
            about="Default mode: everything in memory, lost at the end. Basic login whose token is not "
            "looked at. Logs off.",
        ),
        Peer(
            "ministack",
            lambda *_: [PROGRAMS["ministack"].found],
            HTTPStatus.OK,
            partial(log_in, token=False),
            **_found("ministack"),
            roles=BOTH,
            environment=_ministack_environment,
            about="Default mode: everything in memory, lost at the end. No login. Logs of errors only.",
        ),
        Peer(
            "moto",
            lambda _, port: [PROGRAMS["moto"].found, "-H", "127.0.0.1", "-p", str(port)],
            HTTPStatus.OK,
            _no_login,
            **_found("moto"),
            roles=frozenset({CONTROL}),
            about="`moto_server`: everything in memory, lost at the end; no registry. No login. "
            "Logs every request.",
        ),
        Peer(
            "nginx",
            _nginx_command,
            HTTPStatus.NOT_FOUND,
            lambda _: {},
            **_found("nginx"),
            roles=frozenset({FILES}),
            about="The limit for downloads: files with sendfile, logs off, no login. Not a registry.",
        ),
    ]


def choose(names: str) -> list[Peer]:
    """The peers of a list with commas, ours always first; all when it is empty. ValueError names others."""
    peers = all_peers()
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = sorted(set(wanted) - {peer.name for peer in peers})
    if unknown:
        raise ValueError(f"no such peer: {', '.join(unknown)}; there are {', '.join(p.name for p in peers)}")
    return [peer for peer in peers if not wanted or peer.name in {OURS, *wanted}]


def _found(name: str) -> dict[str, Any]:
    program = PROGRAMS[name]
    return {"missing": program.missing, "version": program.version or _debian_version(program.source)}


def _debian_version(source: str) -> str:
    command = ["dpkg-query", "-W", "-f", "${Version}", source.removeprefix("Debian package ")]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _registry(name: str, about: str) -> Peer:
    return Peer(name, _distribution_command(name), HTTPStatus.OK, _no_login, **_found(name), about=about)


def _no_login(_: int) -> dict[str, str]:
    return {"Accept": MANIFEST_TYPE}


def _distribution_command(name: str) -> Callable[[Path, int], list[str]]:
    def command(folder: Path, port: int) -> list[str]:
        config = folder / "config.yml"
        config.write_text(DOCKER_REGISTRY_CONFIG.format(folder=folder, port=port))
        return [PROGRAMS[name].found, "serve", str(config)]

    return command


def _zot_command(folder: Path, port: int) -> list[str]:
    config = folder / "config.json"
    content = {
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": str(folder / "data")},
        "http": {"address": "127.0.0.1", "port": str(port)},
        "log": {"level": "error"},
    }
    config.write_text(json.dumps(content))
    return [PROGRAMS["zot"].found, "serve", str(config)]


def _fakecloud_command(_: Path, port: int) -> list[str]:
    return [PROGRAMS["fakecloud"].found, "--addr", f"127.0.0.1:{port}", "--log-level", "error"]


def _ministack_environment(folder: Path, port: int) -> Mapping[str, str]:
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LOG_LEVEL": "ERROR",
        "TMPDIR": str(folder),
    }


def _nginx_command(folder: Path, port: int) -> list[str]:
    config = folder / "nginx.conf"
    # Only root may say as whom the workers run, and has to: nobody else may read the folder.
    user = "" if os.geteuid() else "user root;"
    config.write_text(NGINX_CONFIG.format(folder=folder, port=port, user=user))
    return [PROGRAMS["nginx"].found, "-e", str(folder / "error.log"), "-c", str(config)]
