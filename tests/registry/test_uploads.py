"""Uploads: every way to bring a blob, and every way in which it goes wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import Registry, Reply, Running, digest_of
from tests.consistency import files_in
from tests.registry.steps import (
    CONTENT,
    RANDOM_DIGEST,
    begin,
    check_stored,
    chunk,
    finish,
    in_pieces,
    path_of,
    pulled,
    raw_head,
    received,
    send_raw,
)

UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"


# --- Ways that work ---------------------------------------------------------------------------------------


def post_all(registry: Registry, repo: str, digest: str) -> Reply:
    return registry.request("POST", f"/v2/{repo}/blobs/uploads/?digest={digest}", CONTENT)


def post_all_without_a_slash(registry: Registry, repo: str, digest: str) -> Reply:
    return registry.request("POST", f"/v2/{repo}/blobs/uploads?digest={digest}", CONTENT)


def post_a_stream(registry: Registry, repo: str, digest: str) -> Reply:
    return registry.request("POST", f"/v2/{repo}/blobs/uploads/?digest={digest}", in_pieces())


def post_then_put(registry: Registry, repo: str, digest: str) -> Reply:
    return finish(registry, begin(registry, repo), digest, CONTENT)


def post_then_put_a_stream(registry: Registry, repo: str, digest: str) -> Reply:
    return registry.request("PUT", f"{begin(registry, repo)}?digest={digest}", in_pieces())


def one_stream_then_put(registry: Registry, repo: str, digest: str) -> Reply:
    upload = begin(registry, repo)
    reply = registry.request("PATCH", upload, in_pieces())
    assert (reply.status, reply.headers["range"]) == (202, f"0-{len(CONTENT) - 1}")
    return finish(registry, upload, digest)


def chunks_then_put(registry: Registry, repo: str, digest: str) -> Reply:
    upload = begin(registry, repo)
    for first in range(0, len(CONTENT), 3000):
        reply = chunk(registry, upload, CONTENT[first : first + 3000], first)
        assert (reply.status, reply.headers["range"]) == (202, f"0-{min(first + 3000, len(CONTENT)) - 1}")
        assert (path_of(reply), received(registry, upload)) == (upload, reply.headers["range"])
    return finish(registry, upload, digest)


def the_last_chunk_in_the_put(registry: Registry, repo: str, digest: str) -> Reply:
    upload = begin(registry, repo)
    chunk(registry, upload, CONTENT[:6000], 0)
    headers = {"Content-Range": f"6000-{len(CONTENT) - 1}"}
    return registry.request("PUT", f"{upload}?digest={digest}", CONTENT[6000:], headers)


def chunks_without_a_range(registry: Registry, repo: str, digest: str) -> Reply:
    upload = begin(registry, repo)
    registry.request("PATCH", upload, CONTENT[:6000])
    assert registry.request("PATCH", upload, b"").headers["range"] == "0-5999"
    registry.request("PATCH", upload, CONTENT[6000:])
    return finish(registry, upload, digest)


WAYS = [
    post_all,
    post_all_without_a_slash,
    post_a_stream,
    post_then_put,
    post_then_put_a_stream,
    one_stream_then_put,
    chunks_then_put,
    the_last_chunk_in_the_put,
    chunks_without_a_range,
]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_pushing_stores_the_blob(
    way: Callable[[Registry, str, str], Reply], algorithm: str, registry: Registry, repo: str
) -> None:
    digest = digest_of(CONTENT, algorithm)
    for _ in range(2):
        check_stored(way(registry, repo, digest), registry, repo, digest)


def test_an_empty_blob_needs_no_bytes(registry: Registry, repo: str) -> None:
    digest = digest_of(b"")
    check_stored(finish(registry, begin(registry, repo), digest), registry, repo, digest, b"")


def test_an_upload_begins_with_an_id_of_its_own(registry: Registry, repo: str) -> None:
    replies = [registry.request("POST", f"/v2/{repo}/blobs/uploads/") for _ in range(3)]
    assert len({path_of(reply) for reply in replies}) == 3
    for reply in replies:
        assert path_of(reply) == f"/v2/{repo}/blobs/uploads/{reply.headers['docker-upload-uuid']}"
        assert reply.body == b""


@pytest.mark.parametrize(
    ("algorithm", "status"), [("sha256", 202), ("sha512", 202), ("md5", 400), ("", 400), ("SHA256", 400)]
)
def test_an_upload_announces_an_algorithm_that_can_be_stored(
    algorithm: str, status: int, registry: Registry, repo: str
) -> None:
    reply = registry.request("POST", f"/v2/{repo}/blobs/uploads/?digest-algorithm={algorithm}")
    assert reply.status == status
    assert status == 202 or reply.error[0] == "DIGEST_INVALID"


# --- Ranges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 9, 11, 20, 2**40])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_chunk_out_of_order_changes_nothing_and_says_where_to_go_on(
    method: str, first: int, registry: Registry, repo: str
) -> None:
    upload = begin(registry, repo)
    chunk(registry, upload, CONTENT[:10], 0)
    query = f"?digest={digest_of(CONTENT[:10])}" if method == "PUT" else ""
    headers = {"Content-Range": f"{first}-{first + 2}"}
    reply = registry.request(method, upload + query, b"abc", headers)
    message = f"First byte of the layer part is {first} instead of 10"
    assert (reply.status, reply.error) == (416, ("BLOB_UPLOAD_INVALID", message))
    assert (path_of(reply), reply.headers["range"]) == (upload, "0-9")
    assert received(registry, upload) == "0-9"
    check_stored(
        finish(registry, upload, digest_of(CONTENT), CONTENT[10:]), registry, repo, digest_of(CONTENT)
    )


@pytest.mark.parametrize(
    ("content_range", "body"),
    [
        ("0-2", b"ab"),
        ("0-2", b"abcd"),
        ("0-0", b""),
        ("5-2", b"abc"),
        ("a-b", b"abc"),
        ("0", b"abc"),
        ("-2", b"abc"),
        ("0-", b"abc"),
        ("", b"abc"),
        ("bytes */3", b"abc"),
        ("lines 0-2", b"abc"),
        ("0-2,3-4", b"abc"),
        ("0-" + "9" * 30, b"abc"),
        ("\xb2-\xb3", b"abc"),
        # Without a Content-Length the bytes themselves are counted.
        ("0-2", iter([b"ab"])),
        ("0-2", iter([b"ab", b"cd"])),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_content_range_that_does_not_fit_the_body_is_refused(
    method: str, content_range: str, body: Any, registry: Registry, repo: str
) -> None:
    upload = begin(registry, repo)
    query = f"?digest={RANDOM_DIGEST}" if method == "PUT" else ""
    content = body if isinstance(body, bytes) else iter(list(body))
    reply = registry.request(method, upload + query, content, {"Content-Range": content_range})
    assert (reply.status, reply.error[0]) == (400, "SIZE_INVALID")
    assert received(registry, upload) == "0-0"
    check_stored(finish(registry, upload, digest_of(CONTENT), CONTENT), registry, repo, digest_of(CONTENT))


@pytest.mark.parametrize("form", ["0-2", "bytes 0-2/*", "bytes 0-2/3", "bytes=0-2", " 0-2 "])
def test_a_content_range_may_be_written_as_in_http(form: str, registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    reply = registry.request("PATCH", upload, b"abc", {"Content-Range": form})
    assert (reply.status, reply.headers["range"]) == (202, "0-2")


# --- Ends -------------------------------------------------------------------------------------------------


def test_a_cancelled_upload_is_gone(registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    registry.request("PATCH", upload, CONTENT)
    reply = registry.request("DELETE", upload)
    assert (reply.status, reply.body) == (204, b"")
    check_gone(registry, upload)


def test_a_completed_upload_is_gone(registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    assert finish(registry, upload, digest_of(CONTENT), CONTENT).status == 201
    check_gone(registry, upload)
    assert pulled(registry, repo, digest_of(CONTENT)) == CONTENT


def check_gone(registry: Registry, upload: str) -> None:
    replies = [
        registry.request("GET", upload),
        registry.request("PATCH", upload, b"more"),
        chunk(registry, upload, b"more", 0),
        finish(registry, upload, digest_of(b"more"), b"more"),
        registry.request("DELETE", upload),
    ]
    assert [(reply.status, reply.error[0]) for reply in replies] == [(404, "BLOB_UPLOAD_UNKNOWN")] * 5


@pytest.mark.parametrize("upload_id", [UNKNOWN_ID, "x", "..", "%2e%2e", "a%00b", "a" * 5000, "%C3%A9"])
def test_an_upload_that_never_began_is_unknown(upload_id: str, registry: Registry, repo: str) -> None:
    check_gone(registry, f"/v2/{repo}/blobs/uploads/{upload_id}")


def test_an_upload_belongs_to_its_repository(ecr: Any, registry: Registry, repo: str) -> None:
    ecr.create_repository(repositoryName=f"{repo}/other")
    upload = begin(registry, repo)
    check_gone(registry, upload.replace(repo, f"{repo}/other"))
    assert received(registry, upload) == "0-0"


def test_an_upload_goes_with_its_repository(ecr: Any, registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    ecr.delete_repository(repositoryName=repo)
    assert registry.request("PATCH", upload, b"x").error[0] == "NAME_UNKNOWN"
    ecr.create_repository(repositoryName=repo)
    check_gone(registry, upload)


@pytest.mark.parametrize("before", [0, 4000, len(CONTENT)])
def test_after_the_wrong_digest_the_right_one_still_works(before: int, registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    registry.request("PATCH", upload, CONTENT[:before])
    state = received(registry, upload)
    for wrong in (RANDOM_DIGEST, digest_of(b"wrong", "sha512")):
        reply = finish(registry, upload, wrong, CONTENT[before:])
        message = "None of the provided layer digests match the calculated layer digest"
        assert (reply.status, reply.error) == (400, ("DIGEST_INVALID", message))
        assert received(registry, upload) == state
        assert registry.request("HEAD", f"/v2/{repo}/blobs/{wrong}").status == 404
    digest = digest_of(CONTENT)
    check_stored(finish(registry, upload, digest, CONTENT[before:]), registry, repo, digest)


@pytest.mark.parametrize(
    "digest",
    ["", "x", "sha256:", "sha256:xyz", "sha256:" + "A" * 64, "sha384:" + "a" * 96, "md5:" + "a" * 32],
)
def test_a_digest_that_cannot_be_stored_is_invalid(digest: str, registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    for reply in (
        finish(registry, upload, digest, CONTENT),
        registry.request("PUT", upload, CONTENT),
        registry.request("POST", f"/v2/{repo}/blobs/uploads/?digest={digest}", CONTENT),
    ):
        assert (reply.status, reply.error[0]) == (400, "DIGEST_INVALID")
    assert received(registry, upload) == "0-0"


# --- Interruptions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("PATCH", {"Content-Length": "100"}, b"half"),
        ("PATCH", {"Content-Length": "100", "Content-Range": "10-109"}, b"half"),
        ("PUT", {"Content-Length": "100"}, b"half"),
        ("PUT", {"Transfer-Encoding": "chunked"}, b"a\r\n01234"),
        ("PATCH", {"Transfer-Encoding": "chunked", "Content-Range": "10-109"}, b"4\r\nhalf\r\n5\r\nx"),
    ],
)
def test_a_body_that_was_cut_off_leaves_the_acknowledged_bytes(
    method: str, headers: dict[str, str], body: bytes, registry: Registry, repo: str
) -> None:
    upload = begin(registry, repo)
    chunk(registry, upload, CONTENT[:10], 0)
    query = f"?digest={digest_of(CONTENT)}" if method == "PUT" else ""
    answer = send_raw(
        registry.port, raw_head(registry, f"{method} {upload}{query}", headers), body, hang_up=True
    )
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert received(registry, upload) == "0-9"
    assert chunk(registry, upload, CONTENT[10:], 10).status == 202
    check_stored(finish(registry, upload, digest_of(CONTENT)), registry, repo, digest_of(CONTENT))


def test_a_stream_that_was_cut_off_can_go_on_where_the_server_says(registry: Registry, repo: str) -> None:
    upload = begin(registry, repo)
    head = raw_head(registry, f"PATCH {upload}", {"Transfer-Encoding": "chunked"})
    send_raw(registry.port, head, b"a\r\n0123456789\r\n8\r\n0123", hang_up=True)
    first = int(received(registry, upload).removeprefix("0-")) + 1
    first = 0 if first == 1 else first
    assert chunk(registry, upload, CONTENT[first:], first).status == 202
    check_stored(finish(registry, upload, digest_of(CONTENT)), registry, repo, digest_of(CONTENT))


def test_a_cut_off_single_post_leaves_nothing(start: Callable[..., Running], folder: Path) -> None:
    emulator = start(data_dir=folder)
    emulator.ecr().create_repository(repositoryName="cut/off")
    registry = emulator.registry()
    line = f"POST /v2/cut/off/blobs/uploads/?digest={RANDOM_DIGEST}"
    send_raw(registry.port, raw_head(registry, line, {"Content-Length": "100"}), b"half", hang_up=True)
    assert post_all(registry, "cut/off", RANDOM_DIGEST).status == 400
    emulator.stop()
    assert files_in(folder / "uploads") | files_in(folder / "blobs") == set()


def test_an_upload_outlives_a_restart(start: Callable[..., Running], folder: Path) -> None:
    emulator = start(data_dir=folder)
    emulator.ecr().create_repository(repositoryName="re/start")
    registry = emulator.registry()
    upload = begin(registry, "re/start")
    chunk(registry, upload, CONTENT[:6000], 0)
    for _ in range(2):
        emulator.stop()
        emulator = start(data_dir=folder)
        registry = emulator.registry()
        assert received(registry, upload) == "0-5999"
    assert chunk(registry, upload, CONTENT, 0).headers["range"] == "0-5999"
    assert chunk(registry, upload, CONTENT[6000:], 6000).headers["range"] == f"0-{len(CONTENT) - 1}"
    digest = digest_of(CONTENT)
    check_stored(finish(registry, upload, digest), registry, "re/start", digest)
