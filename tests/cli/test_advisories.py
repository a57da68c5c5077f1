"""`ecr-emu advisories`: add, fetch and list, with a mirror on the loopback in place of osv.dev."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

import pytest

from ecr_emu.scanner.advisories import Database, Source
from tests.cli.conftest import Run
from tests.scanner.osv_files import ALPINE, DEBIAN, PYPI, record, until, zip_bytes, zipped

Refused = Callable[..., str]

HEAD = ["ecosystem", "releases", "file", "added", "newest", "records", "withdrawn", "packages"]


class Mirror:
    """Serves what is in `files`, and remembers what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.promised_bytes = 0
        self.is_broken = False
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                content = mirror.files.get(unquote(self.path))
                if content is None or mirror.is_broken:
                    self.send_error(503 if mirror.is_broken else 404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(mirror.promised_bytes or len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("no_proxy", "*")
    mirror = Mirror()
    thread = threading.Thread(target=mirror.server.serve_forever)
    thread.start()
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()
    thread.join()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def stored(data_dir: Path) -> list[Source]:
    with closing(Database(data_dir / "advisories.db")) as database:
        return database.sources()


def test_add_and_list(run: Run, tmp_path: Path, data_dir: Path) -> None:
    folder = tmp_path / "zips"
    folder.mkdir()
    zipped(folder / "Debian.zip", *DEBIAN)
    zipped(folder / "PyPI.zip", *PYPI)
    added = run("advisories", "add", folder, "--data-dir", data_dir)
    assert added.stdout.splitlines() == [
        "file        ecosystems  records  withdrawn  malformed",
        "Debian.zip  Debian      3        0          0",
        "PyPI.zip    PyPI        2        0          0",
    ]
    listed = run("advisories", "list", "--data-dir", data_dir).stdout.splitlines()
    assert listed[0].split() == HEAD
    assert listed[1].startswith("Debian     6, 7, 11  Debian.zip  20")
    assert listed[1].split()[-4:] == ["2023-01-01", "3", "0", "3"]
    assert listed[2].split()[0] == "PyPI"


def test_list_as_json(run: Run, tmp_path: Path, data_dir: Path) -> None:
    run("advisories", "add", zipped(tmp_path / "Alpine.zip", *ALPINE), "--data-dir", data_dir)
    listed = json.loads(run("advisories", "list", "--data-dir", data_dir, "--output", "json").stdout)
    (source,) = listed["sources"]
    with closing(Database(data_dir / "advisories.db")) as database:
        assert listed["revision"] == database.revision
    assert source.pop("added_at").startswith("20")
    assert source == {
        "ecosystem": "Alpine",
        "releases": ["Alpine:v3.10", "Alpine:v3.11"],
        "origin": "Alpine.zip",
        "modified_at": "2023-01-01T00:00:00Z",
        "records": 2,
        "withdrawn": 0,
        "packages": 2,
    }


def test_add_as_json_names_what_was_left_out(run: Run, tmp_path: Path, data_dir: Path) -> None:
    path = zipped(tmp_path / "PyPI.zip", *PYPI, {"id": "X-1"})
    result = run("advisories", "add", path, "--data-dir", data_dir, "--output", "json")
    assert json.loads(result.stdout) == {
        "added": [
            {
                "origin": "PyPI.zip",
                "ecosystems": ["PyPI"],
                "records": 2,
                "withdrawn": 0,
                "malformed": 1,
                "examples": ["X-1.json: it has no id, or no modified"],
            }
        ]
    }


def test_malformed_records_are_named_on_stderr(run: Run, tmp_path: Path, data_dir: Path) -> None:
    path = zipped(tmp_path / "PyPI.zip", *PYPI, {"id": "X-1"})
    result = run("advisories", "add", path, "--data-dir", data_dir)
    assert (result.exit_code, result.stderr) == (0, "left out X-1.json: it has no id, or no modified\n")


def test_list_of_nothing_says_which_command_helps(run: Run, data_dir: Path) -> None:
    result = run("advisories", "list", "--data-dir", data_dir)
    assert result.stdout == (
        f"no advisories in {data_dir}; add some with `ecr-emu advisories add FILE`"
        " or `ecr-emu advisories fetch Debian`\n"
    )
    empty = json.loads(run("advisories", "list", "--data-dir", data_dir, "--output", "json").stdout)
    assert empty == {"revision": "", "sources": []}


def test_many_releases_are_counted(run: Run, tmp_path: Path, data_dir: Path) -> None:
    entries = [until(f"Debian:{number}", "a", "1") for number in range(1, 14)]
    run("advisories", "add", zipped(tmp_path / "a.zip", record("X-1", *entries)), "--data-dir", data_dir)
    assert " 13 of them " in run("advisories", "list", "--data-dir", data_dir).stdout


def test_a_wrong_file_is_one_line(refused: Refused, tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    told = refused("advisories", "add", tmp_path / "notes.txt", "--data-dir", data_dir)
    assert told == f"{tmp_path}/notes.txt is no zip that can be read: File is not a zip file"
    told = refused("advisories", "add", tmp_path / "none.zip", "--data-dir", data_dir)
    assert told == f"there is no file or folder {tmp_path}/none.zip"


def test_a_data_folder_that_cannot_be_made_is_one_line(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = refused("advisories", "list", "--data-dir", tmp_path / "file" / "data")
    assert told == f"cannot make {tmp_path}/file/data: Not a directory"


def test_a_damaged_database_is_one_line(refused: Refused, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "advisories.db").write_bytes(b"hello" * 1000)
    for arguments in (["list"], ["list", "--output", "json"]):
        told = refused("advisories", *arguments, "--data-dir", data_dir)
        assert told == f"cannot open {data_dir}/advisories.db: file is not a database"


def test_fetch_adds_what_a_mirror_has(run: Run, mirror: Mirror, data_dir: Path) -> None:
    mirror.files = {
        "/osv/Debian/all.zip": zip_bytes(*DEBIAN),
        "/osv/Rocky Linux/all.zip": zip_bytes(record("RLSA-1", until("Rocky Linux:9", "a", "1"))),
    }
    names = ["Debian:12", "Debian", "Rocky Linux"]
    result = run("advisories", "fetch", *names, "--url", f"{mirror.url}/osv/", "--data-dir", data_dir)
    assert result.exit_code == 0, result.stderr
    assert mirror.asked == ["/osv/Debian/all.zip", "/osv/Rocky%20Linux/all.zip"]
    sources = stored(data_dir)
    assert [(one.ecosystem, one.origin) for one in sources] == [
        ("Debian", "Debian.zip"),
        ("Rocky Linux", "Rocky Linux.zip"),
    ]
    assert list(data_dir.glob("*.zip")) == []


def test_fetch_replaces_what_was_added_by_hand(
    run: Run, mirror: Mirror, tmp_path: Path, data_dir: Path
) -> None:
    run("advisories", "add", zipped(tmp_path / "PyPI.zip", *PYPI), "--data-dir", data_dir)
    mirror.files = {"/PyPI/all.zip": zip_bytes(PYPI[0])}
    run("advisories", "fetch", "PyPI", "--url", mirror.url, "--data-dir", data_dir)
    assert [source.records for source in stored(data_dir)] == [1]


def test_an_ecosystem_that_is_not_there(refused: Refused, mirror: Mirror, data_dir: Path) -> None:
    told = refused("advisories", "fetch", "debian", "--url", mirror.url, "--data-dir", data_dir)
    assert told == (
        f"{mirror.url}/debian/all.zip answered 404 Not Found; names are those of OSV, as Debian, PyPI or"
        " crates.io, and 'debian' may be none"
    )


def test_a_mirror_that_is_broken(refused: Refused, mirror: Mirror, data_dir: Path) -> None:
    mirror.is_broken = True
    told = refused("advisories", "fetch", "PyPI", "--url", mirror.url, "--data-dir", data_dir)
    assert told == f"{mirror.url}/PyPI/all.zip answered 503 Service Unavailable"


def test_a_download_that_ends_too_soon(refused: Refused, mirror: Mirror, data_dir: Path) -> None:
    mirror.files = {"/PyPI/all.zip": zip_bytes(*PYPI)}
    mirror.promised_bytes = 1_000_000
    told = refused("advisories", "fetch", "PyPI", "--url", mirror.url, "--data-dir", data_dir)
    assert told.startswith(f"cannot fetch {mirror.url}/PyPI/all.zip (the connection ended after ")
    assert told.endswith("or download it elsewhere and use `ecr-emu advisories add FILE`")
    assert list(data_dir.iterdir()) == []


def test_what_is_no_zip_is_not_added(refused: Refused, mirror: Mirror, data_dir: Path) -> None:
    mirror.files = {"/PyPI/all.zip": b"<html>not here</html>"}
    told = refused("advisories", "fetch", "PyPI", "--url", mirror.url, "--data-dir", data_dir)
    assert "is no zip that can be read: File is not a zip file" in told


def test_no_network_is_one_line(refused: Refused, mirror: Mirror, data_dir: Path) -> None:
    # Port 9 is nobody's.
    told = refused("advisories", "fetch", "PyPI", "--url", "http://127.0.0.1:9", "--data-dir", data_dir)
    assert told == (
        "cannot fetch http://127.0.0.1:9/PyPI/all.zip (Connection refused); name a mirror with --url, or"
        " download it elsewhere and use `ecr-emu advisories add FILE`"
    )


@pytest.mark.parametrize("url", ["file:///etc", "osv", "ftp://127.0.0.1"])
def test_only_the_web_is_fetched_from(refused: Refused, data_dir: Path, url: str) -> None:
    told = refused("advisories", "fetch", "PyPI", "--url", url, "--data-dir", data_dir)
    assert told.startswith(f"--url '{url}' is no URL; write it as https://")


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:port"])
def test_a_url_that_makes_no_sense_is_one_line(refused: Refused, data_dir: Path, url: str) -> None:
    told = refused("advisories", "fetch", "PyPI", "--url", url, "--data-dir", data_dir)
    assert url in told


def test_fetch_needs_a_name(run: Run, data_dir: Path) -> None:
    result = run("advisories", "fetch", "--data-dir", data_dir)
    assert result.exit_code == 2
    assert "Missing argument 'NAME...'" in result.stderr
