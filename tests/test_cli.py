"""The `ecr-emu` command, in a process of its own."""

import http.client
import json
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from botocore.exceptions import ClientError

from ecr_emu.cli.serve import serve
from ecr_emu.settings import SETTINGS
from ecr_emu.store.database import Database, schema_files
from tests.clients import Running, digest_of
from tests.consistency import check_consistency, files_in
from tests.processes import Served, data_files, needs_ipv6, run, serving, wait_until_refused
from tests.upstream.waiting import wait_for

MISSING = "/nonexistent"


def refused(*arguments: object) -> str:
    """The one line on stderr of a command that fails."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("Error: ").removesuffix("\n")


# --- serve -----------------------------------------------------------------------------------------------


def test_serve_says_where_it_listens_and_nothing_more(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path) as server:
        reply = server.registry.request("GET", "/_emu/health")
        assert (reply.status, reply.json()["status"]) == (200, "ok")
        server.terminate()
        assert server.ended() == (0, "")


def test_settings_come_from_the_environment_and_options_win(tmp_path: Path) -> None:
    variables = {
        "ECR_EMU_PORT": "0",
        "ECR_EMU_DATA_DIR": str(tmp_path / "folder"),
        "ECR_EMU_ACCOUNT": "111122223333",
        "ECR_EMU_REGISTRY_HOST": "{account}.test",
        "ECR_EMU_AUTH": "open",
        "ECR_EMU_LOG_LEVEL": "error",
        "ECR_EMU_LIMIT": "layer-parts=7, repositories=1",
    }
    with serving("--registry-host", "{region}.{account}.test:1", variables=variables) as server:
        repository = server.create_repository("team/app")
        assert repository["registryId"] == "111122223333"
        assert repository["repositoryUri"] == "us-east-1.111122223333.test:1/team/app"
        assert server.registry.request("GET", "/v2/").status == 200
        with pytest.raises(ClientError, match="maximum allowed number of repositories which is '1'"):
            server.create_repository("team/other")
    assert (tmp_path / "folder" / "metadata.db").is_file()


def test_setting_that_is_a_number_is_read_as_one() -> None:
    options = {option.name: option for option in serve.params}
    numbers = {setting.name for setting in SETTINGS if type(setting.default) is int}
    assert {name for name, option in options.items() if option.type is click.INT} == numbers


def test_a_limit_is_set_with_commas_or_by_the_option_again(tmp_path: Path) -> None:
    limits = ("--limit", "layer-parts=1,repositories=5", "--limit", "repositories=2")
    # An option leaves nothing of the variable.
    variables = {"ECR_EMU_LIMIT": "images-per-repository=1", "ECR_EMU_AUTH": "open"}
    with serving("--data-dir", tmp_path, *limits, variables=variables) as server:
        for name in ("one", "two"):
            server.create_repository(name)
        with pytest.raises(ClientError, match="maximum allowed number of repositories which is '2'"):
            server.create_repository("three")
        for layer in (b"a", b"b"):
            server.registry.push_image("one", None, layer)


def test_data_is_there_after_a_restart(tmp_path: Path) -> None:
    options = ("--data-dir", tmp_path, "--auth", "open")
    with serving(*options) as server:
        server.create_repository("team/app")
        digest = server.registry.push_image("team/app", "v1", b"layer")
        server.terminate()
        assert server.ended() == (0, "")
    check_consistency(tmp_path)
    with serving(*options) as server:
        body = server.registry.request("GET", "/v2/team/app/manifests/v1").body
        assert digest_of(body) == digest


def test_an_ephemeral_server_leaves_nothing(tmp_path: Path) -> None:
    with serving("--ephemeral", variables={"TMPDIR": str(tmp_path)}) as server:
        assert len(data_files(tmp_path)) == 1
        server.create_repository("team/app")
        server.terminate()
        assert server.ended() == (0, "")
    assert data_files(tmp_path) == set()


def test_a_signal_right_after_the_ready_line_ends_the_server_properly(tmp_path: Path) -> None:
    for _ in range(5):
        with serving("--ephemeral", variables={"TMPDIR": str(tmp_path)}) as server:
            server.terminate()
            assert server.ended() == (0, "")
    assert data_files(tmp_path) == set()


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused("serve", "--port", port, "--data-dir", tmp_path)
    assert message == f"port {port} is in use; choose another with --port"


@needs_ipv6
def test_a_port_in_use_on_the_other_loopback_address_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        message = refused("serve", "--port", port, "--data-dir", tmp_path)
    assert message == f"port {port} is in use; choose another with --port"


@pytest.mark.parametrize("name", ["", "lock", "blobs", "uploads", "metadata.db", "key"])
def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    """As root every folder can be written, so here something of the wrong kind is in the way."""
    folder = tmp_path / "data"
    in_the_way = folder / name
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.mkdir() if name in ("lock", "metadata.db", "key") else in_the_way.write_bytes(b"")
    message = refused("serve", "--port", 0, "--data-dir", folder)
    assert str(folder) in message
    assert message.endswith("--data-dir")


def test_a_folder_below_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / "data"
    message = refused("serve", "--port", 0, "--data-dir", folder)
    assert message == f"cannot write to {folder} (Not a directory); give another folder with --data-dir"


@pytest.fixture(params=["newer", "broken"])
def unusable(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a database of a newer version, or with something that is no database."""
    file = tmp_path / "metadata.db"
    if request.param == "broken":
        file.write_bytes(b"this is no database" * 1000)
        return tmp_path
    with closing(Database(file)) as store, store.read() as connection:
        connection.execute(f"PRAGMA user_version={schema_files()[-1][0] + 1}")
    return tmp_path


@pytest.mark.parametrize("command", [("serve", "--port", 0), ("gc",)])
def test_a_database_that_cannot_be_used_is_one_line(unusable: Path, command: tuple[object, ...]) -> None:
    before = (unusable / "metadata.db").read_bytes()
    message = refused(*command, "--data-dir", unusable)
    assert message.endswith("another --data-dir")
    assert (unusable / "metadata.db").read_bytes() == before


def test_a_second_server_on_a_folder_is_one_line(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path):
        message = refused("serve", "--port", 0, "--data-dir", tmp_path)
        assert message == (
            f"another ecr-emu serves {tmp_path}; stop it, or give another folder with --data-dir"
        )
    with serving("--data-dir", tmp_path):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--account", "123"), "--account must be 12 digits, and is '123'"),
        (("--account", "\u0661" * 12), f"--account must be 12 digits, and is '{chr(0x661) * 12}'"),
        (
            ("--registry-host", "{name}.test"),
            "--registry-host '{name}.test' cannot be used: "
            "only {account}, {region} and {port} can stand in it",
        ),
        (
            ("--registry-host", "{account[x]}"),
            "--registry-host '{account[x]}' cannot be used: "
            "only {account}, {region} and {port} can stand in it",
        ),
        (
            ("--registry-host", "a b"),
            "--registry-host 'a b' cannot be used: "
            "it must give a lower-case host name, with or without a port",
        ),
        (
            ("--limit", "repositories=2", "--limit", "layer-parts=none"),
            "--limit layer-parts must be a whole number from 1 on, and is 'none'",
        ),
        (
            ("--region-endpoint", "eu-west-1=http://user:secret@host:4567"),
            "--region-endpoint must have http://HOST:PORT or https://HOST:PORT for eu-west-1, "
            "and nothing else",
        ),
        (
            ("--ephemeral", "--data-dir", MISSING),
            "--ephemeral keeps nothing, so leave out --data-dir",
        ),
        (("--iam-file", MISSING), "--iam-file is for --auth iam; give that as well"),
        (
            ("--ephemeral", "--auth", "iam", "--iam-file", MISSING),
            f"--iam-file cannot read {MISSING} (No such file or directory)",
        ),
    ],
)
def test_settings_that_make_no_sense_are_one_line(options: tuple[str, ...], message: str) -> None:
    assert refused("serve", "--port", 0, *options) == message


@pytest.mark.parametrize(
    "options", [("--port", "70000"), ("--port", "-1"), ("--host", "192.0.2.1"), ("--host", "2001:db8::1")]
)
def test_an_address_that_cannot_be_is_one_line(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert refused("serve", "--data-dir", tmp_path, *options).startswith("cannot listen on ")


@pytest.mark.parametrize(
    "options", [("--port", "x"), ("--auth", "none"), ("--log-level", "loud"), ("--unknown",)]
)
def test_a_wrong_use_is_explained(options: tuple[str, ...]) -> None:
    done = run("serve", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[0] in done.stderr
    assert "Traceback" not in done.stderr


# --- stopping --------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving("--ephemeral", "--auth", "open", variables={"TMPDIR": str(tmp_path)}) as served:
        served.create_repository("team/app")
        yield served


def stop_in_the_middle(server: Served) -> None:
    """Ask the server to end and return when it no longer takes connections."""
    server.terminate()
    wait_until_refused(server.port)
    assert server.process.poll() is None


def test_an_upload_under_way_is_finished_before_the_server_ends(tmp_path: Path) -> None:
    content = b"x" * 1000
    with serving("--data-dir", tmp_path, "--auth", "open") as server:
        server.create_repository("team/app")

        def slowly() -> Iterator[bytes]:
            yield content[:500]
            # A server that stops closes connections on which it has not read a request yet.
            wait_for(lambda: any((tmp_path / "uploads").iterdir()))
            stop_in_the_middle(server)
            yield content[500:]

        path = f"/v2/team/app/blobs/uploads/?digest={digest_of(content)}"
        assert server.registry.request("POST", path, slowly()).status == 201
        assert server.ended() == (0, "")
    check_consistency(tmp_path)
    with serving("--data-dir", tmp_path, "--auth", "open") as server:
        path = f"/v2/team/app/blobs/{digest_of(content)}"
        assert server.registry.request("GET", path).body == content


def test_a_download_under_way_is_finished_before_the_server_ends(server: Served, tmp_path: Path) -> None:
    content = random.Random(3).randbytes(24 << 20)  # noqa: S311 - not a secret
    digest = server.registry.push_blob("team/app", content)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", f"/v2/team/app/blobs/{digest}")
        response = connection.getresponse()
        beginning = response.read(1000)
        stop_in_the_middle(server)
        assert response.status == 200
        assert beginning + response.read() == content
    assert server.ended() == (0, "")
    assert data_files(tmp_path) == set()


# --- gc, operations --------------------------------------------------------------------------------------


@pytest.fixture
def litter(start: Callable[..., Running], tmp_path: Path) -> Path:
    """The folder of a server that runs and holds a layer for no image, pushed long ago."""
    emulator = start(data_dir=tmp_path / "litter")
    emulator.ecr().create_repository(repositoryName="team/app")
    emulator.registry().push_image("team/app", "v1", b"in use")
    emulator.registry().push_blob("team/app", b"useless")
    return tmp_path / "litter"


def test_gc_shows_what_it_freed_as_a_table(litter: Path) -> None:
    done = run("gc", "--data-dir", litter)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "uploads      0",
        "layers       1",
        "blobs        1",
        "files        0",
        "freed bytes  7",
    ]
    assert len(files_in(litter / "blobs")) == 2


def test_gc_shows_what_it_freed_as_json(litter: Path) -> None:
    done = run("gc", "--output", "json", variables={"ECR_EMU_DATA_DIR": str(litter)})
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"uploads": 0, "layers": 1, "blobs": 1, "files": 0, "freed_bytes": 7}
    again = run("gc", "--data-dir", litter, "--output", "json")
    assert set(json.loads(again.stdout).values()) == {0}


@pytest.mark.parametrize("folder", [MISSING, os.devnull])
def test_gc_of_a_folder_that_is_none_is_one_line(folder: str) -> None:
    assert refused("gc", "--data-dir", folder) == (
        f"{folder} is no data folder of ecr-emu; give one with --data-dir"
    )


def test_gc_leaves_an_empty_folder_empty(tmp_path: Path) -> None:
    refused("gc", "--data-dir", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_operations_lists_what_is_built() -> None:
    table = run("operations").stdout.splitlines()
    shown = json.loads(run("operations", "--output", "json").stdout)
    assert shown["CreateRepository"] == "yes"
    assert set(shown.values()) <= {"yes", "no"}
    assert {tuple(line.split()) for line in table} == set(shown.items())
    assert list(shown) == sorted(shown)


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "-h"), ("gc", "--help"), ("--version",)])
def test_help_and_version_are_shown(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ecr-emu" in done.stdout or "ecr_emu" in done.stdout
