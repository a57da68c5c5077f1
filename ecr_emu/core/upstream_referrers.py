"""Referrers of an image of a cache: what the upstream lists is brought in before they are listed here."""

import logging

from ecr_emu.context import Call
from ecr_emu.core import imports, pull_through
from ecr_emu.core.imports import FRESH_SECONDS, RETRY_SECONDS, Order
from ecr_emu.domain.registries import Registry
from ecr_emu.store import images, repositories, upstream_checks
from ecr_emu.upstream.problems import NOT_FOUND, UpstreamProblem

# Signatures, SBOMs and attestations of one image.
MAX_REFERRERS = 100

log = logging.getLogger(__name__)


def refresh(call: Call, registry: Registry, name: str, subject: str) -> None:
    """Bring in what the upstream lists, once in 24 hours. Raises UpstreamProblem when nothing is cached."""
    rule = pull_through.find_rule(call, registry, name)
    if rule is None or not pull_through.may_import(call, registry, name):
        return
    order = Order(call, registry, name, subject, rule)
    with call.store.read() as connection:
        repository = repositories.find(connection, registry, name)
        check = repository and upstream_checks.find(connection, repository, subject)
    if check and (
        0 <= call.now - check.checked_at <= FRESH_SECONDS
        or (check.failed_at is not None and 0 <= call.now - check.failed_at < RETRY_SECONDS)
    ):
        return
    try:
        call.emulator.flights.together(("referrers", *order.key), lambda: _bring(order))
    except UpstreamProblem as problem:
        if check is None or repository is None:
            raise
        log.warning("referrers of %s@%s are those that are cached: %s", name, subject, problem.reason)
        with call.store.write() as transaction:
            upstream_checks.put_failure(transaction, repository, subject, call.now)


def _bring(order: Order) -> None:
    call = order.call
    try:
        listed = order.open().referrers(order.upstream_name, order.reference)[:MAX_REFERRERS]
    except UpstreamProblem as problem:
        if problem.code == NOT_FOUND:
            return
        raise
    with call.store.read() as connection:
        found = repositories.find(connection, order.registry, order.name)
    if found is None and not listed:
        return
    repository = found or imports.make_repository(order)
    for digest in listed:
        with call.store.read() as connection:
            is_there = images.find(connection, repository, digest) is not None
        if not is_there:
            wanted = Order(call, order.registry, order.name, digest, order.rule)
            imports.bring(wanted, repository, imports.ask(wanted, digest))
    with call.store.write() as transaction:
        repositories.confirm(transaction, repository)
        upstream_checks.put(transaction, repository, order.reference, order.reference, call.now)
