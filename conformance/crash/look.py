"""What a server shows after a restart, as facts that the oracle can compare."""

import random
import re
from collections.abc import Iterable, Iterator
from typing import Any

from conformance.crash.client import SHARED, Client, read
from conformance.crash.oracle import Key
from conformance.crash.wire import Wire

PAGE = 1000
# As many digests as BatchCheckLayerAvailability takes.
MOST_DIGESTS = 100


def look(wire: Wire, clients: list[Client]) -> dict[Key, Any]:
    """All facts of all repositories, and those of uploads that a client knows of."""
    seen: dict[Key, Any] = {}
    names = [
        one["repositoryName"] for one in _pages(wire, "DescribeRepositories", "repositories", maxResults=PAGE)
    ]
    for name in names:
        seen["repository", name] = True
        for image in _pages(
            wire,
            "DescribeImages",
            "imageDetails",
            repositoryName=name,
            filter={"imageStatus": "ANY"},
            maxResults=PAGE,
        ):
            seen["image", name, image["imageDigest"]] = image["imageStatus"]
            seen.update((("tag", name, tag), image["imageDigest"]) for tag in image.get("imageTags", ()))
    for client in clients:
        if client.own in names:
            seen.update((("layer", client.own, digest), True) for digest in _layers(wire, client))
        seen.update(_uploads(wire, client))
    return seen


def _pages(wire: Wire, operation: str, member: str, **members: Any) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        answer = wire.call(operation, **members, **token)
        yield from answer[member]
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def _layers(wire: Wire, client: Client) -> Iterator[str]:
    """Those of the pool, and those that the client ever named here, as far as they are there."""
    ledger = client.ledger
    named = [*ledger.facts, *ledger.gone, *(ledger.pending or ())]
    digests = set(client.pool) | {key[2] for key in named if key[:2] == ("layer", client.own)}
    ordered = sorted(digests)
    for start in range(0, len(ordered), MOST_DIGESTS):
        asked = ordered[start : start + MOST_DIGESTS]
        answer = wire.call("BatchCheckLayerAvailability", repositoryName=client.own, layerDigests=asked)
        assert answer["failures"] == []
        yield from (
            one["layerDigest"] for one in answer["layers"] if one["layerAvailability"] != "UNAVAILABLE"
        )


def _uploads(wire: Wire, client: Client) -> Iterator[tuple[Key, int]]:
    ledger = client.ledger
    for key in {key for key in (*ledger.facts, *ledger.gone, *(ledger.pending or ())) if key[0] == "upload"}:
        answer = wire.ask("GET", f"/v2/{key[1]}/blobs/uploads/{key[2]}", b"", (204, 404))
        if answer.status == 204:
            match = re.fullmatch(r"0-(\d+)", answer.headers["Range"])
            assert match is not None, answer.headers["Range"]
            last = int(match[1])
            yield key, last + 1 if last else 0


def read_some(wire: Wire, clients: list[Client], chooser: random.Random, most: int | None) -> int:
    """Pull so many images with all their blobs, or all of them, and compare the bytes with their digests."""
    held = [
        (client, key)
        for client in clients
        for key in client.ledger.of("image")
        if client.ledger.facts[key] == "ACTIVE"
    ]
    chosen: Iterable[tuple[Client, Key]] = (
        held if most is None else chooser.sample(held, min(most, len(held)))
    )
    count = 0
    for client, key in chosen:
        read(wire, key[1], key[2], client.manifests[key[2]].needs)
        count += 1
    return count


def make_shared(wire: Wire) -> dict[Key, Any]:
    """Make the repositories that all clients share."""
    for name in SHARED:
        wire.call("CreateRepository", repositoryName=name)
    return {("repository", name): True for name in SHARED}
