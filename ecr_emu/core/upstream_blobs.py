"""Layers on their way from an upstream: one fetch each, and stored when their bytes are right."""

import logging
from collections.abc import Callable
from contextlib import suppress

from ecr_emu.context import Call
from ecr_emu.core import pull_through, upload, upstreams
from ecr_emu.core.ecr_upstream import EcrUpstream
from ecr_emu.domain.pull_through import Rule
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import layers, repositories
from ecr_emu.store.repositories import Repository
from ecr_emu.upstream.client import Body
from ecr_emu.upstream.flights import Flight
from ecr_emu.upstream.problems import NOT_FOUND, UpstreamProblem, unavailable

log = logging.getLogger(__name__)


def find(call: Call, registry: Registry, name: str, digest: str) -> Flight | None:
    """The flight of a layer that the repository does not hold; None when no upstream may be asked for it.

    The repository is there: it was made when the manifest was pulled.
    """
    rule = pull_through.find_rule(call, registry, name)
    if rule is None or not pull_through.may_import(call, registry, name):
        return None
    with call.store.read() as connection:
        repository = repositories.find(connection, registry, name)
    if repository is None:
        return None
    return start(call, rule, repository, digest)


def start(call: Call, rule: Rule, repository: Repository, digest: str) -> Flight:
    """Have a layer fetched, unless it is under way already."""
    key = (repository.registry, repository.name, digest)
    return call.emulator.flights.blob(key, lambda flight: _fetch(flight, call, rule, repository, digest))


def _fetch(flight: Flight, call: Call, rule: Rule, repository: Repository, digest: str) -> None:
    """Fetch a layer and end its flight, whatever happens."""
    try:
        _carry(flight, call, rule, repository, digest)
    except UpstreamProblem as problem:
        if problem.code != NOT_FOUND:
            log.warning("layer %s of %s: %s", digest, repository.name, problem.reason)
        flight.fail(problem)
    except EcrError as error:
        log.warning("layer %s of %s: %s", digest, repository.name, error.message)
        flight.fail(unavailable(error.message))
    except Exception as error:
        log.exception("fetching layer %s of %s failed", digest, repository.name)
        flight.fail(unavailable(f"the layer could not be stored ({type(error).__name__})"))
    else:
        flight.succeed()


def _carry(flight: Flight, call: Call, rule: Rule, repository: Repository, digest: str) -> None:
    with call.store.read() as connection:
        if layers.find(connection, repository, digest) is not None:
            return
    upstream = upstreams.open_upstream(call, repository.registry, rule)
    name = rule.upstream_name(repository.name)
    if isinstance(upstream, EcrUpstream):
        upstream.link(name, digest, repository)
        return
    with upstream.blob(name, digest) as body:
        flights = call.emulator.flights
        length = _length(body, flights.expected((repository.registry, repository.name, digest)))
        upload_id = upload.start(call, repository)
        begin = lambda: flight.begin(length, lambda: call.blobs.open_upload(upload_id))  # noqa: E731
        source = _Tee(body, flight, begin, lambda: flights.is_closing)
        try:
            upload.complete(call, repository, upload_id, _choose(digest), upload.Chunk(source, length))
        except BaseException:
            with suppress(EcrError):
                upload.cancel(call, repository, upload_id)
            raise


def _length(body: Body, expected: int | None) -> int | None:
    """How long the layer is: as the manifest says, and the answer if it says something."""
    if expected is not None and body.length not in (None, expected):
        raise unavailable(
            f"the upstream registry announces {body.length} bytes of a layer that has {expected} "
            "by its manifest"
        )
    return body.length if expected is None else expected


def _choose(digest: str) -> Callable[[Callable[[str], str]], str]:
    def choose(compute: Callable[[str], str]) -> str:
        if compute(digest.partition(":")[0]) != digest:
            raise unavailable("the upstream registry gave other bytes than the digest says")
        return digest

    return choose


class _Tee:
    """The body, read by the upload; each time it is read again, what came before is in the file."""

    def __init__(
        self, body: Body, flight: Flight, begin: Callable[[], None], is_closing: Callable[[], bool]
    ) -> None:
        self._body = body
        self._flight = flight
        self._begin = begin
        self._is_closing = is_closing
        self._size = 0

    def read(self, size: int, /) -> bytes:
        if self._is_closing():
            raise unavailable("this server is being stopped")
        if self._size:
            self._flight.advance(self._size)
        else:
            self._begin()
        chunk = self._body.read(size)
        self._size += len(chunk)
        return chunk
