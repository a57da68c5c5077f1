"""The server below the registry: connections, addresses, memory."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecr_emu.domain.manifests import OCI_INDEX
from tests.clients import Registry, Running, digest_of, image_index
from tests.consistency import check_consistency, files_in, side_by_side
from tests.processes import serving
from tests.registry.steps import RANDOM_DIGEST, begin, finish, path_of, raw_head, received, send_raw

MIB = 1 << 20


def answer(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    response = connection.getresponse()
    return response.status, response.read()


def test_a_whole_push_and_pull_fit_one_connection(registry: Registry, repo: str) -> None:
    index, headers = image_index(), registry.login()
    steps = [
        ("GET", "/v2/", None, 200),
        ("HEAD", f"/v2/{repo}/blobs/{digest_of(b'x')}", None, 404),
        ("POST", f"/v2/{repo}/blobs/uploads/?digest={digest_of(b'x')}", b"x", 201),
        ("HEAD", f"/v2/{repo}/blobs/{digest_of(b'x')}", None, 200),
        ("PUT", f"/v2/{repo}/manifests/v1", index, 201),
        ("DELETE", f"/v2/{repo}/manifests/none", None, 404),
        ("GET", f"/v2/{repo}/manifests/v1", None, 200),
        ("GET", f"/v2/{repo}/blobs/{digest_of(b'x')}", None, 200),
        ("GET", "/v2/no/such/path", None, 404),
        ("DELETE", f"/v2/{repo}/manifests/v1", None, 202),
    ]
    with registry.connection() as connection:
        connection.connect()
        place = connection.sock.getsockname()
        for method, path, body, status in steps:
            connection.request(method, path, body, {**headers, "Content-Type": OCI_INDEX})
            assert answer(connection)[0] == status, (method, path)
            assert connection.sock is not None
            assert connection.sock.getsockname() == place


EARLY_ERRORS = [
    ("PUT", "/v2/{repo}/manifests/-", 400),
    ("PUT", "/v2/no/such/repository/manifests/v1", 404),
    ("POST", "/v2/{repo}/blobs/uploads/?digest=x", 400),
    ("PATCH", "/v2/{repo}/blobs/uploads/no-such-upload", 404),
    ("PUT", "/v2/{repo}/blobs/uploads/no-such-upload?digest=" + RANDOM_DIGEST, 404),
    ("PATCH", "/v2/_catalog", 405),
    ("PUT", "/v2/nothing", 404),
    # No errors, but nobody reads their bodies.
    ("POST", "/v2/{repo}/blobs/uploads/", 202),
    ("GET", "/v2/_catalog", 200),
    ("DELETE", "/v2/{repo}/blobs/" + RANDOM_DIGEST, 404),
]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [10, 200_000, 20 * MIB])
@pytest.mark.parametrize("early", EARLY_ERRORS)
def test_an_answer_before_the_body_is_read_reaches_the_client_and_the_next_request_works(
    early: tuple[str, str, int], size: int, chunked: bool, registry: Registry, repo: str
) -> None:
    method, path, status = early
    body = bytes(size)
    pieces = iter([body[: size // 2], body[size // 2 :]])
    with registry.connection() as connection:
        connection.request(method, path.format(repo=repo), pieces if chunked else body, registry.login())
        assert answer(connection)[0] == status
        connection.request("GET", "/v2/", headers=registry.login())
        assert answer(connection) == (200, b"{}")


@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_without_a_login_a_body_is_answered_too(size: int, registry: Registry, repo: str) -> None:
    with registry.connection() as connection:
        for _ in range(2):
            connection.request("PUT", f"/v2/{repo}/manifests/v1", bytes(size))
            assert answer(connection)[0] == 401


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_client_that_waits_for_100_continue_is_told_whether_to_send(
    logged_in: bool, registry: Registry, repo: str
) -> None:
    head = raw_head(
        registry, f"PATCH {begin(registry, repo)}", {"Content-Length": "3", "Expect": "100-continue"}
    )
    if not logged_in:
        head = head.replace("Basic", "Bearer")
    with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n")
        first = connection.recv(65536).split(b"\r\n")[0]
        assert first == (b"HTTP/1.1 100 Continue" if logged_in else b"HTTP/1.1 401 Unauthorized")
        if logged_in:
            connection.sendall(b"abc")
            assert connection.recv(65536).startswith(b"HTTP/1.1 202 ")


def test_requests_may_be_sent_before_the_answers_come(registry: Registry, repo: str) -> None:
    lines = [f"GET /v2/{repo}/tags/list", "GET /v2/nothing"]
    heads = [raw_head(registry, line, {}) for line in lines]
    first = heads[0].replace("Connection: close\n", "") + "\n"
    replies = send_raw(registry.port, first + heads[1])
    assert replies.count(b"HTTP/1.1 200 OK") == 1
    assert replies.count(b"HTTP/1.1 404 Not Found") == 1


@pytest.mark.parametrize(
    "request_head",
    [
        "",
        "GET\n",
        "GET /v2/ HTTP/9.9\n",
        "\x16\x03\x01\x02\x00",
        "GET /v2/ HTTP/1.1\nno colon\n",
        "G" * 100_000,
    ],
)
def test_what_is_not_http_harms_nobody(request_head: str, registry: Registry) -> None:
    reply = send_raw(registry.port, request_head, hang_up=True)
    assert reply == b"" or reply.startswith(b"HTTP/1.1 4")
    assert registry.request("GET", "/v2/").status == 200


def test_content_length_and_chunks_together_smuggle_nothing(registry: Registry, repo: str) -> None:
    smuggled = (
        raw_head(registry, f"DELETE /v2/{repo}/manifests/v1", {}).replace("\n", "\r\n").encode() + b"\r\n"
    )
    registry.put_manifest(repo, "v1", image_index(), OCI_INDEX)
    headers = {"Content-Length": str(5 + len(smuggled)), "Transfer-Encoding": "chunked"}
    send_raw(
        registry.port, raw_head(registry, f"PATCH {begin(registry, repo)}", headers), b"0\r\n\r\n" + smuggled
    )
    assert registry.request("HEAD", f"/v2/{repo}/manifests/v1").status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_loopback_addresses_answer(address: str, registry: Registry) -> None:
    connection = http.client.HTTPConnection(address, registry.port, timeout=30)
    connection.request("GET", "/v2/", headers=registry.login())
    assert answer(connection) == (200, b"{}")
    connection.close()


def test_two_emulators_in_one_process_do_not_see_each_other(start: Callable[..., Running]) -> None:
    one, other = start(), start()
    for emulator in (one, other):
        emulator.ecr().create_repository(repositoryName="same/name")
    one.registry().push_image("same/name", "v1", b"layer of one")
    upload = begin(one.registry(), "same/name")
    registry = other.registry()
    assert registry.request("GET", "/v2/same/name/tags/list").json()["tags"] == []
    assert registry.request("GET", f"/v2/same/name/blobs/{digest_of(b'layer of one')}").status == 404
    assert (
        registry.request("POST", f"/v2/same/name/blobs/uploads/?mount={digest_of(b'layer of one')}").status
        == 202
    )
    assert registry.request("GET", upload).status == 404
    one.stop()
    assert registry.request("GET", "/v2/").status == 200


def test_many_clients_push_at_once(start: Callable[..., Running], folder: Path) -> None:
    emulator = start(data_dir=folder)
    emulator.ecr().create_repository(repositoryName="many/clients")
    registry = emulator.registry()

    def push(number: int) -> str:
        return registry.push_image(
            "many/clients", f"v{number}", b"shared", f"layer {number % 5}".encode() * 9999
        )

    pushed = side_by_side([lambda number=number: push(number) for number in range(20)])  # type: ignore[misc]
    for number, digest in enumerate(pushed):
        head = registry.request("HEAD", f"/v2/many/clients/manifests/v{number}")
        assert head.headers["docker-content-digest"] == digest
    assert len(files_in(folder / "blobs")) == 7
    emulator.stop()
    check_consistency(folder)


def test_a_client_that_leaves_in_the_middle_of_a_layer_harms_nobody(registry: Registry, repo: str) -> None:
    digest = registry.push_blob(repo, bytes(30 * MIB))
    head = raw_head(registry, f"GET /v2/{repo}/blobs/{digest}", {})
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as connection:
            connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert registry.request("GET", "/v2/").status == 200


def test_slow_clients_do_not_hold_up_the_others(registry: Registry, repo: str) -> None:
    uploads = [begin(registry, repo) for _ in range(20)]
    slow = []
    for upload in uploads:
        connection = socket.create_connection(("127.0.0.1", registry.port), timeout=30)
        head = raw_head(registry, f"PATCH {upload}", {"Content-Length": "10"})
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\nhalf")
        slow.append(connection)
    assert registry.request("GET", f"/v2/{repo}/tags/list").status == 200
    for connection, upload in zip(slow, uploads, strict=True):
        connection.sendall(b"gether")
        assert connection.recv(65536).startswith(b"HTTP/1.1 202 ")
        connection.close()
        assert received(registry, upload) == "0-9"


LAYER_MIB = 100
LIMIT_MIB = 30


def peak_mib(process: int) -> int:
    """The most memory that a process ever had."""
    (line,) = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) // 1024


def large_layer() -> Iterator[bytes]:
    return (bytes([number]) * MIB for number in range(LAYER_MIB))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_large_layer_is_not_held_in_memory(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path, "--auth", "open") as served:
        served.create_repository("large/layer")
        registry = served.registry
        small = registry.push_image("large/layer", "v1", bytes(MIB))
        assert registry.request("GET", f"/v2/large/layer/manifests/{small}").status == 200
        before = peak_mib(served.process.pid)
        upload = path_of(registry.request("POST", "/v2/large/layer/blobs/uploads/"))
        registry.request("PATCH", upload, large_layer())
        digest = digest_of(b"".join(large_layer()))
        assert finish(registry, upload, digest).status == 201
        whole = b"".join(large_layer())
        assert (
            registry.request("POST", f"/v2/large/layer/blobs/uploads/?digest={digest}", whole).status == 201
        )
        assert registry.request("PUT", "/v2/large/layer/manifests/v1", whole).status == 413
        assert len(registry.request("GET", f"/v2/large/layer/blobs/{digest}").body) == LAYER_MIB * MIB
        assert peak_mib(served.process.pid) - before < LIMIT_MIB


def test_every_reply_names_the_api_version(registry: Registry, repo: str) -> None:
    requests = [
        ("GET", "/v2/", 200),
        ("GET", f"/v2/{repo}/tags/list", 200),
        ("POST", f"/v2/{repo}/blobs/uploads/", 202),
        ("PUT", f"/v2/{repo}/manifests/v1", 400),
        ("GET", f"/v2/{repo}/manifests/v1", 404),
        ("HEAD", f"/v2/{repo}/manifests/v1", 404),
        ("DELETE", "/v2/", 405),
        ("GET", "/v2/..", 404),
    ]
    for method, path, status in requests:
        reply = registry.request(method, path)
        assert (reply.status, reply.headers["docker-distribution-api-version"]) == (status, "registry/2.0")
        if status >= 400 and method != "HEAD":
            assert reply.headers["content-type"] == "application/json"
            assert [set(error) for error in json.loads(reply.body)["errors"]] == [{"code", "message"}]
