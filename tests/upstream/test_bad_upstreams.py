"""Upstreams that are not there, are slow, or lie: the documented error, and nothing half stored."""

import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ecr_emu.domain.manifests import OCI_INDEX
from tests.clients import Reply, Running, digest_of, image_index, image_manifest
from tests.upstream.hostile import (
    CONFIG,
    IMAGE,
    LAYER,
    Answer,
    Hostile,
    gives_manifest,
    in_chunks,
    in_pieces,
    says,
)
from tests.upstream.waiting import images_of, wait_for

MANIFEST, BLOB = "/v2/team/app/manifests/v1", f"/v2/team/app/blobs/{digest_of(LAYER)}"
OWN_BLOB = f"/v2/quay/team/app/blobs/{digest_of(LAYER)}"
UNAVAILABLE = (503, "UNAVAILABLE")
REFUSED = (403, "DENIED")


def pull(cache: Running, reference: str = "v1", name: str = "quay/team/app") -> Reply:
    return cache.registry().request("GET", f"/v2/{name}/manifests/{reference}")


def outcome(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.error[0]


def assert_nothing_stored(cache: Running) -> None:
    """No image, no layer, no upload; a repository there may be."""
    emulator = cache.application.emulator
    folder = emulator.settings.data_dir

    def is_settled() -> bool:
        with emulator.store.read() as connection:
            rows = connection.execute(
                "SELECT id FROM images UNION SELECT digest FROM layers "
                "UNION SELECT digest FROM blobs UNION SELECT id FROM uploads"
            ).fetchall()
        files = [
            path for part in ("blobs", "uploads") for path in (folder / part).rglob("*") if path.is_file()
        ]
        return not rows and not files

    wait_for(is_settled)


def stall(handler: Any) -> None:
    time.sleep(5)


def drip(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b"{")
        handler.wfile.flush()
        time.sleep(0.1)


def nonsense(handler: Any) -> None:
    handler.wfile.write(b"this is no HTTP\r\n" * 10)
    handler.close_connection = True


def hang_up(handler: Any) -> None:
    handler.close_connection = True


def endless_headers(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000):
        handler.wfile.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))
    handler.close_connection = True


def zeros(size: int = 1 << 16) -> Iterator[bytes]:
    while True:
        yield bytes(size)


SCHEMA_1 = b'{"schemaVersion": 1, "name": "team/app", "fsLayers": []}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says(401), REFUSED),
        (says(403), REFUSED),
        (says(429), (429, "TOOMANYREQUESTS")),
        (says(500), UNAVAILABLE),
        (says(204), UNAVAILABLE),
        (stall, UNAVAILABLE),
        (drip, UNAVAILABLE),
        (nonsense, UNAVAILABLE),
        (hang_up, UNAVAILABLE),
        (endless_headers, UNAVAILABLE),
        (in_pieces(100, lambda: iter([b"{"])), UNAVAILABLE),
        (in_chunks(zeros), UNAVAILABLE),
        (says(200, {"Content-Type": "application/json"}, b"[" * 100_000), UNAVAILABLE),
        (says(200, {"Content-Type": "text/html"}, b"<html>"), UNAVAILABLE),
        (gives_manifest(SCHEMA_1, "application/vnd.docker.distribution.manifest.v1+json"), UNAVAILABLE),
        (says(200, {"Docker-Content-Digest": digest_of(b"other")}, IMAGE), UNAVAILABLE),
        (gives_manifest(bytes(5_000_000)), UNAVAILABLE),
        (says(302, {"Location": MANIFEST}), UNAVAILABLE),
        (says(302, {"Location": "ftp://example.com/"}), UNAVAILABLE),
        (says(302, {"Location": "http://[::1/"}), UNAVAILABLE),
        (says(302, {"Location": "http://user@127.0.0.1/"}), UNAVAILABLE),
        (says(307, {"Location": "http://169.254.169.254/latest/meta-data"}), UNAVAILABLE),
        (says(307, {"Location": "http://[fe80::1]/"}), UNAVAILABLE),
        (says(307, {"Location": "http://10.0.0.1/"}), UNAVAILABLE),
        (says(307, {"Location": "http://[::ffff:10.0.0.1]/"}), UNAVAILABLE),
        (says(307, {"Location": "http://2130706433/"}), UNAVAILABLE),
        (says(302), UNAVAILABLE),
        (says(401, {"WWW-Authenticate": "Negotiate"}), REFUSED),
        (says(401, {"WWW-Authenticate": 'Bearer realm="http://10.0.0.1/token"'}), UNAVAILABLE),
        (says(401, {"WWW-Authenticate": 'Bearer realm="not a URL"'}), UNAVAILABLE),
        (says(401, {"WWW-Authenticate": "Basic realm=x"}), REFUSED),
    ],
)
def test_manifest_that_cannot_be_had(
    cached: Callable[..., Running], bad: Hostile, answer: Answer, expected: tuple[int, str]
) -> None:
    bad.answers[MANIFEST] = answer
    cache = cached()
    assert outcome(pull(cache)) == expected
    assert_nothing_stored(cache)
    assert cache.ecr().describe_repositories()["repositories"] == []


def test_upstream_that_is_not_there(start: Callable[..., Running]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    cache = start(upstream=(("quay", f"http://127.0.0.1:{port}"),))
    cache.ecr().create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    assert outcome(pull(cache)) == UNAVAILABLE
    assert "Connection refused" in pull(cache).error[1]


def test_manifest_that_is_not_there_is_not_found(cached: Callable[..., Running]) -> None:
    cache = cached()
    assert outcome(pull(cache)) == (404, "NAME_UNKNOWN")
    cache.ecr().create_repository(repositoryName="quay/team/app")
    assert outcome(pull(cache)) == (404, "MANIFEST_UNKNOWN")


def test_manifest_of_another_digest_is_refused(cached: Callable[..., Running], bad: Hostile) -> None:
    wanted = digest_of(b"another")
    bad.answers[f"/v2/team/app/manifests/{wanted}"] = gives_manifest(IMAGE)
    cache = cached()
    assert outcome(pull(cache, wanted)) == UNAVAILABLE
    assert_nothing_stored(cache)


def test_wrong_bytes_break_the_connection_and_are_not_stored(
    cached: Callable[..., Running], bad: Hostile
) -> None:
    bad.offer()
    bad.answers[BLOB] = says(200, body=LAYER[:-1] + b"?")
    cache = cached()
    assert pull(cache).status == 200
    client = cache.registry()
    broken = 0
    for _ in range(5):
        with client.connection() as connection:
            connection.request("GET", OWN_BLOB, headers=client.login())
            response = connection.getresponse()
            # One that comes when the fetch has failed already is told so.
            if response.status == 503:
                continue
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                response.read()
            broken += 1
    assert broken
    emulator = cache.application.emulator

    def is_settled() -> bool:
        with emulator.store.read() as connection:
            known = connection.execute("SELECT digest FROM blobs").fetchall()
            uploads = connection.execute("SELECT count(*) FROM uploads").fetchone()[0]
        return known in ([], [(digest_of(CONFIG),)]) and not uploads

    wait_for(is_settled)
    assert images_of(cache.ecr(), "quay/team/app") == {}
    assert not list((emulator.settings.data_dir / "uploads").iterdir())


@pytest.mark.parametrize(
    "answer",
    [
        says(200, body=LAYER + b"more"),
        says(200, body=LAYER[:-1]),
        in_pieces(len(LAYER), lambda: iter([LAYER[:1000]])),
        in_chunks(lambda: iter([LAYER[:1000]])),
        in_chunks(zeros),
        in_chunks(lambda: iter([LAYER, b"more"])),
        stall,
        says(404),
        says(403),
        says(307, {"Location": "http://169.254.169.254/"}),
    ],
)
def test_layer_that_cannot_be_had_leaves_no_image(
    cached: Callable[..., Running], bad: Hostile, answer: Answer
) -> None:
    bad.offer()
    bad.answers[BLOB] = answer
    cache = cached()
    assert pull(cache).status == 200
    client = cache.registry()
    with client.connection() as connection:
        connection.request("GET", OWN_BLOB, headers=client.login())
        # A client may see nothing at all of an answer that breaks off at once.
        with contextlib.suppress(http.client.RemoteDisconnected):
            response = connection.getresponse()
            if response.status == 200:
                with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                    response.read()
            else:
                assert response.status in (403, 404, 503)
    emulator = cache.application.emulator
    wait_for(lambda: not list((emulator.settings.data_dir / "uploads").iterdir()))
    with emulator.store.read() as connection:
        assert connection.execute("SELECT digest FROM blobs").fetchall() in ([], [(digest_of(CONFIG),)])
    assert images_of(cache.ecr(), "quay/team/app") == {}


def test_what_failed_works_when_the_upstream_does(cached: Callable[..., Running], bad: Hostile) -> None:
    bad.offer()
    bad.answers[BLOB] = says(500)
    cache = cached()
    assert pull(cache).status == 200
    assert outcome(cache.registry().request("GET", OWN_BLOB)) == UNAVAILABLE
    bad.offer()
    wait_for(lambda: pull(cache).status == 200 and images_of(cache.ecr(), "quay/team/app"))
    assert cache.registry().request("GET", OWN_BLOB).body == LAYER


def test_redirect_to_a_private_address_needs_the_setting(
    cached: Callable[..., Running], bad: Hostile
) -> None:
    """A port of this machine that is not the upstream's: an internal service, as far as anybody knows."""
    bad.offer()
    with socket.create_server(("127.0.0.1", 0)) as other:
        bad.answers[MANIFEST] = says(307, {"Location": f"http://127.0.0.1:{other.getsockname()[1]}/secret"})
        code, message = pull(cached()).error
        assert code == "UNAVAILABLE"
        assert "private address" in message
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.accept()


def test_index_without_end_is_given_up(cached: Callable[..., Running], bad: Hostile) -> None:
    bottom = image_manifest(CONFIG, LAYER)
    for _ in range(8):
        bad.answers[f"/v2/team/app/manifests/{digest_of(bottom)}"] = gives_manifest(
            bottom, OCI_INDEX if b'"manifests"' in bottom else "application/vnd.oci.image.manifest.v1+json"
        )
        bottom = image_index(bottom)
    bad.answers[MANIFEST] = gives_manifest(bottom, OCI_INDEX)
    cache = cached()
    assert pull(cache).status == 200
    wait_for(lambda: not cache.application.emulator.flights._pending)
    assert images_of(cache.ecr(), "quay/team/app") == {}


def test_index_with_a_child_that_is_not_there_is_not_stored(
    cached: Callable[..., Running], bad: Hostile
) -> None:
    bad.offer()
    index = image_index(IMAGE, image_manifest(b"{}"))
    bad.answers[MANIFEST] = gives_manifest(index, OCI_INDEX)
    cache = cached()
    assert pull(cache).body == index
    wait_for(lambda: not cache.application.emulator.flights._pending)
    assert digest_of(index) not in images_of(cache.ecr(), "quay/team/app")
