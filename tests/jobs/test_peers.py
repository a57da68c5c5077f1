"""Copies to another emulator that plays a region, and to things that are none."""

import base64
import contextlib
import json
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ecr_emu.domain.manifests import OCI_INDEX, OCI_MANIFEST
from ecr_emu.jobs import courier, peer_requests
from ecr_emu.jobs.carriers import NotNow
from ecr_emu.jobs.peers import Peer
from tests import boto
from tests.clients import DEFAULT_ACCOUNT, Clock, Registry, Running, digest_of, image_index, image_manifest
from tests.consistency import check_consistency
from tests.jobs.test_replication import (
    HERE,
    NAME,
    OTHER,
    THERE,
    allow,
    configure,
    names,
    place,
    rule,
    statuses,
    tags,
)
from tests.jobs.test_runner import until
from tests.processes import serving

LAYER = b"a layer" * 1000


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants to wait for three minutes."""
    monkeypatch.setattr(courier, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(courier, "MAX_ATTEMPTS", 3)


@contextlib.contextmanager
def copying(start: Callable[..., Running], url: str, **settings: Any) -> Iterator[Running]:
    """An emulator whose region THERE is elsewhere, and that copies."""
    emulator = start(region_endpoint=((THERE, url),), **settings)
    emulator.ecr().create_repository(repositoryName=NAME)
    configure(emulator.ecr(), rule(place()))
    emulator.application.runner.start()
    try:
        yield emulator
    finally:
        emulator.application.runner.stop()


@lru_cache(maxsize=2)
def client_of(emulator: Running) -> Any:
    return emulator.ecr()


def status(emulator: Running, digest: str, destination: tuple[str, str] = (THERE, DEFAULT_ACCOUNT)) -> Any:
    return statuses(client_of(emulator), digest)[destination]


def ended(emulator: Running, digest: str, destination: tuple[str, str] = (THERE, DEFAULT_ACCOUNT)) -> Any:
    until(lambda: status(emulator, digest, destination)[0] != "IN_PROGRESS")
    return status(emulator, digest, destination)


def folder(emulator: Running) -> Path:
    return emulator.application.emulator.settings.data_dir


# --- Another emulator ------------------------------------------------------------------------------------


def test_an_image_arrives_at_the_other_emulator(start: Callable[..., Running]) -> None:
    peer = start(region=THERE)
    with copying(start, peer.url) as emulator:
        digest = emulator.registry().push_image(NAME, "v1", LAYER)
        assert ended(emulator, digest) == ("COMPLETE", None)
        # The region is not played here as well.
        assert names(emulator.ecr(region=THERE)) == []
    there = peer.ecr(region=THERE)
    assert tags(there) == {digest: ["v1"]}
    pulling = peer.registry(region=THERE)
    assert pulling.request("GET", f"/v2/{NAME}/blobs/{digest_of(LAYER)}").body == LAYER
    check_consistency(folder(peer))


def test_an_index_its_referrers_and_further_tags_arrive(start: Callable[..., Running]) -> None:
    peer = start(region=THERE)
    there = peer.ecr(region=THERE)
    with copying(start, peer.url) as emulator:
        registry = emulator.registry()
        configure(emulator.ecr())
        child = registry.push_image(NAME, None, b"child")
        body = registry.request("GET", f"/v2/{NAME}/manifests/{child}").body
        configure(emulator.ecr(), rule(place()))
        index = image_index(body)
        subject = {"mediaType": OCI_INDEX, "digest": digest_of(index), "size": len(index)}
        signature = registry.push_image(NAME, None, b"signature", subject=subject)
        for tag in ("v1", "v2", "v2"):
            assert registry.put_manifest(NAME, tag, index, OCI_INDEX).status == 201
        assert ended(emulator, digest_of(index)) == ("COMPLETE", None)
        assert ended(emulator, signature) == ("COMPLETE", None)
    assert tags(there) == {digest_of(index): ["v1", "v2"], child: [], signature: []}
    check_consistency(folder(peer))


def test_the_other_side_decides(start: Callable[..., Running]) -> None:
    """Its registry policy, its templates, its immutable tags; and it copies nothing further."""
    peer = start(region=THERE)
    other, own = peer.ecr(OTHER, THERE), peer.ecr(region=THERE)
    own.create_repository_creation_template(
        prefix="ROOT", appliedFor=["REPLICATION"], imageTagMutability="IMMUTABLE"
    )
    configure(own, rule(place("us-west-2")))
    with copying(start, peer.url) as emulator:
        configure(emulator.ecr(), rule(place(), place(THERE, OTHER)))
        registry = emulator.registry()
        first = registry.push_image(NAME, "v1", b"one")
        assert ended(emulator, first) == ("COMPLETE", None)
        assert ended(emulator, first, (THERE, OTHER)) == ("FAILED", "AccessDenied")
        assert names(other) == []
        allow(other, "ecr:ReplicateImage", "ecr:CreateRepository")
        second = registry.push_image(NAME, "v1", b"two")
        assert ended(emulator, second) == ("COMPLETE", None)
        assert ended(emulator, second, (THERE, OTHER)) == ("COMPLETE", None)
    assert tags(own) == {first: ["v1"], second: []}
    assert tags(other) == {second: ["v1"]}
    assert statuses(own, first) == {}
    assert names(peer.ecr(region="us-west-2")) == []


def test_deletions_arrive_at_the_other_emulator(start: Callable[..., Running]) -> None:
    peer = start(region=THERE)
    there = peer.ecr(region=THERE)
    with copying(start, peer.url) as emulator:
        configure(emulator.ecr(), rule(place(), deletes=True))
        registry = emulator.registry()
        first, second = registry.push_image(NAME, "v1", b"one"), registry.push_image(NAME, "v2", b"two")
        registry.push_image(NAME, "v3", b"one")
        assert ended(emulator, first) == ended(emulator, second) == ("COMPLETE", None)
        until(lambda: tags(there) == {first: ["v1", "v3"], second: ["v2"]})
        gone = [{"imageTag": "v1"}, {"imageDigest": second}]
        emulator.ecr().batch_delete_image(repositoryName=NAME, imageIds=gone)
        until(lambda: tags(there) == {first: ["v3"]})


def test_with_verified_signatures_the_account_needs_a_key(
    start: Callable[..., Running], tmp_path: Path, clock: Clock
) -> None:
    """Both emulators read the same file of principals."""
    clock.now = time.time()
    secret = "a-secret-that-nobody-may-see"
    keys = [{"id": "AKIAROOT", "secret": secret}]
    principals = {"accounts": {DEFAULT_ACCOUNT: {"root": {"accessKeys": keys}}}}
    file = tmp_path / "iam.json"
    file.write_text(json.dumps(principals))
    peer = start(region=THERE, auth="iam", iam_file=str(file))
    emulator = start(auth="iam", iam_file=str(file), region_endpoint=((THERE, peer.url),))

    def client(running: Running, region: str) -> Any:
        return contextlib.closing(boto.client("ecr", running.url, ("AKIAROOT", secret), region))

    with client(emulator, HERE) as ecr, client(peer, THERE) as there:
        ecr.create_repository(repositoryName=NAME)
        configure(ecr, rule(place()))
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        password = base64.b64decode(token).decode().removeprefix("AWS:")
        digest = Registry(emulator.port, password).push_image(NAME, "v1", b"layer")
        emulator.application.runner.start()
        try:
            until(lambda: statuses(ecr, digest)[THERE, DEFAULT_ACCOUNT][0] != "IN_PROGRESS")
        finally:
            emulator.application.runner.stop()
        assert statuses(ecr, digest) == {(THERE, DEFAULT_ACCOUNT): ("COMPLETE", None)}
        assert tags(there) == {digest: ["v1"]}


def test_a_plain_push_with_the_header_needs_the_permission_to_replicate(
    start: Callable[..., Running],
) -> None:
    """The header takes away the asking for ecr:PutImage, so it must ask for something else."""
    peer = start(region=THERE)
    peer.ecr(region=THERE).create_repository(repositoryName=NAME)
    guest = Registry(peer.port, peer.password(OTHER, THERE), f"{DEFAULT_ACCOUNT}.dkr.ecr.{THERE}.localhost")
    guest.headers["X-Ecr-Emu-Replication"] = "1"
    for method, path in (
        ("HEAD", f"blobs/{digest_of(b'x')}"),
        ("POST", "blobs/uploads/"),
        ("PUT", "manifests/v1"),
        ("DELETE", "manifests/v1"),
        ("GET", "manifests/v1"),
    ):
        assert guest.request(method, f"/v2/{NAME}/{path}").status == 403, path


# --- What goes wrong -------------------------------------------------------------------------------------


def test_an_emulator_that_comes_back_gets_what_waited(start: Callable[..., Running], quick: None) -> None:
    peer = start(region=THERE)
    address, data = peer.port, folder(peer)
    peer.stop()
    with (
        mock.patch.object(courier, "MAX_ATTEMPTS", 10_000),
        copying(start, f"http://127.0.0.1:{address}") as emulator,
    ):
        digest = emulator.registry().push_image(NAME, "v1", b"layer")
        time.sleep(0.3)
        assert status(emulator, digest) == ("IN_PROGRESS", None)
        with serving_on(address, data) as there:
            assert ended(emulator, digest) == ("COMPLETE", None)
            assert there() == {digest: ["v1"]}


@contextlib.contextmanager
def serving_on(port: int, data: Path) -> Iterator[Callable[[], Any]]:
    """An emulator of the region on a port that it had before."""
    there = contextlib.closing(boto.client("ecr", f"http://127.0.0.1:{port}", region=THERE))
    with serving("--port", port, "--data-dir", data, "--region", THERE), there as ecr:
        yield lambda: tags(ecr)


class Liar:
    """Something that listens, and answers every request with the same bytes, or not at all."""

    def __init__(self, answer: Callable[[bytes, socket.socket], None]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    got = connection.recv(65536)
                    if not got:
                        return
                    head += got
                self.requests.append(head)
                self._answer(head, connection)

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()


def login(connection: socket.socket) -> None:
    body = json.dumps({"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def silent(head: bytes, connection: socket.socket) -> None:
    time.sleep(5)


def dripping(head: bytes, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.1)


def endless(head: bytes, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def nonsense(head: bytes, connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
    connection.close()


def redirecting(head: bytes, connection: socket.socket) -> None:
    if head.startswith(b"POST / "):
        login(connection)
        return
    connection.sendall(b"HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")


def elsewhere(head: bytes, connection: socket.socket) -> None:
    """Wants the bytes to go to another path."""
    if head.startswith(b"POST / "):
        login(connection)
    elif head.startswith(b"HEAD"):
        connection.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    else:
        location = b"http://127.0.0.1:1/steal?x=1"
        connection.sendall(b"HTTP/1.1 202 Ok\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location)


def another_digest(head: bytes, connection: socket.socket) -> None:
    """Says that it has everything, and stores something else."""
    if head.startswith(b"POST / "):
        login(connection)
    elif head.startswith(b"HEAD"):
        connection.sendall(b"HTTP/1.1 200 Ok\r\nContent-Length: 5\r\n\r\n")
    else:
        digest = digest_of(b"else").encode()
        connection.sendall(
            b"HTTP/1.1 201 Ok\r\nDocker-Content-Digest: %s\r\nContent-Length: 0\r\n\r\n" % digest
        )


def broken(head: bytes, connection: socket.socket) -> None:
    if head.startswith(b"POST / "):
        login(connection)
    else:
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")


def refusing(head: bytes, connection: socket.socket) -> None:
    body = b'{"__type":"UnrecognizedClientException","message":"no"}'
    connection.sendall(b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (silent, "DestinationTimedOut"),
        (dripping, "DestinationTimedOut"),
        (endless, "DestinationAnswerInvalid"),
        (nonsense, "DestinationUnreachable"),
        (redirecting, "DestinationAnswerInvalid"),
        (elsewhere, "DestinationAnswerInvalid"),
        (another_digest, "DestinationAnswerInvalid"),
        (broken, "DestinationFailed"),
        (refusing, "AccessDenied"),
    ],
)
def test_a_destination_that_does_not_do_its_part_is_a_failure(
    start: Callable[..., Running],
    quick: None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    code: str,
) -> None:
    if code == "DestinationTimedOut":
        monkeypatch.setattr(peer_requests, "STEP_SECONDS", 0.5)
        monkeypatch.setattr(peer_requests, "ANSWER_SECONDS", 1.0)
    liar = Liar(answer)
    try:
        with caplog.at_level(logging.DEBUG), copying(start, liar.url) as emulator:
            # Other copies do not wait for it.
            configure(emulator.ecr(), rule(place(), place("us-west-2")))
            digest = emulator.registry().push_image(NAME, "v1", b"layer")
            assert ended(emulator, digest, ("us-west-2", DEFAULT_ACCOUNT)) == ("COMPLETE", None)
            assert ended(emulator, digest) == ("FAILED", code)
    finally:
        liar.close()
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("ecr_emu")]
    assert [line for line in logged if "QVdT" in line or "Signature" in line] == []


def test_nobody_there_is_a_failure(start: Callable[..., Running], quick: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with copying(start, f"http://127.0.0.1:{port}") as emulator:
        first, second = (emulator.registry().push_image(NAME, tag, tag.encode()) for tag in ("v1", "v2"))
        assert ended(emulator, first) == ("FAILED", "DestinationUnreachable")
        assert ended(emulator, second) == ("FAILED", "DestinationUnreachable")


def test_stopping_does_not_wait_for_a_slow_destination(start: Callable[..., Running]) -> None:
    liar = Liar(silent)
    with copying(start, liar.url) as emulator:
        digest = emulator.registry().push_image(NAME, "v1", b"layer")
        until(lambda: bool(liar.requests))
        began = time.monotonic()
    assert time.monotonic() - began < 4
    assert status(emulator, digest) == ("IN_PROGRESS", None)
    liar.close()


def test_what_the_source_lost_is_a_failure(start: Callable[..., Running], quick: None) -> None:
    """The file of a layer has gone from the disk."""
    peer = start(region=THERE)
    emulator = start(region_endpoint=((THERE, peer.url),))
    emulator.ecr().create_repository(repositoryName=NAME)
    configure(emulator.ecr(), rule(place()))
    digest = emulator.registry().push_image(NAME, "v1", b"layer")
    for path in (folder(emulator) / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    emulator.application.runner.start()
    try:
        assert ended(emulator, digest) == ("FAILED", "LayersNotFound")
    finally:
        emulator.application.runner.stop()
    assert tags(peer.ecr(region=THERE)) == {}


def test_one_image_that_is_not_taken_holds_up_no_other_but_its_signature(
    start: Callable[..., Running], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = start(region=THERE)
    put, refused, tried = Peer._put, set(), []

    def put_but_one(self: Peer, route: Any, reference: str, image: Any, body: bytes) -> None:
        tried.append(image.digest)
        if image.digest in refused:
            raise NotNow("DestinationFailed", is_general=False)
        put(self, route, reference, image, body)

    monkeypatch.setattr(Peer, "_put", put_but_one)
    monkeypatch.setattr(courier, "MAX_ATTEMPTS", 5)
    config = b'{"architecture":"amd64","os":"linux"}'
    bad = image_manifest(config, b"bad")
    refused.add(digest_of(bad))
    with copying(start, peer.url) as emulator:
        registry = emulator.registry()
        subject = {"mediaType": OCI_MANIFEST, "digest": digest_of(bad), "size": len(bad)}
        assert registry.push_image(NAME, "bad", b"bad") == digest_of(bad)
        signature = registry.push_image(NAME, None, b"signature", subject=subject)
        good = registry.push_image(NAME, "good", b"good")
        assert ended(emulator, good) == ("COMPLETE", None)
        assert ended(emulator, digest_of(bad)) == ("FAILED", "DestinationFailed")
        # Nothing that it waits for is to come, so it goes.
        assert ended(emulator, signature) == ("COMPLETE", None)
    assert tried.count(digest_of(bad)) == 5
    assert tried.index(signature) > len(tried) - 1 - tried[::-1].index(digest_of(bad))
    assert tags(peer.ecr(region=THERE)) == {good: ["good"], signature: []}


def test_a_push_while_its_image_is_on_its_way_is_copied_as_well(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = start(region=THERE)
    put, pushed = Peer._put, []
    with copying(start, peer.url) as emulator:
        registry = emulator.registry()

        def put_and_push(self: Peer, *arguments: Any) -> None:
            put(self, *arguments)
            if not pushed:
                pushed.append(registry.push_image(NAME, "v2", b"layer"))

        monkeypatch.setattr(Peer, "_put", put_and_push)
        digest = registry.push_image(NAME, "v1", b"layer")
        until(lambda: tags_or_none(peer) == {digest: ["v1", "v2"]})
        assert ended(emulator, digest) == ("COMPLETE", None)


def tags_or_none(peer: Running) -> Any:
    there = peer.ecr(region=THERE)
    return tags(there) if names(there) else None


def test_a_login_that_has_ended_is_made_anew(start: Callable[..., Running], clock: Clock) -> None:
    peer = start(region=THERE)
    with copying(start, peer.url) as emulator:
        first = emulator.registry().push_image(NAME, "v1", b"one")
        assert ended(emulator, first) == ("COMPLETE", None)
        clock.advance(13 * 3600)
        second = emulator.registry().push_image(NAME, "v2", b"two")
        assert ended(emulator, second) == ("COMPLETE", None)


def test_a_large_layer_is_streamed(start: Callable[..., Running]) -> None:
    """Neither side ever holds it whole."""
    peer = start(region=THERE)
    large = bytes(64 << 20)
    emulator = start(region_endpoint=((THERE, peer.url),))
    emulator.ecr().create_repository(repositoryName=NAME)
    configure(emulator.ecr(), rule(place()))
    digest = emulator.registry().push_image(NAME, "v1", large)
    del large
    tracemalloc.start()
    emulator.application.runner.start()
    try:
        assert ended(emulator, digest) == ("COMPLETE", None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        emulator.application.runner.stop()
    assert peak < 24 << 20
