"""What a pull through a cache does: ask the upstream, answer at once, and bring the image in behind that.

Reference, data plane 6.3; ECR user guide, Using pull through cache rules.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from sqlite3 import Connection

import orjson

from ecr_emu.context import Call
from ecr_emu.core import create, events, pull, pull_through, push, roles, upstream_blobs, upstreams
from ecr_emu.core.upstreams import Upstream
from ecr_emu.domain import manifests, mutability, names, templates
from ecr_emu.domain.events import CacheRule, Failure, Subject, pulled_through
from ecr_emu.domain.manifests import Manifest
from ecr_emu.domain.pull_through import Rule
from ecr_emu.domain.registries import Registry
from ecr_emu.errors import EcrError
from ecr_emu.store import images, layers, repositories, upstream_checks
from ecr_emu.store.images import Content
from ecr_emu.store.repositories import Repository
from ecr_emu.store.upstream_checks import Check
from ecr_emu.upstream.client import Found
from ecr_emu.upstream.problems import NOT_ASKED, NOT_FOUND, UpstreamProblem, unavailable

# A cached tag is compared with its upstream once in so many seconds.
FRESH_SECONDS = 24 * 3600
# An upstream that could not be asked is left alone for so long by pulls of what is cached.
RETRY_SECONDS = 60
# No image has so many platforms, or indexes inside of indexes: whoever says so wants to keep us busy.
MAX_IMAGES, MAX_DEPTH = 1000, 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that is wanted of an upstream: `reference` is a tag or a digest."""

    call: Call
    registry: Registry
    name: str
    reference: str
    rule: Rule
    is_pull: bool = False

    @property
    def key(self) -> tuple[Registry, str, str]:
        return self.registry, self.name, self.reference

    @property
    def tag(self) -> str | None:
        return None if ":" in self.reference else self.reference

    @property
    def upstream_name(self) -> str:
        return self.rule.upstream_name(self.name)

    def open(self) -> Upstream:
        return upstreams.open_upstream(self.call, self.registry, self.rule)


def manifest(call: Call, registry: Registry, name: str, reference: str, *, is_pull: bool) -> Content | None:
    """What an upstream has for a reference that is not cached, or is and may be old.

    None means: what is cached, or nothing, is the answer. Raises UpstreamProblem.
    """
    rule = pull_through.find_rule(call, registry, name)
    if rule is None or not (names.is_digest(reference) or names.is_oci_tag(reference)):
        return None
    order = Order(call, registry, name, reference, rule, is_pull)
    with call.store.snapshot() as connection:
        repository, is_cached, check = _look(connection, order)
    if (is_cached and check is None) or not pull_through.may_import(call, registry, name):
        return None
    flights = call.emulator.flights
    pending: Content | None = flights.pending(order.key)
    if pending is not None:
        return pending
    if repository is not None and check is not None:
        return _refresh(order, repository, check)
    try:
        content = ask(order, order.reference)
    except UpstreamProblem as problem:
        if problem.code == NOT_FOUND:
            return None
        _report(order, None, problem)
        raise
    _bring_later(order, repository or make_repository(order), content)
    return content


def ask(order: Order, reference: str) -> Content:
    """The manifest that the upstream has, its digest checked. Raises UpstreamProblem."""

    def once() -> Content:
        return _checked(order.open().manifest(order.upstream_name, reference), reference)

    content: Content = order.call.emulator.flights.together((order.registry, order.name, reference), once)
    return content


def make_repository(order: Order) -> Repository:
    """The repository of the cache, made by its template if it is not there. Raises UpstreamProblem."""
    call, registry, name = order.call, order.registry, order.name
    with call.store.read() as connection:
        template = create.find_template(connection, registry, name, templates.PULL_THROUGH_CACHE)
    template = template or templates.DEFAULTS
    try:
        with call.store.write() as transaction:
            repository = repositories.find(transaction, registry, name)
            return repository or create.by_template(
                transaction, template, registry, name, call.now, call.emulator.settings
            )
    except EcrError as error:
        raise UpstreamProblem(NOT_ASKED, error.message) from None


def bring(order: Order, repository: Repository, content: Content) -> None:
    """Store an image with all that it needs. Raises UpstreamProblem, and then the image is not there."""
    try:
        _bring(_Load(order, repository), content, [order.tag] if order.tag else [], 0)
    except EcrError as error:
        raise unavailable(error.message) from None


@dataclass(slots=True)
class _Load:
    """What is brought in at one time; `seen` are the images of it."""

    order: Order
    repository: Repository
    seen: set[str] = field(default_factory=set)


def _look(connection: Connection, order: Order) -> tuple[Repository | None, bool, Check | None]:
    """The repository, whether the image is cached, and the check that is due if it is and may be old."""
    repository = repositories.find(connection, order.registry, order.name)
    if repository is None:
        return None, False, None
    if order.tag is None:
        return repository, images.find(connection, repository, order.reference) is not None, None
    image = images.find_tagged(connection, repository, order.tag)
    if image is None:
        return repository, False, None
    check = upstream_checks.find(connection, repository, order.tag)
    now = order.call.now
    # A tag that somebody pushed or moved here is not the upstream's.
    is_due = (
        check is not None
        and check.digest == image.digest
        and now - check.checked_at > FRESH_SECONDS
        and not (check.failed_at is not None and 0 <= now - check.failed_at < RETRY_SECONDS)
        and not mutability.is_immutable(repository.tag_mutability, repository.mutability_filters, order.tag)
    )
    return repository, True, check if is_due else None


def _refresh(order: Order, repository: Repository, check: Check) -> Content | None:
    """The upstream's image when it is another one now; None when it is the same, or cannot be asked."""
    tag = order.reference
    try:
        content = order.call.emulator.flights.together(("refresh", *order.key), lambda: _newer(order, check))
    except UpstreamProblem as problem:
        log.warning("%s:%s is served as it is cached: %s", order.name, tag, problem.reason)
        with order.call.store.write() as transaction:
            upstream_checks.put_failure(transaction, repository, tag, order.call.now)
        return None
    if content is None:
        with order.call.store.write() as transaction:
            upstream_checks.put(transaction, repository, tag, check.digest, order.call.now)
        return None
    _bring_later(order, repository, content)
    found: Content = content
    return found


def _newer(order: Order, check: Check) -> Content | None:
    if order.open().digest(order.upstream_name, order.reference) == check.digest:
        return None
    content = ask(order, order.reference)
    return None if content.digest == check.digest else content


def _checked(found: Found, reference: str) -> Content:
    """The manifest, if it is one, and the one that was asked for."""
    expected = reference if ":" in reference else found.digest
    algorithm = expected.partition(":")[0] if expected and names.is_digest(expected) else "sha256"
    digest = f"{algorithm}:{hashlib.new(algorithm, found.body, usedforsecurity=False).hexdigest()}"
    if expected and expected != digest:
        raise unavailable("the upstream registry gave another manifest than its digest says")
    if ":" not in reference and algorithm != "sha256":
        digest = f"sha256:{hashlib.sha256(found.body, usedforsecurity=False).hexdigest()}"
    return Content(digest, _parse(found.body, found.media_type).media_type, found.body)


def _parse(body: bytes, media_type: str | None) -> Manifest:
    try:
        return manifests.parse(body, media_type, orjson.loads)
    except manifests.UnknownMediaType:
        raise unavailable("the upstream registry gave a manifest of a kind that is not stored here") from None
    except manifests.InvalidManifest as reason:
        raise unavailable(f"the upstream registry gave something that is no manifest: {reason}") from None


def _bring_later(order: Order, repository: Repository, content: Content) -> None:
    """Have an image stored by a thread; its layers have the sizes of the manifest from now on."""
    flights = order.call.emulator.flights
    parsed = _parse(content.body, content.media_type)
    flights.expect({(*order.key[:2], layer.digest): layer.size_bytes for layer in parsed.layers})
    keys = (order.key, (*order.key[:2], content.digest))
    flights.image(keys, content, lambda: _bring_and_report(order, repository, content))


def _bring_and_report(order: Order, repository: Repository, content: Content) -> None:
    try:
        bring(order, repository, content)
        if order.tag:
            with order.call.store.write() as transaction:
                repositories.confirm(transaction, repository)
                upstream_checks.put(transaction, repository, order.tag, content.digest, order.call.now)
        if order.is_pull:
            with order.call.store.read() as connection:
                image = images.find(connection, repository, content.digest)
            if image is not None:
                pull.record(order.call, order.registry, [image.id])
    except UpstreamProblem as problem:
        _report(order, content.digest, problem)
    except Exception as error:
        log.exception("bringing in %s:%s failed", order.name, order.reference)
        _report(order, content.digest, unavailable(f"it could not be stored ({type(error).__name__})"))
    else:
        _report(order, content.digest, None)


def _report(order: Order, digest: str | None, problem: UpstreamProblem | None) -> None:
    """The one place where an import has succeeded, or failed: what `ECR Pull Through Cache Action` tells."""
    if problem is None:
        log.info("brought in %s:%s from %s", order.name, order.reference, order.rule.upstream_url)
        failure = None
    else:
        failure = Failure(problem.code, problem.reason)
        log.warning(
            "%s:%s was not brought in from %s: %s (%s)",
            *(order.name, order.reference, order.rule.upstream_url, problem.reason, problem.code),
        )

    rule = CacheRule(order.rule.prefix, order.rule.upstream_url)
    about = Subject(order.name, digest or ("" if order.tag else order.reference))
    event = pulled_through(order.registry, rule, about, order.tag, failure)
    with order.call.store.write() as transaction:
        events.record(transaction, order.registry, event, order.call.now)


def _bring(load: _Load, content: Content, tags: list[str], depth: int) -> None:
    """Children first, then layers, then the image itself: one way in, that of a push."""
    if depth > MAX_DEPTH or len(load.seen) >= MAX_IMAGES:
        raise unavailable("the upstream registry has an image of more images than are believed")
    load.seen.add(content.digest)
    parsed = _parse(content.body, content.media_type)
    for digest in _missing_images(load, parsed):
        _bring(load, ask(load.order, digest), [], depth + 1)
    _bring_layers(load, parsed)
    call = load.order.call
    # What is stored now was pushed now, however long its layers took; and by ECR, not by whoever pulls.
    now = max(call.now, call.emulator.clock())
    call = replace(call, now=now, principal=roles.CACHE, credential=None)
    push.put_image(call, load.repository, content.body, content.media_type, content.digest, tags)


def _missing_images(load: _Load, parsed: Manifest) -> Iterator[str]:
    for digest in dict.fromkeys(parsed.children):
        with load.order.call.store.read() as connection:
            is_there = images.find(connection, load.repository, digest) is not None
        if not is_there and digest not in load.seen:
            yield digest


def _bring_layers(load: _Load, parsed: Manifest) -> None:
    """All layers at the same time, as far as there are threads, and return when they are stored."""
    order, flights = load.order, load.order.call.emulator.flights
    wanted = {layer.digest: layer.size_bytes for layer in parsed.layers if layer.required}
    with order.call.store.read() as connection:
        missing = [d for d in wanted if layers.find(connection, load.repository, d) is None]
    flights.expect({(*order.key[:2], digest): wanted[digest] for digest in missing})
    for flight in [upstream_blobs.start(order.call, order.rule, load.repository, d) for d in missing]:
        flight.wait_done()
