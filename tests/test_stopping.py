"""SIGTERM in the middle: what runs is finished, nothing new begins, and what was cut goes on afterwards."""

import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients import Registry, digest_of
from tests.consistency import check_consistency
from tests.processes import serving, wait_until_refused

NAME = "team/app"
LAYER = bytes(range(256)) * 400
HALF = len(LAYER) // 2


def begin(registry: Registry) -> str:
    """The path of an upload that has begun."""
    location = registry.request("POST", f"/v2/{NAME}/blobs/uploads/").headers["location"]
    return location.partition(f":{registry.port}")[2]


def sending(registry: Registry, path: str, content: bytes, length: int) -> socket.socket:
    """A connection on which some of the bytes of a PATCH have been sent."""
    connection = socket.create_connection(("127.0.0.1", registry.port), timeout=30)
    head = f"PATCH {path} HTTP/1.1\r\nHost: localhost:{registry.port}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + content)
    # Until the server has begun with it.
    time.sleep(0.5)
    return connection


def test_a_request_that_runs_is_finished_and_acknowledged(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path, "--auth", "open") as server:
        server.create_repository(NAME)
        path = begin(server.registry)
        with closing(sending(server.registry, path, LAYER[:HALF], len(LAYER))) as connection:
            server.terminate()
            wait_until_refused(server.port)
            connection.sendall(LAYER[HALF:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 202 ")
        assert server.ended()[0] == 0
    with serving("--data-dir", tmp_path, "--auth", "open") as again:
        assert again.registry.request("GET", path).headers["range"] == f"0-{len(LAYER) - 1}"
        assert again.registry.request("PUT", f"{path}?digest={digest_of(LAYER)}").status == 201
        assert again.registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}").body == LAYER
    check_consistency(tmp_path)


@pytest.mark.parametrize("cut_at", [0, 1, HALF // 3, HALF - 1])
def test_an_upload_that_was_cut_goes_on_after_a_restart(tmp_path: Path, cut_at: int) -> None:
    rest = LAYER[HALF:]
    with serving("--data-dir", tmp_path, "--auth", "open") as server:
        server.create_repository(NAME)
        path = begin(server.registry)
        assert server.registry.request("PATCH", path, LAYER[:HALF]).status == 202
        with closing(sending(server.registry, path, rest[:cut_at], len(rest))):
            pass
        server.terminate()
        assert server.ended()[0] == 0
    with serving("--data-dir", tmp_path, "--auth", "open") as again:
        registry = again.registry
        assert registry.request("GET", path).headers["range"] == f"0-{HALF - 1}"
        headers = {"Content-Range": f"{HALF}-{len(LAYER) - 1}"}
        assert registry.request("PATCH", path, rest, headers).status == 202
        assert registry.request("PUT", f"{path}?digest={digest_of(LAYER)}").status == 201
        assert registry.request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}").body == LAYER
    check_consistency(tmp_path)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_client_that_never_reads_keeps_no_server_and_no_memory(tmp_path: Path) -> None:
    large = bytes(64_000_000)
    with serving("--data-dir", tmp_path, "--auth", "open") as server:
        server.create_repository(NAME)
        digest = server.registry.push_blob(NAME, large)
        before = resident_bytes(server.process.pid)
        staring = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
        for connection in staring:
            head = f"GET /v2/{NAME}/blobs/{digest} HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n"
            connection.sendall(head.encode())
        time.sleep(1)
        # All eight layers would be 512 MB.
        assert resident_bytes(server.process.pid) - before < 100_000_000
        assert server.registry.request("GET", "/v2/").status == 200
        for connection in staring:
            connection.close()
        server.terminate()
        assert server.ended()[0] == 0


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
