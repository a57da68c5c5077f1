"""Many clients and one fetch: bytes as they come, for those who stay."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.clients import Running, digest_of
from tests.upstream.hostile import IMAGE, LAYER, Hostile, in_pieces
from tests.upstream.waiting import images_of, wait_for

CLIENTS = 40
BLOB = f"/v2/team/app/blobs/{digest_of(LAYER)}"
OWN_BLOB = f"/v2/quay/team/app/blobs/{digest_of(LAYER)}"
HALF = len(LAYER) // 2


@pytest.fixture
def rest() -> threading.Event:
    """Set when the upstream may give the second half of the layer."""
    return threading.Event()


@pytest.fixture
def cache(cached: Callable[..., Running], bad: Hostile, rest: threading.Event) -> Iterator[Running]:
    def pieces() -> Iterator[bytes]:
        yield LAYER[:HALF]
        assert rest.wait(60)
        yield LAYER[HALF:]

    bad.offer()
    bad.answers[BLOB] = in_pieces(len(LAYER), pieces)
    running = cached(upstream_timeout=60)
    assert running.registry().request("GET", "/v2/quay/team/app/manifests/v1").body == IMAGE
    yield running
    rest.set()


def ask(cache: Running, stack: ExitStack) -> http.client.HTTPResponse:
    """The head of the answer to a GET of the layer."""
    client = cache.registry()
    connection = stack.enter_context(client.connection())
    connection.request("GET", OWN_BLOB, headers=client.login())
    return connection.getresponse()


def test_every_client_gets_bytes_before_the_fetch_ends(
    cache: Running, bad: Hostile, rest: threading.Event
) -> None:
    with ExitStack() as stack:
        responses = [ask(cache, stack) for _ in range(CLIENTS)]
        assert {response.status for response in responses} == {200}
        assert {response.read(1000) for response in responses} == {LAYER[:1000]}
        assert not rest.is_set()
        rest.set()
        assert {response.read() for response in responses} == {LAYER[1000:]}
    assert bad.times(BLOB) == 1
    wait_for(lambda: images_of(cache.ecr(), "quay/team/app"))


def test_the_fetch_goes_on_without_the_first_client(
    cache: Running, bad: Hostile, rest: threading.Event
) -> None:
    with ExitStack() as stack:
        with ExitStack() as first:
            assert ask(cache, first).read(10) == LAYER[:10]
        second = ask(cache, stack)
        assert second.read(10) == LAYER[:10]
        rest.set()
        assert second.read() == LAYER[10:]
    wait_for(lambda: images_of(cache.ecr(), "quay/team/app"))
    assert bad.times(BLOB) == 1


def test_the_fetch_ends_when_nobody_waits(cache: Running, rest: threading.Event) -> None:
    with ExitStack() as stack:
        assert ask(cache, stack).read(10) == LAYER[:10]
    rest.set()
    wait_for(lambda: images_of(cache.ecr(), "quay/team/app"))


def test_many_pulls_of_one_tag_ask_once(cached: Callable[..., Running], bad: Hostile) -> None:
    bad.offer()
    answer = bad.answers["/v2/team/app/manifests/v1"]
    asked, may_answer = threading.Event(), threading.Event()

    def wait_first(handler: object) -> None:
        asked.set()
        assert may_answer.wait(20)
        answer(handler)  # type: ignore[arg-type]

    bad.answers["/v2/team/app/manifests/v1"] = wait_first
    cache = cached(upstream_timeout=60)
    client = cache.registry()
    bodies: list[bytes] = []

    def pull() -> None:
        bodies.append(client.request("GET", "/v2/quay/team/app/manifests/v1").body)

    threads = [threading.Thread(target=pull) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert asked.wait(20)
    may_answer.set()
    for thread in threads:
        thread.join()
    assert bodies == [IMAGE] * 10
    wait_for(lambda: images_of(cache.ecr(), "quay/team/app"))
    assert bad.times(BLOB) == 1


def test_stop_in_the_middle_leaves_nothing_half_stored(cache: Running) -> None:
    with ExitStack() as stack:
        assert ask(cache, stack).read(10) == LAYER[:10]
        emulator = cache.application.emulator
        # The connection of the client is what the server would wait for.
    emulator.flights.close()
    with emulator.store.read() as connection:
        assert connection.execute("SELECT count(*) FROM images").fetchone() == (0,)
        assert (digest_of(LAYER),) not in connection.execute("SELECT digest FROM blobs").fetchall()
